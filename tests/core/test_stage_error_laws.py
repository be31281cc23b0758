"""Laws 8 and 10: errors come in line, as they are, and nothing ends the iteration but its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import nullcontext
from typing import Any, Literal, NoReturn, TypeAlias

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Abort, Mishap, Numbers, Work, hesitant, listed, outcomes, strictly
from tests.core.strategies import LONG_S, MapCase, map_cases
from tests.core.support import MapRun, Told, laws

Policy: TypeAlias = Literal["raise", "return", "skip"]

policies = pytest.mark.parametrize("on_error", ["raise", "return", "skip"])


# In line


@laws
@given(case=map_cases())
def test_errors_come_in_line_under_every_policy(run: Run, case: MapCase) -> None:
    async def main(on_error: Policy) -> list[object]:
        played = MapRun(case)
        stage: Stage[int, object] = ordered_map(
            played.transform,
            played.source(),
            prefetch=case.prefetch,
            concurrency=case.concurrency,
            on_error=on_error,
        )
        found = await outcomes(stage)
        # The very objects, not only equal ones: the failures of each run are its own.
        assert found == played.in_line("skip" if on_error == "skip" else "raise")
        return found

    raised = strictly(run, main, "raise")
    returned = strictly(run, main, "return")
    strictly(run, main, "skip")
    assert len(raised) == len(returned) == len(case.works)


@laws
@given(case=map_cases(), failing_source=st.booleans())
def test_an_error_of_the_source_comes_after_all_results_under_every_policy(
    run: Run, case: MapCase, failing_source: bool
) -> None:
    async def main(on_error: Policy) -> None:
        error = Mishap() if failing_source else None
        source = Numbers(case.gaps, error=error)
        work = Work((*case.works, 0.0))
        stage: Stage[int, object] = ordered_map(
            work, source, prefetch=case.prefetch, concurrency=case.concurrency, on_error=on_error
        )

        assert await outcomes(stage) == [*range(len(case.gaps)), *([error] if error else [])]
        assert source.closed == 1

    for on_error in ("raise", "return", "skip"):
        strictly(run, main, on_error)


def test_the_error_of_an_item_comes_out_of_its_own_next(run: Run) -> None:
    async def main() -> None:
        error = Mishap()
        work = Work((1.0, 2.0, 0.5, 1.0), errors={2: error})

        async with ordered_map(work, Numbers((0.0,) * 4), prefetch=4) as results:
            assert (await anext(results), anyio.current_time()) == (0, 1.0)
            assert (await anext(results), anyio.current_time()) == (1, 2.0)
            with pytest.raises(Mishap) as caught:
                await anext(results)
            assert (caught.value, anyio.current_time()) == (error, 2.0)
            assert (await anext(results), anyio.current_time()) == (3, 2.0)
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await anext(results)

    strictly(run, main)


def test_an_error_comes_out_as_it_was_raised(run: Run) -> None:
    async def main() -> None:
        cause, error = Mishap("cause"), Mishap("error")

        async def transform(number: int) -> int:
            raise error from cause

        async with ordered_map(transform, [0]) as results:
            with pytest.raises(Mishap) as caught:
                await anext(results)

        assert caught.value is error
        assert (error.__cause__, error.__context__) == (cause, None)
        assert [entry.name for entry in caught.traceback][-1] == "transform"

    strictly(run, main)


def test_an_error_has_no_part_in_what_is_raised_while_it_is_handled(run: Run) -> None:
    """Nor has the error of one item become the context of the next one's."""

    async def main() -> None:
        errors: dict[int, BaseException] = {number: Mishap(number) for number in range(4)}

        found = await outcomes(ordered_map(Work(errors=errors), range(4), prefetch=2, concurrency=1))

        assert found == list(errors.values())
        assert [error.__context__ for error in errors.values()] == [None] * 4

    strictly(run, main)


def test_iteration_goes_on_after_each_of_many_errors(run: Run) -> None:
    async def main() -> None:
        errors: dict[int, BaseException] = {number: Mishap(number) for number in (0, 1, 3, 5)}
        source = Numbers((0.125,) * 6)

        assert await outcomes(ordered_map(Work((0.25,), errors=errors), source)) == [
            errors[0],
            errors[1],
            2,
            errors[3],
            4,
            errors[5],
        ]

    strictly(run, main)


