"""Law 12: what is cancelled may clean up, for a while, and an outer cancellation is always raised again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import anyio
import pytest
import trio

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Mishap, Numbers, Work, at, clean_up, reachable, strictly
from tests.core.strategies import LONG_S

# Clean-up may wait


async def _leave(stage: Stage[int, int]) -> None:
    async with stage:
        await anyio.sleep_until(1.0)


async def _fail(stage: Stage[int, int]) -> None:
    with pytest.raises(Mishap):
        async with stage:
            await anyio.sleep_until(1.0)
            raise Mishap


async def _interrupt(stage: Stage[int, int]) -> None:
    async with stage:
        await anyio.sleep_until(1.0)
        stage.interrupt()
        await anyio.sleep_until(1.25)


async def _be_interrupted(stage: Stage[int, int]) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(at, 1.0, stage.interrupt)
        async with stage as results:
            assert [result async for result in results] == []


async def _be_cancelled(stage: Stage[int, int]) -> None:
    with anyio.CancelScope(deadline=1.0) as scope:
        await stage.collect()
    assert scope.cancelled_caught


async def _be_cancelled_natively(stage: Stage[int, int]) -> None:
    task = asyncio.ensure_future(stage.collect())
    asyncio.get_running_loop().call_at(1.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def _time_out(stage: Stage[int, int]) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout_at(1.0):
            await stage.collect()


Way = Callable[[Stage[int, int]], Awaitable[None]]
ways = pytest.mark.parametrize("way", [_leave, _fail, _interrupt, _be_interrupted, _be_cancelled])
asyncio_ways = pytest.mark.parametrize("way", [_be_cancelled_natively, _time_out])


def _clean_up_of_transforms(run: Run, way: Way) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=0.5)

        await way(ordered_map(work, range(9), prefetch=3))

        assert sorted(work.trace) == [("0 cancelled", 1.5), ("1 cancelled", 1.5), ("2 cancelled", 1.5)]
        assert anyio.current_time() == 1.5

    strictly(run, main)


@ways
def test_the_clean_up_of_cancelled_transforms_runs_to_its_end(run: Run, way: Way) -> None:
    _clean_up_of_transforms(run, way)


@asyncio_ways
def test_the_clean_up_of_cancelled_transforms_runs_to_its_end_on_asyncio(run_asyncio: Run, way: Way) -> None:
    _clean_up_of_transforms(run_asyncio, way)


class _Tidy:
    """A source whose clean-up waits."""

    def __init__(self, gaps_s: Sequence[float], closing_s: float) -> None:
        self.gaps_s = gaps_s
        self.closing_s = closing_s
        self.closed_at: list[float] = []

    async def __aiter__(self) -> AsyncIterator[int]:
        try:
            for number, gap_s in enumerate(self.gaps_s):
                await anyio.sleep(gap_s)
                yield number
        finally:
            await clean_up(self.closing_s)
            self.closed_at.append(anyio.current_time())


# It is suspended at a yield, or in an await.
gaps = pytest.mark.parametrize("gaps_s", [(0.0,) * 9, (0.0, LONG_S)], ids=["parked", "pending"])


def _clean_up_of_the_source(run: Run, way: Way, gaps_s: Sequence[float]) -> None:
    async def main() -> None:
        source = _Tidy(gaps_s, 0.5)

        await way(ordered_map(Work((LONG_S,)), source))

        assert source.closed_at == [1.75 if way is _interrupt and gaps_s == (0.0,) * 9 else 1.5]
        assert anyio.current_time() == source.closed_at[0]

    strictly(run, main)


@gaps
@pytest.mark.parametrize("way", [_leave, _fail, _be_interrupted, _be_cancelled])
def test_the_clean_up_of_the_source_runs_to_its_end(run: Run, way: Way, gaps_s: Sequence[float]) -> None:
    _clean_up_of_the_source(run, way, gaps_s)


@gaps
@asyncio_ways
def test_the_clean_up_of_the_source_runs_to_its_end_on_asyncio(
    run_asyncio: Run, way: Way, gaps_s: Sequence[float]
) -> None:
    _clean_up_of_the_source(run_asyncio, way, gaps_s)


@ways
def test_the_clean_up_of_sub_streams_runs_to_its_end(run: Run, way: Way) -> None:
    trace: list[tuple[str, float]] = []

    async def stream(number: int) -> AsyncIterator[int]:
        try:
            if number == 1:
                await anyio.sleep(LONG_S)
            for _ in range(9):
                yield number
        finally:
            await clean_up(0.5)
            trace.append((f"{number} closed", anyio.current_time()))

    async def main() -> None:
        # Item 0 is handed over until the window waits for item 1; item 2 holds all it may.
        stage = ordered_flat_map(stream, range(1, 9), prefetch=3, buffer=2)

        await way(stage)

        assert sorted(trace) == [("1 closed", 1.5), ("2 closed", 1.5), ("3 closed", 1.5)]
        assert anyio.current_time() == 1.5

    strictly(run, main)


def test_plain_asyncio_clean_up_is_not_cut_by_a_cancelled_scope_around_the_block(run_asyncio: Run) -> None:
    closed: list[int] = []

    class Connection:
        async def close(self, number: int) -> None:
            for _ in range(4):
                await asyncio.sleep(0.125)
            closed.append(number)

    async def transform(number: int) -> int:
        try:
            return await asyncio.Event().wait()
        finally:
            await Connection().close(number)

    async def main() -> None:
        with anyio.CancelScope() as scope:
            async with ordered_map(transform, range(9), prefetch=3):
                await asyncio.sleep(1.0)
                scope.cancel()
                await asyncio.sleep(LONG_S)

        assert sorted(closed) == [0, 1, 2]
        assert anyio.current_time() == 1.5

    strictly(run_asyncio, main)


def test_clean_up_ends_by_the_grace_time_unless_given_more(run_asyncio: Run) -> None:
    async def main() -> None:
        done, cut = Work((LONG_S,), cleaning_s=4.875), Work((LONG_S,), cleaning_s=LONG_S)

        await _leave(ordered_map(done, [0]))
        assert done.trace == [("0 cancelled", 5.875)]

        async with ordered_map(cut, [0]):
            await anyio.sleep_until(8.0)

        assert cut.trace == [("0 cut", 13.0)]
        assert anyio.current_time() == 13.0

    strictly(run_asyncio, main)


@pytest.mark.parametrize(
    "way", [_leave, _fail, _interrupt, _be_interrupted, _be_cancelled, _be_cancelled_natively, _time_out]
)
def test_clean_up_beyond_the_grace_time_is_cut_on_asyncio(run_asyncio: Run, way: Way) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=LONG_S)

        await way(ordered_map(work, range(9), grace_s=2.0))

        assert sorted(work.trace) == [("0 cut", 3.0), ("1 cut", 3.0)]
        assert anyio.current_time() == 3.0

    strictly(run_asyncio, main)


@gaps
@pytest.mark.parametrize("way", [_leave, _be_interrupted, _be_cancelled, _be_cancelled_natively])
def test_the_source_s_clean_up_beyond_the_grace_time_is_cut_on_asyncio(
    run_asyncio: Run, way: Way, gaps_s: Sequence[float]
) -> None:
    async def main() -> None:
        source = _Tidy(gaps_s, LONG_S)

        await way(ordered_map(Work((LONG_S,)), source, grace_s=2.0))

        assert source.closed_at == []
        assert anyio.current_time() == 3.0

    strictly(run_asyncio, main)


def test_a_source_may_close_as_slowly_as_the_grace_time_allows(run: Run) -> None:
    async def main() -> None:
        source = _Tidy((0.0,) * 9, 1.875)

        await _leave(ordered_map(Work(), source, grace_s=2.0))

        assert source.closed_at == [2.875]

    strictly(run, main)


def test_a_transform_that_takes_no_notice_of_being_cancelled_is_cut(run_asyncio: Run) -> None:
    async def stubborn(number: int) -> int:
        for _ in range(3):
            try:
                await asyncio.sleep(LONG_S)
            except asyncio.CancelledError:
                pass
        return number

    async def main() -> None:
        async with ordered_map(stubborn, [0, 1], grace_s=2.0):
            await anyio.sleep(1.0)

        assert anyio.current_time() == 3.0

    strictly(run_asyncio, main)


def test_the_result_of_a_transform_that_swallows_its_cancellation_is_dropped(run: Run) -> None:
    async def swallow(number: int) -> int:
        try:
            await anyio.sleep(LONG_S)
        except anyio.get_cancelled_exc_class():
            pass
        return number

    async def main() -> None:
        async with ordered_map(swallow, [0, 1]) as results:
            await anyio.sleep(1.0)
            assert results.interrupt().dropped == (0, 1)
            await anyio.sleep(1.0)
            assert [result async for result in results] == []

        assert anyio.current_time() == 2.0

    strictly(run, main)


def test_leaving_after_an_interrupt_does_not_cancel_the_clean_up_again(run: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=2.0)

        await _interrupt(ordered_map(work, [0]))

        assert work.trace == [("0 cancelled", 3.0)]
        assert anyio.current_time() == 3.0

    strictly(run, main)


def test_the_grace_time_counts_from_the_interrupt(run_asyncio: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=LONG_S)
        stage = ordered_map(work, [0], grace_s=2.0)

        async with stage:
            await anyio.sleep(1.0)
            stage.interrupt()
            await anyio.sleep(1.0)

        assert work.trace == [("0 cut", 3.0)]

    strictly(run_asyncio, main)


def test_an_interrupt_cancels_what_runs_at_once(run: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,))
        stage = ordered_map(work, Numbers((0.0,) * 9))

        async with stage:
            await anyio.sleep(1.0)
            stage.interrupt()
            await anyio.sleep(1.0)
            assert sorted(work.trace) == [("0 cancelled", 1.0), ("1 cancelled", 1.0)]

        assert anyio.current_time() == 2.0

    strictly(run, main)


def test_shielded_clean_up_is_waited_for_on_trio_however_long_it_takes(run_trio: Run) -> None:
    async def main() -> None:
        source = _Tidy((0.0,) * 9, 20.0)
        work = Work((LONG_S,), cleaning_s=10.0)

        await _leave(ordered_map(work, source, grace_s=2.0))

        assert sorted(work.trace) == [("0 cancelled", 11.0), ("1 cancelled", 11.0)]
        assert source.closed_at == [31.0]

    strictly(run_trio, main)


def test_clean_up_that_does_not_shield_itself_is_cut_at_once_on_trio(run_trio: Run) -> None:
    trace: list[str] = []

    async def transform(number: int) -> int:
        try:
            await trio.sleep(LONG_S)
        finally:
            trace.append("begun")
            await trio.sleep(0.5)
            trace.append("ended")
        return number

    async def main() -> None:
        await _leave(ordered_map(transform, [0]))

        assert trace == ["begun"]
        assert trio.current_time() == 1.0

    strictly(run_trio, main)


def test_a_source_that_is_closed_unread_is_cut_when_its_grace_time_is_over(run: Run) -> None:
    """On trio too, if it does not shield itself."""
    trace: list[float] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(9):
                yield number
        finally:
            try:
                await anyio.sleep(LONG_S)
            finally:
                trace.append(anyio.current_time())

    async def main() -> None:
        await _leave(ordered_map(Work(), numbers(), grace_s=2.0))

        assert trace == [3.0]
        assert anyio.current_time() == 3.0

    strictly(run, main)


def test_the_grace_time_of_the_source_counts_from_its_closing(run: Run) -> None:
    """Not from the end of its reading, nor from that of the transforms."""

    async def main() -> None:
        source, work = Numbers((0.0, LONG_S), closing_s=1.5), Work((LONG_S,), cleaning_s=1.5)

        await _leave(ordered_map(work, source, grace_s=2.0))

        assert work.trace == [("0 cancelled", 2.5)]
        assert source.trace[1:] == [("source closed", 4.0)]

    strictly(run, main)


def test_a_source_that_is_closed_unread_may_wait_without_a_shield(run: Run) -> None:
    """Nobody has cancelled it: it is closed at a yield, with the grace time to do so."""
    trace: list[float] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            for number in range(9):
                yield number
        finally:
            await anyio.sleep(0.5)
            trace.append(anyio.current_time())

    async def main() -> None:
        await _leave(ordered_map(Work((LONG_S,)), numbers()))

        assert trace == [1.5]

    strictly(run, main)


def test_an_inner_stage_that_may_clean_up_for_longer_than_the_outer_one_does_not_keep_the_loop_busy(
    run: Run,
) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=3.0)

        async with ordered_map(Work(), ordered_map(work, [0], grace_s=5.0), grace_s=1.0):
            await anyio.sleep(1.0)

        # Whether the outer one's time is over first or the inner one's clean-up, it ends.
        assert 2.0 <= anyio.current_time() <= 4.0
        assert work.running == set()

    strictly(run, main)


def test_a_stage_within_a_transform_that_may_clean_up_for_longer_does_not_keep_the_loop_busy(
    run: Run,
) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=3.0)

        async def transform(number: int) -> list[int]:
            return await ordered_map(work, [number], grace_s=5.0).collect()

        async with ordered_map(transform, [0], grace_s=1.0):
            await anyio.sleep(1.0)

        assert 2.0 <= anyio.current_time() <= 4.0
        assert work.running == set()

    strictly(run, main)


def test_a_transform_that_refuses_to_be_cancelled_is_waited_for(run_asyncio: Run) -> None:
    async def refuse(number: int) -> int:
        end_s = anyio.current_time() + 8.0
        while anyio.current_time() < end_s:
            try:
                await asyncio.sleep(end_s - anyio.current_time())
            except asyncio.CancelledError:
                pass
        return number

    async def main() -> None:
        async with ordered_map(refuse, [0], grace_s=2.0):
            await anyio.sleep(1.0)

        assert anyio.current_time() == 8.0

    strictly(run_asyncio, main)


# Transforms with tasks of their own


async def _in_an_anyio_group(number: int) -> int:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, LONG_S)
        await anyio.sleep(LONG_S)
    return number


async def _in_an_asyncio_group(number: int) -> int:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.sleep(LONG_S))
        await asyncio.sleep(LONG_S)
    return number


async def _in_a_trio_nursery(number: int) -> int:
    async with trio.open_nursery() as nursery, trio.open_nursery() as inner:
        nursery.start_soon(trio.sleep, LONG_S)
        inner.start_soon(trio.sleep, LONG_S)
        await trio.sleep(LONG_S)
    return number


def _tasks_of_transforms(run: Run, transform: Callable[[int], Awaitable[int]]) -> None:
    async def main() -> None:
        await _leave(ordered_map(transform, [0, 1]))
        assert anyio.current_time() == 1.0

    strictly(run, main)


def test_a_transform_may_have_a_task_group_of_its_own(run: Run) -> None:
    _tasks_of_transforms(run, _in_an_anyio_group)


def test_a_transform_may_have_an_asyncio_task_group_of_its_own(run_asyncio: Run) -> None:
    _tasks_of_transforms(run_asyncio, _in_an_asyncio_group)


def test_a_transform_may_have_a_trio_nursery_of_its_own(run_trio: Run) -> None:
    _tasks_of_transforms(run_trio, _in_a_trio_nursery)


def test_what_fails_in_a_trio_nursery_beside_cancelled_tasks_is_a_clean_up_error(run_trio: Run) -> None:
    error = Mishap()

    async def fail_late() -> None:
        try:
            await trio.sleep(LONG_S)
        finally:
            raise error

    async def transform(number: int) -> int:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, LONG_S)
            nursery.start_soon(fail_late)
            await trio.sleep(LONG_S)
        return number

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await _leave(ordered_map(transform, [0]))

        assert caught.value.exceptions == (error,)

    strictly(run_trio, main)


# Outer cancellation is always raised again


def test_a_cancellation_while_the_block_is_being_left_is_raised_when_all_is_clean(run: Run) -> None:
    async def main() -> None:
        work, reached = Work((LONG_S,), cleaning_s=2.0), False

        with anyio.CancelScope(deadline=2.0) as scope:
            await _leave(ordered_map(work, [0]))
            reached = True

        assert not reached
        assert scope.cancelled_caught
        assert work.trace == [("0 cancelled", 3.0)]
        assert anyio.current_time() == 3.0

    strictly(run, main)


@pytest.mark.parametrize("cancellations", [1, 2, 3])
def test_a_task_cancelled_while_the_block_is_being_left_ends_cancelled(
    run_asyncio: Run, cancellations: int
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        work, reached = Work((LONG_S,), cleaning_s=2.0), False

        async def leave() -> None:
            nonlocal reached
            await _leave(ordered_map(work, [0]))
            reached = True

        task = asyncio.ensure_future(leave())
        for number in range(cancellations):
            loop.call_at(1.5 + number / 4, task.cancel, f"cancellation {number}")

        with pytest.raises(asyncio.CancelledError):
            await task

        assert not reached
        assert work.trace == [("0 cancelled", 3.0)]
        assert anyio.current_time() == 3.0

    strictly(run_asyncio, main)


def test_a_task_cancelled_again_while_it_cleans_up_does_not_cut_the_clean_up(run_asyncio: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        work = Work((LONG_S,), cleaning_s=2.0)
        task = asyncio.ensure_future(ordered_map(work, [0]).collect())
        loop.call_at(1.0, task.cancel)
        loop.call_at(2.0, task.cancel)

        with pytest.raises(asyncio.CancelledError):
            await task

        assert work.trace == [("0 cancelled", 3.0)]

    strictly(run_asyncio, main)


def test_an_asyncio_timeout_that_strikes_while_the_block_is_being_left_is_told_as_such(
    run_asyncio: Run,
) -> None:
    async def main() -> None:
        this = asyncio.current_task()
        assert this is not None
        work = Work((LONG_S,), cleaning_s=2.0)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout_at(2.0):
                await _leave(ordered_map(work, [0]))

        assert this.cancelling() == 0
        assert anyio.current_time() == 3.0

    strictly(run_asyncio, main)


def test_an_error_of_the_body_comes_out_though_a_scope_is_cancelled_while_the_block_is_being_left(
    run: Run,
) -> None:
    """The scope would keep the cancellation to itself, and the error with it; it strikes again anyway."""

    async def main() -> None:
        error = Mishap()

        with pytest.raises(Mishap) as caught, anyio.CancelScope(deadline=2.0) as scope:
            async with ordered_map(Work((LONG_S,), cleaning_s=2.0), [0]):
                await anyio.sleep(1.0)
                raise error

        assert caught.value is error
        assert scope.cancel_called
        assert anyio.current_time() == 3.0

    strictly(run, main)


def test_an_error_of_the_body_is_not_lost_when_a_cancellation_follows_it(run_asyncio: Run) -> None:
    async def main() -> None:
        error = Mishap()
        seen: list[BaseException] = []

        async def fail() -> None:
            try:
                async with ordered_map(Work((LONG_S,), cleaning_s=2.0), [0]):
                    await anyio.sleep(1.0)
                    raise error
            except BaseException as raised:
                seen.append(raised)
                raise

        task = asyncio.ensure_future(fail())
        asyncio.get_running_loop().call_at(2.0, task.cancel)

        with pytest.raises(asyncio.CancelledError):
            await task

        assert isinstance(seen[0], asyncio.CancelledError)
        assert error in reachable(seen[0])

    strictly(run_asyncio, main)
