"""Laws 7 and 11, with the consumer cancelled wherever it suspends, and at every turn of the loop between."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Mishap, Numbers, Suspensions, Work, at, clean_up, strictly
from tests.core.strategies import MapCase, map_cases
from tests.core.support import MapRun, laws

# Chains of stages to be cancelled


@dataclass(slots=True)
class Scene:
    """A stage over the numbers up to 5, and how often each part of it is open."""

    stage: Stage[int, int]
    source: Numbers
    works: list[Work] = field(default_factory=list)
    streams: set[int] = field(default_factory=set)
    received: list[int] = field(default_factory=list)

    def assert_closed(self) -> None:
        assert self.source.closed == bool(self.source.tasks)
        assert len(set(self.source.tasks)) <= 1
        assert [work.running for work in self.works] == [set() for _ in self.works]
        assert self.streams == set()


GAPS_S = (0.125, 0.0, 0.25, 0.0, 0.125)


def _mapped() -> Scene:
    source, work = Numbers(GAPS_S, closing_s=0.125), Work((0.25, 0.0, 0.125), cleaning_s=0.25)
    return Scene(ordered_map(work, source, prefetch=3, concurrency=2), source, [work])


def _mapped_at_once() -> Scene:
    source, work = Numbers((0.0,) * 5), Work()
    return Scene(ordered_map(work, source, prefetch=1), source, [work])


def _chained() -> Scene:
    source = Numbers(GAPS_S, closing_s=0.125)
    inner, outer = Work((0.125, 0.25), cleaning_s=0.125), Work((0.25, 0.0, 0.125), cleaning_s=0.25)
    return Scene(ordered_map(outer, ordered_map(inner, source), prefetch=3), source, [inner, outer])


def _flat() -> Scene:
    async def halves(number: int) -> AsyncIterator[int]:
        scene.streams.add(number)
        try:
            for half in range(2):
                await anyio.sleep(0.125 * (number % 2))
                if 2 * number + half < 5:
                    yield 2 * number + half
        finally:
            scene.streams.remove(number)
            await clean_up(0.125)

    source = Numbers((0.125, 0.0, 0.25))
    scene = Scene(ordered_flat_map(halves, source, prefetch=2, buffer=1), source)
    return scene


scenes = pytest.mark.parametrize("scene", [_mapped, _mapped_at_once, _chained, _flat])


def _until_spared(attempt: Callable[[int], bool]) -> None:
    """Attempt with 1, 2, 3, ... until one is not met any more."""
    met = next(nth for nth in count(1) if not attempt(nth))
    assert met >= 5, "the driver meets the consumer where it suspends"


def _this_task() -> asyncio.Task[object]:
    task = asyncio.current_task()
    assert task is not None
    return task


def _cancel_this_task() -> None:
    _this_task().cancel()


# The whole consumer


async def _consume(scene: Scene) -> None:
    async with scene.stage as results:
        async for result in results:
            scene.received.append(result)
            if result % 2:
                await anyio.sleep(0.125)


@scenes
def test_a_scope_cancelled_at_any_suspension_leaves_nothing_behind(
    run: Run, scene: Callable[[], Scene]
) -> None:
    async def main(nth: int) -> bool:
        visited, reached = scene(), False

        with anyio.CancelScope() as scope:
            suspensions = Suspensions(nth, scope.cancel)
            await suspensions.run(_consume(visited))
            # What is owed to a scope that was cancelled while the block was left, the next wait pays.
            await anyio.lowlevel.checkpoint()
            reached = True

        assert reached is not suspensions.acted
        assert scope.cancelled_caught is suspensions.acted
        assert visited.received == list(range(len(visited.received) if suspensions.acted else 5))
        visited.assert_closed()
        return suspensions.acted

    _until_spared(lambda nth: strictly(run, main, nth))


@scenes
def test_a_task_cancelled_at_any_suspension_leaves_nothing_behind(
    run_asyncio: Run, scene: Callable[[], Scene]
) -> None:
    async def main(nth: int) -> bool:
        visited, reached = scene(), False
        suspensions = Suspensions(nth, _cancel_this_task)

        async def consume() -> None:
            nonlocal reached
            await suspensions.run(_consume(visited))
            reached = True

        task = asyncio.ensure_future(consume())
        await asyncio.wait([task])

        assert task.cancelled() is suspensions.acted
        assert reached is not suspensions.acted
        assert visited.received == list(range(len(visited.received) if suspensions.acted else 5))
        visited.assert_closed()
        return suspensions.acted

    _until_spared(lambda nth: strictly(run_asyncio, main, nth))


@scenes
def test_an_error_thrown_in_at_any_result_leaves_nothing_behind(run: Run, scene: Callable[[], Scene]) -> None:
    async def main(last: int) -> None:
        visited = scene()

        with pytest.raises(Mishap):
            async with visited.stage as results:
                async for result in results:
                    if result == last:
                        raise Mishap

        visited.assert_closed()

    for last in range(5):
        strictly(run, main, last)


# One __anext__ after the other


async def _next(scene: Scene) -> None:
    scene.received.append(await anext(scene.stage))


@scenes
def test_a_next_cancelled_by_a_scope_at_any_suspension_loses_and_repeats_nothing(
    run: Run, scene: Callable[[], Scene]
) -> None:
    async def main(nth: int) -> bool:
        visited = scene()
        suspensions = Suspensions(nth, lambda: scope.cancel())  # noqa: PLW0108  # each call has a scope of its own

        async with visited.stage:
            while True:
                try:
                    with anyio.CancelScope() as scope:
                        await suspensions.run(_next(visited))
                except StopAsyncIteration:
                    break

        assert visited.received == [0, 1, 2, 3, 4]
        visited.assert_closed()
        return suspensions.acted

    _until_spared(lambda nth: strictly(run, main, nth))


@scenes
def test_a_next_cancelled_natively_at_any_suspension_loses_and_repeats_nothing(
    run_asyncio: Run, scene: Callable[[], Scene]
) -> None:
    async def main(nth: int) -> bool:
        visited, cancelled = scene(), 0
        suspensions = Suspensions(nth, _cancel_this_task)

        async with visited.stage:
            while True:
                try:
                    await suspensions.run(_next(visited))
                except StopAsyncIteration:
                    break
                except asyncio.CancelledError:
                    cancelled += 1
                    _this_task().uncancel()

        assert cancelled == suspensions.acted
        assert visited.received == [0, 1, 2, 3, 4]
        visited.assert_closed()
        return suspensions.acted

    _until_spared(lambda nth: strictly(run_asyncio, main, nth))


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant of the drawn cases, and so many turns of the loop later."""

    time_s: float
    turns: int


