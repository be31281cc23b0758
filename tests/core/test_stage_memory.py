"""Memory is that of the items in flight, however many items there are: the last part of law 2.

These runs take real time, for there are many items; the clock has no part in them.
"""

import gc
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator

import anyio.lowlevel
import pytest

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from tests.conftest import Run

# What is allocated at one instant and not at another: garbage in cycles, a table that grows. In a process
# that runs other tests as well, 40,420 bytes were seen; to keep but one pointer of every other result would
# take 360,000.
BY_CHANCE_BYTES = 100_000


async def half(item: int) -> int:
    await anyio.lowlevel.checkpoint()
    if item % 2:
        raise ValueError(item)
    return item


async def many_of(item: int) -> AsyncIterator[int]:
    for _ in range(25):
        yield item


def mapped(source: Iterator[int]) -> Stage[int, int]:
    return ordered_map(half, source, prefetch=16, on_error="skip")


def flattened(source: Iterator[int]) -> Stage[int, int]:
    return ordered_flat_map(many_of, source, prefetch=16, buffer=2)


@pytest.mark.parametrize(("make_stage", "items"), [(mapped, 100_000), (flattened, 4_000)])
def test_a_hundred_thousand_results_take_no_more_memory_than_the_first_ten_thousand(
    run: Run, make_stage: Callable[[Iterator[int]], Stage[int, int]], items: int
) -> None:
    peaks: list[int] = []

    def source() -> Iterator[int]:
        for item in range(items):
            # The first peak is not that of the very start, where modules are loaded.
            if item in {items // 100, items // 10}:
                gc.collect()
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
            yield item

    async def main() -> None:
        async with make_stage(source()) as results:
            async for _ in results:
                pass
        peaks.append(tracemalloc.get_traced_memory()[1])

    tracemalloc.start()
    try:
        run(main)
    finally:
        tracemalloc.stop()

    _, first, rest = peaks
    assert rest - first < BY_CHANCE_BYTES
