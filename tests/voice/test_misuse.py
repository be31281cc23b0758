"""What the voice layer refuses, by the words in which it is said."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable
from itertools import count

import pytest

from ordered_pipeline.testing import ScriptedTextToSpeech
from ordered_pipeline.voice._misuse import (
    check_count,
    check_kind,
    check_positive,
    check_source,
    check_voice,
)


@pytest.mark.parametrize("value", [True, 1.0, "1", None])
def test_a_count_that_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError) as raised:
        check_count("tries", value, "use tries=1")
    assert str(raised.value) == f"tries must be a whole number, got {value!r}; use tries=1"


@pytest.mark.parametrize("value", [0, -1])
def test_a_count_below_one_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match=f"^tries must be at least 1, got {value}; use tries=1$"):
        check_count("tries", value, "use tries=1")


@pytest.mark.parametrize("value", [False, "1", None])
def test_a_time_that_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError) as raised:
        check_positive("flush_s", value, "leave it out")
    assert str(raised.value) == f"flush_s must be a number, got {value!r}; leave it out"


@pytest.mark.parametrize("value", [0, -0.5, math.nan])
def test_a_time_that_is_not_above_zero_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"^flush_s must be above 0, got {value}; leave it out$"):
        check_positive("flush_s", value, "leave it out")


def test_a_wrong_kind_is_refused_with_the_way_out_if_there_is_one() -> None:
    with pytest.raises(TypeError, match=r"^text must be a string, got 3$"):
        check_kind("text", 3, str, "a string")
    with pytest.raises(TypeError, match=r"^text must be a string, got 3; call str$"):
        check_kind("text", 3, str, "a string", "call str")


async def written() -> AsyncIterator[str]:
    yield "It is late."


async def finished_reply() -> Awaitable[str]:
    reply = asyncio.get_running_loop().create_future()
    reply.set_result("It is late.")
    return reply


def test_what_is_awaited_for_a_text_is_no_text() -> None:
    # It can be iterated, and gives nothing.
    future = asyncio.run(finished_reply())

    with pytest.raises(TypeError) as raised:
        check_source(future)
    assert str(raised.value) == f"source must be text or an iterable of text, got {future!r}; await it first"


def test_what_is_called_for_a_text_is_no_text() -> None:
    with pytest.raises(TypeError) as raised:
        check_source(written)
    assert str(raised.value) == f"source must be text or an iterable of text, got {written!r}; call it first"


def test_bytes_are_no_text() -> None:
    with pytest.raises(
        TypeError, match=r"^source must be text or an iterable of text, got b'It is late.'; decode it first$"
    ):
        check_source(b"It is late.")


def test_a_function_is_no_voice() -> None:
    with pytest.raises(TypeError) as raised:
        check_voice("tts", written)
    assert str(raised.value) == f"tts must be a voice, got {written!r}; make one of a function with tts_from"


def test_a_name_is_no_format() -> None:
    class Voice:
        format = "s16le"
        synthesize = None

    with pytest.raises(TypeError, match=r"^the format of tts must be an AudioFormat, got 's16le'$"):
        check_voice("tts", Voice())


def test_a_long_value_is_cut_off() -> None:
    with pytest.raises(TypeError, match=f"^text must be a string, got b'{'a' * 198}; decode it$"):
        check_kind("text", b"a" * 1000, str, "a string", "decode it")


def test_what_is_right_passes() -> None:
    check_count("tries", 1, "")
    check_positive("flush_s", math.inf, "")
    check_kind("text", "", str, "a string")
    for source in "It is late.", ["It is late."], map(str, count()), written():
        check_source(source)
    check_voice("tts", ScriptedTextToSpeech())