moments = st.builds(Moment, st.integers(0, 64).map(lambda eighths: eighths / 8), st.integers(0, 8))


async def _patient(results: Stage[Any, Any], outcomes: list[object], patience: Iterator[Moment]) -> None:
    """Take results until they end, giving each ``__anext__`` up at the next moment, and trying again."""
    while True:
        moment = next(patience, None)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                if moment is not None:
                    tasks.start_soon(_cancel_at, moment, scope)
                try:
                    outcomes.append(await anext(results))
                except StopAsyncIteration:
                    tasks.cancel_scope.cancel()
                    return
                except Exception as failure:  # noqa: BLE001  # what a drawn item fails with
                    outcomes.append(failure)
                tasks.cancel_scope.cancel()


async def _cancel_at(moment: Moment, scope: anyio.CancelScope) -> None:
    await at(moment.time_s, scope.cancel, turns=moment.turns)


@laws
@given(case=map_cases(), patience=st.lists(moments, max_size=12))
def test_nexts_given_up_at_any_moment_lose_and_repeat_nothing(
    run: Run, case: MapCase, patience: list[Moment]
) -> None:
    async def main() -> None:
        played = MapRun(case)

        async with played.stage() as results:
            await _patient(results, played.outcomes, iter(sorted(patience, key=lambda moment: moment.time_s)))

        assert played.outcomes == played.in_line()

    strictly(run, main)


@laws
@given(case=map_cases(), patience_s=st.lists(st.sampled_from((0.125, 0.25, 0.5, 1.0, 1.5)), max_size=12))
def test_nexts_given_up_by_asyncio_timeouts_lose_and_repeat_nothing(
    run_asyncio: Run, case: MapCase, patience_s: list[float]
) -> None:
    async def main() -> None:
        played, patience = MapRun(case), iter(patience_s)

        async with played.stage() as results:
            while True:
                try:
                    async with asyncio.timeout(next(patience, None)):
                        played.outcomes.append(await anext(results))
                except StopAsyncIteration:
                    break
                except TimeoutError:
                    pass
                except Exception as failure:  # noqa: BLE001  # what a drawn item fails with
                    played.outcomes.append(failure)

        assert played.outcomes == played.in_line()

    strictly(run_asyncio, main)


