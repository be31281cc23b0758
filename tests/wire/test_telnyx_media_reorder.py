import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.wire._telnyx_media import Reorder


def given_out(numbers: list[int], *, wait: int = 3) -> list[list[int]]:
    frames = Reorder[int](wait)
    return [frames.push(number, number) for number in numbers]


def test_frames_in_order_pass_at_once() -> None:
    assert given_out([1, 2, 3]) == [[1], [2], [3]]


def test_a_frame_that_comes_early_waits_for_those_before_it() -> None:
    assert given_out([1, 3, 4, 2, 5]) == [[1], [], [], [2, 3, 4], [5]]


def test_a_missing_frame_is_given_up_when_more_later_ones_have_come_than_are_waited_for() -> None:
    assert given_out([1, 3, 4, 5, 6, 7]) == [[1], [], [], [], [3, 4, 5, 6], [7]]


def test_a_frame_that_comes_after_it_was_given_up_is_dropped() -> None:
    assert given_out([1, 3, 4, 2, 5], wait=1) == [[1], [], [3, 4], [], [5]]


def test_without_waiting_the_late_are_just_dropped() -> None:
    assert given_out([1, 3, 2, 4], wait=0) == [[1], [3], [], [4]]


def test_a_frame_that_comes_twice_is_given_out_once() -> None:
    assert given_out([1, 1, 3, 3, 2, 2, 3]) == [[1], [], [], [], [2, 3], [], []]


def test_of_a_frame_that_comes_twice_the_first_counts() -> None:
    frames = Reorder[str]()

    assert frames.push(2, "first") + frames.push(2, "second") + frames.push(1, "one") == ["one", "first"]


def test_numbers_may_begin_at_0() -> None:
    assert given_out([0, 1, 2]) == [[0], [1], [2]]


def test_numbers_may_begin_anywhere_for_the_price_of_the_wait() -> None:
    assert given_out([70, 71, 72, 73, 74]) == [[], [], [], [70, 71, 72, 73], [74]]


def test_several_gaps_are_given_up_one_by_one() -> None:
    assert given_out([1, 3, 5, 7, 9, 10], wait=2) == [[1], [], [], [3], [5], [7]]


def test_what_is_held_back_at_the_end_can_be_had() -> None:
    frames = Reorder[str]()

    assert [frames.push(1, "a"), frames.push(5, "c"), frames.push(3, "b")] == [["a"], [], []]
    assert frames.flush() == ["b", "c"]
    assert frames.flush() == []
    assert [frames.push(4, "late"), frames.push(6, "d")] == [[], ["d"]]


def test_a_negative_wait_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^wait must be at least 0, got -1$"):
        Reorder(-1)


@given(numbers=st.lists(st.integers(-3, 30), max_size=40), wait=st.integers(0, 5))
def test_what_comes_out_is_in_order_and_nothing_waits_beyond_the_bound(numbers: list[int], wait: int) -> None:
    frames = Reorder[int](wait)
    out: list[int] = []
    for number in numbers:
        out += frames.push(number, number)

        assert len(copy.deepcopy(frames).flush()) <= wait

    out += frames.flush()
    assert out == sorted(set(out))
    assert set(out) <= set(numbers)


@given(data=st.data(), count=st.integers(0, 30), wait=st.integers(1, 5))
def test_frames_that_are_late_by_no_more_than_the_wait_are_all_there(
    data: st.DataObject, count: int, wait: int
) -> None:
    late = data.draw(st.lists(st.integers(0, wait), min_size=count, max_size=count))
    numbers = sorted(range(1, count + 1), key=lambda number: (number + late[number - 1], -number))

    assert [each for out in given_out(numbers, wait=wait) for each in out] == list(range(1, count + 1))
