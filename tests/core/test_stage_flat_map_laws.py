"""What a flat map hands over and when, what it holds, and how it closes: laws 2, 14, 16 and 19 of it."""

import math
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Self

import anyio
import anyio.lowlevel
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ordered_pipeline import Interruption, ordered_flat_map
from tests.conftest import Run
from tests.core.oracle import (
    Event,
    after_interrupt,
    flat_schedule,
    interruption_at,
    lives,
    outside,
    since,
    statistics_told,
    times,
    until,
)
from tests.core.probes import Suspensions, this_task
from tests.core.strategies import LONG_S, FlatCase, Pace, flat_cases, odd_instants
from tests.core.support import Failure, FlatRun, Policy, Result, Told, interrupt, laws, play, statistics_of

POLICIES: tuple[Policy, ...] = ("raise", "skip")


async def letters(word: str) -> AsyncIterator[str]:
    """Give the letters of *word* without suspending."""
    for letter in word:
        yield letter


async def nothing(_: object) -> AsyncIterator[str]:
    for letter in "":
        yield letter


# Law 16: order, errors and exact times


@pytest.mark.parametrize("on_error", POLICIES)
@laws
@given(case=flat_cases())
def test_results_of_an_item_never_mix_and_its_error_comes_after_them(
    run: Run, on_error: Policy, case: FlatCase
) -> None:
    played, _ = run(play, FlatRun(case), on_error)

    assert played.outcomes == played.in_line(on_error)
    assert [event.number for event in played.trace if event.kind == "started"] == list(
        range(len(case.streams))
    )


@pytest.mark.parametrize("on_error", POLICIES)
@laws
@given(case=flat_cases())
def test_every_result_is_asked_for_and_handed_over_as_soon_as_the_bounds_allow(
    run: Run, on_error: Policy, case: FlatCase
) -> None:
    schedule = flat_schedule(case, skipping=on_error == "skip")

    played, told = run(play, FlatRun(case), on_error)

    assert sorted(played.trace) == outside(schedule)
    discarded = case.failing if on_error == "skip" else frozenset[int]()
    assert {item: told.told_of(item) for item in told.items} == lives(schedule, discarded)
    assert told.errors == {item: played.failures.get(item) for item in told.items}


def test_the_schedule_of_a_written_out_case(run: Run) -> None:
    """No oracle here: the instants were worked out by hand."""
    case = FlatCase(
        gaps=(0.0, 0.0, 0.0, 0.0),
        streams=((1.0, 1.0, 0.0), (0.5, 0.5, 0.5, 0.25), (0.25,)),
        holds=(0.5, 0.0, 2.0, 0.0, 0.0, 0.0),
        failing=frozenset({1}),
        prefetch=2,
        concurrency=2,
        buffer=2,
        pace=Pace(suspends=True),
    )

    played, _ = run(play, FlatRun(case))

    assert sorted(played.trace) == [
        Event(0.0, "asked", 0),
        Event(0.0, "pulled", 0, 0),
        Event(0.0, "pulled", 1, 0),
        Event(0.0, "read", 0),
        Event(0.0, "read", 1),
        Event(0.0, "started", 0),
        Event(0.0, "started", 1),
        Event(0.0, "yielded", 0),
        Event(0.0, "yielded", 1),
        Event(0.5, "came", 1, 0),
        Event(0.5, "pulled", 1, 1),
        Event(1.0, "came", 0, 0),
        Event(1.0, "came", 1, 1),
        Event(1.0, "delivered", 0),
        Event(1.0, "pulled", 0, 1),
        Event(1.5, "asked", 1),
        Event(2.0, "asked", 2),
        Event(2.0, "came", 0, 1),
        Event(2.0, "delivered", 1),
        Event(2.0, "delivered", 2),
        Event(2.0, "pulled", 0, 2),
        Event(2.0, "pulled", 1, 2),
        Event(2.0, "pulled", 2, 0),
        Event(2.0, "read", 2),
        Event(2.0, "settled", 0),
        Event(2.0, "started", 2),
        Event(2.0, "yielded", 2),
        Event(2.25, "settled", 2),
        Event(2.5, "came", 1, 2),
        Event(4.0, "asked", 3),
        Event(4.0, "asked", 4),
        Event(4.0, "asked", 5),
        Event(4.0, "delivered", 3),
        Event(4.0, "delivered", 4),
        Event(4.0, "pulled", 1, 3),
        Event(4.25, "asked", 6),
        Event(4.25, "delivered", 5),
        Event(4.25, "ended"),
        Event(4.25, "exhausted"),
        Event(4.25, "read", 3),
        Event(4.25, "settled", 1),
    ]
    failed = played.failures[1]
    assert played.outcomes == [*map(Result, (0, 0, 1, 1, 1), (0, 1, 0, 1, 2)), failed]


