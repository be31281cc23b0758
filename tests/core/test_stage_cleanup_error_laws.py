"""Law 9: the block's exception comes out bare, and nothing that failed in cleaning up is lost."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable

import anyio
import pytest

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Abort, Mishap, Numbers, Work, reachable, strictly
from tests.core.strategies import LONG_S


async def _leave(stage: Stage[int, int]) -> None:
    async with stage:
        await anyio.sleep_until(1.0)


async def _interrupt(stage: Stage[int, int]) -> None:
    async with stage:
        await anyio.sleep_until(1.0)
        stage.interrupt()
        await anyio.sleep_until(1.25)


Way = Callable[[Stage[int, int]], Awaitable[None]]


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


@pytest.mark.parametrize("error", [Abort(), KeyboardInterrupt()], ids=repr)
@pytest.mark.parametrize("make_stage", [ordered_map, ordered_flat_map])
def test_an_exit_that_an_item_asked_for_comes_out_though_the_item_is_dropped(
    run: Run, make_stage: Callable[..., Stage[int, int]], error: BaseException
) -> None:
    async def one(number: int) -> int:
        if number == 1:
            raise error
        await anyio.sleep(LONG_S)
        return number

    async def many(number: int) -> AsyncIterator[int]:
        yield await one(number)

    transform = one if make_stage is ordered_map else many

    async def main() -> None:
        with pytest.raises(type(error)) as caught:
            await _leave(make_stage(transform, range(9), prefetch=2))

        assert caught.value is error

    strictly(run, main)


def test_an_exit_that_an_item_asks_for_as_it_is_dropped_comes_out(run: Run) -> None:
    error = Abort()

    async def main() -> None:
        dropped = anyio.Event()

        async def abort(number: int) -> int:
            await dropped.wait()
            raise error

        with pytest.raises(Abort) as caught:
            async with ordered_map(abort, range(2), prefetch=1) as stage:
                await anyio.sleep_until(1.0)
                dropped.set()
                stage.interrupt()

        assert caught.value is error

    strictly(run, main)


def test_a_mishap_of_an_item_that_is_dropped_is_nobodys_concern(run: Run) -> None:
    async def fail(number: int) -> int:
        raise Mishap(number)

    async def main() -> None:
        await _leave(ordered_map(fail, range(9), prefetch=2))

    strictly(run, main)


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


def test_a_clean_up_error_comes_out_though_a_scope_is_cancelled_while_the_block_is_being_left(
    run: Run,
) -> None:
    async def main() -> None:
        error = Mishap()
        stage = ordered_map(Work((LONG_S,), cleaning_s=2.0, cleaning_errors={0: error}), [0])

        with pytest.raises(Mishap) as caught, anyio.CancelScope(deadline=2.0) as scope:
            await _leave(stage)

        assert caught.value is error
        assert scope.cancel_called

    strictly(run, main)


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


@pytest.mark.parametrize(
    "consume", [Stage.collect, lambda stage: stage.for_each(_leave)], ids=["collect", "for_each"]
)
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


async def _slow_to_leave() -> AsyncIterator[int]:
    """Give one number, then nothing for long, and take a second to clean up."""
    yield 0
    try:
        await anyio.sleep(LONG_S)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(1.0)


def test_what_fails_by_itself_while_the_read_cleans_up_is_no_clean_up_error(run: Run) -> None:
    async def fail(number: int) -> int:
        await anyio.sleep(1.5)
        raise Mishap

    async def main() -> float:
        async with ordered_map(fail, _slow_to_leave()):
            await anyio.sleep_until(1.0)
        return anyio.current_time()

    assert run(main) == 2.0
