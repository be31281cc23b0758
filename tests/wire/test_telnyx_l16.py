import sys
from array import array
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.wire._telnyx_l16 import in_byteorder


@pytest.mark.parametrize(
    ("byteorder", "expected"), [("little", b"\x01\x02\xfe\xff"), ("big", b"\x02\x01\xff\xfe")]
)
def test_a_sample_has_its_low_or_its_high_byte_first(
    byteorder: Literal["little", "big"], expected: bytes
) -> None:
    assert in_byteorder(b"\x01\x02\xfe\xff", byteorder) == expected


@given(st.lists(st.integers(-32768, 32767)).map(lambda samples: array("h", samples)))
def test_either_way_is_the_others_inverse_and_as_the_machine_has_it(samples: "array[int]") -> None:
    native = samples.tobytes()
    samples.byteswap()
    other = samples.tobytes()
    little, big = (native, other) if sys.byteorder == "little" else (other, native)

    assert in_byteorder(little, "big") == big
    assert in_byteorder(big, "big") == little
    assert in_byteorder(little, "little") == little


@pytest.mark.parametrize("data", [b"", b"\x01"])
def test_where_there_is_no_whole_sample_there_is_nothing(data: bytes) -> None:
    assert in_byteorder(data, "big") == b""
