"""The recording of one segment: what a voice gives becomes a clip for the player, and is measured."""

from typing import final

from ordered_pipeline.voice._audio import AudioChunk, AudioFormat, Word
from ordered_pipeline.voice._clip import Clip
from ordered_pipeline.voice._convert import Converter, WholeSamples, converter
from ordered_pipeline.voice._silence import SilenceFinder
from ordered_pipeline.voice._take import Take


@final
class Recording:
    """Audio of one take on its way from a voice to the player, in whole samples.

    Attributes:
        clip: What is to be handed over, once there is something.
    """

    def __init__(self, take: Take, audio_format: AudioFormat, *, is_streaming: bool) -> None:
        """Begin with nothing.

        Args:
            take: Is told the words, the length of the audio, and its silences.
            audio_format: What the player is to get.
            is_streaming: Whether the player may have the clip before all of it is there.
        """
        self._take: Take = take
        self._format: AudioFormat = audio_format
        self._is_streaming: bool = is_streaming
        self._silences: SilenceFinder | None = None
        self._bytes_a_second: int | None = None
        if not audio_format.is_container:
            self._silences = SilenceFinder(audio_format)
            self._bytes_a_second = audio_format.step_bytes * audio_format.sample_rate_hz
        self._converter: Converter | None = None
        self._whole: WholeSamples = WholeSamples(audio_format)
        self._begins_s: float = 0.0
        self._size: int = 0
        self._chunks: list[AudioChunk] = []
        self.clip: Clip | None = None

    @property
    def has_sound(self) -> bool:
        """Whether anything came so far."""
        return self._size > 0

    @property
    def is_full(self) -> bool:
        """Whether the player has enough for now."""
        return self.clip is not None and self.clip.is_full

    def begin(self, source: AudioFormat) -> None:
        """Get ready for audio in the format *source*, behind what is there."""
        self._whole = WholeSamples(self._format)
        self._converter = converter(source, self._format)
        self._begins_s = self._take.audio_s or 0.0

    async def add(self, chunk: AudioChunk) -> None:
        """Take what a voice gives; waits while the player has enough. A cut sample waits for its other part.

        Raises:
            AudioError: The audio is not in the format that was told.
        """
        data, words = chunk.data, chunk.words
        made = self._whole(data) if self._converter is None else self._converter.convert(data)
        if words:
            if self._begins_s:
                words = tuple(map(self._placed, words))
            self._take.words += words
        if made:
            await self._put(chunk if made is data and words is chunk.words else AudioChunk(made, words))

    async def finish(self) -> None:
        """Take what was held back.

        Raises:
            AudioError: The audio ended before its samples began.
        """
        made = self._whole(b"", is_last=True) if self._converter is None else self._converter.finish()
        if made:
            await self._put(AudioChunk(made))
        if self.clip is None and self._chunks:
            self._make_clip()

    async def _put(self, chunk: AudioChunk) -> None:
        self._size += len(chunk.data)
        if self._bytes_a_second is not None:
            self._take.audio_s = self._size / self._bytes_a_second
        if self._silences is not None and self._silences.push(chunk.data):
            # Not only at the end: who is interrupted before wants to know when the words began.
            self._take.silences = self._silences.finish()
        if self.clip is not None:
            await self.clip.put(chunk)
            return
        self._chunks.append(chunk)
        if self._is_streaming:
            self._make_clip()

    def _make_clip(self) -> None:
        self.clip = Clip(self._take.segment, self._format, self._chunks)
        # The player's from now on.
        self._chunks.clear()

    def _placed(self, word: Word) -> Word:
        """Return a word of the rest of a segment with its place in the whole."""
        return Word(word.text, word.start_s + self._begins_s, word.end_s + self._begins_s)
