"""When a map reads, starts, settles and hands over (laws 1 to 5 and 19), and what a stage tells of itself."""

import itertools
import math
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import anyio
import anyio.lowlevel
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from typing_extensions import override

from ordered_pipeline import StageObserver, StageStatistics, ordered_map
from tests.conftest import Run
from tests.core.oracle import (
    Event,
    after_interrupt,
    interruption_at,
    lives,
    map_schedule,
    outside,
    since,
    statistics_told,
    times,
    until,
)
from tests.core.probes import Suspensions
from tests.core.strategies import LONG_S, MapCase, Pace, map_cases, odd_instants
from tests.core.support import MapRun, Policy, Result, Told, interrupt, laws, play, statistics_of

POLICIES: tuple[Policy, ...] = ("raise", "skip")

CALLBACKS = ("admitted", "started", "settled", "delivered", "discarded")

# Law 5 is held against so many cases on each loop; a mutation run has no time for them.
SCHEDULES = 500 if settings.get_current_profile_name() != "mutation" else laws.max_examples


async def instant(item: int) -> int:
    """Transform without suspending."""
    return item


async def listed(items: Iterable[int]) -> AsyncIterator[int]:
    """Make an async source that never suspends."""
    for item in items:
        yield item


# Law 1: order


@laws
@given(case=map_cases())
def test_results_come_and_transforms_start_in_source_order(run: Run, case: MapCase) -> None:
    played, _ = run(play, MapRun(case))

    assert played.outcomes == played.in_line()
    assert [event.number for event in played.trace if event.kind == "started"] == list(range(len(case.works)))


@laws
@given(items=st.lists(st.none() | st.integers()), prefetch=st.integers(1, 4))
def test_any_items_of_a_plain_iterable_are_transformed_each_once(
    run: Run, items: list[int | None], prefetch: int
) -> None:
    async def wrap(item: int | None) -> tuple[int | None]:
        await anyio.lowlevel.checkpoint()
        return (item,)

    async def main() -> None:
        assert await ordered_map(wrap, items, prefetch=prefetch).collect() == [(item,) for item in items]

    run(main)


def test_thousands_of_queued_items_may_end_at_once(run: Run) -> None:
    """One that starts the next before it is done itself would run out of stack."""
    started: list[int] = []

    async def transform(item: int) -> int:
        started.append(item)
        if item == 0:
            await anyio.sleep(1.0)
        return item

    async def main() -> None:
        items = list(range(3000))
        assert await ordered_map(transform, items, prefetch=3000, concurrency=1).collect() == items
        assert started == items
        assert anyio.current_time() == 1.0

    run(main)


# Law 2: bounds


def highest(changes: Iterable[int]) -> int:
    return max(itertools.accumulate(changes, initial=0))


@laws
@given(case=map_cases())
def test_the_source_is_asked_only_when_there_is_room(run: Run, case: MapCase) -> None:
    """Strictly, also within one instant: an item that is being read needs its room already."""
    played, _ = run(play, MapRun(case))

    in_flight = highest({"read": 1, "delivered": -1}.get(event.kind, 0) for event in played.trace)
    running = highest({"started": 1, "settled": -1}.get(event.kind, 0) for event in played.trace)
    assert in_flight <= case.prefetch
    assert running <= case.concurrency


@pytest.mark.parametrize("on_error", POLICIES)
@laws
@given(case=map_cases())
def test_an_observer_never_sees_more_in_flight_or_running_than_the_bounds_allow(
    run: Run, on_error: Policy, case: MapCase
) -> None:
    _, told = run(play, MapRun(case), on_error)

    calls = [call for call, _, _ in told.calls]
    assert (
        highest({"admitted": 1, "delivered": -1, "discarded": -1}.get(call, 0) for call in calls)
        <= case.prefetch
    )
    assert highest({"started": 1, "settled": -1}.get(call, 0) for call in calls) <= case.concurrency


@laws
@given(case=map_cases(min_items=1))
def test_a_skipped_item_leaves_the_window_whether_or_not_anybody_asks(run: Run, case: MapCase) -> None:
    unasked = replace(case, lead=math.inf)

    played, told = run(play, MapRun(unasked), "skip")

    schedule = map_schedule(unasked, skipping=True)
    assert sorted(played.trace) == outside(until(math.inf, schedule))
    for item, left in enumerate(times("left", schedule)[: len(told.items)]):
        assert told.told_of(item)[-1] == ("discarded", min(left, LONG_S))


@laws
@given(case=map_cases())
def test_skipped_items_take_no_turn_of_the_consumer(run: Run, case: MapCase) -> None:
    played, _ = run(play, MapRun(case), "skip")

    assert played.outcomes == played.in_line("skip")
    assert sorted(played.trace) == outside(map_schedule(case, skipping=True))


# Law 3: push


@laws
@given(case=map_cases())
def test_a_stage_works_up_to_its_bounds_when_nobody_asks(run: Run, case: MapCase) -> None:
    unasked = replace(case, lead=math.inf)

    played, _ = run(play, MapRun(unasked))

    assert sorted(played.trace) == outside(until(math.inf, map_schedule(unasked)))


