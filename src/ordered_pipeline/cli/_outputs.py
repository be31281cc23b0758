"""Where sound goes: to a speaker, or to somebody who will listen to the file; and the file itself."""

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import anyio

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.voice import AudioFormat, Block
from ordered_pipeline.wire._wav import HEADER_BYTES, MAX_DATA_BYTES, wav_header


class Output(Protocol):
    """What a speaker does, as far as the command needs it."""

    @property
    def started_s(self) -> float | None:
        """When sample 0 sounded, on the event loop's clock."""
        ...

    async def write(self, data: bytes) -> Block:
        """Append *data* to what is to sound."""
        ...

    async def drain(self) -> None:
        """Wait until all has been heard."""
        ...

    def stop(self) -> None:
        """Be silent at once."""
        ...

    def heard_samples(self) -> int:
        """Return how many samples have been heard, silence included."""
        ...


class Listener:
    """An output without a device: somebody who plays the file while it grows. Nothing waits for them."""

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format: AudioFormat = audio_format
        self._started_s: float | None = None
        self._end: int = 0

    @property
    def started_s(self) -> float | None:
        """When the first sample came."""
        return self._started_s

    async def write(self, data: bytes) -> Block:
        """Take *data*, which sounds when all before it has, or at once."""
        now = anyio.current_time()
        if self._started_s is None:
            self._started_s = now
        first = max(self._end, int((now - self._started_s) * self._format.sample_rate_hz))
        block = Block(self._format.samples_per_channel(len(data)), first)
        self._end = first + block.samples
        return block

    async def drain(self) -> None:
        """Do nothing: what is written is there to be heard."""

    def stop(self) -> None:
        """Do nothing, as `drain`."""

    def heard_samples(self) -> int:
        """Return all that was written."""
        return self._end


class WavFile:
    """A WAV file that is always valid: samples are written first, then the header that counts them."""

    def __init__(self, path: str, audio_format: AudioFormat) -> None:
        """Open the file. What is in it stays until there is sound to write.

        Raises:
            Failure: It cannot be opened for writing.
        """
        self._path: str = path
        self._format: AudioFormat = audio_format
        self._size: int = 0
        # Whether the file is of no use to anybody while there is no sound in it.
        self._is_ours: bool = not os.path.lexists(path)
        try:
            self._file = open(path, "wb", buffering=0, opener=_without_emptying)  # noqa: SIM115  # see `close`
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Append samples.

        Raises:
            Failure: Not all could be written; the file then holds what could.
        """
        if self._size + len(data) > MAX_DATA_BYTES:
            raise Failure(Exit.UNWRITABLE, f"{self._path!r} cannot be written: a WAV file holds 4 GiB")
        try:
            if not self._size:
                self._begin()
            self._append(data)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Close the file, and remove it if it was made for sound that did not come."""
        is_file = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        self._file.close()
        if self._is_ours and is_file and not self._size:
            Path(self._path).unlink(missing_ok=True)

    def _begin(self) -> None:
        if os.fstat(self._file.fileno()).st_size:
            self._file.truncate(0)
            self._is_ours = True
        self._write_header()

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                written = self._file.write(rest)
                self._size += written
                rest = rest[written:]
        finally:
            self._write_header()

    def _write_header(self) -> None:
        self._file.seek(0)
        self._file.write(
            wav_header(
                sample_rate_hz=self._format.sample_rate_hz,
                channels=self._format.channels,
                data_bytes=self._size - self._size % self._format.step_bytes,
            )
        )
        self._file.seek(HEADER_BYTES + self._size)

    def _failure(self, error: OSError) -> Failure:
        return Failure(Exit.UNWRITABLE, f"{self._path!r} cannot be written: {error.strerror or error}")


def _without_emptying(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_TRUNC, 0o666)
