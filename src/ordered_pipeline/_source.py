"""Sources: how to read and to close whatever can be iterated."""

import inspect
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Read: TypeAlias = Callable[[], Awaitable[T]]
Close: TypeAlias = Callable[[], Awaitable[object]]


def open_source(source: AsyncIterable[T] | Iterable[T]) -> tuple[Read[T], Close]:
    """Return how to read *source* and how to close it: what is iterated is closed, in the same task."""
    if isinstance(source, AsyncIterable):
        iterator = aiter(source)
        return iterator.__anext__, getattr(iterator, "aclose", close_nothing)
    steps = iter(source)

    async def read() -> T:
        for item in steps:
            return item
        raise StopAsyncIteration

    # Of the rest only generators wait to be closed: closing a file that somebody passed would be taking it
    # away.
    if not inspect.isgenerator(steps):
        return read, close_nothing

    async def close() -> None:
        steps.close()

    return read, close


async def close_nothing() -> None:
    """Close what needs no closing."""
