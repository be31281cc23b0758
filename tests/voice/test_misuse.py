"""What the voice layer refuses, by the words in which it is said."""

import math

import pytest

from ordered_pipeline.voice._misuse import check_count, check_kind, check_positive


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


def test_what_is_right_passes() -> None:
    check_count("tries", 1, "")
    check_positive("flush_s", math.inf, "")
    check_kind("text", "", str, "a string")
