"""What differs between the event loops: where a task parks, and what runs the items."""

import asyncio
import gc
import math
import sys
import weakref
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from ordered_pipeline import ordered_map
from ordered_pipeline._parking import Crew, Spot, muster, spot
from tests.conftest import Run
from tests.core.probes import Mishap, Numbers, Work, at, on_trio, strictly
from tests.core.strategies import LONG_S


def crew() -> Crew:
    return muster(None, 5.0)


# Spots


async def park(spot: Spot, woken: list[float]) -> None:
    await spot.wait()
    woken.append(anyio.current_time())


async def park_shielded(spot: Spot, woken: list[float]) -> None:
    await spot.wait_shielded()
    woken.append(anyio.current_time())


parking = pytest.mark.parametrize("wait", [park, park_shielded])
Park = Callable[[Spot, list[float]], Coroutine[Any, Any, None]]


@parking
def test_a_task_is_parked_until_it_is_woken(run: Run, wait: Park) -> None:
    async def main() -> None:
        spot, woken = crew().spot(), list[float]()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, spot, woken)
            await anyio.sleep(1.0)
            assert woken == []
            spot.wake()

        assert woken == [1.0]

    strictly(run, main)


def test_a_spot_is_to_be_had_without_a_crew(run: Run) -> None:
    async def main() -> None:
        place, woken = spot(), list[float]()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(park, place, woken)
            await anyio.sleep(1.0)
            place.wake()

        assert woken == [1.0]

    strictly(run, main)


@parking
def test_waking_where_nobody_is_parked_is_not_remembered(run: Run, wait: Park) -> None:
    async def main() -> None:
        spot, woken = crew().spot(), list[float]()
        spot.wake()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, spot, woken)
            await anyio.sleep(1.0)
            assert woken == []
            spot.wake()
            spot.wake()
            await anyio.sleep(1.0)
            spot.wake()

        assert woken == [1.0]

    strictly(run, main)


@parking
def test_a_spot_may_be_used_again(run: Run, wait: Park) -> None:
    async def main() -> None:
        spot, woken = crew().spot(), list[float]()

        for instant_s in (1.0, 2.0, 3.0):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(at, instant_s, spot.wake)
                await wait(spot, woken)

        assert woken == [1.0, 2.0, 3.0]

    strictly(run, main)


def test_a_wait_that_was_cancelled_leaves_the_spot_free(run: Run) -> None:
    async def main() -> None:
        spot, woken = crew().spot(), list[float]()

        with anyio.move_on_after(1.0) as scope:
            await spot.wait()
        spot.wake()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(at, 2.0, spot.wake)
            await park(spot, woken)

        assert scope.cancelled_caught
        assert woken == [2.0]

    strictly(run, main)


def test_a_shielded_wait_outlasts_a_cancelled_scope(run: Run) -> None:
    async def main() -> None:
        spot = crew().spot()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(at, 3.0, spot.wake)
            with anyio.CancelScope(deadline=1.0) as scope:
                struck = await spot.wait_shielded()
                assert anyio.current_time() == 3.0
                await anyio.sleep(LONG_S)

        assert scope.cancelled_caught
        assert anyio.current_time() == 3.0
        assert on_trio() is (struck is None)

    strictly(run, main)


@pytest.mark.parametrize("cancellations", [0, 1, 2, 3])
def test_a_shielded_wait_returns_the_last_cancellation_that_struck(
    run_asyncio: Run, cancellations: int
) -> None:
    async def main() -> None:
        loop, spot = asyncio.get_running_loop(), crew().spot()
        task = asyncio.current_task()
        assert task is not None
        for number in range(cancellations):
            loop.call_at(1.0 + number, task.cancel, number)
        loop.call_at(5.0, spot.wake)

        struck = await spot.wait_shielded()

        assert anyio.current_time() == 5.0
        assert task.cancelling() == cancellations
        if cancellations:
            assert isinstance(struck, asyncio.CancelledError)
            assert struck.args == (cancellations - 1,)
        else:
            assert struck is None
        while task.cancelling():
            task.uncancel()

    strictly(run_asyncio, main)


def test_a_shielded_wait_that_is_cancelled_and_woken_in_one_turn_returns(run_asyncio: Run) -> None:
    async def main() -> None:
        for wake_first in (True, False):
            spot = crew().spot()
            task = asyncio.ensure_future(spot.wait_shielded())
            await asyncio.sleep(1.0)
            steps: list[Callable[[], object]] = [spot.wake, task.cancel]
            for step in steps if wake_first else reversed(steps):
                step()
            assert isinstance(await task, asyncio.CancelledError)

        assert anyio.current_time() == 2.0

    strictly(run_asyncio, main)


# Crews