def test_an_error_that_ends_the_block_comes_out_of_it_bare(run: Run) -> None:
    async def main() -> None:
        error = Mishap()
        source, work = Numbers((0.0,) * 9), Work((0.0, 0.0, LONG_S), errors={1: error})
        received: list[int] = []

        with pytest.raises(Mishap) as caught:
            async with ordered_map(work, source, prefetch=3) as results:
                async for result in results:
                    received.append(result)  # noqa: PERF401  # what came before the error counts

        assert caught.value is error
        assert received == [0]

    strictly(run, main)


def test_one_exception_object_may_fail_several_items(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        assert await outcomes(ordered_map(Work(errors={0: error, 2: error}), range(3))) == [error, 1, error]

    strictly(run, main)


def test_an_exception_group_of_a_transform_comes_out_as_the_group_it_is(run: Run) -> None:
    async def main() -> None:
        group = ExceptionGroup("two at once", [Mishap(), Mishap()])

        assert await outcomes(ordered_map(Work(errors={0: group}), range(2))) == [group, 1]

    strictly(run, main)


def test_returned_exceptions_stand_in_the_place_of_results(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        async with ordered_map(Work(errors={1: error}), range(3), on_error="return") as results:
            assert [result async for result in results] == [0, error, 2]

    strictly(run, main)


def test_an_exception_that_is_a_result_is_handed_over_as_one(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        async def transform(number: int) -> Exception:
            return error

        for on_error in ("raise", "return", "skip"):
            stage: Stage[int, Exception] = ordered_map(transform, [0], on_error=on_error)
            assert await stage.collect() == [error]

    strictly(run, main)


def test_skipped_errors_are_told_to_the_observer(run: Run) -> None:
    async def main() -> None:
        error, told = Mishap(), Told()
        work = Work((0.25, 0.125, 0.25), errors={1: error})

        found = await ordered_map(work, range(3), prefetch=3, on_error="skip", observer=told).collect()

        assert found == [0, 2]
        assert told.told_of(1) == [
            ("admitted", 0.0),
            ("started", 0.0),
            ("settled", 0.125),
            ("discarded", 0.25),
        ]
        assert told.errors == {0: None, 1: error, 2: None}

    strictly(run, main)


@policies
def test_what_is_no_exception_is_raised_in_its_position_under_every_policy(
    run: Run, on_error: Policy
) -> None:
    async def main() -> None:
        abort = Abort()
        stage: Stage[int, object] = ordered_map(Work(errors={1: abort}), range(3), on_error=on_error)

        async with stage as results:
            assert await anext(results) == 0
            with pytest.raises(Abort) as caught:
                await anext(results)
            assert await anext(results) == 2

        assert caught.value is abort

    strictly(run, main)


# The source


@policies
@pytest.mark.parametrize("error", [Mishap(), Abort()], ids=repr)
def test_an_error_of_the_source_is_raised_under_every_policy_and_ends_the_stage(
    run: Run, on_error: Policy, error: BaseException
) -> None:
    async def main() -> None:
        stage: Stage[int, object] = ordered_map(
            Work((0.5,)), Numbers((0.0, 0.0), error=error), prefetch=3, on_error=on_error
        )

        async with stage as results:
            assert [await anext(results), await anext(results)] == [0, 1]
            with pytest.raises(type(error)) as caught:
                await anext(results)
            assert caught.value is error
            assert anyio.current_time() == 0.5
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await anext(results)

    strictly(run, main)


def test_an_error_of_the_source_follows_the_errors_of_its_items(run: Run) -> None:
    async def main() -> None:
        first, second = Mishap(), Mishap()
        stage = ordered_map(Work((0.5,), errors={0: first}), Numbers((0.0,), error=second))

        assert await outcomes(stage) == [first, second]

    strictly(run, main)


def test_an_error_of_the_source_follows_skipped_items_when_nobody_had_asked(run: Run) -> None:
    async def main() -> None:
        error = Mishap()
        stage = ordered_map(Work(errors={0: Mishap()}), Numbers((0.0,), error=error), on_error="skip")

        async with stage as results:
            await anyio.sleep(1.0)
            with pytest.raises(Mishap) as caught:
                await anext(results)

        assert caught.value is error

    strictly(run, main)


def test_a_consumer_that_waits_gets_the_error_of_the_source_at_once(run: Run) -> None:
    async def main() -> None:
        async def numbers() -> AsyncIterator[int]:
            yield 0
            await anyio.sleep(1.5)
            raise Mishap

        async with ordered_map(Work(), numbers()) as results:
            assert await anext(results) == 0
            with pytest.raises(Mishap):
                await anext(results)

        assert anyio.current_time() == 1.5

    strictly(run, main)


def test_a_plain_iterable_that_fails_does_so_in_its_position(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        def numbers() -> Iterator[int]:
            yield 0
            raise error

        assert await outcomes(ordered_map(Work((0.5,)), numbers())) == [0, error]

    strictly(run, main)


@pytest.mark.parametrize("kind", ["__iter__", "__aiter__"])
def test_a_source_that_cannot_even_be_opened_fails_in_the_first_position(run: Run, kind: str) -> None:
    async def main() -> None:
        error = Mishap()

        def fail(_: object) -> NoReturn:
            raise error

        source = type("Locked", (), {kind: fail})()

        assert await outcomes(ordered_map(Work(), source)) == [error]

    strictly(run, main)


def test_a_source_s_time_out_comes_out_as_its_error(run: Run) -> None:
    async def main() -> None:
        async def numbers() -> AsyncIterator[int]:
            with anyio.fail_after(1.0):
                yield 0
                await anyio.sleep(LONG_S)

        async with ordered_map(Work(), numbers()) as results:
            assert await anext(results) == 0
            with pytest.raises(TimeoutError):
                await anext(results)

        assert anyio.current_time() == 1.0

    strictly(run, main)


def test_a_source_s_asyncio_time_out_comes_out_as_its_error(run_asyncio: Run) -> None:
    async def main() -> None:
        async def numbers() -> AsyncIterator[int]:
            async with asyncio.timeout(1.0):
                yield 0
                await asyncio.sleep(LONG_S)

        async with ordered_map(Work(), numbers()) as results:
            assert await anext(results) == 0
            with pytest.raises(TimeoutError):
                await anext(results)

        assert anyio.current_time() == 1.0

    strictly(run_asyncio, main)


async def _with_a_window_that_is_full(source: AsyncIterator[int]) -> list[object]:
    """Iterate, but for two seconds not at all."""
    async with ordered_map(hesitant, source, prefetch=1) as results:
        await anyio.sleep(2.0)
        found: list[object] = []
        while True:
            try:
                found.append(await anext(results))
            except StopAsyncIteration:
                return found
            except Exception as error:  # noqa: BLE001  # it is looked at below
                found.append(error)


def test_a_scope_of_the_source_that_is_cancelled_while_the_window_is_full_cancels_the_source_alone(
    run: Run,
) -> None:
    async def main() -> None:
        async def numbers() -> AsyncIterator[int]:
            with anyio.move_on_after(1.0):
                for number in range(3):
                    yield number
                    await anyio.lowlevel.checkpoint()
            yield 7

        assert await _with_a_window_that_is_full(numbers()) == [0, 7]

    strictly(run, main)


def test_a_scope_of_the_source_that_was_cancelled_while_the_window_was_full_may_be_left_unheard(
    run: Run,
) -> None:
    async def main() -> None:
        async def numbers() -> AsyncIterator[int]:
            with anyio.move_on_after(1.0):
                yield 0
            await anyio.sleep(0.5)
            yield 7

        assert await _with_a_window_that_is_full(numbers()) == [0, 7]

    strictly(run, main)


def test_a_time_out_of_the_source_that_strikes_while_the_window_is_full_is_the_source_s_error(
    run: Run,
) -> None:
    async def main() -> None:
        async def numbers() -> AsyncIterator[int]:
            with anyio.fail_after(1.0):
                for number in range(3):
                    yield number
                    await anyio.lowlevel.checkpoint()

        result, error = await _with_a_window_that_is_full(numbers())
        assert result == 0
        assert isinstance(error, TimeoutError)

    strictly(run, main)


def test_an_asyncio_time_out_of_the_source_that_strikes_while_the_window_is_full_is_the_source_s_error(
    run_asyncio: Run,
) -> None:
    async def main() -> None:
        async def numbers() -> AsyncIterator[int]:
            async with asyncio.timeout(1.0):
                for number in range(3):
                    yield number
                    await asyncio.sleep(0.125)

        result, error = await _with_a_window_that_is_full(numbers())
        assert result == 0
        assert isinstance(error, TimeoutError)

    strictly(run_asyncio, main)


@pytest.mark.parametrize("native", [True, False])
def test_a_time_out_of_a_sub_stream_that_strikes_while_its_buffer_is_full_is_its_error(
    run_asyncio: Run, native: bool
) -> None:
    async def main() -> None:
        async def halves(number: int) -> AsyncIterator[int]:
            async with asyncio.timeout(1.0) if native else nullcontext():
                with nullcontext() if native else anyio.fail_after(1.0):
                    for half in (2 * number, 2 * number + 1):
                        yield half
                        await anyio.sleep(0.125)

        stage = ordered_flat_map(halves, range(2), buffer=1)
        async with stage as results:
            assert await anext(results) == 0
            await anyio.sleep(2.0)
            found: list[object] = []
            for _ in range(4):
                try:
                    found.append(await anext(results))
                except TimeoutError as error:
                    found.append(type(error))

        assert found == [1, TimeoutError, 2, TimeoutError]

    strictly(run_asyncio, main)


def test_a_child_of_the_source_that_fails_while_the_window_is_full_is_the_source_s_error(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        async def fail() -> None:
            await anyio.sleep(1.0)
            raise error

        async def numbers() -> AsyncIterator[int]:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fail)
                for number in range(3):
                    yield number
                    await anyio.lowlevel.checkpoint()

        result, group = await _with_a_window_that_is_full(numbers())
        assert result == 0
        assert isinstance(group, ExceptionGroup)
        assert group.exceptions == (error,)

    strictly(run, main)


def test_a_source_that_holds_a_time_out_which_never_strikes_may_be_slow(run_asyncio: Run) -> None:
    async def main() -> None:
        async def numbers() -> AsyncIterator[int]:
            for number in range(3):
                async with asyncio.timeout(1.0):
                    await asyncio.sleep(0.75)
                    yield number

        assert await ordered_map(hesitant, numbers()).collect() == [0, 1, 2]

    strictly(run_asyncio, main)


# Nothing else ends the iteration


async def _stop_async(number: int) -> int:
    if number == 1:
        raise StopAsyncIteration("no more")
    return number


def _stop(number: int) -> Awaitable[int]:
    if number == 1:
        raise StopIteration("no more")
    return hesitant(number)


def _stop_async_at_once(number: int) -> Awaitable[int]:
    if number == 1:
        raise StopAsyncIteration("no more")
    return hesitant(number)


@pytest.mark.parametrize("transform", [_stop_async, _stop, _stop_async_at_once])
@policies
def test_what_would_end_the_iteration_is_an_error_in_its_position(
    run: Run, transform: Callable[[int], Awaitable[int]], on_error: Policy
) -> None:
    async def main() -> None:
        stage: Stage[int, object] = ordered_map(transform, range(3), on_error=on_error)
        found = await outcomes(stage)

        if on_error == "skip":
            assert found == [0, 2]
            return
        first, error, last = found
        assert (first, last) == (0, 2)
        name = "StopIteration" if transform is _stop else "StopAsyncIteration"
        assert type(error) is RuntimeError
        assert (
            str(error) == f"the transform of item 1 raised {name}, which would have ended the iteration early"
        )
        assert type(error.__cause__).__name__ == name
        assert str(error.__cause__) == "no more"

    strictly(run, main)


def test_a_coroutine_that_raises_stop_iteration_fails_in_its_position(run: Run) -> None:
    async def main() -> None:
        stop = StopIteration()

        first, error, last = await outcomes(ordered_map(Work(errors={1: stop}), range(3)))

        assert (first, last) == (0, 2)
        assert isinstance(error, RuntimeError)
        assert error.__cause__ is stop

    strictly(run, main)


@pytest.mark.parametrize("stop", [StopIteration(), StopAsyncIteration()], ids=repr)
def test_a_sub_stream_that_raises_what_would_end_the_iteration_fails_in_its_position(
    run: Run, stop: Exception
) -> None:
    async def main() -> None:
        def stream(number: int) -> AsyncIterator[int]:
            if number == 1:
                raise stop
            return listed(number)

        first, error, last = await outcomes(ordered_flat_map(stream, range(3)))

        assert (first, last) == (0, 2)
        assert type(error) is RuntimeError
        assert error.__cause__ is stop

    strictly(run, main)


@policies
def test_a_cancelled_future_that_a_transform_awaits_is_an_error_in_its_position(
    run_asyncio: Run, on_error: Policy
) -> None:
    async def main() -> None:
        told = Told()
        future = asyncio.get_running_loop().create_future()
        future.cancel("gone")

        async def transform(number: int) -> int:
            if number == 1:
                await future
            return number

        stage: Stage[int, object] = ordered_map(transform, range(3), on_error=on_error, observer=told)
        found = await outcomes(stage)

        assert found[:: len(found) - 1] == [0, 2]
        error = told.errors[1]
        assert on_error == "skip" or found[1] is error
        assert type(error) is RuntimeError
        assert str(error) == "the transform of item 1 was cancelled, but not by the stage"
        assert isinstance(error.__cause__, asyncio.CancelledError)
        assert error.__cause__.args == ("gone",)

    strictly(run_asyncio, main)


def test_a_transform_that_cancels_its_own_task_harms_no_other(run_asyncio: Run) -> None:
    async def main() -> None:
        async def transform(number: int) -> int:
            this = asyncio.current_task()
            assert this is not None
            if number == 1:
                this.cancel()
            async with asyncio.timeout(1.0), asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.sleep(0.25))
            assert this.cancelling() == 0
            return number

        first, error, *rest = await outcomes(ordered_map(transform, range(5), concurrency=1))

        assert (first, rest) == (0, [2, 3, 4])
        assert type(error) is RuntimeError
        assert isinstance(error.__cause__, asyncio.CancelledError)

    strictly(run_asyncio, main)


def test_a_transform_that_was_cancelled_from_outside_harms_no_other(run_asyncio: Run) -> None:
    async def main() -> None:
        tasks: list[asyncio.Task[Any] | None] = []

        async def transform(number: int) -> int:
            tasks.append(asyncio.current_task())
            await asyncio.sleep(1.0)
            return number

        async def hang_up() -> None:
            await asyncio.sleep(0.5)
            assert tasks[0] is not None
            tasks[0].cancel()

        hanging_up = asyncio.ensure_future(hang_up())
        error, *rest = await outcomes(ordered_map(transform, range(4)))
        await hanging_up

        assert rest == [1, 2, 3]
        assert type(error) is RuntimeError

    strictly(run_asyncio, main)


def test_a_source_whose_task_is_cancelled_before_it_begins_does_not_seem_exhausted(
    run_asyncio: Run,
) -> None:
    async def main() -> None:
        source = Numbers((0.125,) * 3)

        async with ordered_map(hesitant, source) as results:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            with pytest.raises(RuntimeError, match=r"^the source was cancelled, but not by the stage$"):
                await anext(results)

        assert source.closed == 1

    strictly(run_asyncio, main)


def test_a_source_that_awaits_a_cancelled_future_does_not_seem_exhausted(run_asyncio: Run) -> None:
    async def main() -> None:
        async def numbers() -> AsyncIterator[int]:
            yield 0
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

        first, error = await outcomes(ordered_map(hesitant, numbers()))

        assert first == 0
        assert type(error) is RuntimeError
        assert str(error) == "the source was cancelled, but not by the stage"
        assert isinstance(error.__cause__, asyncio.CancelledError)

    strictly(run_asyncio, main)
