"""A caller from a WAV file, who speaks at the pace of the one who was recorded."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, final

import anyio

from ordered_pipeline.cli._blocks import Blocks
from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.wire._wav import WavError, WavReader

_FRAMES_A_SECOND: Final = 50
_MOST_CHANNELS: Final = 2
# From the telephone's worst to the studio's best: what is beyond is a broken header.
_LEAST_HZ: Final = 4_000
_MOST_HZ: Final = 768_000


@asynccontextmanager
async def open_caller(path: str) -> "AsyncGenerator[Caller, None]":
    """Wait for the first samples in *path*, a file or a pipe, and give the caller that it holds.

    Raises:
        Failure: It cannot be read, is no WAV file, has samples that cannot be heard, or none.
    """
    blocks = Blocks(path)
    try:
        caller = Caller(repr(path), blocks)
        await caller.read_beginning()
        yield caller
    finally:
        blocks.close()


@final
class Caller:
    """The caller's audio in a WAV file, at any width of its samples.

    Attributes:
        format: What the audio is in.
        missing_s: How much audio the file's header promises that did not come, in seconds; known at its end.
    """

    def __init__(self, name: str, blocks: Blocks) -> None:
        """Use `open_caller` instead."""
        self._name: str = name
        self._blocks: Blocks = blocks
        self._reader: WavReader = WavReader(any_width=True)
        self._samples: bytearray = bytearray()
        self._is_whole: bool = False

    @property
    def format(self) -> AudioFormat:
        wav = self._reader.format
        assert wav is not None  # noqa: S101  # the beginning was read
        return AudioFormat(wav.encoding, wav.sample_rate_hz, wav.channels)

    @property
    def missing_s(self) -> float:
        return self._reader.missing_s

    async def read_beginning(self) -> None:
        """Read up to the first samples.

        Raises:
            Failure: As `open_caller`.
        """
        while not self._samples and not self._is_whole:
            await self._read()
        wav = self._reader.format
        if wav is None:
            raise Failure(Exit.NOTHING, f"nobody speaks: {self._name} is empty")
        if wav.channels > _MOST_CHANNELS:
            raise self._unheard(f"it must have 1 or 2 channels, got {wav.channels}")
        if not _LEAST_HZ <= wav.sample_rate_hz <= _MOST_HZ:
            raise self._unheard(f"it must have {_LEAST_HZ} to {_MOST_HZ} Hz, got {wav.sample_rate_hz}")
        if len(self._samples) < self.format.step_bytes:
            raise Failure(Exit.NOTHING, f"nobody speaks: there is no sound in {self._name}")

    async def speak(self, begin_s: float) -> AsyncGenerator[bytes, None]:
        """Give the audio in frames of 20 ms, each when its last sample is over.

        The first begins at *begin_s*, on the event loop's clock. Who takes a frame late gets the next ones as
        fast as it likes, until it is in time again. A pipe that is slower than the sound in it is waited for.
        A last sample that is not whole is left out.

        Raises:
            Failure: The file cannot be read any more.
        """
        step_bytes = self.format.step_bytes
        frame_bytes = self.format.sample_rate_hz // _FRAMES_A_SECOND * step_bytes
        spoken = 0
        while True:
            while len(self._samples) < frame_bytes and not self._is_whole:
                await self._read()
            frame = bytes(self._samples[: min(frame_bytes, len(self._samples) // step_bytes * step_bytes)])
            if not frame:
                return
            del self._samples[: len(frame)]
            spoken += len(frame)
            await anyio.sleep_until(begin_s + self.format.duration_s(spoken))
            yield frame

    async def _read(self) -> None:
        try:
            block = await self._blocks.read()
        except OSError as error:
            raise Failure(Exit.UNREADABLE, f"{self._name} cannot be read: {error.strerror}") from error
        try:
            self._samples += self._reader.push(block)
            if not block:
                self._is_whole = True
                self._reader.finish()
        except WavError as error:
            raise self._unheard(str(error)) from error

    def _unheard(self, why: str) -> Failure:
        return Failure(Exit.NO_WAV, f"{self._name} cannot be heard: {why}")
