"""What the stage does that its peers do not: one check a row, run against each of them, in virtual time.

Rules, the same for all:

1. Each is used as its own documentation shows, in order, with a bound of 3 where it has one. A form that its
   documentation offers for more stands beside the plain one; a cell that only this form earns names it.
2. A cell is what its check found. A check that a peer passes by having read the whole source first is passed.
3. Checks run on asyncio; the last row is the first one on trio.

Run it: ``python benchmarks/comparison.py``.
"""

import asyncio
import gc
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import count
from typing import Any, Final, TypeAlias, cast

import aiostream
import anyio
import streamable

from ordered_pipeline import ordered_map
from ordered_pipeline.testing import run_in_virtual_time

BOUND: Final = 3

Transform: TypeAlias = Callable[[int], Coroutine[Any, Any, int]]
Source: TypeAlias = AsyncGenerator[int, None]
Results: TypeAlias = AbstractAsyncContextManager[AsyncIterator[object]]
Open: TypeAlias = Callable[[Transform, Source], Results]
Check: TypeAlias = Callable[[Open], Awaitable[bool]]


# ---------------------------------------------------------------- who is compared


def ours(transform: Transform, source: Source) -> Results:
    return ordered_map(transform, source, prefetch=BOUND)


@asynccontextmanager
async def gather(transform: Transform, source: Source) -> AsyncIterator[AsyncIterator[object]]:
    yield each(await asyncio.gather(*[transform(item) async for item in source]))


@asynccontextmanager
async def gather_returning(transform: Transform, source: Source) -> AsyncIterator[AsyncIterator[object]]:
    transforms = [transform(item) async for item in source]
    yield each(await asyncio.gather(*transforms, return_exceptions=True))


@asynccontextmanager
async def amap(transform: Transform, source: Source) -> AsyncIterator[AsyncIterator[object]]:
    yield each(await anyio.amap(transform, [item async for item in source]))


@asynccontextmanager
async def aiostream_map(transform: Transform, source: Source) -> AsyncIterator[AsyncIterator[object]]:
    # Its annotations ask for a function of any number of items, its code does not.
    mapped = aiostream.stream.map(source, cast("Any", transform), ordered=True, task_limit=BOUND)
    async with mapped.stream() as results:
        yield results


@asynccontextmanager
async def streamable_map(transform: Transform, source: Source) -> AsyncIterator[AsyncIterator[object]]:
    yield aiter(streamable.stream(source).map(transform, concurrency=BOUND))


@asynccontextmanager
async def streamable_buffer(transform: Transform, source: Source) -> AsyncIterator[AsyncIterator[object]]:
    yield aiter(streamable.stream(source).map(transform, concurrency=BOUND).buffer(BOUND))


async def each(results: list[Any]) -> AsyncIterator[object]:
    for result in results:
        yield result


# The form to name, and how to open it; the plain form has no name.
COMPARED: Final[dict[str, dict[str, Open]]] = {
    "`ordered_map`": {"": ours},
    "`asyncio.gather`": {"": gather, "return_exceptions": gather_returning},
    "aiostream `map`": {"": aiostream_map},
    "streamable `map`": {"": streamable_map, "buffer": streamable_buffer},
    "`anyio.amap`": {"": amap},
}


# ---------------------------------------------------------------- what is checked


class Failed(Exception):  # noqa: N818  # what an item fails with is a failure, not an error
    """What a transform fails with."""


@dataclass(slots=True)
class Work:
    """A source and a transform with stated times, and what became of them."""

    items: int
    read_s: dict[int, float] = field(default_factory=dict)
    transform_s: dict[int, float] = field(default_factory=dict)
    failing: int | None = None
    failure: Failed = field(default_factory=Failed)
    read: int = 0
    running: int = 0
    ended: int = 0
    cleaned: int = 0

    async def source(self) -> Source:
        for item in range(self.items):
            await anyio.sleep(self.read_s.get(item, 0))
            self.read += 1
            yield item

    async def transform(self, item: int) -> int:
        self.running += 1
        try:
            await anyio.sleep(self.transform_s.get(item, 1))
            if item == self.failing:
                raise self.failure
        except asyncio.CancelledError:
            # As a client that says goodbye to its server.
            await anyio.sleep(1)
            self.cleaned += 1
            raise
        finally:
            self.running -= 1
            self.ended += 1
        return item


async def gives_results_in_order(run: Open) -> bool:
    work = Work(items=4, transform_s={0: 3, 1: 1, 2: 2})
    async with run(work.transform, work.source()) as results:
        return [result async for result in results] == [0, 1, 2, 3]


