"""Linear samples of other widths than 16 bits, low byte first, made 16 bit ones.

What a wider sample has below 16 bits is left out, which turns no sound up or down.
"""

import struct
from typing import Final

# The high byte of each unsigned one: zero is in the middle.
_SIGNED: Final = bytes(byte ^ 0x80 for byte in range(256))
_LOUDEST: Final = 2**15 - 1


def u8_to_s16(data: bytes) -> bytes:
    """Return unsigned integers of 8 bits as 16 bit samples."""
    samples = bytearray(2 * len(data))
    samples[1::2] = data.translate(_SIGNED)
    return bytes(samples)


def s24_to_s16(data: bytes) -> bytes:
    """Return integers of 24 bits as 16 bit samples; *data* are whole samples."""
    return _high_bytes(data, 3)


def s32_to_s16(data: bytes) -> bytes:
    """Return integers of 32 bits as 16 bit samples; *data* are whole samples."""
    return _high_bytes(data, 4)


def f32_to_s16(data: bytes) -> bytes:
    """Return floats of 32 bits, loudest at 1 and -1, as 16 bit samples; *data* are whole samples."""
    return _scaled(struct.unpack(f"<{len(data) // 4}f", data))


def f64_to_s16(data: bytes) -> bytes:
    """Return floats of 64 bits as 16 bit samples, as `f32_to_s16` does."""
    return _scaled(struct.unpack(f"<{len(data) // 8}d", data))


def _high_bytes(data: bytes, width: int) -> bytes:
    samples = bytearray(2 * (len(data) // width))
    samples[0::2] = data[width - 2 :: width]
    samples[1::2] = data[width - 1 :: width]
    return bytes(samples)


def _scaled(values: tuple[float, ...]) -> bytes:
    # What is louder than loudest is that; what is no number (the comparison is false for it) is silence.
    samples = [
        int(max(-1.0, min(1.0, value)) * _LOUDEST) if value == value else 0  # noqa: PLR0124
        for value in values
    ]
    return struct.pack(f"<{len(samples)}h", *samples)
