"""Law 6: one task iterates a source and closes it, so that it may hold what it likes across its yields."""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Sequence,
)
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Mishap, Numbers, Work, reachable, strictly, this_task
from tests.core.strategies import LONG_S
from tests.core.support import laws

# One task for the source


@laws
@given(
    gaps_s=st.lists(st.sampled_from((0.0, 0.125, 0.25)), max_size=6),
    delays_s=st.lists(st.sampled_from((0.0, 0.125, 0.5)), min_size=1, max_size=6),
    prefetch=st.integers(1, 4),
    reads=st.integers(0, 7),
)
def test_one_task_iterates_the_source_and_closes_it_once(
    run: Run, gaps_s: list[float], delays_s: list[float], prefetch: int, reads: int
) -> None:
    async def main() -> None:
        source = Numbers(gaps_s)

        async with ordered_map(Work(delays_s), source, prefetch=prefetch) as results:
            await anyio.sleep(0.0625)
            received = [await anext(results, None) for _ in range(reads)]

        count = len(gaps_s)
        assert received == [number if number < count else None for number in range(reads)]
        assert len(set(source.tasks)) == 1
        assert source.closed == 1

    strictly(run, main)


def test_the_source_of_a_flat_map_has_one_task_too(run: Run) -> None:
    async def twice(number: int) -> AsyncIterator[int]:
        yield number
        await anyio.sleep(0.25)
        yield number

    async def main() -> None:
        source = Numbers((0.125,) * 4)

        async with ordered_flat_map(twice, source) as results:
            assert [await anext(results) for _ in range(3)] == [0, 0, 1]

        assert len(set(source.tasks)) == 1
        assert source.closed == 1

    strictly(run, main)


def test_sub_streams_are_closed_in_the_task_that_iterated_them(run: Run) -> None:
    tasks: dict[int, list[object]] = {}

    async def forever(number: int) -> AsyncIterator[int]:
        tasks[number] = [this_task()]
        try:
            for result in range(1000):
                yield result
                tasks[number].append(this_task())
        finally:
            tasks[number].append(this_task())

    async def main() -> None:
        async with ordered_flat_map(forever, [0, 1, 2], prefetch=3, buffer=2) as results:
            assert [await anext(results) for _ in range(3)] == [0, 1, 2]
            await anyio.sleep(1.0)

        assert [len(set(seen)) for seen in tasks.values()] == [1, 1, 1]

    strictly(run, main)


# Sources that hold something across their yields


Hold = Callable[[AsyncExitStack], Awaitable[object]]


async def _cancel_scope(stack: AsyncExitStack) -> None:
    stack.enter_context(anyio.CancelScope())


async def _fail_after(stack: AsyncExitStack) -> None:
    stack.enter_context(anyio.fail_after(LONG_S / 2))


async def _task_group(stack: AsyncExitStack) -> None:
    tasks = await stack.enter_async_context(anyio.create_task_group())
    tasks.start_soon(anyio.sleep, LONG_S)
    stack.callback(tasks.cancel_scope.cancel)


async def _asyncio_timeout(stack: AsyncExitStack) -> None:
    await stack.enter_async_context(asyncio.timeout(LONG_S / 2))


async def _asyncio_task_group(stack: AsyncExitStack) -> None:
    tasks = await stack.enter_async_context(asyncio.TaskGroup())
    stack.callback(tasks.create_task(asyncio.sleep(LONG_S)).cancel)


async def _trio_scope(stack: AsyncExitStack) -> None:
    stack.enter_context(trio.CancelScope())


async def _trio_nursery(stack: AsyncExitStack) -> None:
    nursery = await stack.enter_async_context(trio.open_nursery())
    nursery.start_soon(trio.sleep, LONG_S)
    stack.callback(nursery.cancel_scope.cancel)


