import struct
from collections.abc import Callable

import pytest

from ordered_pipeline.wire._pcm import f32_to_s16, f64_to_s16, s24_to_s16, s32_to_s16, u8_to_s16


def samples(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 2}h", data))


def test_8_bits_are_unsigned_with_zero_in_the_middle() -> None:
    assert samples(u8_to_s16(bytes([0, 127, 128, 255]))) == [-32768, -256, 0, 32512]


def test_24_bits_lose_their_lowest_8() -> None:
    data = bytes.fromhex("000080 ffffff 000000 ff0100 ffff7f")

    assert samples(s24_to_s16(data)) == [-32768, -1, 0, 1, 32767]


def test_32_bits_lose_their_lowest_16() -> None:
    data = struct.pack("<5i", -(2**31), -1, 0, 0x1FFFF, 2**31 - 1)

    assert samples(s32_to_s16(data)) == [-32768, -1, 0, 1, 32767]


@pytest.mark.parametrize(("code", "convert"), [("f", f32_to_s16), ("d", f64_to_s16)])
def test_floats_are_loudest_at_one(code: str, convert: Callable[[bytes], bytes]) -> None:
    data = struct.pack(f"<5{code}", -1.0, -0.5, 0.0, 0.5, 1.0)

    assert samples(convert(data)) == [-32767, -16383, 0, 16383, 32767]


@pytest.mark.parametrize(("code", "convert"), [("f", f32_to_s16), ("d", f64_to_s16)])
def test_floats_that_are_too_loud_are_clipped_and_those_that_are_no_numbers_silent(
    code: str, convert: Callable[[bytes], bytes]
) -> None:
    data = struct.pack(f"<5{code}", -7.0, float("-inf"), float("nan"), float("inf"), 1.5)

    assert samples(convert(data)) == [-32767, -32767, 0, 32767, 32767]


@pytest.mark.parametrize("convert", [u8_to_s16, s24_to_s16, s32_to_s16, f32_to_s16, f64_to_s16])
def test_nothing_is_nothing(convert: Callable[[bytes], bytes]) -> None:
    assert convert(b"") == b""