def test_the_crew_is_that_of_the_loop_that_runs(run: Run) -> None:
    async def main() -> None:
        mustered = crew()

        assert mustered.cancelled is anyio.get_cancelled_exc_class()
        await anyio.sleep(1.5)
        assert mustered.now() == 1.5

    strictly(run, main)


def test_there_is_no_crew_without_a_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        crew()


def test_a_crew_that_breathes_lets_every_other_task_run(run: Run) -> None:
    async def main() -> None:
        turns: list[str] = []

        async def other() -> None:
            turns.append("other")

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(other)
            # Trio runs the tasks of one turn in random order: the first turn may begin with this one.
            for _ in range(2 if on_trio() else 1):
                await crew().breathe()
            turns.append("this")

        assert turns == ["other"] * 3 + ["this"]

    strictly(run, main)


def test_a_cancellation_that_strikes_a_crew_while_it_breathes_strikes_afterwards(run: Run) -> None:
    async def main() -> None:
        reached: list[str] = []

        with anyio.CancelScope() as scope:
            scope.cancel()
            await crew().breathe()
            reached.append("breathed")
            await anyio.lowlevel.checkpoint()
            reached.append("spared")

        assert reached == ["breathed"]
        assert scope.cancelled_caught

    strictly(run, main)


def test_a_native_cancellation_that_strikes_a_crew_while_it_breathes_strikes_afterwards(
    run_asyncio: Run,
) -> None:
    async def main() -> None:
        reached: list[str] = []

        async def breathe() -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel("now")
            await crew().breathe()
            reached.append("breathed")
            assert task.cancelling() == 1
            await asyncio.sleep(LONG_S)

        with pytest.raises(asyncio.CancelledError, match="now"):
            await asyncio.ensure_future(breathe())

        assert reached == ["breathed"]

    strictly(run_asyncio, main)


def test_each_item_has_a_task_of_its_own_on_asyncio(run_asyncio: Run) -> None:
    async def main() -> None:
        tasks: list[asyncio.Task[Any] | None] = []

        async def transform(number: int) -> int:
            tasks.append(asyncio.current_task())
            await asyncio.sleep(1.0)
            if number == 2:
                # Whoever kept the handle of an item that has ended does not hit its neighbour.
                assert tasks[0] is not None
                tasks[0].cancel()
                await asyncio.sleep(1.0)
            return number

        assert await ordered_map(transform, range(4)).collect() == [0, 1, 2, 3]
        assert len(set(tasks)) == 4

    strictly(run_asyncio, main)


def test_items_share_a_few_tasks_on_trio(run_trio: Run) -> None:
    async def main() -> None:
        tasks: set[trio.lowlevel.Task] = set()

        async def transform(number: int) -> int:
            tasks.add(trio.lowlevel.current_task())
            await trio.sleep(1.0)
            return number

        results = await ordered_map(transform, range(20), prefetch=8, concurrency=3).collect()

        assert results == list(range(20))
        # One more may be needed for each that is just about to become free.
        assert 3 <= len(tasks) <= 6

    strictly(run_trio, main)


own: ContextVar[int | None] = ContextVar("own", default=None)


def test_a_task_factory_of_the_user_s_makes_the_tasks_of_the_items(run_asyncio: Run) -> None:
    """It may be an old one: it is not asked to take a context."""

    class Special(asyncio.Task[Any]):
        pass

    async def main() -> None:
        loop = asyncio.get_running_loop()
        contexts: list[object] = []

        def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Special:
            contexts.append(options.get("context"))
            return Special(coroutine, loop=loop, **options)

        async def transform(number: int) -> tuple[type, int | None]:
            before = own.get()
            own.set(number)
            await asyncio.sleep(0.5)
            return type(asyncio.current_task()), before

        before = loop.get_task_factory()
        loop.set_task_factory(factory)
        try:
            assert await ordered_map(transform, range(4)).collect() == [(Special, None)] * 4
            work = Work((LONG_S,), cleaning_s=0.5)
            async with ordered_map(work, range(9), prefetch=3):
                await asyncio.sleep(1.0)
            assert [line for line, _ in sorted(work.trace)] == ["0 cancelled", "1 cancelled", "2 cancelled"]
        finally:
            loop.set_task_factory(before)
        assert contexts == [None] * (1 + 4 + 1 + 3)
        assert own.get() is None

    strictly(run_asyncio, main)


