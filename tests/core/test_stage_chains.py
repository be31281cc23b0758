"""Three stages, each the source of the next: what one promises holds for all of them together."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import anyio
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ordered_pipeline import Interruption, Stage, ordered_map
from tests.conftest import Run
from tests.core.oracle import chain_schedule, interruption_at, lives, outside, stage_of, times
from tests.core.probes import clean_up
from tests.core.strategies import ChainCase, chain_cases, odd_instants
from tests.core.support import ChainRun, Result, laws

PARTS = st.integers(0, 2)


async def play(played: ChainRun) -> ChainRun:
    """Run a case to its end."""
    *_, outer = played.stages()
    async with outer as results:
        await played.consume(results)
    return played


@laws
@given(case=chain_cases())
def test_a_chain_keeps_order_and_its_times_are_exact(run: Run, case: ChainCase) -> None:
    schedule = chain_schedule(case)

    played = run(play, ChainRun(case))

    assert played.outcomes == [Result(item) for item in range(len(case.holds))]
    assert sorted(played.trace) == outside(schedule)
    for part, told in enumerate(played.told):
        assert {item: told.told_of(item) for item in told.items} == lives(stage_of(part, schedule))


@laws
@given(case=chain_cases())
def test_each_stage_of_a_chain_keeps_its_own_bounds(run: Run, case: ChainCase) -> None:
    played = run(play, ChainRun(case))

    for link, told in zip(case.links, played.told, strict=True):
        in_flight = running = 0
        for call, _, _ in told.calls:
            in_flight += {"admitted": 1, "delivered": -1}.get(call, 0)
            running += {"started": 1, "settled": -1}.get(call, 0)
            assert in_flight <= link.prefetch
            assert running <= link.concurrency


@laws
@given(case=chain_cases(), part=st.integers(0, 1), failing=st.integers(0, 6))
def test_an_error_passes_through_the_stages_behind_it_and_ends_them(
    run: Run, case: ChainCase, part: int, failing: int
) -> None:
    assume(failing < len(case.holds))
    failed = replace(case, failing=frozenset({failing}))

    played = run(play, ChainRun(failed, failing_part=part))

    assert played.outcomes == [*(Result(item) for item in range(failing)), played.failures[failing]]
    assert times("delivered", played.trace)[:failing] == times("delivered", chain_schedule(case))[:failing]


@laws
@given(case=chain_cases(), failing=st.frozensets(st.integers(0, 6)))
def test_an_error_of_the_last_stage_is_in_line_and_the_chain_goes_on(
    run: Run, case: ChainCase, failing: frozenset[int]
) -> None:
    failed = replace(case, failing=failing)

    played = run(play, ChainRun(failed, failing_part=2))

    assert played.outcomes == [played.failures.get(item, Result(item)) for item in range(len(case.holds))]
    assert sorted(played.trace) == outside(chain_schedule(case))


@laws
@given(case=chain_cases(), part=PARTS, instant_s=odd_instants())
def test_an_interrupt_of_any_stage_ends_the_chain_after_what_that_stage_handed_over(
    run: Run, case: ChainCase, part: int, instant_s: float
) -> None:
    schedule = chain_schedule(case)
    assume(instant_s < times("ended", schedule)[0])
    expected = interruption_at(instant_s, stage_of(part, schedule))
    count = expected.delivered
    found: list[Interruption[int]] = []

    async def main() -> ChainRun:
        played = ChainRun(case)
        stages = played.stages()

        async def strike() -> None:
            await anyio.sleep_until(instant_s)
            found.append(stages[part].interrupt())

        async with anyio.create_task_group() as group, stages[-1] as results:
            group.start_soon(strike)
            await played.consume(results)
        return played

    played = run(main)

    assert found == [expected]
    assert played.outcomes == [Result(item) for item in range(count)]
    cut = chain_schedule(truncated(case, count))
    assert times("delivered", played.trace) == times("delivered", cut)
    assert times("ended", played.trace) == [max(instant_s, *times("ended", cut))]


def truncated(case: ChainCase, count: int) -> ChainCase:
    """Return the case as it is if the source ends, in no time, after *count* items."""
    inner, middle, outer = (replace(link, works=link.works[:count]) for link in case.links)
    return replace(
        case, gaps=(*case.gaps[:count], 0.0), holds=case.holds[:count], links=(inner, middle, outer)
    )


# Closing, outer to inner


@dataclass(slots=True)
class Stuck:
    """A chain of which the outer stage is stuck with item 0, the middle one with 1, the inner one with 2."""

    trace: list[tuple[str, float]] = field(default_factory=list)

    async def source(self) -> AsyncIterator[int]:
        try:
            for item in range(3):
                yield item
            await anyio.sleep_forever()
        finally:
            await clean_up(0.125)
            self.trace.append(("source closed", anyio.current_time()))

    def stages(self, prefetch: int) -> tuple[Stage[int, int], Stage[int, int], Stage[int, int]]:
        inner = ordered_map(self.stick("inner", 2, 1.0), self.source(), prefetch=prefetch)
        middle = ordered_map(self.stick("middle", 1, 0.5), inner, prefetch=prefetch)
        return inner, middle, ordered_map(self.stick("outer", 0, 0.25), middle, prefetch=prefetch)

    def stick(self, name: str, stuck_with: int, cleaning_s: float) -> Callable[[int], Awaitable[int]]:
        async def transform(item: int) -> int:
            if item == stuck_with:
                try:
                    await anyio.sleep_forever()
                finally:
                    self.trace.append((f"{name} cancelled", anyio.current_time()))
                    await clean_up(cleaning_s)
                    self.trace.append((f"{name} cleaned up", anyio.current_time()))
            return item

        return transform


OUTER_AND_MIDDLE = [
    ("outer cancelled", 1.0),
    ("outer cleaned up", 1.25),
    ("middle cancelled", 1.25),
    ("middle cleaned up", 1.75),
]
# With room for one more, the source is being read meanwhile: its generator ends when the read does.
INNER_AND_SOURCE = {
    1: [("inner cancelled", 1.75), ("inner cleaned up", 2.75), ("source closed", 2.875)],
    2: [("source closed", 1.875), ("inner cancelled", 1.875), ("inner cleaned up", 2.875)],
}


@pytest.mark.parametrize("prefetch", [1, 2])
@pytest.mark.parametrize("way_out", ["break", "raise", "interrupt", "cancel"])
def test_a_chain_is_closed_from_the_outer_stage_to_the_source(run: Run, way_out: str, prefetch: int) -> None:
    async def leave(outer: Stage[int, int], scope: anyio.CancelScope) -> None:
        async with outer:
            await anyio.sleep(1.0)
            if way_out == "raise":
                raise LookupError
            if way_out == "interrupt":
                outer.interrupt()
                assert await anext(outer, "over") == "over"
            if way_out == "cancel":
                scope.cancel()
                await anyio.sleep_forever()

    async def main() -> None:
        stuck = Stuck()
        *_, outer = stuck.stages(prefetch)
        with anyio.CancelScope() as scope, suppress(LookupError):
            await leave(outer, scope)

        assert scope.cancelled_caught is (way_out == "cancel")
        assert stuck.trace == OUTER_AND_MIDDLE + INNER_AND_SOURCE[prefetch]
        assert anyio.current_time() == 2.875

    run(main)


@pytest.mark.parametrize("prefetch", [1, 2])
def test_a_stage_that_was_read_by_another_is_left_with_it(run: Run, prefetch: int) -> None:
    async def main() -> None:
        inner, middle, outer = Stuck().stages(prefetch)
        async with outer:
            await anyio.sleep(1.0)

        for stage in (inner, middle):
            with pytest.raises(anyio.ClosedResourceError):
                await anext(stage)

    run(main)
