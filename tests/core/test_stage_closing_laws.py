"""Law 7: nothing is left behind, whichever way a block is left, and whatever it was doing."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    Callable,
    Sequence,
)
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, field

import anyio
import pytest
import trio

from ordered_pipeline import Interruption, Stage, ordered_map
from tests.conftest import Run
from tests.core.probes import Abort, Mishap, Numbers, Work, at, strictly
from tests.core.strategies import LONG_S

# Every way out, in every state


@dataclass(frozen=True, slots=True)
class State:
    """What a stage and its consumer are doing at 1.0, and how they came there."""

    gaps_s: Sequence[float]
    delays_s: Sequence[float] = (0.0,)
    prefetch: int = 2
    concurrency: int | None = None
    reads: int = 0
    waits: bool = False
    source_error: BaseException | None = None
    item_errors: dict[int, BaseException] = field(default_factory=dict)
    admitted: int = 0
    started: int = 0


RESTING = {
    "source-pending": State(gaps_s=(LONG_S,)),
    "window-full-of-results": State(gaps_s=(0.0,) * 5, admitted=2, started=2),
    "window-full-of-running-transforms": State(
        gaps_s=(0.0,) * 5, delays_s=(LONG_S,), prefetch=3, admitted=3, started=3
    ),
    "transforms-running-and-source-pending": State(
        gaps_s=(0.0, 0.0, LONG_S), delays_s=(LONG_S,), prefetch=3, admitted=2, started=2
    ),
    "items-queued-behind-concurrency": State(
        gaps_s=(0.0,) * 5, delays_s=(LONG_S,), prefetch=4, concurrency=1, admitted=4, started=1
    ),
    "results-behind-a-slow-head": State(
        gaps_s=(0.0,) * 5, delays_s=(LONG_S, 0.0), prefetch=3, admitted=3, started=3
    ),
    "consumer-holding-a-result": State(
        gaps_s=(0.0,) * 5, delays_s=(0.0, LONG_S), reads=1, admitted=3, started=3
    ),
    "after-an-error": State(
        gaps_s=(0.0,) * 5, delays_s=(0.0, LONG_S), reads=1, item_errors={0: Mishap()}, admitted=3, started=3
    ),
    "an-error-undelivered": State(gaps_s=(0.0,) * 5, item_errors={0: Mishap()}, admitted=2, started=2),
    "source-ended": State(gaps_s=(0.0,), delays_s=(LONG_S,), admitted=1, started=1),
    "source-failed-undelivered": State(gaps_s=(0.0,), source_error=Mishap(), admitted=1, started=1),
    "after-the-source-s-error": State(gaps_s=(0.0,), reads=2, source_error=Mishap(), admitted=1, started=1),
    "exhausted": State(gaps_s=(0.0, 0.0), reads=3, admitted=2, started=2),
}
WAITING = {
    "consumer-waiting-for-the-source": State(
        gaps_s=(0.0, LONG_S), reads=1, waits=True, admitted=1, started=1
    ),
    "consumer-waiting-for-a-transform": State(
        gaps_s=(0.0,) * 5, delays_s=(0.0, LONG_S), reads=1, waits=True, admitted=3, started=3
    ),
    "consumer-waiting-behind-concurrency": State(
        gaps_s=(0.0,) * 5, delays_s=(LONG_S,), concurrency=1, waits=True, admitted=2, started=1
    ),
}

resting = pytest.mark.parametrize("state", RESTING.values(), ids=RESTING)
any_state = pytest.mark.parametrize("state", (RESTING | WAITING).values(), ids=RESTING | WAITING)


@dataclass(slots=True)
class Visit:
    """One block, from entering it to what is there after it."""

    state: State
    source: Numbers
    work: Work
    stage: Stage[int, int]

    @classmethod
    def of(cls, state: State) -> "Visit":
        source = Numbers(state.gaps_s, error=state.source_error)
        work = Work(state.delays_s, errors=state.item_errors)
        stage = ordered_map(work, source, prefetch=state.prefetch, concurrency=state.concurrency)
        return cls(state, source, work, stage)

    async def stay(self, until_s: float = LONG_S, then: Callable[[], object] = lambda: None) -> None:
        async with self.stage as results:
            for _ in range(self.state.reads):
                try:
                    await anext(results)
                except (Mishap, StopAsyncIteration):
                    pass
            if self.state.waits:
                async for result in results:
                    raise AssertionError(result)
            else:
                await anyio.sleep_until(until_s)
            then()

    def assert_closed(self) -> None:
        assert self.source.given == self.state.admitted
        assert self.source.closed == 1
        assert len(set(self.source.tasks)) == 1
        assert self.work.started == list(range(self.state.started))
        assert self.work.running == set()
        statistics = self.stage.statistics()
        assert (statistics.admitted, statistics.running) == (self.state.admitted, 0)


@resting
def test_leaving_the_block_early_closes_everything(run: Run, state: State) -> None:
    async def main() -> None:
        visit = Visit.of(state)

        await visit.stay(until_s=1.0)

        assert anyio.current_time() == 1.0
        visit.assert_closed()

    strictly(run, main)


@resting
@pytest.mark.parametrize("error", [Mishap(), Abort()], ids=repr)
def test_an_error_in_the_body_closes_everything_and_comes_out_bare(
    run: Run, state: State, error: BaseException
) -> None:
    async def main() -> None:
        visit = Visit.of(state)

        def fail() -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            await visit.stay(until_s=1.0, then=fail)

        assert caught.value is error
        assert anyio.current_time() == 1.0
        visit.assert_closed()

    strictly(run, main)


@resting
def test_interrupting_and_leaving_closes_everything(run: Run, state: State) -> None:
    async def main() -> None:
        visit = Visit.of(state)

        await visit.stay(until_s=1.0, then=visit.stage.interrupt)

        assert anyio.current_time() == 1.0
        visit.assert_closed()

    strictly(run, main)


@any_state
def test_an_interrupt_from_another_task_closes_everything(run: Run, state: State) -> None:
    async def main() -> None:
        visit = Visit.of(state)
        interruptions: list[Interruption[int]] = []

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(at, 1.0, lambda: interruptions.append(visit.stage.interrupt()))
            await visit.stay(until_s=1.125)

        assert anyio.current_time() == (1.0 if state.waits else 1.125)
        visit.assert_closed()
        (interruption,) = interruptions
        assert interruption.delivered + len(interruption.dropped) == state.admitted

    strictly(run, main)


@any_state
def test_a_cancelled_anyio_scope_closes_everything(run: Run, state: State) -> None:
    async def main() -> None:
        visit = Visit.of(state)

        with anyio.CancelScope(deadline=1.0) as scope:
            await visit.stay()

        assert scope.cancelled_caught
        assert anyio.current_time() == 1.0
        visit.assert_closed()

    strictly(run, main)


@any_state
def test_a_cancelled_trio_scope_closes_everything(run_trio: Run, state: State) -> None:
    async def main() -> None:
        visit = Visit.of(state)

        with trio.CancelScope(deadline=1.0) as scope:
            await visit.stay()

        assert scope.cancelled_caught
        assert trio.current_time() == 1.0
        visit.assert_closed()

    strictly(run_trio, main)


@any_state
def test_an_asyncio_timeout_closes_everything(run_asyncio: Run, state: State) -> None:
    async def main() -> None:
        visit = Visit.of(state)
        this = asyncio.current_task()
        assert this is not None

        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(1.0):
                await visit.stay()

        assert this.cancelling() == 0
        assert anyio.current_time() == 1.0
        visit.assert_closed()

    strictly(run_asyncio, main)


@any_state
def test_a_cancelled_asyncio_task_closes_everything(run_asyncio: Run, state: State) -> None:
    async def main() -> None:
        visit = Visit.of(state)
        task = asyncio.ensure_future(visit.stay())
        asyncio.get_running_loop().call_at(1.0, task.cancel, "the call was hung up")

        with pytest.raises(asyncio.CancelledError, match="the call was hung up"):
            await task

        assert anyio.current_time() == 1.0
        visit.assert_closed()

    strictly(run_asyncio, main)


@any_state
def test_cancelling_every_task_of_the_loop_closes_everything(run_asyncio: Run, state: State) -> None:
    """As `asyncio.run` does when it ends: the tasks of the stage are among them."""

    async def main() -> None:
        visit = Visit.of(state)
        task = asyncio.ensure_future(visit.stay())
        await asyncio.sleep(1.0)

        for other in asyncio.all_tasks() - {asyncio.current_task()}:
            other.cancel()
        await asyncio.wait([task])

        assert task.cancelled()
        assert anyio.current_time() == 1.0
        # Which of the tasks was first is open, so transforms may have been started in the place of others.
        assert visit.source.closed == 1
        assert visit.work.running == set()

    strictly(run_asyncio, main)


def test_a_stage_that_is_never_entered_touches_nothing(run: Run) -> None:
    async def main() -> None:
        source, work = Numbers((0.0,)), Work()

        stage = ordered_map(work, source)
        await anyio.sleep(1.0)

        assert (source.tasks, source.closed, work.started) == ([], 0, [])
        del stage

    strictly(run, main)


def test_a_block_entered_in_a_cancelled_scope_leaves_nothing_behind(run: Run) -> None:
    async def main() -> None:
        source, work = Numbers((0.0,) * 5), Work((LONG_S,))

        with anyio.CancelScope() as scope:
            scope.cancel()
            async with ordered_map(work, source) as results:
                async for result in results:
                    raise AssertionError(result)

        assert scope.cancelled_caught
        assert source.closed == bool(source.tasks)
        assert work.running == set()

    strictly(run, main)


def test_a_block_that_is_left_at_once_leaves_nothing_behind(run: Run) -> None:
    async def main() -> None:
        source, work = Numbers((0.0,) * 5), Work((LONG_S,))

        async with ordered_map(work, source):
            pass

        assert source.closed == bool(source.tasks)
        assert work.running == set()

    strictly(run, main)


@pytest.mark.parametrize("consume", ["collect", "for_each"])
def test_what_iterates_for_the_caller_closes_after_an_error(run: Run, consume: str) -> None:
    async def main() -> None:
        error = Mishap()
        source, work = Numbers((0.0,) * 5), Work((0.0, 0.0, LONG_S), errors={1: error})
        stage = ordered_map(work, source)
        received: list[int] = []

        async def receive(result: int) -> None:
            received.append(result)

        with pytest.raises(Mishap) as caught:
            await (stage.collect() if consume == "collect" else stage.for_each(receive))

        assert caught.value is error
        assert received == ([] if consume == "collect" else [0])
        assert (source.closed, work.running) == (1, set())

    strictly(run, main)


def test_for_each_closes_when_its_consumer_fails(run: Run) -> None:
    async def main() -> None:
        error = Mishap()
        source, work = Numbers((0.0,) * 5), Work((0.0, LONG_S))

        async def consume(result: int) -> None:
            raise error

        with pytest.raises(Mishap) as caught:
            await ordered_map(work, source).for_each(consume)

        assert caught.value is error
        assert (source.closed, work.running) == (1, set())

    strictly(run, main)


# In this order


def test_transforms_are_awaited_before_the_source_is_closed_and_both_before_the_block_is_left(
    run: Run,
) -> None:
    async def main() -> None:
        source = Numbers((0.0,) * 5, closing_s=0.25)
        work = Work((LONG_S,), cleaning_s=0.5)
        source.trace = work.trace

        async with ordered_map(work, source, prefetch=2):
            await anyio.sleep(1.0)

        assert sorted(work.trace[:2]) == [("0 cancelled", 1.5), ("1 cancelled", 1.5)]
        assert work.trace[2:] == [("source closed", 1.75)]
        assert anyio.current_time() == 1.75

    strictly(run, main)


def test_reading_stops_before_the_source_is_closed(run: Run) -> None:
    async def main() -> None:
        source = Numbers((0.0, LONG_S), pending_s=0.125)
        work = Work((LONG_S,), cleaning_s=0.5)
        source.trace = work.trace

        async with ordered_map(work, source, prefetch=2):
            await anyio.sleep(1.0)

        assert [line for line, _ in work.trace] == ["reading stopped", "0 cancelled", "source closed"]
        assert work.trace[0] == ("reading stopped", 1.125)

    strictly(run, main)


def test_nothing_is_started_while_the_block_is_being_left(run: Run) -> None:
    async def main() -> None:
        source = Numbers((0.0, 0.0, 1.0625, 0.0))
        work = Work((LONG_S,), cleaning_s=0.5)

        async with ordered_map(work, source, prefetch=4, concurrency=1):
            await anyio.sleep(1.0)

        assert work.started == [0]
        assert source.given == 2
        assert anyio.current_time() == 1.5

    strictly(run, main)


def test_a_coroutine_that_was_not_started_is_closed(run: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,))

        async with ordered_map(lambda number: work(number), [0, 1, 2, 3], prefetch=4, concurrency=2):  # noqa: PLW0108  # the coroutine is made by a function that is none
            await anyio.sleep(1.0)

        assert work.started == [0, 1]

    strictly(run, main)


def test_a_task_that_a_transform_returned_is_cancelled_and_awaited(run_asyncio: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=0.5)

        async with ordered_map(lambda number: asyncio.ensure_future(work(number)), [0, 1], prefetch=2):
            await anyio.sleep(1.0)

        assert sorted(work.trace) == [("0 cancelled", 1.5), ("1 cancelled", 1.5)]
        assert anyio.current_time() == 1.5

    strictly(run_asyncio, main)


@pytest.mark.parametrize("fails", [False, True])
def test_a_generator_around_a_block_may_be_closed_at_any_yield(run: Run, fails: bool) -> None:
    async def main() -> None:
        source, work = Numbers((0.0,) * 9, closing_s=0.25), Work((0.0, 0.0, LONG_S), cleaning_s=0.5)

        async def pipeline() -> AsyncGenerator[int]:
            async with ordered_map(work, source) as results:
                async for result in results:
                    yield result

        with pytest.raises(Mishap) if fails else nullcontext():
            async with aclosing(pipeline()) as numbers:
                async for number in numbers:
                    if number == 1:
                        await anyio.sleep_until(1.0)
                        if fails:
                            raise Mishap
                        break

        assert anyio.current_time() == 1.75
        assert (source.closed, work.running) == (1, set())

    strictly(run, main)