@laws
@given(case=map_cases(), lead=st.integers(1, 24).map(lambda eighths: eighths / 8))
def test_a_consumer_that_comes_late_finds_the_work_done(run: Run, case: MapCase, lead: float) -> None:
    late = replace(case, lead=lead)

    played, _ = run(play, MapRun(late))

    assert sorted(played.trace) == outside(map_schedule(late))


# Law 4: no producer stall


@laws
@given(case=map_cases())
def test_no_result_waits_for_a_source_that_is_stuck_with_the_next_item(run: Run, case: MapCase) -> None:
    stuck = replace(case, gaps=(*case.gaps[:-1], math.inf))

    played, _ = run(play, MapRun(stuck))

    assert played.outcomes == played.in_line()
    assert sorted(played.trace) == outside(until(math.inf, map_schedule(stuck)))


# Law 5: exact times


def test_the_schedule_is_exact_to_the_instant(run: Run) -> None:
    schedules = 0

    @settings(laws, max_examples=SCHEDULES)
    @given(case=map_cases())
    def check(case: MapCase) -> None:
        nonlocal schedules
        schedules += 1
        played, told = run(play, MapRun(case))

        schedule = map_schedule(case)
        assert sorted(played.trace) == outside(schedule)
        assert {item: told.told_of(item) for item in told.items} == lives(schedule)

    check()

    assert schedules >= SCHEDULES


def test_the_schedule_of_a_written_out_case(run: Run) -> None:
    """No oracle here: the instants were worked out by hand."""
    case = MapCase(
        gaps=(0.5, 0.0, 0.0, 0.0, 1.0),
        works=(3.0, 1.0, 1.0, 0.5),
        holds=(0.25, 2.0, 0.0, 1.0),
        prefetch=3,
        concurrency=2,
        pace=Pace(suspends=True),
    )

    played, _ = run(play, MapRun(case))

    assert sorted(played.trace) == [
        Event(0.0, "asked", 0),
        Event(0.0, "read", 0),
        Event(0.5, "read", 1),
        Event(0.5, "read", 2),
        Event(0.5, "started", 0),
        Event(0.5, "started", 1),
        Event(0.5, "yielded", 0),
        Event(0.5, "yielded", 1),
        Event(0.5, "yielded", 2),
        Event(1.5, "settled", 1),
        Event(1.5, "started", 2),
        Event(2.5, "settled", 2),
        Event(3.5, "delivered", 0),
        Event(3.5, "read", 3),
        Event(3.5, "settled", 0),
        Event(3.5, "started", 3),
        Event(3.5, "yielded", 3),
        Event(3.75, "asked", 1),
        Event(3.75, "delivered", 1),
        Event(3.75, "read", 4),
        Event(4.0, "settled", 3),
        Event(4.75, "exhausted"),
        Event(5.75, "asked", 2),
        Event(5.75, "asked", 3),
        Event(5.75, "delivered", 2),
        Event(5.75, "delivered", 3),
        Event(6.75, "asked", 4),
        Event(6.75, "ended"),
    ]
    assert played.outcomes == [Result(0), Result(1), Result(2), Result(3)]


# Law 19: fairness


@pytest.mark.parametrize("make_source", [iter, listed])
@laws
@given(prefetch=st.integers(1, 6), data=st.data())
def test_a_consumer_that_never_blocks_gives_way_every_prefetch_and_one_results(
    run: Run,
    make_source: Callable[[range], Iterable[int] | AsyncIterator[int]],
    prefetch: int,
    data: st.DataObject,
) -> None:
    concurrency = data.draw(st.integers(1, prefetch))
    suspensions = Suspensions(0, lambda: None)
    seen: list[int] = []

    async def iterate() -> None:
        stage = ordered_map(instant, make_source(range(40)), prefetch=prefetch, concurrency=concurrency)
        async with stage as results:
            async for _ in results:
                seen.append(suspensions.count)  # noqa: PERF401  # each count is of its instant

    async def main() -> None:
        await suspensions.run(iterate())

        assert len(seen) == 40
        assert all(before < after for before, after in zip(seen, seen[prefetch + 1 :], strict=False))

    run(main)


def test_a_source_of_items_that_are_all_skipped_at_once_gives_way_too(run: Run) -> None:
    async def fail(item: int) -> int:
        raise ValueError(item)

    async def main() -> None:
        numbers = itertools.count()
        async with ordered_map(fail, numbers, prefetch=2, on_error="skip"):
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()

        assert next(numbers) < 20

    run(main)


# Statistics


@pytest.mark.parametrize("on_error", POLICIES)
@laws
@given(case=map_cases())
def test_statistics_tell_the_counts_of_every_instant(run: Run, on_error: Policy, case: MapCase) -> None:
    schedule = map_schedule(case, skipping=on_error == "skip")

    seen = run(statistics_of, MapRun(case), on_error)

    assert seen == statistics_told(schedule)