def test_results_of_the_head_pass_through_and_followers_wait_for_its_end(run: Run) -> None:
    async def transform(item: int) -> AsyncIterator[str]:
        for part in "ab":
            await anyio.sleep(1.0)
            yield f"{item}{part}"
        await anyio.sleep(1.0)

    async def main() -> None:
        seen: list[tuple[float, str]] = []
        async with ordered_flat_map(transform, range(3), prefetch=3) as results:
            async for result in results:
                seen.append((anyio.current_time(), result))  # noqa: PERF401  # each time is of its instant

        assert seen == [(1.0, "0a"), (2.0, "0b"), (3.0, "1a"), (3.0, "1b"), (3.0, "2a"), (3.0, "2b")]

    run(main)


# Laws 2 and 16: bounds


@pytest.mark.parametrize("on_error", POLICIES)
@laws
@given(case=flat_cases())
def test_no_more_is_in_flight_or_running_than_the_bounds_allow(
    run: Run, on_error: Policy, case: FlatCase
) -> None:
    _, told = run(play, FlatRun(case), on_error)

    in_flight = running = 0
    for call, _, _ in told.calls:
        in_flight += {"admitted": 1, "delivered": -1, "discarded": -1}.get(call, 0)
        running += {"started": 1, "settled": -1}.get(call, 0)
        assert in_flight <= case.prefetch
        assert running <= case.concurrency


@laws
@given(case=flat_cases())
def test_a_result_is_asked_for_only_when_its_item_has_room(run: Run, case: FlatCase) -> None:
    """Strictly, also within one instant: a result that is being made needs its room already."""
    played, _ = run(play, FlatRun(case))

    held = dict.fromkeys(range(len(case.streams)), 0)
    for event in played.trace:
        if event.kind == "pulled":
            held[event.number] += 1
            assert held[event.number] <= case.buffer
        elif event.kind == "delivered":
            outcome = played.outcomes[event.number]
            if isinstance(outcome, Result):
                held[outcome.item] -= 1


def test_sixty_four_results_are_held_of_each_item_if_not_told_otherwise(run: Run) -> None:
    pulled: list[int] = []

    async def transform(item: int) -> AsyncIterator[int]:
        while True:
            pulled.append(item)
            yield item

    async def main() -> None:
        async with ordered_flat_map(transform, range(5)) as results:
            await anyio.sleep(1.0)
            assert sorted(pulled) == [0] * 64 + [1] * 64

            assert await anext(results) == 0
            await anyio.sleep(1.0)
            assert sorted(pulled) == [0] * 65 + [1] * 64

    run(main)


@pytest.mark.parametrize("on_error", POLICIES)
@laws
@given(case=flat_cases())
def test_items_run_ahead_up_to_their_bounds_when_nobody_asks(
    run: Run, on_error: Policy, case: FlatCase
) -> None:
    unasked = replace(case, lead=math.inf)
    schedule = flat_schedule(unasked, skipping=on_error == "skip")

    played, _ = run(play, FlatRun(unasked), on_error)

    assert until(LONG_S, played.trace) == outside(until(LONG_S, schedule))


def test_empty_sub_streams_leave_the_window_though_nobody_asks(run: Run) -> None:
    async def main() -> None:
        told = Told()
        async with ordered_flat_map(nothing, range(7), prefetch=2, observer=told) as results:
            await anyio.sleep(1.0)
            assert results.statistics().delivered == 7
            assert [of for call, of, _ in told.calls if call == "delivered"] == list(range(7))
            assert await anext(results, "over") == "over"

    run(main)


# Laws 7 and 16: sub-streams are closed, in the task that iterated them


@dataclass(slots=True)
class Stream:
    """A sub-stream of which each step and the closing take time, and that notes which tasks they are in."""

    count: int
    gap: float
    iterated: list[object] = field(default_factory=list)
    closed: list[object] = field(default_factory=list)
    closed_at: float = -1.0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        self.iterated.append(this_task())
        await anyio.sleep(self.gap)
        if self.count == 0:
            raise StopAsyncIteration
        if self.count < 0:
            raise Failure
        self.count -= 1
        return self.count

    async def aclose(self) -> None:
        self.closed.append(this_task())
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.25)
        self.closed_at = anyio.current_time()


