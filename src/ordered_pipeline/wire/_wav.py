"""WAV files: samples behind a header, which says how they are to be read and how many there are.

A file stays valid while it grows if its samples are written first and a new header over the old one after:
bytes behind what the header counts are not part of the sound.

Source:
    Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft, 1991), "Waveform Audio
    File Format"; Multiple Channel Audio Data and WAVE Files (Microsoft, 2001), for the extensible one.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, final

from ordered_pipeline.wire._pcm import f32_to_s16, f64_to_s16, s24_to_s16, s32_to_s16, u8_to_s16

HEADER_BYTES: Final[int] = 44
# Sizes in the header are 32 bit, and the first one counts 36 bytes of the header itself.
MAX_DATA_BYTES: Final[int] = 2**32 - 1 - 36

_PCM: Final = 1
_FLOAT: Final = 3
_EXTENSIBLE: Final = 0xFFFE
# The format tags and bits a sample that are read, and what other tags are called.
_ENCODINGS: Final[dict[tuple[int, int], Literal["s16le", "mulaw", "alaw"]]] = {
    (_PCM, 16): "s16le",
    (6, 8): "alaw",
    (7, 8): "mulaw",
}
# Those that are made 16 bit, and by what.
_WIDTHS: Final[dict[tuple[int, int], Callable[[bytes], bytes]]] = {
    (_PCM, 8): u8_to_s16,
    (_PCM, 24): s24_to_s16,
    (_PCM, 32): s32_to_s16,
    (_FLOAT, 32): f32_to_s16,
    (_FLOAT, 64): f64_to_s16,
}
_TAGS: Final[dict[int, str]] = {_PCM: "integers", _FLOAT: "floats", 6: "A-law", 7: "mu-law"}
_RIFF: Final = struct.Struct("<4sI4s")
_CHUNK: Final = struct.Struct("<4sI")
_FORMAT: Final = struct.Struct("<HHIIHH")
_SUBFORMAT_AT: Final = 24
# Writers into a pipe put down a length that no file has: 2 GiB less some, or all that the header can tell.
_LEAST_UNKNOWN_BYTES: Final = 0x7FFF0000
# An extensible format has 40 bytes. What claims to be much longer is no format.
_MOST_FORMAT_BYTES: Final = 1024


class WavError(Exception):
    """What was received is no WAV file, or one whose samples are not read here."""


@dataclass(frozen=True, slots=True)
class WavFormat:
    """How the samples of a WAV file are to be read."""

    encoding: Literal["s16le", "mulaw", "alaw"]
    sample_rate_hz: int
    channels: int


def wav_header(*, sample_rate_hz: int, channels: int, data_bytes: int) -> bytes:
    """Return the header of a WAV file with 16 bit samples.

    Args:
        sample_rate_hz: Samples a second, of each channel.
        channels: How many channels.
        data_bytes: Length of the samples after the header; whole samples of all channels.

    Raises:
        ValueError: *data_bytes* is negative, ends inside a sample, or is more than a WAV file holds (4 GiB).
    """
    step_bytes = 2 * channels
    if not 0 <= data_bytes <= MAX_DATA_BYTES or data_bytes % step_bytes:
        raise ValueError(
            f"data_bytes must be a multiple of {step_bytes} from 0 to {MAX_DATA_BYTES}, got {data_bytes!r}"
        )
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + data_bytes,
        b"WAVE",
        b"fmt ",
        16,
        _PCM,
        channels,
        sample_rate_hz,
        sample_rate_hz * step_bytes,
        step_bytes,
        16,
        b"data",
        data_bytes,
    )


@final
class WavReader:
    """Gives the samples of one WAV file while its bytes come in.

    The length in the header is heeded; 0 and what is longer than the file stand for "up to the end", for they
    come from writers that did not know it yet. Chunks other than the format and the samples are passed over.

    Attributes:
        format: How what is given out is to be read; known as soon as anything is.
        missing_s: How much sound the header promises that has not come yet, in seconds; 0 where its writer
            did not know the length.
    """

    def __init__(self, *, any_width: bool = False) -> None:
        """Begin a file.

        Args:
            any_width: Whether integers of 8, 24 and 32 bits and floats are taken as well, and made 16 bit.
        """
        self.format: WavFormat | None = None
        self._any_width: bool = any_width
        self._pending: bytearray = bytearray()
        self._is_riff: bool = False
        self._skip_bytes: int = 0
        self._is_data: bool = False
        self._data_bytes: float = math.inf  # what is left of the samples
        self._is_length_known: bool = False
        self._bytes_a_second: int = 0
        # For samples that are made 16 bit: by what, how many bytes one has, and what was there of the last.
        self._narrow: Callable[[bytes], bytes] | None = None
        self._width: int = 1
        self._rest: bytes = b""

    @property
    def missing_s(self) -> float:
        return self._data_bytes / self._bytes_a_second if self._is_length_known else 0.0

    def push(self, data: bytes) -> bytes:
        """Take the next bytes of the file and return the samples among them, not always whole ones.

        Raises:
            WavError: It is no WAV file, or its samples are not read.
        """
        if not self._is_data:
            self._pending += data
            if not self._read_header():
                return b""
            data = bytes(self._pending)
            self._pending.clear()
        samples = data if len(data) <= self._data_bytes else data[: int(self._data_bytes)]
        self._data_bytes -= len(samples)
        return samples if self._narrow is None else self._narrowed(self._narrow, samples)

    def finish(self) -> None:
        """Say that the file has ended.

        Raises:
            WavError: It ended before its samples began. A file of no bytes at all is none, and no error.
        """
        if not self._is_data and (self._is_riff or self._pending):
            raise WavError("the WAV file ended inside its header")

    def _narrowed(self, narrow: Callable[[bytes], bytes], data: bytes) -> bytes:
        data = self._rest + data
        whole = len(data) - len(data) % self._width
        self._rest = data[whole:]
        return narrow(data[:whole])

    def _read_header(self) -> bool:
        """Read up to where the samples begin; return whether there was enough."""
        while not self._is_data:
            if not (self._read_chunk() if self._is_riff else self._read_riff()):
                return False
        return True

    def _read_riff(self) -> bool:
        """Read what each file begins with; return as above."""
        if len(self._pending) < _RIFF.size:
            return False
        riff, _, wave = _RIFF.unpack_from(self._pending)
        if (riff, wave) != (b"RIFF", b"WAVE"):
            raise WavError(
                f"a WAV file must begin with RIFF and WAVE, got {bytes(self._pending[: _RIFF.size])!r}"
            )
        del self._pending[: _RIFF.size]
        self._is_riff = True
        return True

    def _read_chunk(self) -> bool:
        """Read the chunk that comes next, of the samples no more than where they begin; return as above."""
        pending = self._pending
        skipped = min(self._skip_bytes, len(pending))
        del pending[:skipped]
        self._skip_bytes -= skipped
        if len(pending) < _CHUNK.size:
            return False
        kind, size = _CHUNK.unpack_from(pending)
        if kind == b"data":
            if self.format is None:
                raise WavError("a WAV file must tell its format before its samples, got none")
            del pending[: _CHUNK.size]
            self._is_data, self._data_bytes = True, size or math.inf
            self._is_length_known = 0 < size < _LEAST_UNKNOWN_BYTES
            return True
        if kind == b"fmt ":
            if not _FORMAT.size <= size <= _MOST_FORMAT_BYTES:
                raise WavError(f"a WAV file's format must have {_FORMAT.size} to 40 bytes, got {size}")
            if len(pending) < _CHUNK.size + size:
                return False
            self._read_format(bytes(pending[_CHUNK.size : _CHUNK.size + size]))
        # A chunk of odd length is followed by a byte that does not count.
        self._skip_bytes = _CHUNK.size + size + size % 2
        return True

    def _read_format(self, chunk: bytes) -> None:
        tag, channels, sample_rate_hz, _, _, bits = _FORMAT.unpack_from(chunk)
        if tag == _EXTENSIBLE and len(chunk) >= _SUBFORMAT_AT + 2:
            (tag,) = struct.unpack_from("<H", chunk, _SUBFORMAT_AT)
        encoding = _ENCODINGS.get((tag, bits))
        if encoding is None and self._any_width:
            self._narrow = _WIDTHS.get((tag, bits))
            encoding = "s16le" if self._narrow is not None else None
        if encoding is None:
            what = _TAGS.get(tag, f"samples of format tag {tag:#06x}")
            linear = "integers or floats" if self._any_width else "16 bit integers"
            raise WavError(
                f"a WAV file must hold {linear}, or mu-law or A-law of 8 bits, got {what} of {bits} bits; "
                "ask for 16 bit PCM"
            )
        if not (channels and sample_rate_hz):
            raise WavError(
                f"a WAV file must have channels and a rate, got {channels} and {sample_rate_hz} Hz"
            )
        self.format = WavFormat(encoding, sample_rate_hz, channels)
        self._width = bits // 8
        self._bytes_a_second = sample_rate_hz * channels * self._width
