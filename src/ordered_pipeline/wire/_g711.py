"""G.711: telephone audio, one byte a sample, to and from 16 bit samples, low byte first.

Each code stands for a range of samples, 256 ranges in all, narrow near zero and wide where it is loud. It has
a bit for the sign, three for the segment, each of which is twice as wide as the one before, and four for the
step in it. To decode is to look up one of 256. To encode, the samples of a block are the digits of one large
number, and whatever is done is done to all of them at once.

Source:
    ITU-T Recommendation G.711 (11/1988), tables 1a to 2b. Samples of 16 bits are taken as its 14 (mu-law) or
    13 (A-law) by leaving out the lowest bits, as telephone software does.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, Literal, TypeAlias

_Law: TypeAlias = Literal["mulaw", "alaw"]

# Samples that are encoded at once: so many that each step costs what its samples do, and no more than are
# near the processor.
_BLOCK_SAMPLES: Final = 4000
# For how many lengths of blocks what each needs is kept, 60 KiB at most; voices have few.
_LENGTHS: Final = 16


def mulaw_to_s16(data: bytes) -> bytes:
    """Return the 16 bit samples that the mu-law codes in *data* stand for."""
    return _decode("mulaw", data)


def s16_to_mulaw(data: bytes) -> bytes:
    """Return the mu-law codes of the 16 bit samples in *data*.

    Raises:
        ValueError: *data* ends inside a sample.
    """
    return _encode("mulaw", data)


def alaw_to_s16(data: bytes) -> bytes:
    """Return the 16 bit samples that the A-law codes in *data* stand for."""
    return _decode("alaw", data)


def s16_to_alaw(data: bytes) -> bytes:
    """Return the A-law codes of the 16 bit samples in *data*.

    Raises:
        ValueError: *data* ends inside a sample.
    """
    return _encode("alaw", data)


def _decode(law: _Law, data: bytes) -> bytes:
    # A byte table for each half of the samples: 25 times as fast as looking up whole samples.
    low, high = _decoder(law)
    samples = bytearray(2 * len(data))
    samples[::2] = data.translate(low)
    samples[1::2] = data.translate(high)
    return bytes(samples)


def _encode(law: _Law, data: bytes) -> bytes:
    if len(data) % 2:
        raise ValueError(f"data must be whole samples of 2 bytes, got {len(data)} bytes")
    size = 2 * _BLOCK_SAMPLES
    if len(data) <= size:
        return _encoded(law, data)
    return b"".join([_encoded(law, data[start : start + size]) for start in range(0, len(data), size)])


@dataclass(frozen=True, slots=True)
class _Encoding:
    """How a sample's magnitude becomes a code.

    Of a sample without its lowest two bits the magnitude is the sample itself, or if it is negative, its bits
    turned round: one less than it is. Its segment and step are in 8 bits of it, in the upper ones, from 128
    on, if it is at least *loud*, else in the lower ones.

    Attributes:
        bias: What is added to the magnitude, so that segments begin at powers of 2.
        loud: From where on the upper bits tell.
        quiet_shift: Where the lower bits begin.
        loud_ranges: How many ranges more the upper bits stand for than the same lower ones.
        ranges: The range for 8 bits, the quietest first.
        inverted: The bits of a code that are turned round on the line.
    """

    bias: int
    loud: int
    quiet_shift: int
    loud_ranges: int
    ranges: bytes
    inverted: int


def _mulaw_ranges(bits: int) -> int:
    # The first segment begins at 16. What is less was more than 8 bits: what was beyond the last range.
    segment = bits.bit_length() - 5
    return (segment << 4) + (bits >> segment) - 16 if segment >= 0 else 63


def _alaw_ranges(bits: int) -> int:
    # The first two segments have steps of the same width.
    segment = max(bits.bit_length() - 5, 0)
    return (segment << 4) + (bits >> segment)


# 133 is 4 times 33, and the one that negative magnitudes lack. The lowest bits of the others do not count.
_ENCODINGS: Final[dict[_Law, _Encoding]] = {
    "mulaw": _Encoding(133, 2048, 3, 64, bytes(map(_mulaw_ranges, range(256))), 0xFF),
    "alaw": _Encoding(0, 4096, 4, 48, bytes(map(_alaw_ranges, range(256))), 0xD5),
}


def _encoded(law: _Law, data: bytes) -> bytes:
    """Return the codes of samples: three times as fast as looking them up one by one."""
    encoding = _ENCODINGS[law]
    size = len(data) // 2
    ones, units, biases, gaps, lower, upper, signs, inverted = _digits(law, size)
    samples = int.from_bytes(data, "little")
    negative = ((samples >> 15) & ones) * 0xFFFF
    magnitudes = ((samples & units) ^ negative) + biases
    loud = (((magnitudes + gaps) >> 15) & ones) * 0xFFFF
    quiet_bits = magnitudes >> encoding.quiet_shift
    # Of each two the one or the other; the bits of other samples get in above these 8.
    bits = (quiet_bits ^ ((quiet_bits ^ (magnitudes >> 7)) & loud)) & lower
    # In each digit's upper byte what is added to the range of its lower one.
    halves = (bits | (loud & upper) | (negative & signs)).to_bytes(2 * size, "little")
    ranges = int.from_bytes(halves[::2].translate(encoding.ranges), "little")
    codes = (ranges + int.from_bytes(halves[1::2], "little")) ^ inverted
    return codes.to_bytes(size, "little")


@lru_cache(_LENGTHS)
def _digits(law: _Law, size: int) -> tuple[int, ...]:
    """Return numbers of *size* equal digits, as `_encoded` wants them: of 16 bits, and the last of 8."""
    encoding = _ENCODINGS[law]
    digits = (1, 0xFFFC, encoding.bias, 0x8000 - encoding.loud, 0xFF, encoding.loud_ranges << 8, 0x8000)
    ones = int.from_bytes(b"\1\0" * size, "little")
    return *(ones * digit for digit in digits), int.from_bytes(bytes([encoding.inverted]) * size, "little")


@cache
def _decoder(law: _Law) -> tuple[bytes, bytes]:
    """Return the low and the high bytes of the samples of all codes."""
    sample = _mulaw_sample if law == "mulaw" else _alaw_sample
    samples = b"".join(sample(code).to_bytes(2, "little", signed=True) for code in range(256))
    return samples[::2], samples[1::2]


def _mulaw_sample(code: int) -> int:
    range_index = ~code & 0x7F
    segment, step = divmod(range_index, 16)
    magnitude = ((2 * step + 33) << (segment + 2)) - 132
    return magnitude if code & 0x80 else -magnitude


def _alaw_sample(code: int) -> int:
    range_index = (code ^ 0x55) & 0x7F
    segment, step = divmod(range_index, 16)
    magnitude = (2 * step + 1) << 3 if segment == 0 else (2 * step + 33) << (segment + 2)
    return magnitude if code & 0x80 else -magnitude
