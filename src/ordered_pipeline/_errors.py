"""What is refused, and how it is said: checks of arguments, and what is made of foreign exceptions.

Messages read `<name> must <rule>, got <value>[; <what to do>]`. A wrong type is a `TypeError`, a wrong value
a `ValueError`.
"""

import inspect
from collections.abc import AsyncIterable, Iterable, Iterator, Sequence
from typing import cast


def check_count(name: str, value: object, way_out: str) -> None:
    """Refuse *value* unless it is an int of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r}; {way_out}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value!r}; {way_out}")


def check_time(name: str, value: object, way_out: str) -> None:
    """Refuse *value* unless it is a number of seconds above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, got {value!r}; {way_out}")
    # Not `value <= 0`: a NaN is to be refused as well.
    if not value > 0:
        raise ValueError(f"{name} must be above 0, got {value!r}; {way_out}")


def check_choice(name: str, value: object, choices: Iterable[str]) -> None:
    """Refuse *value* unless it is one of *choices*."""
    named = ", ".join(map(repr, choices))
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {named}, got {value!r}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {named}, got {value!r}")


def check_callable(name: str, value: object) -> None:
    """Refuse *value* unless it can be called."""
    if not callable(value):
        raise TypeError(
            f"{name} must be callable, got {value!r}; pass the function itself, not what it returns"
        )


def check_iterable(name: str, value: object) -> None:
    """Refuse *value* unless it is an iterable or an async iterable."""
    if not isinstance(value, AsyncIterable | Iterable):
        raise TypeError(
            f"{name} must be an iterable or an async iterable, got {value!r}; "
            "call it if it is a generator function"
        )


def check_awaitable(name: str, value: object) -> None:
    """Refuse *value*, which *name* has returned, unless it can be awaited."""
    if not inspect.isawaitable(value):
        raise TypeError(f"{name} must return an awaitable, got {value!r}; make it an 'async def'")


def check_async_iterable(name: str, value: object) -> None:
    """Refuse *value*, which *name* has returned, unless it is an async iterable."""
    if not isinstance(value, AsyncIterable):
        if inspect.iscoroutine(value):
            value.close()
        raise TypeError(f"{name} must return an async iterable, got {value!r}; make it an async generator")


def told(error: BaseException | None, culprit: str, cancelled: type[BaseException]) -> BaseException | None:
    """Return *error*, or what to raise for it if it would end the iteration or pass for a cancellation."""
    if error is None:
        return None
    if isinstance(error, StopIteration | StopAsyncIteration):
        replacement = RuntimeError(
            f"{culprit} raised {type(error).__name__}, which would have ended the iteration early"
        )
    elif without(error, (cancelled,)) is None:
        replacement = RuntimeError(f"{culprit} was cancelled, but not by the stage")
    else:
        return error
    replacement.__cause__ = error
    return replacement


def joined(errors: Sequence[BaseException]) -> BaseException:
    """Return the one error, or a group of several."""
    if len(errors) == 1:
        return errors[0]
    return BaseExceptionGroup("several clean-ups of a stage failed", errors)


def without(error: BaseException | None, kinds: tuple[type[BaseException], ...]) -> BaseException | None:
    """Return *error*, or of a group the rest, if it is more than exceptions of *kinds*; else None."""
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).split(kinds)[1]
    return None if isinstance(error, kinds) else error


def attach(error: BaseException, later: BaseException) -> None:
    """Make *later* reachable from *error*, at the far end of its chain of contexts."""
    chain = list(_contexts(error))
    known = set(map(id, chain))
    if id(later) in known:
        return
    for link in _contexts(later):
        # The two chains may end alike: an object that was raised to both. Joined, they would be a ring.
        if id(link.__context__) in known:
            link.__context__ = None
    chain[-1].__context__ = later


def _contexts(error: BaseException | None) -> Iterator[BaseException]:
    # A chain that somebody has tied into a ring ends where it would begin anew.
    known: set[int] = set()
    while error is not None and id(error) not in known:
        known.add(id(error))
        yield error
        error = error.__context__
