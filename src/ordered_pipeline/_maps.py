"""The three ways to make a stage, and what they refuse."""

import math
from collections.abc import AsyncIterable, Awaitable, Callable, Collection, Iterable
from typing import Any, Final, Generic, Literal, TypeVar, overload

import anyio

from ordered_pipeline import _errors
from ordered_pipeline._report import StageObserver
from ordered_pipeline._stage import Stage

T = TypeVar("T")
R = TypeVar("R")

_GRACE: Final = "cancelled work needs some time to clean up; the default is 5.0"


@overload
def ordered_map(
    transform: Callable[[T], Awaitable[R]],
    source: AsyncIterable[T] | Iterable[T],
    *,
    prefetch: int = 2,
    concurrency: int | None = None,
    on_error: Literal["raise", "skip"] = "raise",
    timeout_s: float | None = None,
    grace_s: float = 5.0,
    observer: StageObserver[T] | None = None,
) -> Stage[T, R]: ...
@overload
def ordered_map(
    transform: Callable[[T], Awaitable[R]],
    source: AsyncIterable[T] | Iterable[T],
    *,
    prefetch: int = 2,
    concurrency: int | None = None,
    on_error: Literal["return"],
    timeout_s: float | None = None,
    grace_s: float = 5.0,
    observer: StageObserver[T] | None = None,
) -> Stage[T, R | Exception]: ...
def ordered_map(
    transform: Callable[[T], Awaitable[R]],
    source: AsyncIterable[T] | Iterable[T],
    *,
    prefetch: int = 2,
    concurrency: int | None = None,
    on_error: Literal["raise", "return", "skip"] = "raise",
    timeout_s: float | None = None,
    grace_s: float = 5.0,
    observer: StageObserver[T] | None = None,
) -> Stage[T, Any]:
    """Transform items concurrently, ahead of the consumer, and hand the results over in order.

    Gives what ``async for item in source: await consume(await transform(item))`` gives, only earlier.
    Transforms start in source order. Each runs in a copy of the context as it was when its item was read.

    Args:
        transform: Returns an awaitable for an item.
        source: Where items come from. The stage owns its iterator: one task iterates it, and closes it if it
            has ``aclose`` or is a generator. A `Stage` is entered and left.
        prefetch: Most items in flight: read from the source and not yet handed over. At least 1.
        concurrency: Most transforms running, 1 to *prefetch*; None for as many as *prefetch*.
        on_error: What comes in the place of a result when a transform fails: its exception is raised, or
            returned as the result, or the item is skipped. What the source fails with is always raised.
        timeout_s: For each item's transform, in seconds above 0; None for no limit.
        grace_s: Clean-up time of cancelled transforms and of the source, in seconds above 0. On asyncio, what
            is not done by then is cut; on trio, shielded clean-up is waited for.
        observer: Told of each item's life.

    Returns:
        The stage, to be entered.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has the wrong value.
    """
    _check_common(transform, source, prefetch, concurrency)
    _check_times(timeout_s, grace_s)
    _errors.check_choice("on_error", on_error, ("raise", "return", "skip"))
    return Stage(
        transform,
        source,
        prefetch=prefetch,
        concurrency=prefetch if concurrency is None else concurrency,
        on_error=on_error,
        timeout_s=timeout_s,
        grace_s=grace_s,
        observer=observer,
    )


def ordered_flat_map(
    transform: Callable[[T], AsyncIterable[R]],
    source: AsyncIterable[T] | Iterable[T],
    *,
    prefetch: int = 2,
    concurrency: int | None = None,
    buffer: int = 64,
    on_error: Literal["raise", "skip"] = "raise",
    timeout_s: float | None = None,
    grace_s: float = 5.0,
    observer: StageObserver[T] | None = None,
) -> Stage[T, R]:
    """Transform each item into a stream of results, concurrently, and hand all results over in order.

    The results of an item never mix with those of the next. Those of the oldest item in flight pass through
    the moment they come; later items run ahead, up to *buffer* results each.

    Args:
        transform: Returns an async iterable for an item; it is iterated and closed in one task.
        source: As for `ordered_map`.
        prefetch: Most items in flight: read from the source, and not all of their results handed over. At
            least 1.
        concurrency: Most items transformed at a time, 1 to *prefetch*; None for as many as *prefetch*.
        buffer: Most results held for each item, at least 1.
        on_error: Whether an item's exception is raised, after the results that it gave before, or left out.
        timeout_s: For each item's first result, in seconds above 0; None for no limit.
        grace_s: As for `ordered_map`.
        observer: Told of each item's life.

    Returns:
        The stage, to be entered.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has the wrong value.
    """
    _check_common(transform, source, prefetch, concurrency)
    _check_times(timeout_s, grace_s)
    _errors.check_count("buffer", buffer, "use buffer=1 to hold one result of an item at a time")
    _errors.check_choice("on_error", on_error, ("raise", "skip"))
    return Stage(
        transform,
        source,
        prefetch=prefetch,
        concurrency=prefetch if concurrency is None else concurrency,
        on_error=on_error,
        timeout_s=timeout_s,
        grace_s=grace_s,
        observer=observer,
        buffer=buffer,
    )


