"""What a flat map owes its sub-streams at the edges: their own time-outs, and their own failures."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self

import anyio
import pytest

from ordered_pipeline import in_order, ordered_flat_map
from tests.conftest import Run


def test_a_time_out_of_a_sub_stream_whose_buffer_is_full_strikes_in_it(
    run_asyncio: Run,
) -> None:
    async def results_of(_: int) -> AsyncIterator[int]:
        async with asyncio.timeout(1.0):
            yield 0
            yield 1
            await asyncio.sleep(1000.0)

    async def main() -> None:
        async with ordered_flat_map(results_of, [0], buffer=1) as results:
            assert await anext(results) == 0
            await anyio.sleep(3.0)
            assert await anext(results) == 1
            with pytest.raises(TimeoutError):
                await anext(results)
            assert anyio.current_time() == 3.0

    run_asyncio(main)


def test_a_sub_stream_that_failed_and_is_still_being_closed_is_dropped_with_its_failure(run: Run) -> None:
    class Failing:
        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> int:
            raise LookupError

        async def aclose(self) -> None:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1.0)

    async def main() -> None:
        start = anyio.current_time()
        async with ordered_flat_map(lambda _: Failing(), [0]):
            await anyio.sleep(0.5)
        assert anyio.current_time() - start == 1.0

    run(main)


def test_sub_streams_have_the_default_grace_time(run_asyncio: Run) -> None:
    async def slow_to_close(_: int) -> AsyncIterator[int]:
        try:
            await asyncio.sleep(1000.0)
            yield 0
        finally:
            await asyncio.sleep(1000.0)

    async def main() -> None:
        async with ordered_flat_map(slow_to_close, [0]):
            await anyio.sleep(1.0)
        assert anyio.current_time() == 6.0

    run_asyncio(main)


def test_what_was_given_has_the_default_grace_time(run_asyncio: Run) -> None:
    async def slow_to_close() -> None:
        try:
            await asyncio.sleep(1000.0)
        finally:
            await asyncio.sleep(1000.0)

    async def main() -> None:
        async with in_order([slow_to_close()]):
            await anyio.sleep(1.0)
        assert anyio.current_time() == 6.0

    run_asyncio(main)
