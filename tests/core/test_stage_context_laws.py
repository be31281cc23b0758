"""Law 15: each transform runs in a copy of the context as it was when its item was read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextvars import ContextVar, Token, copy_context

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import clean_up, strictly
from tests.core.strategies import LONG_S, MapCase, map_cases
from tests.core.support import laws

caller: ContextVar[str] = ContextVar("caller", default="nobody")
item: ContextVar[int | None] = ContextVar("item", default=None)
own: ContextVar[int | None] = ContextVar("own", default=None)


async def numbered(count: int, gap_s: float = 0.0) -> AsyncIterator[int]:
    for number in range(count):
        await anyio.sleep(gap_s)
        item.set(number)
        yield number


@laws
@given(case=map_cases(failures=False))
def test_each_transform_has_its_own_copy_of_the_context_its_item_was_read_in(run: Run, case: MapCase) -> None:
    async def source() -> AsyncIterator[int]:
        *gaps, last = case.gaps
        for number, gap in enumerate(gaps):
            await case.pace.pause(gap)
            item.set(number)
            yield number
        await case.pace.pause(last)

    async def transform(number: int) -> tuple[str, int | None, int | None, int | None]:
        before = own.get()
        own.set(number)
        await case.pace.pause(case.works[number])
        return caller.get(), item.get(), before, own.get()

    async def main() -> None:
        caller.set("somebody")
        stage = ordered_map(transform, source(), prefetch=case.prefetch, concurrency=case.concurrency)
        holds = iter(case.holds)

        async with stage as results:
            seen = []
            async for result in results:
                seen.append(result)
                # It is the caller at the time of entering that transforms see.
                caller.set("somebody else")
                assert (item.get(), own.get()) == (None, None)
                await case.pace.pause(next(holds))

        assert seen == [("somebody", number, None, number) for number in range(len(case.works))]
        assert (caller.get(), item.get(), own.get()) == ("somebody else" if seen else "somebody", None, None)

    strictly(run, main)


def test_a_transform_sees_the_source_as_it_was_when_its_item_was_read_though_it_starts_later(
    run: Run,
) -> None:
    async def transform(number: int) -> int | None:
        await anyio.sleep(0.5)
        return item.get()

    async def main() -> None:
        stage = ordered_map(transform, numbered(4), prefetch=4, concurrency=1)

        assert await stage.collect() == [0, 1, 2, 3]

    strictly(run, main)


def test_a_plain_generator_s_variables_are_seen_too(run: Run) -> None:
    def numbers() -> Iterator[int]:
        for number in range(3):
            item.set(number)
            yield number

    async def transform(number: int) -> int | None:
        await anyio.lowlevel.checkpoint()
        return item.get()

    async def main() -> None:
        assert await ordered_map(transform, numbers(), prefetch=3).collect() == [0, 1, 2]
        assert item.get() is None

    strictly(run, main)


def test_what_a_transform_sets_before_it_returns_its_awaitable_leaks_nowhere(run: Run) -> None:
    async def rest() -> tuple[int | None, int | None]:
        await anyio.lowlevel.checkpoint()
        return item.get(), own.get()

    def transform(number: int) -> Awaitable[tuple[int | None, int | None]]:
        assert own.get() is None
        own.set(number)
        return rest()

    async def main() -> None:
        async with ordered_map(transform, numbered(3), prefetch=3) as results:
            assert [result async for result in results] == [(0, 0), (1, 1), (2, 2)]
            assert own.get() is None

    strictly(run, main)


def test_what_a_transform_that_never_waits_sets_leaks_nowhere(run: Run) -> None:
    async def transform(number: int) -> int | None:
        before = own.get()
        own.set(number)
        return before

    async def main() -> None:
        async with ordered_map(transform, numbered(5), prefetch=2, concurrency=1) as results:
            assert [result async for result in results] == [None] * 5
            assert own.get() is None

    strictly(run, main)


def test_what_a_transform_sets_does_not_reach_the_source(run: Run) -> None:
    seen: list[int | None] = []

    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            yield number
            await anyio.sleep(0.25)
            seen.append(own.get())

    async def transform(number: int) -> int:
        own.set(number)
        return number

    async def main() -> None:
        assert await ordered_map(transform, numbers()).collect() == [0, 1, 2]
        assert seen == [None, None, None]

    strictly(run, main)


def test_a_transform_may_reset_what_it_set_even_when_it_is_cancelled(run: Run) -> None:
    reset: list[int | None] = []

    async def transform(number: int) -> int:
        token: Token[int | None] = own.set(number)
        try:
            await anyio.sleep(LONG_S)
        finally:
            await clean_up(0.25)
            own.reset(token)
            reset.append(own.get())
        return number

    async def main() -> None:
        async with ordered_map(transform, range(9)):
            await anyio.sleep(1.0)

        assert reset == [None, None]

    strictly(run, main)


@pytest.mark.parametrize("gap_s", [0.0, LONG_S], ids=["parked", "pending"])
def test_a_source_may_reset_what_it_set_when_it_is_closed(run: Run, gap_s: float) -> None:
    reset: list[int | None] = []

    async def numbers() -> AsyncIterator[int]:
        token: Token[int | None] = item.set(7)
        try:
            yield 0
            await anyio.sleep(gap_s)
            yield 1
            yield 2
        finally:
            item.reset(token)
            reset.append(item.get())

    async def transform(number: int) -> int | None:
        await anyio.lowlevel.checkpoint()
        return item.get()

    async def main() -> None:
        async with ordered_map(transform, numbers()) as results:
            assert await anext(results) == 7
            await anyio.sleep(1.0)

        assert reset == [None]

    strictly(run, main)


def test_all_steps_of_a_sub_stream_share_one_copy(run: Run) -> None:
    async def stream(number: int) -> AsyncIterator[tuple[str, int | None, int | None]]:
        token = own.set(10 * number)
        try:
            for _ in range(3):
                yield caller.get(), item.get(), own.get()
                await anyio.lowlevel.checkpoint()
                own.set((own.get() or 0) + 1)
        finally:
            own.reset(token)

    async def main() -> None:
        caller.set("somebody")

        async with ordered_flat_map(stream, numbered(3), prefetch=3) as results:
            seen = [result async for result in results]
            assert own.get() is None

        assert seen == [("somebody", number, 10 * number + part) for number in range(3) for part in range(3)]

    strictly(run, main)


def test_a_sub_stream_that_is_left_early_may_reset_what_it_set(run: Run) -> None:
    reset: list[int | None] = []

    async def stream(number: int) -> AsyncIterator[int]:
        token = own.set(number)
        try:
            for _ in range(9):
                yield number
        finally:
            own.reset(token)
            reset.append(own.get())

    async def main() -> None:
        async with ordered_flat_map(stream, range(9), buffer=2) as results:
            assert await anext(results) == 0
            await anyio.sleep(1.0)

        assert reset == [None, None]

    strictly(run, main)


@laws
@given(values=st.lists(st.integers(), max_size=5))
def test_the_stages_of_a_chain_leak_nothing_into_each_other(run: Run, values: list[int]) -> None:
    async def source() -> AsyncIterator[int]:
        for value in values:
            item.set(value)
            yield value

    async def inner(value: int) -> int | None:
        await anyio.lowlevel.checkpoint()
        own.set(value)
        return item.get()

    async def outer(value: int | None) -> tuple[int | None, int | None, str]:
        await anyio.lowlevel.checkpoint()
        return value, own.get(), caller.get()

    async def main() -> None:
        caller.set("somebody")
        stage: Stage[int | None, tuple[int | None, int | None, str]] = ordered_map(
            outer, ordered_map(inner, source())
        )

        assert await stage.collect() == [(value, None, "somebody") for value in values]

    strictly(run, main)


def test_a_stage_entered_in_a_context_keeps_to_it(run_asyncio: Run) -> None:
    async def transform(number: int) -> str:
        await anyio.lowlevel.checkpoint()
        return caller.get()

    async def main() -> None:
        context = copy_context()
        context.run(caller.set, "another")
        task = context.run(asyncio.ensure_future, ordered_map(transform, range(3)).collect())

        assert await task == ["another"] * 3
        assert caller.get() == "nobody"

    strictly(run_asyncio, main)
