"""Laws 7 and 10, for a stage that nobody leaves: it ends with the run, and tells whoever iterates on."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
import pytest

from ordered_pipeline import Interruption, Stage, in_order, ordered_flat_map, ordered_map
from ordered_pipeline.testing import run_in_virtual_time
from tests.conftest import Run
from tests.core.probes import Numbers, Work, strictly
from tests.core.strategies import LONG_S

TOLD = "^the stage was cancelled after the task that entered it had ended; enter it in the task that iterates"


async def ended(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run *coroutine* in a task of its own, to its end."""
    await asyncio.ensure_future(coroutine)


async def enter(stage: Stage[Any, Any], reads: int = 0) -> None:
    """Enter a stage, iterate it a little, and never leave it."""
    await stage.__aenter__()
    for _ in range(reads):
        await anext(stage)


async def cancel_all() -> None:
    """Cancel every other task and wait for each, as `asyncio.run` does at its end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


# The end of the run


@dataclass(frozen=True, slots=True)
class State:
    """What a stage is doing at 1.0, after the task that entered it has ended."""

    gaps_s: Sequence[float] = (0.0,) * 9
    delays_s: Sequence[float] = (0.0,)
    prefetch: int = 3
    concurrency: int | None = None
    reads: int = 0


STATES = {
    "window-full-of-results": State(),
    "window-full-of-running-transforms": State(delays_s=(LONG_S,)),
    "items-queued-behind-concurrency": State(delays_s=(LONG_S,), concurrency=1),
    "items-queued-and-source-pending": State((0.0, 0.0, LONG_S), (LONG_S,), concurrency=1),
    "items-queued-and-source-ended": State((0.0, 0.0), (LONG_S,), concurrency=1),
    "results-behind-a-slow-head": State(delays_s=(LONG_S, 0.0)),
    "some-results-handed-over": State(reads=2),
    "source-pending": State((0.0, LONG_S)),
    "source-ended": State((0.0, 0.0)),
}
states = pytest.mark.parametrize("state", STATES.values(), ids=STATES)


def mapped(state: State) -> tuple[Stage[int, int], Numbers, Work]:
    source, work = Numbers(state.gaps_s), Work(state.delays_s, cleaning_s=0.25)
    stage = ordered_map(work, source, prefetch=state.prefetch, concurrency=state.concurrency)
    return stage, source, work


@states
def test_the_end_of_the_run_ends_a_stage_that_nobody_leaves(run_asyncio: Run, state: State) -> None:
    async def main() -> None:
        stage, source, work = mapped(state)
        await ended(enter(stage, state.reads))
        await anyio.sleep_until(1.0)

        await cancel_all()

        assert (source.closed, work.running) == (1, set())
        assert len(set(source.tasks)) == 1
        # Clean-up was not cut, as a second cancellation would have done.
        assert [line for line, _ in work.trace if line.endswith("cut")] == []
        assert anyio.current_time() == (1.25 if work.trace else 1.0)

    strictly(run_asyncio, main)


@states
def test_a_stage_ends_with_the_run_whose_end_cancels_the_task_that_entered_it(
    run_asyncio: Run, state: State
) -> None:
    async def main() -> None:
        stage, source, work = mapped(state)

        async def hold() -> None:
            await enter(stage, state.reads)
            try:
                await asyncio.sleep(LONG_S)
            finally:
                await asyncio.sleep(0.5)

        holder = asyncio.ensure_future(hold())
        await anyio.sleep_until(1.0)

        await cancel_all()

        assert holder.cancelled()
        assert (source.closed, work.running) == (1, set())
        assert anyio.current_time() <= 1.75

    strictly(run_asyncio, main)


@pytest.mark.parametrize("turns", range(4))
def test_a_stage_ends_with_the_run_that_ends_just_after_it_was_entered(run_asyncio: Run, turns: int) -> None:
    async def main() -> None:
        work = Work((LONG_S,))
        await enter_in_a_task_that_ends_after(turns, ordered_map(work, range(9), prefetch=3))

        await cancel_all()

        assert work.running == set()
        assert anyio.current_time() == 0.0

    strictly(run_asyncio, main)


async def enter_in_a_task_that_ends_after(turns: int, stage: Stage[Any, Any]) -> None:
    async def hold() -> None:
        await stage.__aenter__()
        for _ in range(turns):
            await asyncio.sleep(0)

    await ended(hold())


@pytest.mark.parametrize("gap_s", [0.0, 0.5, LONG_S], ids=["full", "ended", "pending"])
@pytest.mark.parametrize("concurrency", [1, 2, 4])
def test_a_flat_map_that_nobody_leaves_ends_with_the_run(
    run_asyncio: Run, gap_s: float, concurrency: int
) -> None:
    async def main() -> None:
        open_streams: set[int] = set()

        async def stream(number: int) -> AsyncIterator[int]:
            open_streams.add(number)
            try:
                for result in range(1000):
                    await asyncio.sleep(0)
                    yield result
            finally:
                open_streams.remove(number)

        source = Numbers((0.0, 0.0, gap_s) if gap_s else (0.0,) * 9)
        stage = ordered_flat_map(stream, source, prefetch=4, concurrency=concurrency, buffer=2)
        await ended(enter(stage, 1))
        await anyio.sleep_until(1.0)

        await cancel_all()

        assert (source.closed, open_streams) == (1, set())
        assert anyio.current_time() == 1.0

    strictly(run_asyncio, main)


def test_stages_in_a_chain_that_nobody_leaves_end_with_the_run(run_asyncio: Run) -> None:
    async def main() -> None:
        source, inner, outer = Numbers((0.0,) * 20), Work(), Work((0.0, LONG_S), cleaning_s=0.25)
        stage = ordered_map(outer, ordered_map(inner, source), prefetch=3)
        await ended(enter(stage))
        await anyio.sleep_until(1.0)

        await cancel_all()

        assert (source.closed, inner.running, outer.running) == (1, set(), set())
        assert anyio.current_time() == 1.25

    strictly(run_asyncio, main)


def test_what_was_given_ends_with_the_run(run_asyncio: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=0.25)
        await ended(enter(in_order([work(0), asyncio.ensure_future(work(1))])))
        await anyio.sleep_until(1.0)

        await cancel_all()

        assert sorted(work.trace) == [("0 cancelled", 1.25), ("1 cancelled", 1.25)]
        assert anyio.current_time() == 1.25

    strictly(run_asyncio, main)


def test_a_run_ends_though_a_generator_with_a_stage_in_it_is_kept_and_never_closed(run_asyncio: Run) -> None:
    kept: list[AsyncGenerator[int, None]] = []
    left: list[bool] = []
    source = Numbers((0.0,) * 9)

    async def generator() -> AsyncGenerator[int, None]:
        try:
            async with ordered_map(Work(), source) as results:
                async for result in results:
                    yield result
        finally:
            left.append(source.closed == 1)

    async def main() -> None:
        kept.append(generator())
        assert [await anext(kept[0]), await anext(kept[0])] == [0, 1]
        await anyio.sleep(1.0)
        assert (source.closed, left) == (0, [])

    run_in_virtual_time(main, loop=run_asyncio.loop)

    assert left == [True]


def test_a_scope_of_the_source_s_that_has_struck_does_not_keep_the_run_from_ending(run_asyncio: Run) -> None:
    async def numbers() -> AsyncIterator[int]:
        with anyio.move_on_after(0.5):
            for number in range(9):
                yield number

    async def main() -> None:
        work = Work()
        await ended(enter(ordered_map(work, numbers())))
        await anyio.sleep_until(1.0)

        await cancel_all()

        assert work.running == set()
        assert anyio.current_time() == 1.0

    strictly(run_asyncio, main)


# Somebody iterates on


def test_a_scope_of_the_source_s_is_not_taken_for_the_end_of_the_run(run_asyncio: Run) -> None:
    """It goes by at a yield, and all that follows is read within it."""

    async def numbers() -> AsyncIterator[int]:
        with anyio.move_on_after(0.5) as scope:
            for number in range(9):
                yield number
            await asyncio.sleep(LONG_S)
        assert scope.cancelled_caught
        yield 9

    async def main() -> None:
        stage = ordered_map(Work(), numbers())
        await ended(enter(stage))
        await anyio.sleep_until(1.0)

        assert [result async for result in stage] == list(range(10))

        await stage.__aexit__(None, None, None)
        assert anyio.current_time() == 1.0

    strictly(run_asyncio, main)


def test_a_stage_entered_by_a_task_that_has_ended_works_on_while_nothing_strikes(run_asyncio: Run) -> None:
    async def main() -> None:
        stage = ordered_map(Work((0.25,)), range(9))
        await ended(enter(stage, 1))
        await anyio.sleep_until(1.0)

        assert [result async for result in stage] == list(range(1, 9))

        await stage.__aexit__(None, None, None)

    strictly(run_asyncio, main)


def test_what_a_source_has_dealt_with_is_not_held_against_it_when_the_task_that_entered_ends(
    run_asyncio: Run,
) -> None:
    async def numbers() -> AsyncIterator[int]:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                for number in range(3):
                    yield number
                await asyncio.sleep(LONG_S)
        for number in range(3, 9):
            yield number

    async def main() -> None:
        stage = ordered_map(Work(), numbers())

        async def hold() -> None:
            await enter(stage)
            await anyio.sleep_until(0.75)
            assert [await anext(stage) for _ in range(4)] == [0, 1, 2, 3]
            await anyio.sleep_until(1.0)

        await ended(hold())
        await anyio.sleep_until(1.25)

        assert [result async for result in stage] == list(range(4, 9))

        await stage.__aexit__(None, None, None)

    strictly(run_asyncio, main)


@pytest.mark.parametrize("asks_at_s", [0.25, 1.0])
def test_whoever_iterates_on_is_told_that_the_stage_was_taken_for_deserted(
    run_asyncio: Run, asks_at_s: float
) -> None:
    """The time-out is the source's, but nobody who has entered the stage is there any more."""

    async def numbers() -> AsyncIterator[int]:
        async with asyncio.timeout(0.5):
            for number in range(9):
                yield number

    async def main() -> None:
        work = Work((0.0, LONG_S), cleaning_s=0.25)
        stage = ordered_map(work, numbers(), prefetch=2)
        await ended(enter(stage, 1))
        await anyio.sleep_until(asks_at_s)

        with pytest.raises(RuntimeError, match=TOLD):
            await anext(stage)
        assert await anext(stage, "over") == "over"

        assert anyio.current_time() == max(0.5, asks_at_s)
        await stage.__aexit__(None, None, None)
        assert stage.interrupt() == Interruption(1, None, 0, (1, 2))
        assert sorted(work.trace) == [("1 cancelled", 0.75), ("2 cancelled", 0.75)]

    strictly(run_asyncio, main)


def test_a_stage_that_was_interrupted_before_tells_nothing_at_the_end_of_the_run(run_asyncio: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=0.5)
        stage = ordered_map(work, range(9), prefetch=2)
        await ended(enter(stage))
        await anyio.sleep_until(1.0)
        stage.interrupt()
        await anyio.sleep_until(1.25)

        await cancel_all()

        assert await anext(stage, "over") == "over"

    strictly(run_asyncio, main)