@dataclass(slots=True)
class Holder:
    """A source that keeps a scope, a timeout or a task group open from its first number to its last."""

    hold: Hold
    gaps_s: Sequence[float]
    closed: int = 0

    async def __aiter__(self) -> AsyncIterator[int]:
        async with AsyncExitStack() as stack:
            await self.hold(stack)
            try:
                for number, gap_s in enumerate(self.gaps_s):
                    await anyio.sleep(gap_s)
                    yield number
            finally:
                self.closed += 1


async def _exhaust(results: Stage[int, int]) -> None:
    assert [result async for result in results] == [0, 1, 2, 3]


async def _break(results: Stage[int, int]) -> None:
    async for result in results:
        if result == 1:
            await anyio.sleep_until(1.0)
            break


async def _fail(results: Stage[int, int]) -> None:
    await _break(results)
    raise Mishap


async def _interrupt(results: Stage[int, int]) -> None:
    await _break(results)
    results.interrupt()
    assert [result async for result in results] == []


async def _overstay(results: Stage[int, int]) -> None:
    await _break(results)
    await anyio.sleep(LONG_S)


# The window is full at 1.0, or the source is asked and silent.
GAPS_S = {"parked": (0.0, 0.0, 0.0, 0.0), "pending": (0.0, 0.0, 0.25, 4.0)}


Way = Callable[[Stage[int, int]], Coroutine[Any, Any, None]]


def _leave(run: Run, hold: Hold, way: Way, gaps_s: Sequence[float]) -> None:
    async def main() -> None:
        source = Holder(hold, gaps_s)

        with anyio.CancelScope(deadline=8.0):
            try:
                async with ordered_map(Work((0.0, 0.0, 0.25)), source, prefetch=2) as results:
                    await way(results)
            except Mishap:
                assert way is _fail

        assert source.closed == 1
        exhausted = 4.5 if gaps_s[-1] else 0.25
        assert anyio.current_time() == (exhausted if way is _exhaust else 8.0 if way is _overstay else 1.0)

    strictly(run, main)


ways = pytest.mark.parametrize("way", [_exhaust, _break, _fail, _interrupt, _overstay])
paces = pytest.mark.parametrize("gaps_s", GAPS_S.values(), ids=GAPS_S)


@paces
@ways
@pytest.mark.parametrize("hold", [_cancel_scope, _fail_after, _task_group])
def test_a_source_may_hold_a_scope_or_a_task_group_across_its_yields(
    run: Run, hold: Hold, way: Way, gaps_s: Sequence[float]
) -> None:
    _leave(run, hold, way, gaps_s)


@paces
@ways
@pytest.mark.parametrize("hold", [_asyncio_timeout, _asyncio_task_group])
def test_a_source_may_hold_what_asyncio_offers_across_its_yields(
    run_asyncio: Run, hold: Hold, way: Way, gaps_s: Sequence[float]
) -> None:
    _leave(run_asyncio, hold, way, gaps_s)


@paces
@ways
@pytest.mark.parametrize("hold", [_trio_scope, _trio_nursery])
def test_a_source_may_hold_what_trio_offers_across_its_yields(
    run_trio: Run, hold: Hold, way: Way, gaps_s: Sequence[float]
) -> None:
    _leave(run_trio, hold, way, gaps_s)


def _leave_sub_streams(run: Run, hold: Hold, way: Way) -> None:
    """Let sub-streams of all kinds be open: one is being handed over, one is full, one is silent."""

    async def main() -> None:
        sources: list[Holder] = []

        def stream(number: int) -> Holder:
            sources.append(Holder(hold, (0.0, 0.0, 0.0, 0.0) if number != 2 else (0.0, LONG_S)))
            return sources[-1]

        with anyio.CancelScope(deadline=8.0):
            try:
                async with ordered_flat_map(stream, range(5), prefetch=4, concurrency=3, buffer=2) as results:
                    await way(results)
            except Mishap:
                assert way is _fail

        assert [source.closed for source in sources] == [1, 1, 1]
        assert anyio.current_time() == (8.0 if way is _overstay else 1.0)

    strictly(run, main)


early = pytest.mark.parametrize("way", [_break, _fail, _interrupt, _overstay])


