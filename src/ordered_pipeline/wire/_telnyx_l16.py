"""L16: samples of 16 bits on a line, whose byte order Telnyx does not tell.

Source:
    RFC 3551, section 4.5.11, has the high byte first; more users of Telnyx report the low one.
"""

from typing import Literal, TypeAlias

ByteOrder: TypeAlias = Literal["little", "big"]


def in_byteorder(samples: bytes, byteorder: ByteOrder) -> bytes:
    """Return little-endian *samples* as L16 of a byte order, or such L16 as little-endian samples.

    It is its own inverse. In ``"little"`` nothing is changed; else half a sample at the end is left out.
    """
    if byteorder == "little":
        return samples
    turned = bytearray(len(samples) // 2 * 2)
    turned[::2] = samples[1::2]
    turned[1::2] = samples[: len(turned) : 2]
    return bytes(turned)
