"""Law 14: a transform that takes too long fails in its position, at the instant at which it has ended."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

import anyio
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline import Interruption, Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Abort, Mishap, Numbers, Work, at, clean_up, reachable, strictly
from tests.core.strategies import LONG_S, TIMES
from tests.core.support import Told, laws

Timed = list[tuple[object, float]]


async def timed(stage: Stage[Any, Any]) -> Timed:
    """Enter and iterate *stage*; return what came and when, exceptions by their type."""
    found: Timed = []
    async with stage as results:
        while True:
            try:
                outcome: object = await anext(results)
            except StopAsyncIteration:
                return found
            except (Exception, Abort) as error:  # noqa: BLE001  # it is looked at by the caller
                outcome = type(error)
            found.append((outcome, anyio.current_time()))


# The instant


@laws
@given(
    delays_s=st.lists(TIMES, min_size=1, max_size=8),
    timeout_s=st.sampled_from((0.0625, 0.3125, 0.5625, 1.0625)),
    cleaning_s=st.sampled_from((0.125, 0.5)),
    concurrency=st.integers(1, 3),
)
def test_a_time_out_comes_at_its_instant_and_settles_when_the_clean_up_is_done(
    run: Run, delays_s: list[float], timeout_s: float, cleaning_s: float, concurrency: int
) -> None:
    """With everything in the window from the start, only the transforms and their number matter."""
    workers = [0.0] * concurrency
    settled = []
    for delay_s in delays_s:
        worker = workers.index(min(workers))
        workers[worker] += delay_s if delay_s < timeout_s else timeout_s + cleaning_s
        settled.append(workers[worker])
    expected: Timed = [
        (number if delay_s < timeout_s else TimeoutError, max(settled[: number + 1]))
        for number, delay_s in enumerate(delays_s)
    ]

    async def main() -> None:
        work, told = Work(delays_s, cleaning_s=cleaning_s), Told()
        stage = ordered_map(
            work,
            range(len(delays_s)),
            prefetch=len(delays_s) + 2,
            concurrency=concurrency,
            timeout_s=timeout_s,
            observer=told,
        )

        assert await timed(stage) == expected
        assert [dict(told.told_of(number))["settled"] for number in range(len(delays_s))] == settled
        cancelled = [number for number, delay_s in enumerate(delays_s) if delay_s > timeout_s]
        assert sorted(work.trace) == [(f"{number} cancelled", settled[number]) for number in cancelled]

    strictly(run, main)


def test_a_time_out_counts_from_the_start_of_a_transform_not_from_its_item(run: Run) -> None:
    async def main() -> None:
        stage = ordered_map(Work((0.75,)), range(4), prefetch=4, concurrency=1, timeout_s=1.0)

        assert await timed(stage) == [(0, 0.75), (1, 1.5), (2, 2.25), (3, 3.0)]

    strictly(run, main)


def test_a_result_that_came_in_time_does_not_time_out_while_it_waits_for_its_turn(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work((0.5, 0.25)), range(3), timeout_s=1.0) as results:
            await anyio.sleep(3.0)
            assert [result async for result in results] == [0, 1, 2]

    strictly(run, main)


def test_a_time_out_says_which_item_and_how_long(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work((0.0, LONG_S)), range(2), timeout_s=1.5) as results:
            assert await anext(results) == 0
            with pytest.raises(TimeoutError) as caught:
                await anext(results)

        assert type(caught.value) is TimeoutError
        assert str(caught.value) == "the transform of item 1 did not end within timeout_s=1.5"

    strictly(run, main)


def test_a_whole_number_of_seconds_is_a_time_too(run: Run) -> None:
    async def main() -> None:
        assert await timed(ordered_map(Work((0.5, 2.0)), range(2), timeout_s=1, grace_s=1)) == [
            (0, 0.5),
            (TimeoutError, 1.0),
        ]

    strictly(run, main)


# Under each policy


@pytest.mark.parametrize(
    ("on_error", "expected"),
    [
        ("raise", [(0, 0.5), (TimeoutError, 1.0), (2, 1.0), (TimeoutError, 2.0), (4, 2.0)]),
        ("return", [(0, 0.5), (TimeoutError, 1.0), (2, 1.0), (TimeoutError, 2.0), (4, 2.0)]),
        ("skip", [(0, 0.5), (2, 1.0), (4, 2.0)]),
    ],
)
def test_time_outs_are_errors_under_the_policy(
    run: Run, on_error: Literal["raise", "return", "skip"], expected: Timed
) -> None:
    async def main() -> None:
        told = Told()
        work = Work((0.5, LONG_S, 0.5, LONG_S, 0.5))
        stage: Stage[int, object] = ordered_map(
            work, range(5), timeout_s=1.0, on_error=on_error, observer=told
        )

        found = await timed(stage)

        assert [(type(out) if isinstance(out, Exception) else out, time) for out, time in found] == expected
        assert [type(told.errors[number]) for number in range(5)] == [
            type(None),
            TimeoutError,
            type(None),
            TimeoutError,
            type(None),
        ]

    strictly(run, main)


def test_a_time_out_frees_its_worker_for_the_next_item(run: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S, 0.25), cleaning_s=0.5)
        stage = ordered_map(work, range(3), prefetch=3, concurrency=1, timeout_s=1.0)

        assert await timed(stage) == [(TimeoutError, 1.5), (1, 1.75), (2, 2.0)]

    strictly(run, main)


# Clean-up after it


def test_clean_up_after_a_time_out_is_cut_when_its_grace_time_is_over_on_asyncio(run_asyncio: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S, 0.25), cleaning_s=LONG_S)

        found = await timed(ordered_map(work, range(3), concurrency=1, timeout_s=1.0, grace_s=2.0))

        assert found == [(TimeoutError, 3.0), (1, 3.25), (2, 3.5)]
        assert work.trace == [("0 cut", 3.0)]

    strictly(run_asyncio, main)


def test_shielded_clean_up_after_a_time_out_is_waited_for_on_trio(run_trio: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S, 0.25), cleaning_s=1.5)

        found = await timed(ordered_map(work, range(2), timeout_s=1.0, grace_s=2.0))

        assert found == [(TimeoutError, 2.5), (1, 2.5)]

    strictly(run_trio, main)


def test_clean_up_after_a_time_out_that_does_not_shield_itself_is_cut_at_once_on_trio(run_trio: Run) -> None:
    async def transform(number: int) -> int:
        try:
            await trio.sleep(LONG_S)
        finally:
            await trio.sleep(0.5)
        return number

    async def main() -> None:
        assert await timed(ordered_map(transform, range(2), timeout_s=1.0)) == [
            (TimeoutError, 1.0),
            (TimeoutError, 1.0),
        ]

    strictly(run_trio, main)


def _after_a_time_out(leave: Callable[[Stage[int, int]], Awaitable[object]]) -> Callable[[], Awaitable[None]]:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=2.0)

        await leave(ordered_map(work, [0], timeout_s=1.0))

        assert work.trace == [("0 cancelled", 3.0)]
        assert anyio.current_time() == 3.0

    return main


def test_leaving_the_block_does_not_cut_the_clean_up_after_a_time_out(run: Run) -> None:
    async def leave(stage: Stage[int, int]) -> None:
        async with stage:
            await anyio.sleep(1.5)

    strictly(run, _after_a_time_out(leave))


def test_an_interrupt_does_not_cut_the_clean_up_after_a_time_out(run: Run) -> None:
    async def interrupt(stage: Stage[int, int]) -> None:
        async with stage:
            await anyio.sleep(1.5)
            assert stage.interrupt() == Interruption(0, None, 0, (0,))

    strictly(run, _after_a_time_out(interrupt))


def test_a_cancelled_scope_does_not_cut_the_clean_up_after_a_time_out(run: Run) -> None:
    async def be_cancelled(stage: Stage[int, int]) -> None:
        with anyio.CancelScope(deadline=1.5) as scope:
            await stage.collect()
        assert scope.cancelled_caught

    strictly(run, _after_a_time_out(be_cancelled))


def test_the_grace_time_after_a_time_out_is_not_prolonged_by_leaving(run_asyncio: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=LONG_S)

        async with ordered_map(work, [0], timeout_s=1.0, grace_s=2.0):
            await anyio.sleep(2.5)

        assert work.trace == [("0 cut", 3.0)]
        assert anyio.current_time() == 3.0

    strictly(run_asyncio, main)


def test_leaving_before_the_time_out_lets_the_clean_up_run_past_it(run: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=2.0)

        async with ordered_map(work, [0], timeout_s=1.5):
            await anyio.sleep(1.0)

        assert work.trace == [("0 cancelled", 3.0)]

    strictly(run, main)


def test_a_clean_up_error_after_a_time_out_hangs_on_it(run: Run) -> None:
    async def main() -> None:
        error = Mishap()
        work = Work((LONG_S, 0.0), cleaning_errors={0: error})

        async with ordered_map(work, range(2), timeout_s=1.0) as results:
            with pytest.raises(TimeoutError) as caught:
                await anext(results)
            assert await anext(results) == 1

        assert error in reachable(caught.value)

    strictly(run, main)


def test_a_transform_that_swallows_its_time_out_has_timed_out_all_the_same(run: Run) -> None:
    async def swallow(number: int) -> int:
        try:
            await anyio.sleep(LONG_S)
        except anyio.get_cancelled_exc_class():
            pass
        return number

    async def main() -> None:
        assert await timed(ordered_map(swallow, range(2), timeout_s=1.0)) == [
            (TimeoutError, 1.0),
            (TimeoutError, 1.0),
        ]

    strictly(run, main)


def test_a_transform_that_takes_no_notice_of_its_time_out_is_cut(run_asyncio: Run) -> None:
    async def stubborn(number: int) -> int:
        for _ in range(3):
            try:
                await asyncio.sleep(LONG_S)
            except asyncio.CancelledError:
                pass
        return number

    async def main() -> None:
        assert await timed(ordered_map(stubborn, [0], timeout_s=1.0, grace_s=2.0)) == [(TimeoutError, 3.0)]

    strictly(run_asyncio, main)


# Beside other time-outs


def test_a_transform_s_own_time_out_is_its_own_error(run: Run) -> None:
    async def transform(number: int) -> int:
        with anyio.fail_after(0.5):
            await anyio.sleep(number)
        return number

    async def main() -> None:
        stage = ordered_map(transform, range(3), timeout_s=1.5, concurrency=1)

        assert await timed(stage) == [(0, 0.0), (TimeoutError, 0.5), (TimeoutError, 1.0)]

    strictly(run, main)


def test_an_asyncio_time_out_of_a_transform_is_its_own_error(run_asyncio: Run) -> None:
    seen: list[int] = []

    async def transform(number: int) -> int:
        this = asyncio.current_task()
        assert this is not None
        try:
            async with asyncio.timeout(0.5):
                await asyncio.sleep(number)
        finally:
            seen.append(this.cancelling())
        return number

    async def main() -> None:
        stage = ordered_map(transform, range(3), timeout_s=1.5, concurrency=1)

        assert await timed(stage) == [(0, 0.0), (TimeoutError, 0.5), (TimeoutError, 1.0)]
        assert seen == [0, 0, 0]

    strictly(run_asyncio, main)


def test_a_time_out_does_not_strike_the_item_that_comes_after(run: Run) -> None:
    async def main() -> None:
        work = Work((0.875,))

        stage = ordered_map(work, Numbers((0.0, 0.125, 0.25, 0.5)), prefetch=4, concurrency=2, timeout_s=1.0)

        assert await timed(stage) == [(0, 0.875), (1, 1.0), (2, 1.75), (3, 1.875)]
        assert work.trace == []

    strictly(run, main)


def test_a_transform_s_nursery_that_times_out_is_a_time_out(run_trio: Run) -> None:
    async def transform(number: int) -> int:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, LONG_S)
            await trio.sleep(LONG_S)
        return number

    async def main() -> None:
        assert await timed(ordered_map(transform, [0], timeout_s=1.0)) == [(TimeoutError, 1.0)]

    strictly(run_trio, main)


# Flat map: the first result


def _stream(*pauses_s: float) -> Callable[[int], AsyncIterator[int]]:
    async def stream(number: int) -> AsyncIterator[int]:
        try:
            for pause_s in pauses_s:
                await anyio.sleep(pause_s)
                yield number
            await anyio.sleep(LONG_S)
        finally:
            await clean_up(0.25)

    return stream


def test_a_flat_map_s_time_out_is_for_the_first_result_alone(run: Run) -> None:
    async def main() -> None:
        async def stream(number: int) -> AsyncIterator[int]:
            await anyio.sleep(0.75)
            yield number
            await anyio.sleep(3.0)
            yield number

        stage = ordered_flat_map(stream, range(2), timeout_s=1.0)

        assert await timed(stage) == [(0, 0.75), (0, 3.75), (1, 3.75), (1, 3.75)]

    strictly(run, main)


def test_a_flat_map_s_first_result_that_is_late_is_a_time_out(run: Run) -> None:
    async def main() -> None:
        told = Told()
        stage = ordered_flat_map(_stream(2.0), range(2), timeout_s=1.0, concurrency=1, observer=told)

        async with stage as results:
            with pytest.raises(TimeoutError) as caught:
                await anext(results)
            assert anyio.current_time() == 1.25
            with pytest.raises(TimeoutError):
                await anext(results)
            assert anyio.current_time() == 2.5

        assert str(caught.value) == "the transform of item 0 gave no result within timeout_s=1.0"
        assert dict(told.told_of(0))["settled"] == 1.25

    strictly(run, main)


def test_a_flat_map_s_first_result_is_in_time_though_it_waits_for_its_turn(run: Run) -> None:
    async def main() -> None:
        async def stream(number: int) -> AsyncIterator[int]:
            await anyio.sleep(0.5)
            yield number
            await anyio.sleep(2.0)
            yield number

        async with ordered_flat_map(stream, range(2), timeout_s=1.0, buffer=1) as results:
            await anyio.sleep(4.0)
            assert [result async for result in results] == [0, 0, 1, 1]

    strictly(run, main)


def test_an_empty_sub_stream_that_ends_in_time_is_no_time_out(run: Run) -> None:
    async def main() -> None:
        async def empty(number: int) -> AsyncIterator[int]:
            await anyio.sleep(0.5)
            return
            yield

        assert await timed(ordered_flat_map(empty, range(2), timeout_s=1.0)) == []
        assert anyio.current_time() == 0.5

    strictly(run, main)


def test_an_empty_sub_stream_that_ends_late_is_a_time_out(run: Run) -> None:
    async def main() -> None:
        async def empty(number: int) -> AsyncIterator[int]:
            await anyio.sleep(1.5)
            return
            yield

        assert await timed(ordered_flat_map(empty, [0], timeout_s=1.0)) == [(TimeoutError, 1.0)]

    strictly(run, main)


def test_a_first_result_that_comes_in_spite_of_the_time_out_is_left_out(run: Run) -> None:
    async def main() -> None:
        async def swallow(number: int) -> AsyncIterator[int]:
            try:
                await anyio.sleep(LONG_S)
            except anyio.get_cancelled_exc_class():
                pass
            yield number

        assert await timed(ordered_flat_map(swallow, [0], timeout_s=1.0)) == [(TimeoutError, 1.0)]

    strictly(run, main)


def test_an_empty_sub_stream_that_swallows_its_time_out_has_timed_out_all_the_same(run: Run) -> None:
    async def main() -> None:
        async def swallow(number: int) -> AsyncIterator[int]:
            try:
                await anyio.sleep(LONG_S)
            except anyio.get_cancelled_exc_class():
                pass
            return
            yield

        assert await timed(ordered_flat_map(swallow, [0], timeout_s=1.0)) == [(TimeoutError, 1.0)]

    strictly(run, main)


@pytest.mark.parametrize("stays", [True, False], ids=["in-the-block", "leaving"])
def test_a_sub_stream_that_swallows_its_time_out_is_cut_when_its_grace_time_is_over(
    run_asyncio: Run, stays: bool
) -> None:
    async def main() -> None:
        async def swallow(number: int) -> AsyncIterator[int]:
            try:
                await asyncio.sleep(LONG_S)
            except asyncio.CancelledError:
                pass
            try:
                yield number
            finally:
                await asyncio.sleep(LONG_S)

        stage = ordered_flat_map(swallow, [0], timeout_s=1.0, grace_s=2.0)
        if stays:
            assert await timed(stage) == [(TimeoutError, 3.0)]
        else:
            async with stage:
                await asyncio.sleep(1.5)

        assert anyio.current_time() == 3.0

    strictly(run_asyncio, main)


def test_a_time_out_of_a_sub_stream_can_be_skipped(run: Run) -> None:
    async def main() -> None:
        async def stream(number: int) -> AsyncIterator[int]:
            await anyio.sleep(2.0 if number == 1 else 0.5)
            yield number

        stage = ordered_flat_map(stream, range(3), timeout_s=1.0, on_error="skip", prefetch=3)

        assert await timed(stage) == [(0, 0.5), (2, 1.0)]

    strictly(run, main)


def test_an_interrupt_at_the_instant_of_a_time_out_leaves_nothing_behind(run: Run) -> None:
    async def main(turns: int) -> None:
        work = Work((LONG_S,), cleaning_s=0.5)
        stage = ordered_map(work, range(3), timeout_s=1.0)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: at(1.0, stage.interrupt, turns=turns))
            found = await timed(stage)

        assert found == []
        assert sorted(work.trace) == [("0 cancelled", 1.5), ("1 cancelled", 1.5)]

    for turns in range(6):
        strictly(run, main, turns)
