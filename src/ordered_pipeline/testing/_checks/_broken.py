"""A broken promise, and what all checks look at."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Final, TypeVar

import anyio

T = TypeVar("T")
StreamT = TypeVar("StreamT", bound=AsyncIterator[object])

# Shorter than any service takes to answer over a network, longer than it takes to ask.
_MOMENT_S: Final = 0.02
_CLEAN_UP_S: Final = 1.0


class ContractBroken(AssertionError):  # noqa: N818  # it tells of somebody else's error
    """A service does not keep a promise of its role; the message says which."""


@contextmanager
def within(limit_s: float, promise: str) -> Generator[None]:
    """Bound a block in time.

    Raises:
        ContractBroken: The block was not through after *limit_s* seconds; *promise* says what it must do.
    """
    with anyio.move_on_after(limit_s) as scope:
        yield
    # What shields itself is not cut off, but late.
    if scope.cancelled_caught or anyio.current_time() > scope.deadline:
        raise ContractBroken(f"{promise} within {limit_s:g} s, but did not")


def expect_stream(stream: object, call: str) -> None:
    """Check that a service's answer is an async iterator and not an awaitable of one.

    Raises:
        ContractBroken: It is not.
    """
    if not (hasattr(stream, "__anext__") and hasattr(stream, "__aiter__")):
        name = type(stream).__name__
        if isinstance(stream, Coroutine):
            stream.close()  # it would complain that nobody awaited it
        raise ContractBroken(f"{call} must return an async iterator, got {name}")


def expect_type(value: object, kind: type, name: str) -> None:
    """Check that *value* is of the type that annotations promise: not everybody runs a type checker.

    Raises:
        ContractBroken: It is not; *name* says what it is.
    """
    if not isinstance(value, kind):
        raise ContractBroken(f"{name} must be {kind.__name__}, got {value!r:.80}")


def expect_lazy(call: str, begin: Callable[[], T]) -> T:
    """Return what *begin* returns.

    Raises:
        ContractBroken: It started a task: work must wait for the first ``__anext__``.
    """
    before = len(anyio.get_running_tasks())
    stream = begin()
    if len(anyio.get_running_tasks()) > before:
        raise ContractBroken(f"{call} must start nothing before the first __anext__, but started a task")
    return stream


@asynccontextmanager
async def closing(stream: StreamT) -> AsyncGenerator[StreamT]:
    """Close *stream* when the block is left, however that is, if it has an ``aclose``."""
    try:
        yield stream
    finally:
        close: Callable[[], Awaitable[object]] | None = getattr(stream, "aclose", None)
        if close is not None:
            # Bounded, because this is also how a stream that does not close is left.
            with anyio.move_on_after(_CLEAN_UP_S, shield=True):
                await close()


async def expect_closing(stream: AsyncIterator[object], call: str, close_s: float) -> None:
    """Close *stream*, twice, and check that nothing more comes out of it; do nothing if it has no ``aclose``.

    Raises:
        ContractBroken: Closing took too long, or the stream went on.
    """
    close: Callable[[], Awaitable[object]] | None = getattr(stream, "aclose", None)
    if close is None:
        return
    with within(close_s, f"aclose of what {call} returns must end"):
        await close()
        await close()
    with within(close_s, f"what {call} returns must be over after aclose"):
        async for _ in stream:
            raise ContractBroken(f"what {call} returns must be over after aclose, but gave one more item")


async def expect_cancelling(stream: AsyncIterator[object], call: str, close_s: float) -> None:
    """Cancel the wait for the first item of *stream*, then close it.

    Raises:
        ContractBroken: That took too long.
    """
    with within(_MOMENT_S + close_s, f"a cancelled wait for what {call} returns must end"):
        with anyio.move_on_after(_MOMENT_S):
            async for _ in stream:
                break  # it was quicker than that: then it is closed in the middle
    await expect_closing(stream, call, close_s)
