"""Files that are opened before there is anything to write, and keep what is in them until there is."""

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.wire._wav import HEADER_BYTES, MAX_DATA_BYTES, wav_header


class OutputFile:
    """A file to be written.

    Attributes:
        size: How many bytes were written.
    """

    def __init__(self, path: str) -> None:
        """Open the file. What is in it stays until something is written.

        Raises:
            Failure: It cannot be opened for writing.
        """
        self.size: int = 0
        self._path: str = path
        # Whether the file is of no use to anybody while nothing was written.
        self._is_ours: bool = not os.path.lexists(path)
        try:
            self._file = open(path, "wb", buffering=0, opener=_without_emptying)  # noqa: SIM115  # see `close`
        except OSError as error:
            raise self.failure(error.strerror or str(error)) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        """Append *data*.

        Raises:
            Failure: Not all could be written; the file then holds what could.
        """
        rest = memoryview(data)
        try:
            if not self.size and os.fstat(self._file.fileno()).st_size:
                self._file.truncate(0)
                self._is_ours = True
            while rest:
                written = self._file.write(rest)
                self.size += written
                rest = rest[written:]
        except OSError as error:
            raise self.failure(error.strerror or str(error)) from error

    def write_over(self, data: bytes) -> None:
        """Write *data* over the beginning of what was written, which is longer.

        Raises:
            Failure: It could not be written.
        """
        try:
            self._file.seek(0)
            self._file.write(data)
            self._file.seek(self.size)
        except OSError as error:
            raise self.failure(error.strerror or str(error)) from error

    def close(self) -> None:
        """Close the file, and remove it if it was made for something that did not come."""
        is_file = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)
        self._file.close()
        if self._is_ours and is_file and not self.size:
            Path(self._path).unlink(missing_ok=True)

    def failure(self, why: str) -> Failure:
        """Return what to raise when the file cannot be written."""
        return Failure(Exit.UNWRITABLE, f"{self._path!r} cannot be written: {why}")


class WavFile:
    """A WAV file that is always valid: samples are written first, then the header that counts them."""

    def __init__(self, file: OutputFile, audio_format: AudioFormat) -> None:
        """Write to *file*, which has nothing written yet and is closed by whoever opened it."""
        self._file: OutputFile = file
        self._format: AudioFormat = audio_format

    def write(self, data: bytes) -> None:
        """Append samples.

        Raises:
            Failure: Not all could be written; the file then holds what could.
        """
        file = self._file
        if not file.size:
            file.write(self._header(0))
        if file.size - HEADER_BYTES + len(data) > MAX_DATA_BYTES:
            raise file.failure("a WAV file holds 4 GiB")
        try:
            file.write(data)
        finally:
            file.write_over(self._header(file.size - HEADER_BYTES))

    def _header(self, data_bytes: int) -> bytes:
        return wav_header(
            sample_rate_hz=self._format.sample_rate_hz,
            channels=self._format.channels,
            data_bytes=data_bytes - data_bytes % self._format.step_bytes,
        )


def _without_emptying(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_TRUNC, 0o666)
