"""The recording of one segment: what a voice gives becomes what the player takes, and is measured."""

from typing import final

from ordered_pipeline.voice._audio import AudioFormat
from ordered_pipeline.voice._convert import Converter, WholeSamples, converter
from ordered_pipeline.voice._silence import SilenceFinder
from ordered_pipeline.voice._take import Take


@final
class Recording:
    """Audio of one take on its way from a voice to the player, in whole samples."""

    def __init__(self, take: Take, audio_format: AudioFormat) -> None:
        """Begin with nothing.

        Args:
            take: Is told the length of the audio, and its silences.
            audio_format: What the player is to get.
        """
        self._take: Take = take
        self._format: AudioFormat = audio_format
        self._silences: SilenceFinder | None = (
            None if audio_format.is_container else SilenceFinder(audio_format)
        )
        self._converter: Converter | None = None
        self._whole: WholeSamples = WholeSamples(audio_format)
        self._size: int = 0

    @property
    def has_sound(self) -> bool:
        """Whether anything came so far."""
        return self._size > 0

    def begin(self, source: AudioFormat) -> None:
        """Get ready for audio in the format *source*, behind what is there."""
        self._whole = WholeSamples(self._format)
        self._converter = converter(source, self._format)

    def add(self, data: bytes) -> bytes:
        """Return what *data* gives for the player; a sample that is cut waits for its other part.

        Raises:
            AudioError: *data* is not in the format that was told.
        """
        return self._measured(self._whole(data) if self._converter is None else self._converter.convert(data))

    def finish(self) -> bytes:
        """Return what was held back.

        Raises:
            AudioError: The audio ended before its samples began.
        """
        return self._measured(
            self._whole(b"", is_last=True) if self._converter is None else self._converter.finish()
        )

    def _measured(self, data: bytes) -> bytes:
        self._size += len(data)
        if self._silences is not None and data:
            self._silences.push(data)
            # Not only at the end: who is interrupted before wants to know when the words began.
            self._take.silences = self._silences.finish()
            self._take.audio_s = self._format.duration_s(self._size)
        return data
