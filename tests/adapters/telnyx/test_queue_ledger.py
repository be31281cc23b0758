import math

import pytest

from ordered_pipeline.adapters.telnyx._queue_ledger import Item, Ledger, Part
from ordered_pipeline.voice import PlaybackResult


def accepted(ledger: Ledger, name: str, length_s: float, at_s: float) -> Item:
    item = Item(name, (Part(length_s),))
    ledger.open.append(item)
    item.sent_s = at_s - 0.24
    ledger.accepted(item, at_s)
    return item


def two() -> tuple[Ledger, Item, Item]:
    """Return a ledger of two files, which should sound from 0.2 to 2.2 and to 4.2."""
    ledger = Ledger()
    return ledger, accepted(ledger, "a", 2.0, 0.0), accepted(ledger, "b", 2.0, 1.0)


def test_files_follow_each_other() -> None:
    ledger, first, second = two()

    assert (first.start_s, second.start_s, second.end_s) == pytest.approx((0.2, 2.2, 4.2))
    assert ledger.ready_s == pytest.approx(4.2)


def test_a_file_that_is_not_accepted_yet_starts_nobody_knows_when() -> None:
    ledger = Ledger()
    item = Item("a", (Part(2.0),))
    ledger.open.append(item)

    assert item.start_s == ledger.due_s == math.inf
    assert item.parts[0].position_s(5.0) == 0.0


def test_a_start_may_be_told_before_the_command_is_answered() -> None:
    ledger = Ledger()
    item = Item("a", (Part(2.0),))
    ledger.open.append(item)
    item.sent_s = 1.0
    ledger.told_started(b"a", 1.4)
    ledger.accepted(item, 1.5)

    assert item.start_s == pytest.approx(1.34)
    assert ledger.ready_s == pytest.approx(3.34)


def test_a_later_start_moves_what_follows_but_not_what_is_posted() -> None:
    ledger, first, second = two()
    ledger.told_started(b"a", 0.56)

    assert (first.start_s, second.start_s) == pytest.approx((0.5, 2.5))
    assert ledger.ready_s == pytest.approx(4.2)


def test_a_start_that_is_told_late_is_believed_in_part() -> None:
    ledger, first, _ = two()
    ledger.told_started(b"a", 1.9)

    assert first.start_s == pytest.approx(0.7)


def test_a_start_is_told_once() -> None:
    ledger, first, second = two()
    ledger.told_started(b"a", 0.3)
    ledger.told_started(b"a", 0.4)

    assert first.start_s == pytest.approx(0.24)
    assert not second.is_told


def test_a_start_that_names_a_file_too_early_for_it_is_that_of_the_oldest() -> None:
    ledger, first, second = two()
    ledger.told_started(b"b", 0.3)

    assert (first.is_told, second.is_told) == (True, False)


def test_an_end_that_names_a_file_too_early_for_it_is_that_of_the_oldest() -> None:
    ledger, first, second = two()
    ledger.told_ended(b"b", "completed", 2.26)

    assert first.parts[0].result == PlaybackResult("completed", 2.0)
    assert ledger.open == [second]


def test_names_are_not_heeded_once_one_was_impossible() -> None:
    ledger, _, second = two()
    third = accepted(ledger, "c", 0.1, 2.0)
    ledger.told_ended(b"c", "completed", 2.26)
    assert ledger.open == [second, third]
    # By its name it could be the third one's.
    ledger.told_ended(b"c", "completed", 4.3)

    assert ledger.open == [third]


def test_an_end_of_a_later_file_ends_those_before_it() -> None:
    ledger, first, second = two()
    ledger.told_ended(b"b", "completed", 4.5)

    assert first.parts[0].result == PlaybackResult("presumed", 2.0)
    assert second.parts[0].result == PlaybackResult("completed", 2.0)


def test_an_end_without_a_state_is_that_of_the_oldest() -> None:
    ledger, _, second = two()
    ledger.told_ended(None, "completed", 2.26)

    assert ledger.open == [second]