@dataclass(slots=True)
class Opened:
    """A transform that keeps the sub-streams it made."""

    counts: tuple[int, ...]
    gap: float
    streams: list[Stream] = field(default_factory=list)

    def __call__(self, item: int) -> Stream:
        stream = Stream(self.counts[item], self.gap)
        self.streams.append(stream)
        return stream


@pytest.mark.parametrize("way_out", ["break", "interrupt", "raise"])
@laws
@given(
    transform=st.builds(
        Opened, st.lists(st.integers(-1, 4), max_size=5).map(tuple), st.sampled_from((0.0, 0.5))
    ),
    prefetch=st.integers(1, 3),
    taken=st.integers(0, 12),
)
def test_every_sub_stream_is_closed_once_by_the_task_that_iterated_it(
    run: Run, way_out: str, transform: Opened, prefetch: int, taken: int
) -> None:
    async def leave() -> None:
        source = range(len(transform.counts))
        async with ordered_flat_map(transform, source, prefetch=prefetch, buffer=2) as results:
            for _ in range(taken):
                with suppress(Failure):
                    await anext(results, None)
            if way_out == "interrupt":
                results.interrupt()
            if way_out == "raise":
                raise LookupError

    async def main() -> None:
        with suppress(LookupError):
            await leave()
        left_at = anyio.current_time()

        for stream in transform.streams:
            assert len(stream.closed) == 1
            assert set(stream.iterated) <= set(stream.closed)
            assert 0.25 <= stream.closed_at <= left_at

    run(main)


def test_an_item_has_settled_when_its_sub_stream_is_closed(run: Run) -> None:
    transform = Opened((1, 1), 0.5)

    async def main() -> None:
        told = Told()
        async with ordered_flat_map(transform, range(2), prefetch=2, concurrency=1, observer=told) as results:
            assert [result async for result in results] == [0, 0]

        assert told.told_of(0) == [
            ("admitted", 0.0),
            ("started", 0.0),
            ("settled", 1.25),
            ("delivered", 1.25),
        ]
        assert told.told_of(1) == [("admitted", 0.0), ("started", 1.25), ("settled", 2.5), ("delivered", 2.5)]

    run(main)


def test_a_sub_stream_may_hold_a_cancel_scope_across_its_results(run: Run) -> None:
    async def transform(item: int) -> AsyncIterator[int]:
        with anyio.move_on_after(2.5):
            while True:
                await anyio.sleep(1.0)
                yield item

    async def main() -> None:
        seen: list[tuple[float, int]] = []
        async with ordered_flat_map(transform, range(2), prefetch=2) as results:
            async for result in results:
                seen.append((anyio.current_time(), result))  # noqa: PERF401  # each time is of its instant

        assert seen == [(1.0, 0), (2.0, 0), (2.5, 1), (2.5, 1)]

    run(main)


def test_an_async_iterable_without_aclose_is_iterated_all_the_same(run: Run) -> None:
    class Steps:
        """The least that an async iterable needs."""

        def __init__(self, count: int) -> None:
            self.count = count

        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> int:
            if self.count == 0:
                raise StopAsyncIteration
            self.count -= 1
            return self.count

    async def main() -> None:
        assert await ordered_flat_map(Steps, [2, 0, 3]).collect() == [1, 0, 2, 1, 0]

    run(main)


# Law 13: partial interruptions


@laws
@given(case=flat_cases(), instant_s=odd_instants())
def test_an_interrupt_says_how_much_of_the_head_was_handed_over(
    run: Run, case: FlatCase, instant_s: float
) -> None:
    schedule = flat_schedule(case)
    assume(instant_s < times("ended", schedule)[0])

    played, told, interruption = run(interrupt, FlatRun(case), instant_s)

    assert interruption == interruption_at(instant_s, schedule)
    assert until(instant_s, played.trace) == outside(until(instant_s, schedule))
    assert since(instant_s, played.trace) == after_interrupt(instant_s, schedule, case)
    for item, life in lives(schedule).items():
        before = [(call, time) for call, time in life if time < instant_s]
        in_flight = item in told.items and item >= interruption.delivered
        assert told.told_of(item) == before + ([("discarded", instant_s)] if in_flight else [])


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        (0, Interruption(delivered=0, partial=None, partial_results=0, dropped=("abc", "de"))),
        (1, Interruption(delivered=0, partial="abc", partial_results=1, dropped=("de",))),
        (2, Interruption(delivered=0, partial="abc", partial_results=2, dropped=("de",))),
        (3, Interruption(delivered=1, partial=None, partial_results=0, dropped=("de", "f"))),
        (4, Interruption(delivered=1, partial="de", partial_results=1, dropped=("f",))),
        (5, Interruption(delivered=2, partial=None, partial_results=0, dropped=("f",))),
        (6, Interruption(delivered=3, partial=None, partial_results=0, dropped=())),
    ],
)
def test_an_interrupt_between_two_results_tells_the_item_apart(
    run: Run, taken: int, expected: Interruption[str]
) -> None:
    async def main() -> None:
        async with ordered_flat_map(letters, ["abc", "de", "f"], prefetch=2) as results:
            for letter in "abcdef"[:taken]:
                assert await anext(results) == letter
            await anyio.sleep(1.0)
            assert results.interrupt() == expected
            assert await anext(results, "over") == "over"

    run(main)


