"""What strikes when: cuts after the grace time, and scopes of the source's while the stage is parked."""

import asyncio
import types
from collections.abc import AsyncIterator, Generator
from typing import Self

import anyio
import pytest

from ordered_pipeline import ordered_map
from tests.conftest import Run

# Cut when the grace time is over, at the next step, and then at growing intervals.
CUTS = [3.0, 3.0, 3.0 + 1 / 1024, 3.0 + 3 / 1024, 3.0 + 7 / 1024]


async def outlast(struck: list[float], cancellations: int) -> None:
    while len(struck) < cancellations:
        try:
            await asyncio.sleep(1000.0)
        except asyncio.CancelledError:
            struck.append(anyio.current_time())


async def echo(item: object) -> object:
    return item


def cancelling() -> int:
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


def test_a_transform_that_outlasts_cuts_is_cut_at_growing_intervals(run_asyncio: Run) -> None:
    async def main() -> None:
        struck: list[float] = []

        async def stubborn(_: int) -> None:
            await outlast(struck, 6)

        async with ordered_map(stubborn, [0], grace_s=2.0):
            await anyio.sleep(1.0)

        assert struck == [1.0, *CUTS]

    run_asyncio(main)


def test_a_read_that_outlasts_cuts_is_cut_at_growing_intervals(run_asyncio: Run) -> None:
    async def main() -> None:
        struck: list[float] = []

        async def source() -> AsyncIterator[int]:
            await outlast(struck, 6)
            yield 0

        async with ordered_map(echo, source(), grace_s=2.0):
            await anyio.sleep(1.0)

        assert struck == [1.0, *CUTS]

    run_asyncio(main)


def test_a_close_that_outlasts_cuts_is_cut_at_growing_intervals(run_asyncio: Run) -> None:
    class Source:
        def __init__(self) -> None:
            self.struck: list[float] = []

        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> int:
            return 0

        async def aclose(self) -> None:
            await outlast(self.struck, 5)

    async def main() -> None:
        source = Source()
        async with ordered_map(echo, source, prefetch=1, grace_s=2.0):
            await anyio.sleep(1.0)

        assert source.struck == CUTS

    run_asyncio(main)


@pytest.mark.parametrize(("outlasted", "of_its_own"), [(0, 0), (1, 0), (0, 1)])
def test_a_source_is_closed_with_the_cancellations_that_are_its_own(
    run_asyncio: Run, outlasted: int, of_its_own: int
) -> None:
    class Source:
        left_over = -1

        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> int:
            await outlast([], outlasted)
            try:
                await asyncio.sleep(1000.0)
            finally:
                task = asyncio.current_task()
                assert task is not None
                for _ in range(of_its_own):
                    task.cancel()
            raise AssertionError

        async def aclose(self) -> None:
            self.left_over = cancelling()

    async def main() -> None:
        source = Source()
        async with ordered_map(echo, source, grace_s=2.0):
            await anyio.sleep(1.0)

        assert source.left_over == of_its_own

    run_asyncio(main)


def test_a_scope_of_the_sources_that_fires_while_the_window_is_full_strikes_in_the_source(run: Run) -> None:
    async def source() -> AsyncIterator[str]:
        with anyio.move_on_after(1.0):
            yield "before"
            await anyio.sleep(1000.0)
        yield "after"

    async def slow(item: str) -> str:
        await anyio.sleep(3.0)
        return item

    async def main() -> None:
        start = anyio.current_time()
        got: list[tuple[str, float]] = []
        async with ordered_map(slow, source(), prefetch=1) as results:
            got.extend([(result, anyio.current_time() - start) async for result in results])

        assert got == [("before", 3.0), ("after", 6.0)]

    run(main)


def test_a_feeding_task_cancelled_before_its_first_step_hands_that_to_the_source(
    run_asyncio: Run,
) -> None:
    async def source() -> AsyncIterator[int]:
        await asyncio.sleep(1.0)
        yield 0

    async def main() -> None:
        async with ordered_map(echo, source()) as results:
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            with pytest.raises(RuntimeError, match=r"^the source was cancelled, but not by the stage$"):
                await anext(results)

    run_asyncio(main)


def test_on_trio_a_transform_that_waits_for_another_loop_fails_in_its_place(run_trio: Run) -> None:
    @types.coroutine
    def wait_for_another_loop() -> Generator[object, None, None]:
        yield object()

    async def transform(number: int) -> int:
        if number == 1:
            await wait_for_another_loop()
        return number

    async def main() -> None:
        async with ordered_map(transform, range(3)) as results:
            assert await anext(results) == 0
            with pytest.raises(TypeError, match=r"^trio\.run received unrecognized yield message"):
                await anext(results)
            assert await anext(results) == 2

    run_trio(main)