@early
@pytest.mark.parametrize("hold", [_cancel_scope, _fail_after, _task_group])
def test_a_sub_stream_may_hold_a_scope_or_a_task_group_across_its_yields(
    run: Run, hold: Hold, way: Way
) -> None:
    _leave_sub_streams(run, hold, way)


@early
@pytest.mark.parametrize("hold", [_asyncio_timeout, _asyncio_task_group])
def test_a_sub_stream_may_hold_what_asyncio_offers_across_its_yields(
    run_asyncio: Run, hold: Hold, way: Way
) -> None:
    _leave_sub_streams(run_asyncio, hold, way)


@early
@pytest.mark.parametrize("hold", [_trio_scope, _trio_nursery])
def test_a_sub_stream_may_hold_what_trio_offers_across_its_yields(
    run_trio: Run, hold: Hold, way: Way
) -> None:
    _leave_sub_streams(run_trio, hold, way)


# What it holds may strike

CHILD = Mishap("child")


async def _fail_soon() -> None:
    await anyio.sleep(0.5)
    raise CHILD


async def _struck_scope(stack: AsyncExitStack) -> None:
    stack.enter_context(anyio.move_on_after(0.5))


async def _struck_fail_after(stack: AsyncExitStack) -> None:
    stack.enter_context(anyio.fail_after(0.5))


async def _struck_task_group(stack: AsyncExitStack) -> None:
    (await stack.enter_async_context(anyio.create_task_group())).start_soon(_fail_soon)


async def _struck_asyncio_timeout(stack: AsyncExitStack) -> None:
    await stack.enter_async_context(asyncio.timeout(0.5))


async def _struck_asyncio_task_group(stack: AsyncExitStack) -> None:
    (await stack.enter_async_context(asyncio.TaskGroup())).create_task(_fail_soon())


def _leave_struck(run: Run, hold: Hold, way: Way) -> None:
    """Leave when the source is at a yield, within a scope that was cancelled, and has not yet heard of it."""

    async def main() -> None:
        work, source = Work(), Holder(hold, (0.0,) * 9)

        raised: list[Exception] = []

        try:
            async with ordered_map(work, source, prefetch=4) as results:
                await way(results)
        except (Mishap, ExceptionGroup) as error:
            raised.append(error)

        # A child that failed is not lost; that the source's time was over concerns nobody any more.
        assert (way is _fail or "group" in hold.__name__) is bool(raised)
        found = [error for one in raised for error in reachable(one)]
        assert (CHILD in found) is ("group" in hold.__name__)
        assert anyio.current_time() == 1.0
        assert (source.closed, work.running) == (1, set())

    strictly(run, main)


struck = pytest.mark.parametrize("way", [_break, _fail, _interrupt])


@struck
@pytest.mark.parametrize("hold", [_struck_scope, _struck_fail_after, _struck_task_group])
def test_leaving_when_what_the_source_holds_has_struck_leaves_nothing_behind(
    run: Run, hold: Hold, way: Way
) -> None:
    _leave_struck(run, hold, way)


@struck
@pytest.mark.parametrize("hold", [_struck_asyncio_timeout, _struck_asyncio_task_group])
def test_leaving_when_what_the_source_holds_of_asyncio_s_has_struck_leaves_nothing_behind(
    run_asyncio: Run, hold: Hold, way: Way
) -> None:
    _leave_struck(run_asyncio, hold, way)


def test_a_time_out_of_the_source_that_struck_does_not_cut_its_clean_up(run_asyncio: Run) -> None:
    closed: list[float] = []

    async def numbers() -> AsyncIterator[int]:
        async with asyncio.timeout(0.5):
            try:
                for number in range(9):
                    yield number
            finally:
                await asyncio.sleep(0.25)
                closed.append(anyio.current_time())

    async def main() -> None:
        async with ordered_map(Work(), numbers()):
            await anyio.sleep(1.0)

        assert closed == [1.25]

    strictly(run_asyncio, main)
