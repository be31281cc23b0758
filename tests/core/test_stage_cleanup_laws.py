"""Laws 9 and 12: clean-up may wait, for a while; the block's exception comes out bare; nothing that failed is lost."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence

import anyio
import anyio.lowlevel
import pytest
import trio

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Abort, Mishap, Numbers, Work, at, clean_up, reachable, strictly
from tests.core.strategies import LONG_S

# --- Clean-up may wait ------------------------------------------------------------------------------------------------


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
        except anyio.get_cancelled_exc_class():  # noqa: ASYNC103, ASYNC104  # what this is about
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


# --- Transforms with tasks of their own -------------------------------------------------------------------------------


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


# --- Outer cancellation is always raised again ------------------------------------------------------------------------


def test_a_cancellation_while_the_block_is_being_left_is_raised_when_all_is_clean(run: Run) -> None:
    async def main() -> None:
        work, reached = Work((LONG_S,), cleaning_s=2.0), False

        with anyio.CancelScope(deadline=2.0) as scope:
            await _leave(ordered_map(work, [0]))
            await anyio.lowlevel.checkpoint()
            reached = True

        assert not reached
        assert scope.cancelled_caught
        assert work.trace == [("0 cancelled", 3.0)]
        assert anyio.current_time() == 3.0

    strictly(run, main)


@pytest.mark.parametrize("cancellations", [1, 2, 3])
def test_a_task_cancelled_while_the_block_is_being_left_ends_cancelled(run_asyncio: Run, cancellations: int) -> None:
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


def test_an_asyncio_timeout_that_strikes_while_the_block_is_being_left_is_told_as_such(run_asyncio: Run) -> None:
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


# --- What fails in cleaning up ----------------------------------------------------------------------------------------


def _failing(
    errors: dict[int, BaseException], source: AsyncIterable[int] | None = None, *, prefetch: int = 2
) -> Stage[int, int]:
    """Return a stage in which the clean-up of these numbers fails."""
    work = Work((LONG_S,), cleaning_errors=errors)
    return ordered_map(work, source or Numbers((0.0,) * 9), prefetch=prefetch)


async def _pending(error: BaseException) -> AsyncIterator[int]:
    """Give one number, then nothing for long, and fail in cleaning up."""
    yield 0
    try:
        await anyio.sleep(LONG_S)
    finally:
        raise error


async def _parked(error: BaseException) -> AsyncIterator[int]:
    """Give many numbers and fail in cleaning up."""
    try:
        for number in range(9):
            yield number
    finally:
        raise error


leaving = pytest.mark.parametrize("way", [_leave, _interrupt])


@leaving
@pytest.mark.parametrize("error", [Mishap(), Abort()], ids=repr)
def test_one_clean_up_error_comes_out_bare(run: Run, way: Way, error: BaseException) -> None:
    async def main() -> None:
        with pytest.raises(type(error)) as caught:
            await way(_failing({1: error}))

        assert caught.value is error

    strictly(run, main)


@leaving
def test_several_clean_up_errors_come_out_as_a_group(run: Run, way: Way) -> None:
    async def main() -> None:
        errors = {0: Mishap(), 2: Mishap(), 3: Mishap()}

        with pytest.raises(ExceptionGroup) as caught:
            await way(_failing(dict(errors), prefetch=4))

        assert set(caught.value.exceptions) == set(errors.values())
        assert len(caught.value.exceptions) == 3

    strictly(run, main)


@leaving
def test_an_error_in_closing_the_source_comes_out_bare(run: Run, way: Way) -> None:
    async def main() -> None:
        error = Mishap()

        with pytest.raises(Mishap) as caught:
            await way(_failing({}, Numbers((0.0,) * 9, closing_error=error)))

        assert caught.value is error

    strictly(run, main)


@pytest.mark.parametrize("numbers", [_parked, _pending])
@leaving
def test_an_error_in_the_clean_up_of_a_generator_comes_out_bare(
    run: Run, way: Way, numbers: Callable[[BaseException], AsyncIterator[int]]
) -> None:
    async def main() -> None:
        error = Mishap()

        with pytest.raises(Mishap) as caught:
            await way(_failing({}, numbers(error)))

        assert caught.value is error

    strictly(run, main)


@leaving
def test_errors_of_a_transform_and_of_the_source_come_out_together(run: Run, way: Way) -> None:
    async def main() -> None:
        first, second = Mishap(), Mishap()

        with pytest.raises(ExceptionGroup) as caught:
            await way(_failing({0: first}, Numbers((0.0,) * 9, closing_error=second)))

        assert set(caught.value.exceptions) == {first, second}

    strictly(run, main)


def test_an_error_in_closing_an_exhausted_source_comes_out_when_the_block_is_left(run: Run) -> None:
    async def main() -> None:
        error = Mishap()
        received: list[int] = []

        with pytest.raises(Mishap) as caught:
            async with ordered_map(Work(), Numbers((0.0, 0.0), closing_error=error)) as results:
                async for result in results:
                    received.append(result)  # noqa: PERF401  # what came before the error counts
                await anyio.sleep(1.0)
                received.append(2)

        assert caught.value is error
        assert received == [0, 1, 2]

    strictly(run, main)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_error_of_the_body_and_those_of_the_clean_up_can_all_be_found(run: Run, count: int) -> None:
    async def main() -> None:
        error = Mishap()
        errors = {number: Mishap() for number in range(count)}

        with pytest.raises(Exception) as caught:  # noqa: PT011  # either may come out
            async with _failing(dict(errors), prefetch=3):
                await anyio.sleep(1.0)
                raise error

        assert {error, *errors.values()} <= set(reachable(caught.value))

    strictly(run, main)


def test_an_error_with_a_cause_of_its_own_keeps_it_when_clean_up_fails_as_well(run: Run) -> None:
    async def main() -> None:
        cause, context, error, other = Mishap(), Mishap(), Mishap(), Mishap()

        with pytest.raises(Mishap) as caught:
            async with _failing({0: other}):
                await anyio.sleep(1.0)
                try:
                    raise context
                except Mishap:
                    raise error from cause

        assert {error, cause, context, other} <= set(reachable(caught.value))
        assert (error.__cause__, error.__context__) == (cause, context)

    strictly(run, main)


def test_an_error_that_is_both_the_body_s_and_the_clean_up_s_comes_out_once(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        with pytest.raises(Mishap) as caught:
            async with _failing({0: error}):
                await anyio.sleep(1.0)
                raise error

        assert caught.value is error
        assert [found for found in reachable(error) if isinstance(found, Mishap)] == [error]

    strictly(run, main)


def test_errors_that_share_a_context_are_hung_on_each_other_without_a_loop(run: Run) -> None:
    """As when a broken connection raises one and the same exception to whoever uses it."""

    async def main() -> None:
        broken, body, unclean, outer = (Mishap(name) for name in ("broken", "body", "unclean", "outer"))

        async def use(number: int) -> int:
            try:
                await anyio.sleep(LONG_S)
            finally:
                try:
                    raise broken
                except Mishap:
                    raise unclean from None
            return number

        with pytest.raises(Mishap) as caught:
            async with _failing({0: outer}), ordered_map(use, [0]):
                await anyio.sleep(1.0)
                try:
                    raise broken
                except Mishap:
                    raise body from None

        assert caught.value is body
        assert {broken, body, unclean, outer} <= set(reachable(body))

    strictly(run, main)


async def _seen(coroutine: Awaitable[object], seen: list[BaseException]) -> None:
    try:
        await coroutine
    except BaseException as raised:
        seen.append(raised)
        raise


def test_a_cancelled_scope_wins_and_the_clean_up_error_can_be_found(run: Run) -> None:
    async def main() -> None:
        first, second = Mishap(), Mishap()
        seen: list[BaseException] = []

        with anyio.CancelScope(deadline=1.0) as scope:
            await _seen(_failing({0: first, 1: second}).collect(), seen)

        assert scope.cancelled_caught
        assert isinstance(seen[0], anyio.get_cancelled_exc_class())
        assert {first, second} <= set(reachable(seen[0]))

    strictly(run, main)


def test_a_cancelled_task_ends_cancelled_and_the_clean_up_error_can_be_found(run_asyncio: Run) -> None:
    async def main() -> None:
        first, second = Mishap(), Mishap()
        seen: list[BaseException] = []
        task = asyncio.ensure_future(_seen(_failing({0: first, 1: second}).collect(), seen))
        asyncio.get_running_loop().call_at(1.0, task.cancel)

        with pytest.raises(asyncio.CancelledError):
            await task

        assert isinstance(seen[0], asyncio.CancelledError)
        assert {first, second} <= set(reachable(seen[0]))

    strictly(run_asyncio, main)


def test_a_cancellation_while_leaving_wins_and_the_clean_up_error_can_be_found(run_asyncio: Run) -> None:
    async def main() -> None:
        error = Mishap()
        seen: list[BaseException] = []
        stage = ordered_map(Work((LONG_S,), cleaning_s=1.0, cleaning_errors={0: error}), [0])
        task = asyncio.ensure_future(_seen(_leave(stage), seen))
        asyncio.get_running_loop().call_at(1.5, task.cancel)

        with pytest.raises(asyncio.CancelledError):
            await task

        assert error in reachable(seen[0])

    strictly(run_asyncio, main)


@pytest.mark.parametrize("consume", [Stage.collect, lambda stage: stage.for_each(_leave)], ids=["collect", "for_each"])
def test_what_iterates_for_the_caller_raises_clean_up_errors_too(
    run: Run, consume: Callable[[Stage[int, int]], Awaitable[object]]
) -> None:
    async def main() -> None:
        error = Mishap()

        with pytest.raises(Mishap) as caught:
            await consume(ordered_map(Work(), Numbers((), closing_error=error)))

        assert caught.value is error

    strictly(run, main)


def test_what_failed_before_the_block_was_left_but_was_not_handed_over_is_no_clean_up_error(run: Run) -> None:
    """Iterated one by one, it would never have been tried."""

    async def main() -> None:
        work = Work((0.0,), errors={0: Mishap(), 1: Mishap()})

        await _leave(ordered_map(work, Numbers((0.0, 0.0), error=Mishap()), prefetch=3))

        assert work.started == [0, 1]

    strictly(run, main)


def test_clean_up_errors_of_a_sub_stream_come_out_bare(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        def stream(number: int) -> AsyncIterator[int]:
            return _parked(error) if number == 0 else _parked_quietly()

        with pytest.raises(Mishap) as caught:
            async with ordered_flat_map(stream, [0, 1], buffer=2) as results:
                assert await anext(results) == 0

        assert caught.value is error

    strictly(run, main)


async def _parked_quietly() -> AsyncIterator[int]:
    for number in range(9):
        yield number


def test_an_inner_stage_s_clean_up_error_comes_out_of_the_outer_block(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        with pytest.raises(Mishap) as caught:
            async with ordered_map(Work(), _failing({0: error})):
                await anyio.sleep(1.0)

        assert caught.value is error

    strictly(run, main)