# Law 14: the time-out is for the first result


@pytest.mark.parametrize("on_error", POLICIES)
@laws
@given(case=flat_cases(), timeout_s=st.sampled_from((1 / 16, 3 / 16, 7 / 16, 11 / 16, 21 / 16)))
def test_an_item_times_out_when_its_first_result_does_not_come_in_time(
    run: Run, on_error: Policy, case: FlatCase, timeout_s: float
) -> None:
    late = frozenset(item for item, (first, *_) in enumerate(case.streams) if first > timeout_s)
    cut = replace(
        case,
        streams=tuple((timeout_s,) if item in late else stream for item, stream in enumerate(case.streams)),
        failing=case.failing | late,
    )
    schedule = flat_schedule(cut, skipping=on_error == "skip")

    async def main() -> tuple[FlatRun, Told]:
        played, told = FlatRun(case), Told()
        async with played.stage(on_error, told, timeout_s=timeout_s) as results:
            await played.consume(results)
        return played, told

    played, told = run(main)

    assert sorted(played.trace) == outside(schedule)
    discarded = cut.failing if on_error == "skip" else frozenset[int]()
    assert {item: told.told_of(item) for item in told.items} == lives(schedule, discarded)
    assert {item for item, error in told.errors.items() if isinstance(error, TimeoutError)} == late
    if on_error == "raise":
        failures = [outcome for outcome in played.outcomes if isinstance(outcome, Exception)]
        assert failures == [told.errors[item] for item in sorted(cut.failing)]


def test_nothing_times_out_once_the_first_result_is_there(run: Run) -> None:
    async def transform(item: int) -> AsyncIterator[int]:
        yield item
        await anyio.sleep(100.0)
        yield -item

    async def main() -> None:
        assert await ordered_flat_map(transform, [1, 2], timeout_s=0.5, buffer=1).collect() == [1, -1, 2, -2]

    run(main)


# Law 19: fairness


@laws
@given(prefetch=st.integers(1, 3), buffer=st.integers(1, 3), size=st.integers(1, 12))
def test_a_consumer_that_never_blocks_gives_way_every_prefetch_times_buffer_and_one_results(
    run: Run, prefetch: int, buffer: int, size: int
) -> None:
    suspensions = Suspensions(0, lambda: None)
    seen: list[int] = []

    async def iterate() -> None:
        stage = ordered_flat_map(letters, ["x" * size] * (60 // size), prefetch=prefetch, buffer=buffer)
        async with stage as results:
            async for _ in results:
                seen.append(suspensions.count)  # noqa: PERF401  # each count is of its instant

    async def main() -> None:
        await suspensions.run(iterate())

        assert len(seen) == 60 // size * size
        burst = prefetch * buffer + 1
        assert all(before < after for before, after in zip(seen, seen[burst:], strict=False))

    run(main)


def test_a_source_of_empty_sub_streams_gives_way_too(run: Run) -> None:
    async def main() -> None:
        numbers = iter(range(1_000_000))
        async with ordered_flat_map(nothing, numbers, prefetch=2):
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()

        assert next(numbers) < 20

    run(main)


# Statistics


@pytest.mark.parametrize("on_error", POLICIES)
@laws
@given(case=flat_cases())
def test_statistics_tell_the_counts_of_every_instant(run: Run, on_error: Policy, case: FlatCase) -> None:
    schedule = flat_schedule(case, skipping=on_error == "skip")

    seen = run(statistics_of, FlatRun(case), on_error)

    assert seen == statistics_told(schedule)
