"""G.711: telephone audio, one byte a sample, to and from 16 bit samples, low byte first.

Each code stands for a range of samples, 256 ranges in all, narrow near zero and wide where it is loud. Tables
are made from that rule at first use: 64 Ki entries a law to encode, in some milliseconds, 256 to decode.

Source:
    ITU-T Recommendation G.711 (11/1988), tables 1a to 2b. Samples of 16 bits are taken as its 14 (mu-law) or
    13 (A-law) by leaving out the lowest bits, as telephone software does.
"""

import sys
from functools import cache
from itertools import chain, repeat
from typing import Literal, TypeAlias

_Law: TypeAlias = Literal["mulaw", "alaw"]


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
    codes = _encoder(law)
    # A list comprehension over a list: the fastest of all ways without a package (about 30 ns a sample).
    return bytes([codes[sample] for sample in memoryview(data).cast("h")])


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


@cache
def _encoder(law: _Law) -> list[int]:
    """Return the codes of all samples. A negative index is a negative sample."""
    if law == "mulaw":
        # In units of 4. The ranges are of the magnitude plus 33 and begin at 32, which is out of reach; what
        # is beyond the last range is cut to it.
        ranges = [index for index in range(128) for _ in range(2 << index // 16)][1:]
        ranges += repeat(127, 8193 - len(ranges))
        positive, negative = ranges[:8192], ranges[:0:-1]
        codes = chain((0xFF ^ index for index in positive), (0x7F ^ index for index in negative))
    else:
        # In units of 8; -1 is the first negative one.
        ranges = [index for index in range(128) for _ in range(2 << max(index // 16 - 1, 0))]
        codes = chain((0xD5 ^ index for index in ranges), (0x55 ^ index for index in reversed(ranges)))
    unit = 4 if law == "mulaw" else 8
    table = [code for code in codes for _ in range(unit)]
    return table if sys.byteorder == "little" else [table[_swapped(index)] for index in range(len(table))]


def _swapped(sample: int) -> int:
    return int.from_bytes(sample.to_bytes(2, "little"), "big")