async def reads_an_endless_source_in_bounds(run: Open) -> bool:
    work = Work(items=1000)
    async with run(work.transform, work.source()) as results:
        await anext(results)
        await anyio.sleep(100)
        # Who counts otherwise may read some more than the bound.
        return work.read <= 3 * BOUND


async def works_while_the_consumer_works(run: Open) -> bool:
    """Check that items are both read and transformed while the consumer is busy with the first result."""
    work = Work(items=20, read_s=dict.fromkeys(range(20), 1))
    async with run(work.transform, work.source()) as results:
        await anext(results)
        read_before = work.read
        await anyio.sleep(10)
        return work.ended > read_before


async def hands_over_what_is_ready_before_a_slow_item(run: Open) -> bool:
    work = Work(items=4, transform_s={1: 60})
    async with run(work.transform, work.source()) as results:
        return (await anext(results), anyio.current_time()) == (0, 1)


async def hands_over_what_is_ready_while_the_source_is_slow(run: Open) -> bool:
    work = Work(items=4, read_s={1: 60})
    async with run(work.transform, work.source()) as results:
        return (await anext(results), anyio.current_time()) == (0, 1)


async def raises_an_error_in_its_place(run: Open) -> bool:
    work = Work(items=5, failing=2)
    return (await outcomes(run, work))[:3] == [0, 1, work.failure]


async def goes_on_after_an_error(run: Open) -> bool:
    work = Work(items=5, failing=2)
    return (await outcomes(run, work))[-2:] == [3, 4]


async def outcomes(run: Open, work: Work) -> list[object]:
    """Return all that comes out, results and errors, of a consumer that goes on as long as it can."""
    seen: list[object] = []
    try:
        async with run(work.transform, work.source()) as results:
            for _ in count():
                try:
                    seen.append(await anext(results))
                except Failed as error:
                    seen.append(error)
    except StopAsyncIteration:
        pass
    except (Failed, ExceptionGroup) as error:
        seen.append(error)
    return seen


async def cleans_up_when_left_on_an_error(run: Open) -> bool:
    work = Work(items=3, failing=0, transform_s={1: 60, 2: 60})
    try:
        async with run(work.transform, work.source()) as results:
            raise cast("Failed", await anext(results))
    except (Failed, ExceptionGroup):
        return (work.running, work.cleaned) == (0, 2)


async def cleans_up_when_cancelled_from_outside(run: Open) -> bool:
    work = Work(items=3, transform_s=dict.fromkeys(range(3), 60))

    async def consume() -> None:
        async with run(work.transform, work.source()) as results:
            await anext(results)

    task = asyncio.create_task(consume())
    await anyio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    return (work.running, work.cleaned) == (0, 3)


CHECKS: Final[dict[str, Check]] = {
    "results in the order of the source": gives_results_in_order,
    "bounded memory, for a source that never ends": reads_an_endless_source_in_bounds,
    "new items are read and transformed while the consumer works": works_while_the_consumer_works,
    "a slow item does not hold back the ones before it": hands_over_what_is_ready_before_a_slow_item,
    "a slow source does not hold back what is finished": hands_over_what_is_ready_while_the_source_is_slow,
    "an error comes in its place, as itself": raises_an_error_in_its_place,
    "iteration may go on after an error": goes_on_after_an_error,
    "left on an error: all else is cancelled, and its clean-up awaited": cleans_up_when_left_on_an_error,
    "cancelled from outside: the same": cleans_up_when_cancelled_from_outside,
}


# ---------------------------------------------------------------- the table


def cell(forms: dict[str, Open], passes: Callable[[Open], bool]) -> str:
    """Return the cell of the first form that passes."""
    for name, run in forms.items():
        if passes(run):
            return f"with `{name}`" if name else "yes"
    return "no"


def on_asyncio(check: Check) -> Callable[[Open], bool]:
    return lambda run: run_in_virtual_time(check, run)


def on_trio(run: Open) -> bool:
    with warnings.catch_warnings():
        # What runs on asyncio alone leaves coroutines unawaited here, and fails in ways of its own.
        warnings.simplefilter("ignore")
        try:
            return run_in_virtual_time(gives_results_in_order, run, loop="trio")
        except (RuntimeError, TypeError):
            return False
        finally:
            gc.collect()


def table() -> str:
    """Return the table: a row a check, a column each of who is compared."""
    checks = {**{name: on_asyncio(check) for name, check in CHECKS.items()}, "runs on trio": on_trio}
    rows = [["", *COMPARED], ["---"] * (1 + len(COMPARED))]
    rows += [[name, *(cell(forms, passes) for forms in COMPARED.values())] for name, passes in checks.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    print(table())
    peers = ", ".join(f"{peer} {version(peer)}" for peer in ("aiostream", "anyio", "streamable"))
    print(f"\nFound by running them: {peers}.")
