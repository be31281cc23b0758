"""The contenders: one way each to transform a source's items concurrently and consume the results in order.

Rules, the same for all:

1. The source is one plain async generator of ints. A contender that cannot take one reads it into a list
   first, inside the measured time, and says so.
2. `prefetch` is the most items at once, as the contender counts them. One without a bound says so.
3. Each result is given to `consume`, a plain function, in source order.
4. Nothing is made slower than a user of that library would write it.

Each entry of `CONTENDERS` is a factory: it returns the function to measure, or `None` on an event loop that
its library cannot run on. It raises `ImportError` where the library is not installed.
"""

import asyncio
import functools
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias, cast

import trio

from ordered_pipeline import ordered_map

Transform: TypeAlias = Callable[[int], Coroutine[Any, Any, int]]
Consume: TypeAlias = Callable[[int], object]
Source: TypeAlias = AsyncGenerator[int, None]
Run: TypeAlias = Callable[[Transform, Source, int, Consume], Awaitable[None]]
Factory: TypeAlias = Callable[..., Run | None]


def floor(*, on_trio: bool) -> Run | None:
    """Return the shortest correct window one writes by hand: order and bound, no errors, no clean-up."""
    return _nursery_window if on_trio else _task_window


async def _task_window(transform: Transform, source: Source, prefetch: int, consume: Consume) -> None:
    tasks: deque[asyncio.Task[int]] = deque()
    async for item in source:
        tasks.append(asyncio.create_task(transform(item)))
        if len(tasks) == prefetch:
            consume(await tasks.popleft())
    while tasks:
        consume(await tasks.popleft())


async def _nursery_window(transform: Transform, source: Source, prefetch: int, consume: Consume) -> None:
    slots: deque[_Slot] = deque()
    async with trio.open_nursery() as nursery:
        async for item in source:
            slot = _Slot()
            nursery.start_soon(slot.fill, transform, item)
            slots.append(slot)
            if len(slots) == prefetch:
                consume(await slots.popleft().take())
        while slots:
            consume(await slots.popleft().take())


class _Slot:
    __slots__ = ("done", "result")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.result = 0

    async def fill(self, transform: Transform, item: int) -> None:
        self.result = await transform(item)
        self.done.set()

    async def take(self) -> int:
        # Waiting for an event that is set costs as much as a suspension, where awaiting an asyncio task that
        # is done costs nothing. Asking first spares the floor on trio that cost as well.
        if not self.done.is_set():
            await self.done.wait()
        return self.result


def ours(*, on_trio: bool) -> Run | None:
    """Return `ordered_map`, with all its laws."""
    del on_trio

    async def run(transform: Transform, source: Source, prefetch: int, consume: Consume) -> None:
        async with ordered_map(transform, source, prefetch=prefetch) as results:
            async for result in results:
                consume(result)

    return run


def gather(*, on_trio: bool) -> Run | None:
    """Return `asyncio.gather`: reads the whole source into a list first, has no bound."""
    if on_trio:
        return None

    async def run(transform: Transform, source: Source, prefetch: int, consume: Consume) -> None:
        del prefetch
        for result in await asyncio.gather(*[transform(item) async for item in source]):
            consume(result)

    return run


def anyio_amap(*, on_trio: bool) -> Run | None:
    """Return `anyio.amap` (anyio 4.15 and up): reads the whole source into a list first, has no bound."""
    del on_trio
    from anyio import amap  # noqa: PLC0415  # not in every anyio that the package itself works with

    async def run(transform: Transform, source: Source, prefetch: int, consume: Consume) -> None:
        del prefetch
        for result in await amap(transform, [item async for item in source]):
            consume(result)

    return run


def aiostream(*, on_trio: bool) -> Run | None:
    """Return aiostream's ordered `stream.map` with a task limit."""
    if on_trio:
        return None
    from aiostream import stream  # noqa: PLC0415  # a peer need not be installed

    async def run(transform: Transform, source: Source, prefetch: int, consume: Consume) -> None:
        # Its annotations ask for a function of any number of items, its code does not.
        mapped = stream.map(source, cast("Any", transform), ordered=True, task_limit=prefetch)
        async with mapped.stream() as results:
            async for result in results:
                consume(result)

    return run


def streamable(*, on_trio: bool) -> Run | None:
    """Return streamable's ordered concurrent `map`; it runs items one after another where prefetch is 1."""
    if on_trio:
        return None
    from streamable import stream  # noqa: PLC0415  # a peer need not be installed

    async def run(transform: Transform, source: Source, prefetch: int, consume: Consume) -> None:
        async for result in stream(source).map(transform, concurrency=prefetch):
            consume(result)

    return run


def aiometer(*, on_trio: bool) -> Run | None:
    """Return `aiometer.run_all`, its ordered function: reads the whole source into a list first."""
    del on_trio
    from aiometer import run_all  # noqa: PLC0415  # a peer need not be installed

    async def run(transform: Transform, source: Source, prefetch: int, consume: Consume) -> None:
        calls = [functools.partial(transform, item) async for item in source]
        for result in await run_all(calls, max_at_once=prefetch):
            consume(result)

    return run


CONTENDERS: Final[dict[str, Factory]] = {
    "floor": floor,
    "ours": ours,
    "gather": gather,
    "anyio.amap": anyio_amap,
    "aiostream": aiostream,
    "streamable": streamable,
    "aiometer": aiometer,
}
