"""Law 13: an interrupt ends the iteration at once and tells exactly what was handed over and what was not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import anyio
import anyio.lowlevel
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from ordered_pipeline import Interruption, Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Mishap, Numbers, Work, at, clean_up, strictly
from tests.core.strategies import LONG_S, FlatCase, MapCase, flat_cases, map_cases
from tests.core.support import FlatRun, MapRun, Told, laws

# What it says


@laws
@given(case=map_cases(), eighths=st.integers(0, 40), turns=st.integers(0, 6))
def test_an_interrupt_in_the_midst_of_an_instant_tells_exactly_what_came_out(
    run: Run, case: MapCase, eighths: int, turns: int
) -> None:
    """It cannot be said from outside what must have happened by then; it must be said truly all the same."""

    async def main() -> None:
        played = MapRun(case)
        stage = played.stage()
        said: list[tuple[Interruption[int], int, int]] = []

        def interrupt() -> None:
            read = sum(event.kind == "yielded" for event in played.trace)
            said.append((stage.interrupt(), len(played.outcomes), read))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: at(eighths / 8, interrupt, turns=turns))
            async with stage as results:
                await played.consume(results)

        ((interruption, received, yielded),) = said
        assert interruption.delivered == received == len(played.outcomes)
        read = interruption.delivered + len(interruption.dropped)
        assert interruption.dropped == tuple(range(interruption.delivered, read))
        assert stage.statistics().admitted == read
        # An item that the source has just given may be on its way to the stage.
        assert yielded - 1 <= read <= yielded

    strictly(run, main)


@laws
@given(case=flat_cases(), eighths=st.integers(0, 40), turns=st.integers(0, 6))
def test_an_interrupt_in_the_midst_of_an_instant_tells_exactly_which_parts_came_out(
    run: Run, case: FlatCase, eighths: int, turns: int
) -> None:
    async def main() -> None:
        played = FlatRun(case)
        stage = played.stage()
        said: list[tuple[Interruption[int], int]] = []

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                lambda: at(
                    eighths / 8, lambda: said.append((stage.interrupt(), len(played.outcomes))), turns=turns
                )
            )
            async with stage as results:
                await played.consume(results)

        ((interruption, received),) = said
        lengths = [len(pauses) - 1 + (item in case.failing) for item, pauses in enumerate(case.streams)]
        assert received == len(played.outcomes)
        assert received == sum(lengths[: interruption.delivered]) + interruption.partial_results
        assert played.outcomes == played.in_line()[:received]
        assert interruption.partial == (interruption.delivered if interruption.partial_results else None)
        first = interruption.delivered + (interruption.partial is not None)
        assert interruption.dropped == tuple(range(first, stage.statistics().admitted))

    strictly(run, main)


def test_an_interrupt_before_anything_was_read_tells_of_nothing(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work(), Numbers((LONG_S,))) as results:
            await anyio.sleep(1.0)
            assert results.interrupt() == Interruption(
                delivered=0, partial=None, partial_results=0, dropped=()
            )

    strictly(run, main)


def test_an_interrupt_after_the_end_tells_that_all_was_handed_over(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work(), range(3)) as results:
            assert [result async for result in results] == [0, 1, 2]
            assert results.interrupt() == Interruption(
                delivered=3, partial=None, partial_results=0, dropped=()
            )

        assert results.interrupt() == Interruption(delivered=3, partial=None, partial_results=0, dropped=())

    strictly(run, main)


def test_an_interrupt_after_the_block_was_left_tells_how_it_was_left(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work((0.0, 0.0, LONG_S)), range(9), prefetch=3) as results:
            assert [await anext(results), await anext(results)] == [0, 1]
            await anyio.sleep(1.0)

        assert results.interrupt() == Interruption(
            delivered=2, partial=None, partial_results=0, dropped=(2, 3, 4)
        )

    strictly(run, main)


def test_a_stage_that_was_interrupted_before_it_was_entered_reads_nothing(run: Run) -> None:
    async def main() -> None:
        source = Numbers((0.0,) * 3)
        stage = ordered_map(Work(), source)

        assert stage.interrupt() == Interruption(delivered=0, partial=None, partial_results=0, dropped=())
        assert await stage.collect() == []

        assert source.given == 0
        assert source.closed == bool(source.tasks)

    strictly(run, main)


def test_an_interrupt_may_be_repeated_and_says_the_same(run: Run) -> None:
    async def main() -> None:
        work = Work((0.0, LONG_S), cleaning_s=0.5)

        async with ordered_map(work, range(9)) as results:
            assert await anext(results) == 0
            await anyio.sleep(1.0)
            first = results.interrupt()
            assert first == Interruption(delivered=1, partial=None, partial_results=0, dropped=(1, 2))
            assert results.interrupt() == first
            await anyio.sleep(1.0)
            assert results.interrupt() == first

        assert results.interrupt() == first
        assert sorted(work.trace) == [("1 cancelled", 1.5), ("2 cancelled", 1.5)]

    strictly(run, main)


def test_an_item_that_has_not_ended_is_partial_though_all_it_gave_was_handed_over(run: Run) -> None:
    async def stalling(number: int) -> AsyncIterator[int]:
        yield number
        await anyio.sleep(LONG_S)

    async def main() -> None:
        async with ordered_flat_map(stalling, [5, 6]) as results:
            assert await anext(results) == 5
            await anyio.sleep(1.0)
            assert results.interrupt() == Interruption(0, 5, 1, (6,))

    strictly(run, main)


def test_items_that_were_skipped_count_as_delivered_once_their_turn_has_passed(run: Run) -> None:
    async def main() -> None:
        work = Work((0.0, 0.0, LONG_S, 0.0), errors={0: Mishap(), 1: Mishap(), 3: Mishap()})

        async with ordered_map(work, range(9), prefetch=3, on_error="skip") as results:
            await anyio.sleep(1.0)
            assert results.interrupt() == Interruption(2, None, 0, (2, 3, 4))

    strictly(run, main)


def test_an_item_whose_error_was_raised_counts_as_delivered(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work(errors={0: Mishap(), 1: Mishap()}), range(2)) as results:
            with pytest.raises(Mishap):
                await anext(results)
            await anyio.sleep(1.0)
            assert results.interrupt() == Interruption(1, None, 0, (1,))

    strictly(run, main)


# From wherever it is called


def test_a_consumer_that_waits_is_let_go_at_once(run: Run) -> None:
    async def main() -> None:
        work = Work((0.5, LONG_S), cleaning_s=2.0)

        async with anyio.create_task_group() as tasks:
            async with ordered_map(work, range(9)) as results:
                tasks.start_soon(at, 1.0, results.interrupt)
                assert [result async for result in results] == [0]
                # It has not waited for the clean-up; leaving the block does.
                assert anyio.current_time() == 1.0
            assert anyio.current_time() == 3.0

    strictly(run, main)


def test_a_callback_of_an_asyncio_loop_may_interrupt(run_asyncio: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        work, told = Work((0.5, LONG_S)), Told()

        async with ordered_map(work, range(9), observer=told) as results:
            loop.call_at(1.0, results.interrupt)
            loop.call_at(1.0, loop.call_soon_threadsafe, results.interrupt)
            assert [result async for result in results] == [0]
            assert anyio.current_time() == 1.0

        assert results.interrupt() == Interruption(1, None, 0, (1, 2))
        assert told.told_of(2) == [("admitted", 0.5), ("started", 0.5), ("discarded", 1.0)]

    strictly(run_asyncio, main)


def test_a_callback_of_a_trio_loop_may_interrupt(run_trio: Run) -> None:
    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        work, told = Work((0.5, LONG_S)), Told()

        stage = ordered_map(work, range(9), observer=told)
        async with anyio.create_task_group() as tasks, stage as results:
            tasks.start_soon(at, 1.0, lambda: token.run_sync_soon(results.interrupt))
            assert [result async for result in results] == [0]
            assert anyio.current_time() == 1.0

        assert results.interrupt() == Interruption(1, None, 0, (1, 2))

    strictly(run_trio, main)


@pytest.mark.parametrize("first", ["interrupt", "cancel"])
def test_a_consumer_that_is_interrupted_and_cancelled_in_one_turn_is_cancelled(run: Run, first: str) -> None:
    async def main() -> None:
        work, reached = Work((0.5, LONG_S)), False
        stage = ordered_map(work, range(9))

        with anyio.CancelScope() as scope:
            steps: list[Callable[[], object]] = [stage.interrupt, scope.cancel]
            if first == "cancel":
                steps.reverse()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(at, 1.0, lambda: [step() for step in steps])
                assert await stage.collect() == [0]
                await anyio.lowlevel.checkpoint()
                reached = True

        assert not reached
        assert scope.cancelled_caught
        assert anyio.current_time() == 1.0
        assert work.running == set()

    strictly(run, main)


def test_nothing_more_is_handed_over_though_it_is_ready(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work(), range(9), prefetch=4) as results:
            assert await anext(results) == 0
            await anyio.sleep(1.0)
            assert results.statistics().ready == 4
            assert results.interrupt().dropped == (1, 2, 3, 4)
            assert [result async for result in results] == []
            with pytest.raises(StopAsyncIteration):
                await anext(results)
            assert results.statistics().waiting_for == "nothing"

    strictly(run, main)


def test_a_consumer_may_interrupt_between_two_results(run: Run) -> None:
    async def main() -> None:
        received: list[int] = []

        async with ordered_map(Work((0.25,)), range(9), prefetch=3) as results:
            async for result in results:
                received.append(result)
                await anyio.sleep(0.125)
                if result == 1:
                    assert results.interrupt() == Interruption(2, None, 0, (2, 3, 4))

        assert received == [0, 1]

    strictly(run, main)


def test_a_transform_may_interrupt(run: Run) -> None:
    async def main() -> None:
        interruptions: list[Interruption[int]] = []
        ended: list[int] = []

        async def transform(number: int) -> int:
            await anyio.sleep(0.5 * number)
            if number == 2:
                interruptions.append(stage.interrupt())
                try:
                    await anyio.sleep(LONG_S)
                finally:
                    await clean_up(0.5)
                    ended.append(number)
            return number

        stage = ordered_map(transform, range(9), prefetch=3)
        async with stage as results:
            assert [result async for result in results] == [0, 1]
            assert anyio.current_time() == 1.0

        assert interruptions == [Interruption(2, None, 0, (2, 3, 4))]
        assert ended == [2]
        assert anyio.current_time() == 1.5

    strictly(run, main)


def test_a_transform_may_interrupt_before_it_waits_for_anything(run: Run) -> None:
    async def main() -> None:
        started: list[int] = []

        async def transform(number: int) -> int:
            started.append(number)
            if number == 1:
                stage.interrupt()
            return number

        stage = ordered_map(transform, range(9), prefetch=1)
        received = await stage.collect()

        assert started == [0, 1]
        assert received == list(range(stage.interrupt().delivered))
        assert stage.interrupt().dropped == tuple(range(len(received), 2))

    strictly(run, main)


def test_a_sub_stream_may_interrupt(run: Run) -> None:
    async def main() -> None:
        async def stream(number: int) -> AsyncIterator[int]:
            yield number
            await anyio.sleep(0.5)
            if number == 1:
                stage.interrupt()
            yield number

        stage = ordered_flat_map(stream, range(9), concurrency=1)
        received = await stage.collect()

        assert received == [0, 0, 1]
        assert stage.interrupt() == Interruption(1, 1, 1, (2,))

    strictly(run, main)


def test_a_source_may_interrupt_and_what_it_gives_then_is_not_read(run: Run) -> None:
    async def main() -> None:
        interruptions: list[Interruption[int]] = []
        work = Work()

        async def numbers() -> AsyncIterator[int]:
            yield 0
            yield 1
            await anyio.sleep(1.0)
            interruptions.append(stage.interrupt())
            yield 2

        stage = ordered_map(work, numbers(), prefetch=5)
        async with stage as results:
            assert [result async for result in results] == [0, 1]

        assert interruptions == [Interruption(2, None, 0, ())]
        assert work.started == [0, 1]
        assert stage.statistics().admitted == 2

    strictly(run, main)


def test_a_plain_generator_may_interrupt(run: Run) -> None:
    async def main() -> None:
        work = Work((LONG_S,))

        def numbers() -> Iterator[int]:
            yield 0
            stage.interrupt()
            yield 1

        stage = ordered_map(work, numbers())

        assert await stage.collect() == []
        assert stage.interrupt() == Interruption(0, None, 0, (0,))
        # The transform of item 0 may have been on its way.
        assert work.started in ([], [0])

    strictly(run, main)


class Interrupter(Told):
    """An observer that interrupts at one of its calls, and notes what came of it."""

    def __init__(self, call: str, index: int) -> None:
        super().__init__()
        self.stage: Stage[int, int] | None = None
        self.interruptions: list[Interruption[int]] = []
        self._at = (call, index)

    @override
    def keep(self, call: str, index: int, item: object, time: float) -> None:
        super().keep(call, index, item, time)
        if (call, index) == self._at and self.stage is not None:
            self.interruptions.append(self.stage.interrupt())


@pytest.mark.parametrize("call", ["admitted", "started", "settled", "delivered"])
@pytest.mark.parametrize("delays_s", [(0.25,), (0.5, 0.25, 0.125, 0.0)], ids=["even", "reversed"])
def test_an_observer_may_interrupt(run: Run, call: str, delays_s: tuple[float, ...]) -> None:
    async def main() -> None:
        observer = Interrupter(call, 2)
        stage = ordered_map(Work(delays_s), Numbers((0.0,) * 9), prefetch=3, concurrency=2, observer=observer)
        observer.stage = stage

        received = await stage.collect()

        (interruption,) = observer.interruptions
        read = sum(name == "admitted" for name, _, _ in observer.calls)
        assert received == list(range(interruption.delivered))
        assert interruption.dropped == tuple(range(interruption.delivered, read))
        # Each item ends once, and what the interrupt counts as delivered is told as delivered.
        ends = [(name, index) for name, index, _ in observer.calls if name in ("delivered", "discarded")]
        assert sorted(ends, key=lambda end: end[1]) == [
            ("delivered" if index < interruption.delivered else "discarded", index) for index in range(read)
        ]
        after = observer.calls[observer.calls.index((call, 2, observer.calls[-1][2])) + 1 :]
        assert {name for name, _, _ in after} <= {"discarded"}

    strictly(run, main)


def test_an_observer_may_interrupt_when_an_item_is_skipped(run: Run) -> None:
    async def main() -> None:
        observer = Interrupter("discarded", 1)
        work = Work((0.25,), errors={1: Mishap()})
        stage = ordered_map(work, Numbers((0.0,) * 9), prefetch=3, on_error="skip", observer=observer)
        observer.stage = stage

        received = await stage.collect()

        (interruption,) = observer.interruptions
        assert received == [0][: interruption.delivered]
        assert interruption.delivered + len(interruption.dropped) == stage.statistics().admitted

    strictly(run, main)


def test_an_inner_stage_that_is_interrupted_ends_the_outer_ones_after_what_they_had(run: Run) -> None:
    async def main() -> None:
        inner = ordered_map(Work((0.25,)), Numbers((0.0,) * 9))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(at, 0.375, inner.interrupt)
            async with ordered_map(Work((0.5,)), inner) as results:
                assert [result async for result in results] == [0, 1]

        assert anyio.current_time() == 0.75
        assert inner.interrupt() == Interruption(2, None, 0, (2, 3))

    strictly(run, main)


def test_what_the_source_fails_with_after_an_interrupt_comes_out_when_the_block_is_left(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        async def numbers() -> AsyncIterator[int]:
            yield 0
            try:
                await anyio.sleep(LONG_S)
            finally:
                raise error

        with pytest.raises(Mishap) as caught:
            async with ordered_map(Work(), numbers()) as results:
                await anyio.sleep(1.0)
                results.interrupt()
                assert [result async for result in results] == []
                await anyio.sleep(1.0)

        assert caught.value is error
        assert anyio.current_time() == 2.0

    strictly(run, main)


@pytest.mark.parametrize("use", [Stage.collect, Stage.for_each])
def test_what_iterates_for_the_caller_ends_with_an_interrupt(run: Run, use: Callable[..., object]) -> None:
    async def main() -> None:
        work = Work((0.5, LONG_S))
        stage = ordered_map(work, range(9))
        received: list[int] = []

        async def receive(result: int) -> None:
            received.append(result)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(at, 1.0, stage.interrupt)
            if use is Stage.collect:
                assert await stage.collect() == [0]
            else:
                assert await stage.for_each(receive) == 1
                assert received == [0]

        assert anyio.current_time() == 1.0

    strictly(run, main)


def test_an_interrupted_stage_reads_no_more_of_a_plain_iterable(run: Run) -> None:
    async def main() -> list[int]:
        read: list[int] = []

        def numbers() -> Iterator[int]:
            for number in range(9):
                read.append(number)
                yield number

        async with ordered_map(Work((LONG_S,)), numbers(), prefetch=2) as results:
            await anyio.sleep_until(1.0)
            results.interrupt()
            await anyio.sleep_until(2.0)
        return read

    assert run(main) == [0, 1]