def test_a_stage_that_was_not_entered_waits_for_nothing(run: Run) -> None:
    async def main() -> None:
        assert ordered_map(instant, [1]).statistics() == StageStatistics(0, 0, 0, 0, "nothing")

    run(main)


def test_statistics_keep_their_counts_when_the_block_was_left(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(instant, range(5), prefetch=2) as results:
            assert [await anext(results), await anext(results)] == [0, 1]
            await anyio.sleep(1)

        assert results.statistics() == StageStatistics(
            admitted=4, running=0, ready=0, delivered=2, waiting_for="nothing"
        )

    run(main)


# Observer


@laws
@given(case=map_cases())
def test_an_observer_is_told_what_each_item_failed_with(run: Run, case: MapCase) -> None:
    played, told = run(play, MapRun(case))

    assert told.errors == {item: played.failures.get(item) for item in range(len(case.works))}
    assert told.items == {item: {item} for item in range(len(case.works))}


@laws
@given(case=map_cases())
def test_an_observer_is_told_of_a_skipped_item_when_its_turn_passes(run: Run, case: MapCase) -> None:
    schedule = map_schedule(case, skipping=True)

    played, told = run(play, MapRun(case), "skip")

    assert {item: told.told_of(item) for item in told.items} == lives(schedule, discarded=case.failing)
    assert told.errors == {item: played.failures.get(item) for item in range(len(case.works))}


class Faulty(Told):
    """An observer of which one callback raises."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.error = LookupError(fault)

    @override
    def keep(self, call: str, index: int, item: object, time: float) -> None:
        super().keep(call, index, item, time)
        if call == self.fault:
            raise self.error


@pytest.mark.parametrize("fault", CALLBACKS)
def test_what_an_observer_raises_comes_out_at_the_end_and_nothing_more_is_told(run: Run, fault: str) -> None:
    told = Faulty(fault)

    async def use() -> None:
        async with ordered_map(instant, range(9), prefetch=3, observer=told) as results:
            assert [await anext(results) for _ in range(5)] == [0, 1, 2, 3, 4]

    async def main() -> None:
        with pytest.raises(LookupError) as raised:
            await use()

        assert raised.value is told.error
        assert [call for call, _, _ in told.calls].index(fault) == len(told.calls) - 1

    run(main)


@pytest.mark.parametrize("lacks", CALLBACKS)
def test_a_callback_that_an_observer_lacks_is_told_of_at_the_end(run: Run, lacks: str) -> None:
    told = Told()
    callbacks = {name: getattr(told, name) for name in CALLBACKS if name != lacks}
    observer = cast("StageObserver", SimpleNamespace(**callbacks))

    async def use() -> None:
        async with ordered_map(instant, range(9), prefetch=3, observer=observer) as results:
            assert [await anext(results) for _ in range(5)] == [0, 1, 2, 3, 4]

    async def main() -> None:
        with pytest.raises(AttributeError, match=f"no attribute '{lacks}'"):
            await use()

    run(main)


@laws
@given(case=map_cases(min_items=1), instant_s=odd_instants())
def test_an_interrupt_discards_what_is_in_flight_and_nothing_is_told_of_it_after(
    run: Run, case: MapCase, instant_s: float
) -> None:
    schedule = map_schedule(case)
    assume(instant_s < times("ended", schedule)[0])

    _, told, interruption = run(interrupt, MapRun(case), instant_s)

    assert interruption == interruption_at(instant_s, schedule)
    assert list(told.items) == list(range(interruption.delivered + len(interruption.dropped)))
    for item, life in lives(schedule).items():
        before = [(call, time) for call, time in life if time < instant_s]
        discarded = [("discarded", instant_s)] if item in interruption.dropped else []
        assert told.told_of(item) == before + discarded


@laws
@given(case=map_cases(min_items=1), instant_s=odd_instants())
def test_from_an_interrupt_on_nothing_is_read_started_or_handed_over(
    run: Run, case: MapCase, instant_s: float
) -> None:
    schedule = map_schedule(case)
    assume(instant_s < times("ended", schedule)[0])

    played, _, _ = run(interrupt, MapRun(case), instant_s)

    assert until(instant_s, played.trace) == outside(until(instant_s, schedule))
    assert since(instant_s, played.trace) == after_interrupt(instant_s, schedule, case)


@laws
@given(case=map_cases(min_items=1), taken=st.integers(0, 9))
def test_when_the_block_is_left_each_item_has_ended_delivered_or_discarded(
    run: Run, case: MapCase, taken: int
) -> None:
    async def main() -> None:
        played, told = MapRun(case), Told()
        async with played.stage("skip", told) as results:
            for _ in range(taken):
                await anext(results, None)
            left_at = anyio.current_time()

        for item in told.items:
            ends = [(call, time) for call, time in told.told_of(item) if call in {"delivered", "discarded"}]
            assert len(ends) == 1
            assert ends[0] == told.told_of(item)[-1]
            assert ends[0][1] <= left_at
        assert len(told.items) == results.statistics().admitted

    run(main)
