"""The clips of the queue-ahead player: what is in their files, and how their playing goes."""

from dataclasses import dataclass, field
from typing import final

import anyio

from ordered_pipeline.adapters.telnyx._queue_ledger import Part
from ordered_pipeline.voice import AudioFormat, PlaybackResult
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.wire._wav import WavError, WavFormat, WavReader, wav_header


@final
class QueuePlayback:
    """One clip in a `QueuePlayer`."""

    def __init__(self, part: Part, changed: Bell) -> None:
        """Use `QueuePlayer.play` instead."""
        self._part: Part = part
        self._changed: Bell = changed

    async def started(self) -> float:
        """Return when its first sample sounds; waits until it does, for ever if it never will.

        Raises:
            CallControlError: Nothing of it was heard, for its command failed.
            Exception: The same, for its address could not be made.
        """
        while True:
            now_s = anyio.current_time()
            if self._part.start_s <= now_s:
                return self._part.start_s
            if self._part.error is not None:
                raise self._part.error
            if self._part.result is not None:
                await anyio.sleep_forever()
            with anyio.CancelScope(deadline=self._part.start_s):
                await self._changed.wait()

    async def finished(self) -> PlaybackResult:
        """Return how it ended; waits until it has.

        Raises:
            CallOverError: The call ended before it did.
            CallControlError: Its command failed.
            Exception: Its address could not be made.
        """
        while self._part.result is None:
            now_s = anyio.current_time()
            if self._part.error is not None:
                raise self._part.error
            if now_s >= self._part.due_s:
                self._part.settle("presumed", now_s)
                continue
            with anyio.CancelScope(deadline=self._part.due_s):
                await self._changed.wait()
        return self._part.result

    def position_s(self) -> float:
        """Return how much of it has sounded by now, in seconds."""
        return self._part.position_s(anyio.current_time())


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a clip, and the file it came in.

    Attributes:
        part: What is known of its playing.
        format: How the samples are to be read.
        samples: All of them.
        file: The whole file.
    """

    part: Part
    format: WavFormat
    samples: bytes = field(repr=False)
    file: bytes = field(repr=False)


def read_sound(file: bytes) -> Sound | None:
    """Return what *file* holds, None if it holds no sound.

    Raises:
        ValueError: It is no WAV file.
    """
    reader = WavReader()
    try:
        samples = reader.push(file)
        reader.finish()
    except WavError as error:
        raise ValueError(f"clip must hold a WAV file, got something else: {error}") from error
    if reader.format is None:
        return None
    wav = reader.format
    audio_format = AudioFormat(wav.encoding, wav.sample_rate_hz, wav.channels)
    samples = samples[: len(samples) - len(samples) % audio_format.step_bytes]
    return Sound(Part(audio_format.duration_s(len(samples))), wav, samples, file) if samples else None


def join(sounds: list[Sound]) -> bytes:
    """Return one file of all of *sounds*, which are in one format."""
    wav = sounds[0].format
    if wav.encoding != "s16le":
        return sounds[0].file
    samples = b"".join(sound.samples for sound in sounds)
    return (
        wav_header(sample_rate_hz=wav.sample_rate_hz, channels=wav.channels, data_bytes=len(samples))
        + samples
    )