@overload
def in_order(
    awaitables: Iterable[Awaitable[R]] | AsyncIterable[Awaitable[R]],
    *,
    on_error: Literal["raise", "skip"] = "raise",
    grace_s: float = 5.0,
) -> Stage[Awaitable[R], R]: ...
@overload
def in_order(
    awaitables: Iterable[Awaitable[R]] | AsyncIterable[Awaitable[R]],
    *,
    on_error: Literal["return"],
    grace_s: float = 5.0,
) -> Stage[Awaitable[R], R | Exception]: ...
def in_order(
    awaitables: Iterable[Awaitable[R]] | AsyncIterable[Awaitable[R]],
    *,
    on_error: Literal["raise", "return", "skip"] = "raise",
    grace_s: float = 5.0,
) -> Stage[Awaitable[R], Any]:
    """Hand over what awaitables give, in order, each as soon as it is there: ``gather`` without the wait.

    Takes what ``gather`` takes: tasks and futures that already run, and coroutines, which are started all at
    once when the block is entered. Leaving the block early cancels what was given and has not ended, and
    waits for it. What a list or another collection holds twice is awaited once, and handed over twice; of an
    iterator, which is not looked through before, only tasks and futures may come again.

    Args:
        awaitables: The awaitables; or an async iterable of them, for tasks that are still being made.
        on_error: As for `ordered_map`.
        grace_s: As for `ordered_map`.

    Returns:
        The stage, to be entered.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has the wrong value.
    """
    _errors.check_iterable("awaitables", awaitables)
    _errors.check_choice("on_error", on_error, ("raise", "return", "skip"))
    _errors.check_time("grace_s", grace_s, _GRACE)
    return Stage(
        _once_each(awaitables) if isinstance(awaitables, Collection) else _outcome,
        awaitables,
        prefetch=math.inf,
        concurrency=math.inf,
        on_error=on_error,
        timeout_s=None,
        grace_s=grace_s,
        observer=None,
        given=True,
    )


def _check_common(transform: object, source: object, prefetch: int, concurrency: int | None) -> None:
    _errors.check_callable("transform", transform)
    _errors.check_iterable("source", source)
    _errors.check_count("prefetch", prefetch, "use prefetch=1 to run items one after another")
    if concurrency is not None:
        _errors.check_count("concurrency", concurrency, "leave it out for as many as prefetch")
        if concurrency > prefetch:
            raise ValueError(
                f"concurrency must be at most prefetch={prefetch}, got {concurrency}; "
                "raise prefetch or leave concurrency out"
            )


def _check_times(timeout_s: float | None, grace_s: float) -> None:
    if timeout_s is not None:
        _errors.check_time("timeout_s", timeout_s, "leave it out for no limit")
    _errors.check_time("grace_s", grace_s, _GRACE)


async def _outcome(awaitable: Awaitable[R]) -> R:
    return await awaitable


def _once_each(awaitables: Collection[Awaitable[R]]) -> Callable[[Awaitable[R]], Awaitable[R]]:
    """Return what gives the outcome of each of *awaitables*, but awaits what is there twice only once."""
    # Nearly always; what is shared is kept as long as the stage.
    if len(set(map(id, awaitables))) == len(awaitables):
        return _outcome
    shared: dict[int, _Shared[R]] = {}

    def outcome(awaitable: Awaitable[R]) -> Awaitable[R]:
        return shared.setdefault(id(awaitable), _Shared(awaitable)).outcome()

    return outcome


class _Shared(Generic[R]):
    """What is to be awaited once, and has its outcome asked for more often."""

    def __init__(self, awaitable: Awaitable[R]) -> None:
        self._awaitable: Awaitable[R] = awaitable
        self._ended: anyio.Event | None = None
        self._error: BaseException | None = None

    async def outcome(self) -> R:
        """Await it if nobody has yet, else wait for what comes of that."""
        if self._ended is None:
            self._ended = anyio.Event()
            try:
                self._result: R = await self._awaitable
            except BaseException as error:
                self._error = error
                raise
            finally:
                self._ended.set()
        else:
            await self._ended.wait()
            if self._error is not None:
                raise self._error
        return self._result