def test_a_next_cancelled_in_the_turn_in_which_its_result_comes_is_not_lost(run_asyncio: Run) -> None:
    """Both are on their way to the consumer, in either order."""

    async def main() -> None:
        for cancelled_first in (False, True):
            futures = [asyncio.get_running_loop().create_future() for _ in range(2)]

            async with ordered_map(lambda number: futures[number], [0, 1]) as results:  # noqa: B023  # it ends within the loop
                task = asyncio.ensure_future(_anext(results))
                await anyio.sleep(1.0)
                steps: list[Callable[[], object]] = [lambda: futures[0].set_result(0), task.cancel]  # noqa: B023
                for step in reversed(steps) if cancelled_first else steps:
                    step()
                await asyncio.wait([task])
                futures[1].set_result(1)
                rest = [result async for result in results]

            assert [*([] if task.cancelled() else [task.result()]), *rest] == [0, 1]

    strictly(run_asyncio, main)


async def _anext(results: Stage[int, int]) -> int:
    return await anext(results)


# Any way out at any moment


@laws
@given(case=map_cases(), moment=moments)
def test_a_block_cancelled_at_any_moment_leaves_nothing_behind(
    run: Run, case: MapCase, moment: Moment
) -> None:
    async def main() -> None:
        played = MapRun(case)

        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_cancel_at, moment, scope)
                async with played.stage() as results:
                    await played.consume(results)
                tasks.cancel_scope.cancel()

        assert played.outcomes == played.in_line()[: len(played.outcomes)]
        begun = [event.number for event in played.trace if event.kind == "started"]
        ended = [event.number for event in played.trace if event.kind == "settled"]
        assert sorted(begun) == sorted(ended)

    strictly(run, main)


@laws
@given(case=map_cases(), moment=moments)
def test_a_task_cancelled_at_any_moment_leaves_nothing_behind(
    run_asyncio: Run, case: MapCase, moment: Moment
) -> None:
    async def main() -> None:
        played = MapRun(case)

        async def consume() -> None:
            async with played.stage() as results:
                await played.consume(results)

        task = asyncio.ensure_future(consume())
        canceller = asyncio.ensure_future(at(moment.time_s, task.cancel, turns=moment.turns))
        await asyncio.wait([task, canceller])

        assert played.outcomes == played.in_line()[: len(played.outcomes)]
        begun = [event.number for event in played.trace if event.kind == "started"]
        ended = [event.number for event in played.trace if event.kind == "settled"]
        assert sorted(begun) == sorted(ended)
        assert task.cancelled() or len(played.outcomes) == len(played.in_line())

    strictly(run_asyncio, main)


@pytest.mark.parametrize("anyway", [False, True])
def test_a_stage_entered_in_a_task_that_was_cancelled_before_leaves_nothing_behind(
    run_asyncio: Run, anyway: bool
) -> None:
    async def main() -> None:
        source = Numbers((0.0,) * 5)

        async def consume() -> None:
            _cancel_this_task()
            async with ordered_map(Work(), source) as results:
                if anyway:
                    await anext(results)

        task = asyncio.ensure_future(consume())
        await asyncio.wait([task])

        assert task.cancelled()
        assert source.closed == bool(source.tasks)

    strictly(run_asyncio, main)


@laws
@given(
    gaps_s=st.lists(st.sampled_from((0.0, 0.125, 0.25)), min_size=1, max_size=5),
    timeout_s=st.sampled_from((0.125, 0.25, 0.5)),
    moment=st.builds(Moment, st.sampled_from((0.0, 0.125, 0.25, 0.5)), st.integers(0, 8)),
    native=st.booleans(),
)
def test_a_time_out_of_the_source_that_meets_a_cancellation_leaves_nothing_behind(
    run_asyncio: Run, gaps_s: list[float], timeout_s: float, moment: Moment, native: bool
) -> None:
    async def numbers() -> AsyncIterator[int]:
        async with asyncio.timeout(timeout_s):
            for number, gap_s in enumerate(gaps_s):
                await asyncio.sleep(gap_s)
                yield number

    async def scoped() -> AsyncIterator[int]:
        with anyio.fail_after(timeout_s):
            for number, gap_s in enumerate(gaps_s):
                await asyncio.sleep(gap_s)
                yield number

    async def main() -> None:
        work = Work((0.25,))

        async def consume() -> None:
            async with ordered_map(work, numbers() if native else scoped(), prefetch=2):
                await at(moment.time_s, lambda: None, turns=moment.turns)

        task = asyncio.ensure_future(consume())
        await asyncio.wait([task])

        assert not task.cancelled()
        # Either the source had failed before, which nobody heard, or its failure is one of cleaning up.
        assert isinstance(task.exception(), TimeoutError | None)
        assert work.running == set()
        assert anyio.current_time() == moment.time_s

    strictly(run_asyncio, main)
