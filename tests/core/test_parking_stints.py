"""Stints: work with a deadline, cancelled as a stage cancels."""

import asyncio
import math
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from contextvars import Context
from typing import Any

import anyio
import pytest

from ordered_pipeline import ordered_flat_map, ordered_map
from ordered_pipeline._parking import stint
from tests.conftest import Run
from tests.core.probes import on_trio


async def clean_up(seconds: float) -> None:
    """Take so long, written as each event loop has it."""
    with anyio.CancelScope(shield=on_trio()):
        await anyio.sleep(seconds)


def test_work_in_time_is_left_alone(run: Run) -> None:
    async def main() -> None:
        with stint("the work", 1.0) as work:
            work.end_at(anyio.current_time() + 2.0)
            await anyio.sleep(1.0)
        await anyio.sleep(5.0)
        assert not work.is_over

    run(main)


def test_at_its_deadline_work_is_cancelled_and_what_follows_is_not(run: Run) -> None:
    async def main() -> None:
        with stint("the work", 1.0) as work:
            work.end_at(anyio.current_time() + 2.0)
            await anyio.sleep_forever()
        assert work.is_over
        assert anyio.current_time() == 2.0
        await anyio.sleep(5.0)

    run(main)


@pytest.mark.parametrize(
    ("deadlines_s", "ended_s"), [((1.0, 3.0), 3.0), ((3.0, 1.0), 1.0), ((1.0, math.inf, 2.0), 2.0)]
)
def test_the_last_deadline_counts(run: Run, deadlines_s: tuple[float, ...], ended_s: float) -> None:
    async def main() -> None:
        with stint("the work", 1.0) as work:
            for deadline_s in deadlines_s:
                work.end_at(deadline_s)
                await anyio.sleep(0.25)
            await anyio.sleep_forever()
        assert anyio.current_time() == ended_s

    run(main)


def test_a_deadline_that_has_moved_away_for_good_ends_nothing(run: Run) -> None:
    async def main() -> None:
        with stint("the work", 1.0) as work:
            work.end_at(1.0)
            work.end_at(math.inf)
            await anyio.sleep(5.0)
        assert not work.is_over

    run(main)


def test_what_ends_now_is_cancelled_once_and_has_time_to_clean_up(run: Run) -> None:
    async def main() -> None:
        async def end() -> None:
            await anyio.sleep(1.0)
            # The second time nothing happens.
            work.end_now()
            work.end_now()

        async with anyio.create_task_group() as tasks:
            with stint("the work", 1.0) as work:
                work.end_at(1.5)
                tasks.start_soon(end)
                try:
                    await anyio.sleep_forever()
                finally:
                    await clean_up(0.75)
            assert work.is_over
            assert anyio.current_time() == 1.75

    run(main)


def test_what_has_ended_cannot_be_ended(run: Run) -> None:
    async def main() -> None:
        with stint("the work", 1.0) as work:
            work.end_at(3.0)
            await anyio.sleep(1.0)
        work.end_at(2.0)
        work.end_at(anyio.current_time())
        work.end_now()
        await anyio.sleep(5.0)

    run(main)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 a task does not tell its context")