@pytest.mark.parametrize("state", [b"a", b"b", None, b"somebody else's"])
def test_an_end_that_comes_too_early_for_all_is_passed_over(state: bytes | None) -> None:
    ledger, first, second = two()
    ledger.told_ended(state, "completed", 1.5)

    assert ledger.open == [first, second]


def test_an_end_that_is_told_again_is_passed_over() -> None:
    ledger, _, second = two()
    for now_s in (2.26, 4.1):
        ledger.told_ended(b"a", "completed", now_s)

    assert ledger.open == [second]


def test_a_start_that_is_told_after_the_end_is_passed_over() -> None:
    ledger, _, second = two()
    ledger.told_ended(b"a", "completed", 2.26)
    ledger.told_started(b"a", 2.3)

    assert not second.is_told


def test_an_end_moves_the_start_of_what_follows() -> None:
    ledger, _, second = two()
    ledger.told_ended(b"a", "completed", 2.56)

    assert second.start_s == pytest.approx(2.5)


def test_a_file_that_fails_makes_room_for_the_next() -> None:
    ledger, first, second = two()
    ledger.told_ended(b"a", "failed", 1.1)

    assert first.parts[0].result == PlaybackResult("failed", 0.0)
    assert second.start_s == pytest.approx(1.2)
    assert ledger.ready_s == pytest.approx(3.2)


def test_a_file_that_waits_can_be_cancelled_alone() -> None:
    ledger, first, second = two()
    ledger.told_started(b"a", 0.3)
    ledger.told_ended(b"a", "cleared", 1.24)
    ledger.told_ended(b"b", "cleared", 1.24)

    assert first.parts[0].result == PlaybackResult("cleared", 1.0)
    assert second.parts[0].result == PlaybackResult("cleared", 0.0)


def test_what_nobody_tells_is_presumed_a_second_after_it_should_have_been() -> None:
    ledger, first, second = two()
    ledger.presume(3.1)
    assert ledger.open == [first, second]
    ledger.presume(3.3)

    assert ledger.open == [second]
    assert first.parts[0].result == PlaybackResult("presumed", 2.0)


def test_each_file_that_nobody_told_of_makes_the_next_one_later() -> None:
    ledger = Ledger()
    items = [accepted(ledger, str(index), 1.0, 0.0) for index in range(20)]

    assert [item.late_s for item in items[:4]] == pytest.approx([0.0, 0.2, 0.4, 0.6])
    assert items[-1].late_s == 2.0
    ledger.told_started(b"0", 0.26)
    ledger.told_started(b"1", 1.26)
    assert [item.late_s for item in items[:4]] == pytest.approx([0.0, 0.0, 0.2, 0.4])


def test_a_part_that_was_dropped_too_late_was_heard() -> None:
    ledger, first, second = two()
    ledger.drop(2.5)

    assert first.parts[0].result == PlaybackResult("presumed", 2.0)
    assert second.parts[0].position_s(9.0) == pytest.approx(0.3)
    assert ledger.ready_s == -math.inf


def test_a_call_that_ends_leaves_what_was_heard() -> None:
    ledger, first, second = two()
    error = RuntimeError("over")
    ledger.end(error, 2.5)

    assert first.parts[0].result == PlaybackResult("presumed", 2.0)
    assert second.parts[0].error is error
    assert second.parts[0].position_s(9.0) == pytest.approx(0.3)


def test_a_file_that_is_not_accepted_makes_room_for_the_next() -> None:
    ledger, first, second = two()
    ledger.fail(first, RuntimeError("refused"), 1.0)

    assert ledger.open == [second]
    assert second.start_s == pytest.approx(1.2)


def test_parts_are_heard_one_after_another() -> None:
    ledger = Ledger()
    parts = (Part(1.0), Part(2.0))
    item = Item("a", parts)
    ledger.open.append(item)
    ledger.accepted(item, 0.0)

    assert [part.start_s for part in parts] == pytest.approx([0.2, 1.2])
    assert [part.position_s(1.7) for part in parts] == pytest.approx([1.0, 0.5])
    assert [part.due_s for part in parts] == pytest.approx([2.2, 4.2])
