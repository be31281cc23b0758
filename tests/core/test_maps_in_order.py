"""`in_order`: what `asyncio.gather` takes, handed over in order, each as soon as it is there."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from typing import Any, Literal

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline import Interruption, Stage, in_order
from tests.conftest import Run
from tests.core.probes import Abort, Mishap, Work, at, strictly
from tests.core.strategies import LONG_S, TIMES
from tests.core.support import laws

Timed = list[tuple[object, float]]


async def timed(stage: Stage[Any, Any], holds_s: Sequence[float] = ()) -> Timed:
    """Enter and iterate *stage*; return what came and when."""
    found: Timed = []
    holds = iter(holds_s)
    async with stage as results:
        while True:
            try:
                outcome: object = await anext(results)
            except StopAsyncIteration:
                return found
            except (Exception, Abort) as error:  # noqa: BLE001  # it is looked at by the caller
                outcome = error
            found.append((outcome, anyio.current_time()))
            await anyio.sleep(next(holds, 0.0))


async def answer(delay_s: float, result: object) -> object:
    """Take a while, then return *result*, or raise it if it is an exception."""
    await anyio.sleep(delay_s)
    if isinstance(result, BaseException):
        raise result
    return result


# The drop-in for gather


def in_turn(delays_s: Sequence[float], holds_s: Sequence[float]) -> list[float]:
    """Return when each is handed over: once it is there and asked for, and those before are."""
    instants: list[float] = []
    asked = 0.0
    for delay_s, hold_s in zip(delays_s, holds_s, strict=True):
        instants.append(max(asked, delay_s))
        asked = instants[-1] + hold_s
    return instants


pairs = st.lists(st.tuples(TIMES, TIMES), max_size=8)


@laws
@given(
    pairs=pairs,
    failing=st.frozensets(st.integers(0, 7)),
    on_error=st.sampled_from(("raise", "return", "skip")),
)
def test_coroutines_are_started_all_at_once_and_handed_over_in_order(
    run: Run,
    pairs: list[tuple[float, float]],
    failing: frozenset[int],
    on_error: Literal["raise", "return", "skip"],
) -> None:
    async def main() -> None:
        outcomes = [Mishap(index) if index in failing else index for index in range(len(pairs))]
        delays = [delay for delay, _ in pairs]
        stage: Stage[Awaitable[object], object] = in_order(
            [answer(delay, outcome) for delay, outcome in zip(delays, outcomes, strict=True)],
            on_error=on_error,
        )

        if on_error == "skip":
            kept = [index for index in range(len(pairs)) if index not in failing]
            found = await timed(stage)
            assert found == [(index, max(delays[: index + 1])) for index in kept]
        else:
            holds = [hold for _, hold in pairs]
            found = await timed(stage, holds)
            assert found == list(zip(outcomes, in_turn(delays, holds), strict=True))

    strictly(run, main)


@laws
@given(pairs=pairs)
def test_tasks_that_already_run_are_handed_over_in_order(
    run_asyncio: Run, pairs: list[tuple[float, float]]
) -> None:
    async def main() -> None:
        tasks = [asyncio.ensure_future(answer(delay, index)) for index, (delay, _) in enumerate(pairs)]
        holds = [hold for _, hold in pairs]

        found = await timed(in_order(tasks), holds)

        assert found == list(enumerate(in_turn([delay for delay, _ in pairs], holds)))

    strictly(run_asyncio, main)


def test_a_mixture_of_what_can_be_awaited_is_handed_over_in_order(run_asyncio: Run) -> None:
    class Later:
        def __await__(self) -> Generator[Any, Any, object]:
            return answer(0.25, "awaitable").__await__()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_at(1.0, future.set_result, "future")
        done = loop.create_future()
        done.set_result("done")
        task = asyncio.ensure_future(answer(0.5, "task"))

        found = await timed(in_order([task, future, answer(0.75, "coroutine"), done, Later()]))

        assert found == [
            ("task", 0.5),
            ("future", 1.0),
            ("coroutine", 1.0),
            ("done", 1.0),
            ("awaitable", 1.0),
        ]

    strictly(run_asyncio, main)


def test_what_gather_gives_is_what_collect_gives(run_asyncio: Run) -> None:
    async def main() -> None:
        gathered = await asyncio.gather(*(answer(delay, delay) for delay in (0.5, 0.25, 0.75)))
        collected = await in_order([answer(delay, delay) for delay in (0.5, 0.25, 0.75)]).collect()

        assert collected == gathered == [0.5, 0.25, 0.75]
        assert anyio.current_time() == 1.5

    strictly(run_asyncio, main)


def test_nothing_to_await_gives_nothing(run: Run) -> None:
    async def main() -> None:
        assert await in_order([]).collect() == []

    strictly(run, main)


def test_a_task_that_is_given_twice_is_handed_over_twice(run_asyncio: Run) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(answer(0.5, "once"))

        assert await in_order([task, task]).collect() == ["once", "once"]

    strictly(run_asyncio, main)


@pytest.mark.parametrize("delay_s", [0.0, 0.5])
def test_a_coroutine_that_is_given_twice_is_awaited_once_and_handed_over_twice(
    run: Run, delay_s: float
) -> None:
    started: list[str] = []

    async def once() -> str:
        started.append("once")
        if delay_s:
            await anyio.sleep(delay_s)
        return "once"

    async def main() -> None:
        coroutine = once()

        found = await timed(in_order([answer(0.25, "a"), coroutine, answer(0.75, "c"), coroutine, coroutine]))

        second_s = max(0.25, delay_s)
        assert found == [("a", 0.25), ("once", second_s), ("c", 0.75), ("once", 0.75), ("once", 0.75)]
        assert started == ["once"]

    strictly(run, main)


def test_gather_and_collect_give_the_same_for_what_is_given_twice(run_asyncio: Run) -> None:
    class Later:
        """Awaitable once."""

        def __init__(self) -> None:
            self.iterator = answer(0.25, "awaitable").__await__()

        def __await__(self) -> Generator[Any, Any, object]:
            return self.iterator

    def given() -> list[Awaitable[object]]:
        once = [answer(0.5, 0), asyncio.ensure_future(answer(0.25, 1)), Later()]
        return [*once, answer(0.25, 3), *once]

    async def main() -> None:
        expected = [0, 1, "awaitable", 3, 0, 1, "awaitable"]
        assert await asyncio.gather(*given()) == expected
        assert await in_order(given()).collect() == expected
        assert anyio.current_time() == 1.0

    strictly(run_asyncio, main)


def test_an_error_of_a_coroutine_that_is_given_twice_comes_in_both_positions(run: Run) -> None:
    async def main() -> None:
        error = Mishap()
        failing = answer(0.5, error)

        assert await timed(in_order([failing, failing, answer(0.25, "c")])) == [
            (error, 0.5),
            (error, 0.5),
            ("c", 0.5),
        ]

    strictly(run, main)


@pytest.mark.parametrize("policy", ["return", "skip"])
def test_the_policy_holds_for_each_position_of_a_coroutine(
    run: Run, policy: Literal["return", "skip"]
) -> None:
    async def main() -> None:
        error = Mishap()
        failing = answer(0.5, error)
        given: list[Awaitable[object]] = [failing, answer(0.25, "b"), failing]

        stage: Stage[Awaitable[object], object] = in_order(given, on_error=policy)

        assert await stage.collect() == ([error, "b", error] if policy == "return" else ["b"])

    strictly(run, main)


def test_leaving_early_cancels_once_what_is_given_twice(run_asyncio: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=0.25)
        coroutine, task = work(0), asyncio.ensure_future(work(1))

        async with in_order([coroutine, task, task, coroutine]):
            await anyio.sleep(1.0)

        assert sorted(work.trace) == [("0 cancelled", 1.25), ("1 cancelled", 1.25)]
        assert task.cancelled()
        assert anyio.current_time() == 1.25

    strictly(run_asyncio, main)


def test_a_coroutine_that_is_given_twice_and_never_started_is_closed(run: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,))
        coroutine = work(0)

        async with in_order([coroutine, coroutine]):
            pass

        assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED
        assert work.running == set()

    strictly(run, main)


def test_an_interrupt_tells_each_position_of_what_is_given_twice(run: Run) -> None:
    async def main() -> None:
        twice = answer(0.5, "twice")

        async with in_order([twice, answer(LONG_S, "b"), twice]) as results:
            assert await anext(results) == "twice"
            dropped = results.interrupt().dropped
            assert (len(dropped), dropped[1]) == (2, twice)

    strictly(run, main)


def test_a_hundred_coroutines_are_not_held_back_by_any_bound(run: Run) -> None:
    async def main() -> None:
        assert await in_order(answer(1.0, index) for index in range(100)).collect() == list(range(100))
        assert anyio.current_time() == 1.0

    strictly(run, main)


def test_coroutines_start_in_order_when_the_block_is_entered(run: Run) -> None:
    started: list[int] = []

    async def note(index: int) -> int:
        started.append(index)
        await anyio.sleep(1.0)
        return index

    async def main() -> None:
        stage = in_order([note(index) for index in range(5)])
        await anyio.sleep(0.5)
        assert started == []

        async with stage as results:
            await anyio.sleep(0.5)
            assert started == [0, 1, 2, 3, 4]
            assert [result async for result in results] == [0, 1, 2, 3, 4]

        assert anyio.current_time() == 1.5

    strictly(run, main)


# Errors


def test_an_error_comes_in_its_position_and_iteration_may_go_on(run: Run) -> None:
    async def main() -> None:
        error = Mishap()
        stage = in_order([answer(0.5, "a"), answer(0.25, error), answer(0.75, "c")])

        assert await timed(stage) == [("a", 0.5), (error, 0.5), ("c", 0.75)]

    strictly(run, main)


def test_what_is_no_exception_is_raised_under_every_policy(run: Run) -> None:
    async def main(on_error: Literal["raise", "return", "skip"]) -> None:
        abort = Abort()
        stage: Stage[Awaitable[object], object] = in_order(
            [answer(0.0, abort), answer(0.0, "b")], on_error=on_error
        )

        async with stage as results:
            with pytest.raises(Abort) as caught:
                await anext(results)
            assert caught.value is abort
            assert await anext(results) == "b"

    for on_error in ("raise", "return", "skip"):
        strictly(run, main, on_error)


def test_an_error_of_a_task_that_nobody_waits_for_is_taken(run_asyncio: Run) -> None:
    async def main() -> None:
        tasks = [asyncio.ensure_future(answer(0.25, Mishap())) for _ in range(3)]

        with pytest.raises(Mishap) as caught:
            await in_order(tasks).collect()

        assert caught.value is tasks[0].exception()
        assert all(task.done() for task in tasks)

    strictly(run_asyncio, main)


def test_a_task_that_somebody_else_cancels_is_an_error_in_its_position(run_asyncio: Run) -> None:
    async def main() -> None:
        tasks = [asyncio.ensure_future(answer(1.0, index)) for index in range(3)]
        asyncio.get_running_loop().call_at(0.5, tasks[1].cancel, "elsewhere")

        (first, _), (error, _), (last, _) = await timed(in_order(tasks))

        assert (first, last) == (0, 2)
        assert type(error) is RuntimeError
        assert isinstance(error.__cause__, asyncio.CancelledError)
        assert error.__cause__.args == ("elsewhere",)

    strictly(run_asyncio, main)


def test_what_cannot_be_awaited_is_an_error_in_its_position(run: Run) -> None:
    async def main() -> None:
        items: list[Any] = [answer(0.25, "a"), 7, answer(0.25, "c")]

        (first, _), (error, _), (last, _) = await timed(in_order(items))

        assert (first, last) == ("a", "c")
        assert type(error) is TypeError

    strictly(run, main)


# Leaving early


async def _break(stage: Stage[Any, Any]) -> None:
    async with stage as results:
        async for _ in results:
            await anyio.sleep_until(1.0)
            break


async def _interrupt(stage: Stage[Any, Any]) -> None:
    async with stage as results:
        async for _ in results:
            await anyio.sleep_until(1.0)
            stage.interrupt()


async def _fail(stage: Stage[Any, Any]) -> None:
    with pytest.raises(Mishap):
        async with stage as results:
            async for _ in results:
                await anyio.sleep_until(1.0)
                raise Mishap


async def _be_cancelled(stage: Stage[Any, Any]) -> None:
    with anyio.CancelScope(deadline=1.0):
        await stage.collect()


ways = pytest.mark.parametrize("way", [_break, _interrupt, _fail, _be_cancelled])
Way = Callable[[Stage[Any, Any]], Coroutine[Any, Any, None]]


@ways
def test_leaving_early_cancels_what_was_given_and_waits_for_its_clean_up(run: Run, way: Way) -> None:
    async def main() -> None:
        work = Work((0.5, LONG_S), cleaning_s=0.25)

        await way(in_order([work(number) for number in range(4)]))

        assert sorted(work.trace) == [("1 cancelled", 1.25), ("2 cancelled", 1.25), ("3 cancelled", 1.25)]
        assert anyio.current_time() == 1.25

    strictly(run, main)


@ways
def test_leaving_early_cancels_the_tasks_and_futures_that_were_given(run_asyncio: Run, way: Way) -> None:
    async def main() -> None:
        work = Work((0.5, LONG_S), cleaning_s=0.25)
        tasks: list[asyncio.Future[int]] = [asyncio.ensure_future(work(number)) for number in range(3)]
        tasks.append(asyncio.get_running_loop().create_future())

        await way(in_order(tasks))

        assert [task.cancelled() for task in tasks] == [False, True, True, True]
        assert sorted(work.trace) == [("1 cancelled", 1.25), ("2 cancelled", 1.25)]
        assert anyio.current_time() == 1.25

    strictly(run_asyncio, main)


def test_a_task_that_does_not_end_in_its_grace_time_is_cut(run_asyncio: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,), cleaning_s=LONG_S)
        task = asyncio.ensure_future(work(0))

        async with in_order([task], grace_s=2.0):
            await anyio.sleep(1.0)

        assert work.trace == [("0 cut", 3.0)]
        assert anyio.current_time() == 3.0

    strictly(run_asyncio, main)


@pytest.mark.parametrize("wait_s", [None, 0.0, 1.0])
def test_coroutines_that_were_given_are_closed_even_if_the_block_is_left_at_once(
    run: Run, wait_s: float | None
) -> None:
    async def main() -> None:
        work = Work((LONG_S,))
        coroutines = [work(number) for number in range(3)]

        async with in_order(coroutines):
            if wait_s is not None:
                await anyio.sleep(wait_s)

        assert {inspect.getcoroutinestate(coroutine) for coroutine in coroutines} == {inspect.CORO_CLOSED}
        assert work.running == set()

    strictly(run, main)


def test_coroutines_of_a_stage_that_was_interrupted_before_it_was_entered_are_closed(run: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,))
        coroutines = [work(number) for number in range(3)]
        stage = in_order(coroutines)

        stage.interrupt()
        assert await stage.collect() == []

        assert {inspect.getcoroutinestate(coroutine) for coroutine in coroutines} == {inspect.CORO_CLOSED}

    strictly(run, main)


def test_coroutines_given_to_a_cancelled_block_are_closed(run: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,))
        coroutines = [work(number) for number in range(3)]

        with anyio.CancelScope() as scope:
            scope.cancel()
            await in_order(coroutines).collect()

        assert scope.cancelled_caught
        assert {inspect.getcoroutinestate(coroutine) for coroutine in coroutines} == {inspect.CORO_CLOSED}

    strictly(run, main)


def test_clean_up_errors_of_what_was_given_come_out(run: Run) -> None:
    async def main() -> None:
        error = Mishap()
        work = Work((LONG_S,), cleaning_errors={1: error})

        with pytest.raises(Mishap) as caught:
            async with in_order([work(number) for number in range(3)]):
                await anyio.sleep(1.0)

        assert caught.value is error

    strictly(run, main)


def test_giving_up_a_next_does_not_cancel_the_task_it_waited_for(run: Run) -> None:
    async def main() -> None:
        async with in_order([answer(1.0, "a"), answer(2.0, "b")]) as results:
            for _ in range(3):
                with anyio.move_on_after(0.25) as scope:
                    await anext(results)
                assert scope.cancelled_caught
            assert [result async for result in results] == ["a", "b"]

        assert anyio.current_time() == 2.0

    strictly(run, main)


def test_giving_up_a_next_by_asyncio_s_wait_for_does_not_cancel_the_task_it_waited_for(
    run_asyncio: Run,
) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(answer(1.0, "a"))

        async with in_order([task]) as results:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(results), 0.25)
            assert await asyncio.wait_for(anext(results), 0.5) == "a"

    strictly(run_asyncio, main)


def test_an_interrupt_tells_which_awaitables_were_dropped(run: Run) -> None:
    async def main() -> None:
        given = [answer(0.5, "a"), answer(0.25, "b"), answer(LONG_S, "c")]

        async with in_order(given) as results:
            assert await anext(results) == "a"
            assert results.interrupt() == Interruption(1, None, 0, (given[1], given[2]))

    strictly(run, main)


# Async iterables of tasks


def test_tasks_that_a_callback_appends_are_handed_over_while_more_are_made(run_asyncio: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        send, receive = anyio.create_memory_object_stream[asyncio.Task[object]](9)

        def on_sentence(sentence: str, delay_s: float) -> None:
            send.send_nowait(asyncio.ensure_future(answer(delay_s, sentence)))

        for instant_s, sentence, delay_s in ((0.5, "a", 1.0), (0.75, "b", 0.25), (1.0, "c", 2.0)):
            loop.call_at(instant_s, on_sentence, sentence, delay_s)
        loop.call_at(4.0, send.close)

        assert await timed(in_order(receive)) == [("a", 1.5), ("b", 1.5), ("c", 3.0)]
        assert anyio.current_time() == 4.0

    strictly(run_asyncio, main)


def test_coroutines_of_an_async_iterable_start_as_they_come(run: Run) -> None:
    async def replies() -> AsyncIterator[Awaitable[object]]:
        for index, delay_s in enumerate((1.0, 0.25, 0.5)):
            await anyio.sleep(0.5)
            yield answer(delay_s, index)

    async def main() -> None:
        assert await timed(in_order(replies())) == [(0, 1.5), (1, 1.5), (2, 2.0)]

    strictly(run, main)


def test_an_error_of_the_async_iterable_comes_after_what_it_gave(run: Run) -> None:
    error = Mishap()

    async def replies() -> AsyncIterator[Awaitable[object]]:
        yield answer(1.0, "a")
        raise error

    async def main() -> None:
        assert await timed(in_order(replies())) == [("a", 1.0), (error, 1.0)]

    strictly(run, main)


def test_an_error_of_a_plain_iterable_comes_after_what_it_gave(run: Run) -> None:
    error = Mishap()

    def replies() -> Iterator[Awaitable[object]]:
        yield answer(1.0, "a")
        raise error

    async def main() -> None:
        assert await timed(in_order(replies())) == [("a", 1.0), (error, 1.0)]

    strictly(run, main)


def test_leaving_early_cancels_what_an_async_iterable_gave_and_closes_it(run: Run) -> None:
    closed: list[float] = []
    work = Work((0.5, LONG_S), cleaning_s=0.25)

    async def replies() -> AsyncIterator[Awaitable[int]]:
        try:
            for number in range(3):
                yield work(number)
            await anyio.sleep(LONG_S)
        finally:
            closed.append(anyio.current_time())

    async def main() -> None:
        await _break(in_order(replies()))

        assert sorted(work.trace) == [("1 cancelled", 1.25), ("2 cancelled", 1.25)]
        assert len(closed) == 1

    strictly(run, main)


def test_an_interrupt_in_the_midst_of_an_async_iterable_leaves_no_coroutine_behind(run: Run) -> None:
    async def main(turns: int) -> None:
        async def replies() -> AsyncIterator[Awaitable[object]]:
            for index in range(3):
                await anyio.sleep_until(1.0)
                await anyio.lowlevel.checkpoint()
                yield answer(LONG_S, index)

        stage = in_order(replies())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: at(1.0, stage.interrupt, turns=turns))
            assert await stage.collect() == []

        assert anyio.current_time() == 1.0

    for turns in range(12):
        strictly(run, main, turns)


def test_an_async_iterable_may_interrupt(run: Run) -> None:
    async def main() -> None:
        async def replies() -> AsyncIterator[Awaitable[object]]:
            yield answer(LONG_S, 0)
            await anyio.sleep(1.0)
            stage.interrupt()
            yield answer(LONG_S, 1)

        stage = in_order(replies())

        assert await stage.collect() == []
        assert anyio.current_time() == 1.0

    strictly(run, main)


def test_a_plain_iterable_is_read_at_once_and_an_interrupt_in_the_midst_of_it_leaves_no_coroutine_behind(
    run: Run,
) -> None:
    async def main() -> None:
        def replies() -> Iterator[Awaitable[object]]:
            for index in range(3):
                yield answer(LONG_S, index)
                stage.interrupt()

        stage = in_order(replies())

        assert await stage.collect() == []
        assert anyio.current_time() == 0.0

    strictly(run, main)