def test_an_alarm_rings_in_the_context_of_its_task(run_asyncio: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in a copy of it, which the loop would make for each."""
    contexts: list[object] = []

    async def main() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        call_at = loop.call_at

        def recording(*args: Any, context: Context | None = None) -> asyncio.TimerHandle:
            contexts.append(context)
            return call_at(*args, context=context)

        monkeypatch.setattr(loop, "call_at", recording)
        with stint("the work", 1.0) as work:
            work.end_at(1.0)
        if sys.version_info >= (3, 12):  # for the type checker: on an earlier one this is skipped
            assert contexts == [task.get_context()]

    run_asyncio(main)


def test_clean_up_has_its_time(run: Run) -> None:
    cleaned: list[float] = []

    async def main() -> None:
        with stint("the work", 1.0) as work:
            work.end_at(2.0)
            try:
                await anyio.sleep_forever()
            finally:
                await clean_up(0.75)
                cleaned.append(anyio.current_time())
        assert cleaned == [2.75]

    run(main)


def test_clean_up_that_takes_too_long_is_cut_on_asyncio(run_asyncio: Run) -> None:
    async def main() -> None:
        with stint("the work", 1.0) as work:
            work.end_at(2.0)
            try:
                await anyio.sleep_forever()
            finally:
                await anyio.sleep(100.0)
        assert anyio.current_time() == 3.0
        await anyio.sleep(1.0)

    run_asyncio(main)


def test_clean_up_that_outlasts_every_cancellation_is_cancelled_again_and_again(run_asyncio: Run) -> None:
    struck: list[float] = []

    async def main() -> None:
        with stint("the work", 1.0) as work:
            work.end_at(2.0)
            while anyio.current_time() < 4.0:
                try:
                    await anyio.sleep(10.0)
                except asyncio.CancelledError:
                    struck.append(anyio.current_time())
        # At once, when the grace time is over, at the next step, and then at intervals that double.
        assert struck == [2.0, 3.0, *(3.0 + (2**count - 1) / 1024 for count in range(12))]
        await anyio.sleep(1.0)

    run_asyncio(main)


def test_a_deadline_that_is_set_during_the_clean_up_does_not_cut_it(run: Run) -> None:
    cleaned: list[float] = []

    async def main() -> None:
        with stint("the work", 1.0) as work:
            work.end_at(2.0)
            try:
                await anyio.sleep_forever()
            finally:
                work.end_at(1.0)
                await clean_up(0.75)
                cleaned.append(anyio.current_time())
        assert cleaned == [2.75]

    run(main)


def test_a_task_that_others_cancel_during_the_clean_up_ends(run_asyncio: Run) -> None:
    async def work() -> None:
        with stint("the work", 1.0) as it:
            it.end_at(2.0)
            try:
                await anyio.sleep_forever()
            finally:
                await anyio.sleep(0.75)

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(2.25)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert anyio.current_time() == 2.25

    run_asyncio(main)


def test_an_error_of_the_work_comes_out_as_it_is(run: Run) -> None:
    failure = ValueError("bad")

    async def main() -> None:
        with pytest.raises(ValueError, match="bad") as raised, stint("the work", 1.0):
            raise failure
        assert raised.value is failure

    run(main)


def test_what_would_end_an_iteration_becomes_an_error(run: Run) -> None:
    async def main() -> None:
        told = pytest.raises(RuntimeError, match="the work raised StopAsyncIteration")
        with told as raised, stint("the work", 1.0):
            raise StopAsyncIteration
        assert isinstance(raised.value.__cause__, StopAsyncIteration)

    run(main)


def test_a_cancellation_that_nobody_asked_for_becomes_an_error(run_asyncio: Run) -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        told = pytest.raises(RuntimeError, match="the work was cancelled, but not by the stage")
        with told as raised, stint("the work", 1.0):
            await future
        assert isinstance(raised.value.__cause__, asyncio.CancelledError)

    run_asyncio(main)


def test_a_scope_that_is_cancelled_around_it_ends_it(run: Run) -> None:
    async def main() -> None:
        with anyio.move_on_after(1.0) as scope:
            with stint("the work", 1.0) as work:
                work.end_at(2.0)
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert not work.is_over
        assert anyio.current_time() == 1.0

    run(main)


def test_a_task_that_is_cancelled_ends_its_stint(run_asyncio: Run) -> None:
    async def work() -> None:
        with stint("the work", 1.0) as it:
            it.end_at(2.0)
            await anyio.sleep_forever()

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert anyio.current_time() == 1.0

    run_asyncio(main)


async def double(item: int) -> int:
    return 2 * item


class Cleaning:
    """A stream whose work is not done in time, and that goes on when it has cleaned up."""

    def __init__(self, error: Exception | None = None, *, goes_on: bool = True) -> None:
        self.error: Exception | None = error
        self.passed_over: tuple[type[Exception], ...] = (Exception,) if goes_on else ()
        self.cleaned_s: float | None = None
        self.left_s: float | None = None

    async def results(self, _: int) -> AsyncIterator[int]:
        try:
            with suppress(*self.passed_over), stint("the work", 1.0) as work:
                work.end_at(2.0)
                try:
                    await anyio.sleep_forever()
                finally:
                    await clean_up(0.75)
                    self.cleaned_s = anyio.current_time()
                    if self.error is not None:
                        raise self.error
            await anyio.sleep_forever()
            yield 1
        finally:
            self.left_s = anyio.current_time()


@pytest.mark.parametrize("error", [None, ValueError("bad")])
def test_a_stage_that_is_left_during_the_clean_up_does_not_cut_it(run: Run, error: Exception | None) -> None:
    """A stage cancels once, and the stint was first. What follows the clean-up is cancelled then."""

    async def main() -> None:
        work = Cleaning(error)
        async with ordered_flat_map(work.results, [1]):
            await anyio.sleep(2.25)
        assert (work.cleaned_s, work.left_s) == (2.75, 2.75)

    run(main)


@pytest.mark.parametrize("error", [None, ValueError("bad")])
def test_nor_does_one_whose_source_cleans_up(run: Run, error: Exception | None) -> None:
    async def main() -> None:
        work = Cleaning(error)
        async with ordered_map(double, work.results(1)):
            await anyio.sleep(2.25)
        assert (work.cleaned_s, work.left_s) == (2.75, 2.75)
        await anyio.sleep(0.0)

    run(main)


def test_what_such_clean_up_fails_with_comes_out(run: Run) -> None:
    async def main() -> None:
        work = Cleaning(ValueError("bad"), goes_on=False)
        with pytest.raises(ValueError, match="bad") as raised:
            async with ordered_flat_map(work.results, [1]):
                await anyio.sleep(2.25)
        assert raised.value is work.error
        assert (work.cleaned_s, work.left_s) == (2.75, 2.75)

    run(main)