@pytest.mark.parametrize("turns", range(4))
def test_an_item_that_is_cancelled_before_its_first_step_is_counted_out(run_asyncio: Run, turns: int) -> None:
    """Its task never gets to run, and the coroutine is closed all the same."""

    async def main() -> None:
        work = Work((LONG_S,))
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        if before is None:
            # A factory, so that no task is eager.
            loop.set_task_factory(
                lambda loop, coroutine, **options: asyncio.Task(coroutine, loop=loop, **options)
            )
        try:
            async with ordered_map(work, range(9), prefetch=3) as results:
                await at(0.0, results.interrupt, turns=turns)
        finally:
            loop.set_task_factory(before)

        assert work.running == set()
        assert results.statistics().running == 0
        assert results.interrupt().dropped == tuple(range(results.statistics().admitted))

    strictly(run_asyncio, main)


def test_a_transform_that_never_waits_costs_no_turn_of_an_asyncio_loop(run_asyncio: Run) -> None:
    # Eager tasks came with Python 3.12.
    expected = 4 if sys.version_info >= (3, 12) else 0

    async def main() -> None:
        async with ordered_map(_at_once, range(4), prefetch=4) as results:
            # One turn for the feeding task, and all is there.
            await asyncio.sleep(0)
            assert results.statistics().ready == expected

    strictly(run_asyncio, main)


def test_a_transform_cancelled_by_others_before_its_first_step_fails_in_its_place(run_asyncio: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        before = loop.get_task_factory()
        if before is None:
            # A factory, so that no task is eager.
            loop.set_task_factory(
                lambda loop, coroutine, **options: asyncio.Task(coroutine, loop=loop, **options)
            )
        try:
            async with ordered_map(Work((1.0,)), range(2), prefetch=2) as results:
                # The feeding task has its turn, and the tasks that it makes have none yet.
                await asyncio.sleep(0)
                for task in asyncio.all_tasks() - {asyncio.current_task()}:
                    task.cancel()
                for index in range(2):
                    message = f"^the transform of item {index} was cancelled, but not by the stage$"
                    with pytest.raises(RuntimeError, match=message):
                        await anext(results)
        finally:
            loop.set_task_factory(before)

    run_asyncio(main)


async def _at_once(number: int) -> int:
    return number


def test_a_time_limit_may_be_infinite(run: Run) -> None:
    async def main() -> None:
        stage = ordered_map(Work((1.0,)), range(2), timeout_s=math.inf, grace_s=math.inf)

        assert await stage.collect() == [0, 1]
        async with ordered_map(Work((LONG_S,), cleaning_s=7.5), [0], timeout_s=math.inf, grace_s=math.inf):
            await anyio.sleep(1.0)

        assert anyio.current_time() == 1.0 + 1.0 + 7.5

    strictly(run, main)


async def _visit(ends: str, timeout_s: float | None) -> weakref.ref[object]:
    """Enter a stage and leave it after a second."""
    source = Numbers((0.0, LONG_S) if ends == "pending" else (0.0,) * 3, closing_s=0.25)
    work = Work((0.25,) if ends == "exhausted" else (LONG_S,), cleaning_s=0.25)
    stage = ordered_map(work, source, timeout_s=timeout_s)
    async with stage as results:
        if ends == "exhausted":
            assert [result async for result in results] == [0, 1, 2]
        await anyio.sleep_until(1.0)
    return weakref.ref(stage)


@pytest.mark.parametrize("timeout_s", [None, 0.5, 100.0])
@pytest.mark.parametrize("ends", ["exhausted", "parked", "pending"])
def test_a_loop_forgets_a_stage_that_was_left(run: Run, ends: str, timeout_s: float | None) -> None:
    """No timer of it is left, say, for grace times that nobody needs any more."""

    async def main() -> None:
        stage = await _visit(ends, timeout_s)
        # A loop may hold what it has just run.
        await anyio.sleep(0.0)
        gc.collect()

        assert stage() is None

    strictly(run, main)


@pytest.mark.parametrize("ends", ["exhausted", "parked", "pending"])
def test_a_stage_that_was_left_is_gone_before_garbage_is_collected(run_asyncio: Run, ends: str) -> None:
    """Rings of a stage for each request made the collector stop a process with many calls for longer."""

    async def main() -> None:
        stage = await _visit(ends, None)
        await anyio.sleep(0.0)

        assert stage() is None

    gc.disable()
    try:
        strictly(run_asyncio, main)
    finally:
        gc.enable()


def test_a_stage_whose_block_failed_is_gone_before_garbage_is_collected(run_asyncio: Run) -> None:
    """The task that entered it keeps the exception, whose frames refer to the stage."""
    stages: list[weakref.ref[object]] = []

    async def fail() -> None:
        stage = ordered_map(Work((LONG_S,)), range(3))
        stages.append(weakref.ref(stage))
        async with stage:
            await anyio.sleep(1.0)
            raise Mishap

    async def main() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])
        assert isinstance(task.exception(), Mishap)
        del task
        await anyio.sleep(0.0)

        assert stages[0]() is None

    gc.disable()
    try:
        strictly(run_asyncio, main)
    finally:
        gc.enable()
