import hashlib
import struct
import sys
from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.wire._g711 import alaw_to_s16, mulaw_to_s16, s16_to_alaw, s16_to_mulaw

Function: TypeAlias = Callable[[bytes], bytes]

ALL_CODES = bytes(range(256))
ALL_SAMPLES = struct.pack("<65536h", *range(-32768, 32768))


def samples_of(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(data) // 2}h", data)


@pytest.mark.parametrize(
    ("function", "data", "digest"),
    [
        (s16_to_mulaw, ALL_SAMPLES, "81d633c9e6972a18c74a58720b96cb8ca0bdd096d4060b646dd708c3b846019a"),
        (s16_to_alaw, ALL_SAMPLES, "38488f6fd710f4686360edc4d38639f96c491595ef93f8eb8d62d5e07ca6ce7b"),
        (mulaw_to_s16, ALL_CODES, "3dab54339e520bb2c924826e3b72a917a2b612e9fd12fc867500f1d983a75827"),
        (alaw_to_s16, ALL_CODES, "e04788d110e58ff8c70c93b8480190d973e3b67876b6119abbaec766cc75c174"),
    ],
)
def test_every_sample_and_every_code_is_what_the_standard_librarys_audioop_made_of_it(
    function: Function, data: bytes, digest: str
) -> None:
    """The digests are those of lin2ulaw, lin2alaw, ulaw2lin and alaw2lin, which Python has no more."""
    assert hashlib.sha256(function(data)).hexdigest() == digest


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="audioop left the standard library with 3.13")
@pytest.mark.filterwarnings("ignore:'audioop' is deprecated:DeprecationWarning")
def test_audioop_where_there_is_one_makes_the_same() -> None:
    audioop = pytest.importorskip("audioop")

    assert s16_to_mulaw(ALL_SAMPLES) == audioop.lin2ulaw(ALL_SAMPLES, 2)
    assert s16_to_alaw(ALL_SAMPLES) == audioop.lin2alaw(ALL_SAMPLES, 2)
    assert mulaw_to_s16(ALL_CODES) == audioop.ulaw2lin(ALL_CODES, 2)
    assert alaw_to_s16(ALL_CODES) == audioop.alaw2lin(ALL_CODES, 2)


def test_the_decoded_values_are_those_of_the_recommendation() -> None:
    """Tables 2a, 2b, 1a and 1b, as 16 bit samples: of each sign the largest first."""
    assert samples_of(mulaw_to_s16(b"\x80\x8f\xef\xfe\xff")) == (32124, 16764, 132, 8, 0)
    assert samples_of(mulaw_to_s16(b"\x00\x7e\x7f")) == (-32124, -8, 0)
    assert samples_of(alaw_to_s16(b"\xaa\xa5\xd4\xd5")) == (32256, 16896, 24, 8)
    assert samples_of(alaw_to_s16(b"\x2a\x54\x55")) == (-32256, -24, -8)


def test_silence_is_all_ones_in_mu_law_and_alternates_in_a_law() -> None:
    assert s16_to_mulaw(bytes(4)) == b"\xff\xff"
    assert s16_to_alaw(bytes(4)) == b"\xd5\xd5"


def test_every_code_comes_back_but_the_negative_zero_of_mu_law_which_becomes_the_positive_one() -> None:
    assert s16_to_mulaw(mulaw_to_s16(ALL_CODES)) == ALL_CODES.replace(b"\x7f", b"\xff")
    assert s16_to_alaw(alaw_to_s16(ALL_CODES)) == ALL_CODES


@pytest.mark.parametrize(
    ("encode", "decode"), [(s16_to_mulaw, mulaw_to_s16), (s16_to_alaw, alaw_to_s16)], ids=["mulaw", "alaw"]
)
def test_a_louder_sample_never_becomes_a_quieter_one(encode: Function, decode: Function) -> None:
    values = samples_of(decode(encode(ALL_SAMPLES)))

    assert list(values) == sorted(values)


@given(data=st.binary(max_size=60), cut=st.integers(0, 30))
def test_each_sample_stands_for_itself(data: bytes, cut: int) -> None:
    whole = data[: len(data) // 2 * 2]

    for encode, decode in ((s16_to_mulaw, mulaw_to_s16), (s16_to_alaw, alaw_to_s16)):
        assert encode(whole) == encode(whole[: 2 * cut]) + encode(whole[2 * cut :])
        assert decode(data) == decode(data[:cut]) + decode(data[cut:])


@pytest.mark.parametrize("encode", [s16_to_mulaw, s16_to_alaw])
def test_half_a_sample_is_refused(encode: Function) -> None:
    with pytest.raises(ValueError, match=r"^data must be whole samples of 2 bytes, got 3 bytes$"):
        encode(b"\0\0\0")
