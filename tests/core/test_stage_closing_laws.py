"""Laws 6 and 7: one task for the source, and nothing left behind, whichever way a block is left and whatever it was doing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import anyio
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline import Interruption, Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Abort, Mishap, Numbers, Work, at, reachable, strictly, this_task
from tests.core.strategies import LONG_S
from tests.core.support import laws

# --- Every way out, in every state ------------------------------------------------------------------------------------


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


# --- In this order ----------------------------------------------------------------------------------------------------


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


# --- One task for the source ------------------------------------------------------------------------------------------


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
            received = [result async for result, _ in _zip(results, reads)]

        assert received == list(range(min(reads, len(gaps_s))))
        assert len(set(source.tasks)) == 1
        assert source.closed == 1

    strictly(run, main)


async def _zip(results: Stage[int, int], reads: int) -> AsyncIterator[tuple[int, int]]:
    """Yield at most *reads* results, and ask for no more."""
    for index in range(reads):
        try:
            yield await anext(results), index
        except StopAsyncIteration:
            return


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


# --- What a source may be ---------------------------------------------------------------------------------------------


def test_a_source_without_aclose_is_only_iterated(run: Run) -> None:
    class Bare:
        def __init__(self) -> None:
            self.given = 0

        def __aiter__(self) -> "Bare":
            return self

        async def __anext__(self) -> int:
            self.given += 1
            return self.given

    async def main() -> None:
        async with ordered_map(Work(), Bare()) as results:
            assert [await anext(results), await anext(results)] == [1, 2]

    strictly(run, main)


def test_the_iterator_is_closed_and_not_what_gave_it(run: Run) -> None:
    closed: list[str] = []

    class Shelf:
        async def __aiter__(self) -> AsyncIterator[int]:
            try:
                for number in range(5):
                    yield number
            finally:
                closed.append("iterator")

        async def aclose(self) -> None:
            raise AssertionError("the shelf outlives its iterators")

    async def main() -> None:
        async with ordered_map(Work(), Shelf()) as results:
            assert await anext(results) == 0

        assert closed == ["iterator"]

    strictly(run, main)


def test_a_generator_that_is_left_early_is_closed(run: Run) -> None:
    closed: list[object] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(5)
        finally:
            closed.append(this_task())

    async def main() -> None:
        async with ordered_map(Work(), numbers()) as results:
            assert await anext(results) == 0
            assert closed == []

        assert len(closed) == 1

    strictly(run, main)


@pytest.mark.parametrize(
    "source", [[0, 1, 2], (0, 1, 2), range(3), {0: "", 1: "", 2: ""}, iter([0, 1, 2])], ids=repr
)
def test_a_plain_iterable_is_a_source(run: Run, source: Sequence[int]) -> None:
    async def main() -> None:
        items = source if isinstance(source, Sequence | dict) else [0, 1, 2]

        assert await ordered_map(Work(), items).collect() == [0, 1, 2]

    strictly(run, main)


def test_a_stage_as_source_is_entered_and_closed_by_the_outer_one_in_one_task(run: Run) -> None:
    async def main() -> None:
        source = Numbers((0.0,) * 9, closing_s=0.25)
        inner, outer = Work((0.0, 0.0, LONG_S), cleaning_s=0.25), Work((0.0, LONG_S), cleaning_s=0.25)
        source.trace = inner.trace = outer.trace

        async with ordered_map(outer, ordered_map(inner, source)) as results:
            assert await anext(results) == 0
            await anyio.sleep_until(1.0)

        assert outer.trace[0] == ("1 cancelled", 1.25)
        assert outer.trace[-1][0] == "source closed"
        assert (len(set(source.tasks)), source.closed) == (1, 1)
        assert inner.running == outer.running == set()
        assert inner.started == [0, 1, 2, 3]

    strictly(run, main)


def test_a_stage_that_was_entered_already_is_no_source_and_is_left_alone(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work(), Numbers((0.0,) * 3)) as inner:
            async with ordered_map(Work(), inner) as outer:
                with pytest.raises(RuntimeError, match="^the stage was entered twice, "):
                    await anext(outer)

            assert [result async for result in inner] == [0, 1, 2]

    strictly(run, main)


# --- Sources that hold something across their yields ------------------------------------------------------------------


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


Way = Callable[[Stage[int, int]], Awaitable[None]]


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
        left = {_exhaust: 4.5 if gaps_s[-1] else 0.25, _overstay: 8.0}.get(way, 1.0)
        assert anyio.current_time() == left

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
def test_a_sub_stream_may_hold_a_scope_or_a_task_group_across_its_yields(run: Run, hold: Hold, way: Way) -> None:
    _leave_sub_streams(run, hold, way)


@early
@pytest.mark.parametrize("hold", [_asyncio_timeout, _asyncio_task_group])
def test_a_sub_stream_may_hold_what_asyncio_offers_across_its_yields(run_asyncio: Run, hold: Hold, way: Way) -> None:
    _leave_sub_streams(run_asyncio, hold, way)


@early
@pytest.mark.parametrize("hold", [_trio_scope, _trio_nursery])
def test_a_sub_stream_may_hold_what_trio_offers_across_its_yields(run_trio: Run, hold: Hold, way: Way) -> None:
    _leave_sub_streams(run_trio, hold, way)


# --- What it holds may strike -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("waits", [False, True], ids=["silent", "waiting"])
@pytest.mark.parametrize("way", [_break, _fail, _interrupt])
@pytest.mark.parametrize("held", ["move_on_after", "fail_after", "task_group", "asyncio_timeout", "asyncio_group"])
def test_leaving_when_what_the_source_holds_has_struck_while_it_was_parked(
    run: Run, held: str, way: Way, waits: bool
) -> None:
    """The source sits at a yield, within a scope that has been cancelled and that it has not heard of yet."""
    if held.startswith("asyncio") and run.loop == "trio":
        pytest.skip("asyncio's own")
    error = Mishap("child")

    async def fail() -> None:
        await anyio.sleep(0.5)
        raise error

    async def numbers() -> AsyncIterator[int]:
        async with AsyncExitStack() as stack:
            if held == "move_on_after":
                stack.enter_context(anyio.move_on_after(0.5))
            elif held == "fail_after":
                stack.enter_context(anyio.fail_after(0.5))
            elif held == "task_group":
                (await stack.enter_async_context(anyio.create_task_group())).start_soon(fail)
            elif held == "asyncio_timeout":
                await stack.enter_async_context(asyncio.timeout(0.5))
            else:
                (await stack.enter_async_context(asyncio.TaskGroup())).create_task(fail())
            for number in range(9):
                yield number
                if waits:
                    await anyio.sleep(0.125)

    async def main() -> None:
        work = Work()
        try:
            async with ordered_map(work, numbers(), prefetch=4) as results:
                await way(results)
        except Mishap:
            assert way is _fail
        except ExceptionGroup as group:
            assert held.endswith("group")
            assert [leaf for leaf in reachable(group) if isinstance(leaf, Mishap)] == [error]

        assert anyio.current_time() == 1.0
        assert work.running == set()

    strictly(run, main)
