"""How misuse is worded, and what becomes of exceptions that are not ours."""

import math
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from itertools import pairwise
from typing import Any

import pytest

from ordered_pipeline import _errors
from tests.core.probes import Abort, Mishap


class Cancelled(BaseException):
    """Stands for what an event loop cancels with."""


class Odd:
    def __repr__(self) -> str:
        return "<odd>"


async def _coroutine() -> None:
    pass


async def _stream() -> AsyncIterator[int]:
    yield 0


def _generator() -> Generator[int]:
    yield 0


class _Awaitable:
    def __await__(self) -> Generator[Any, Any, None]:
        return iter(())  # type: ignore[return-value]  # nothing awaits it


# Checks of arguments


@pytest.mark.parametrize(
    ("check", "value", "error", "message"),
    [
        (_errors.check_count, 0, ValueError, "limit must be at least 1, got 0; go on"),
        (_errors.check_count, -7, ValueError, "limit must be at least 1, got -7; go on"),
        (_errors.check_count, True, TypeError, "limit must be an int, got True; go on"),
        (_errors.check_count, 1.0, TypeError, "limit must be an int, got 1.0; go on"),
        (_errors.check_count, None, TypeError, "limit must be an int, got None; go on"),
        (_errors.check_time, 0, ValueError, "limit must be above 0, got 0; go on"),
        (_errors.check_time, -0.5, ValueError, "limit must be above 0, got -0.5; go on"),
        (_errors.check_time, math.nan, ValueError, "limit must be above 0, got nan; go on"),
        (_errors.check_time, True, TypeError, "limit must be a number of seconds, got True; go on"),
        (_errors.check_time, "1", TypeError, "limit must be a number of seconds, got '1'; go on"),
    ],
)
def test_limits_are_refused_with_their_value_and_the_way_out(
    check: Callable[[str, object, str], None], value: object, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        check("limit", value, "go on")

    assert type(caught.value) is error
    assert str(caught.value) == message


def test_limits_that_hold_are_let_through() -> None:
    for count in (1, 2, 10**9):
        _errors.check_count("limit", count, "go on")
    for time_s in (1e-9, 1, 2.5, math.inf):
        _errors.check_time("limit", time_s, "go on")


@pytest.mark.parametrize(
    ("value", "error"),
    [("c", ValueError), ("", ValueError), ("ab", ValueError), (None, TypeError), (["a"], TypeError)],
)
def test_choices_are_named_when_something_else_is_chosen(value: object, error: type[Exception]) -> None:
    with pytest.raises(error) as caught:
        _errors.check_choice("policy", value, ("a", "b"))

    assert type(caught.value) is error
    assert str(caught.value) == f"policy must be one of 'a', 'b', got {value!r}"
    _errors.check_choice("policy", "a", ("a", "b"))
    _errors.check_choice("policy", "b", ("a", "b"))


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        _errors.check_callable("work", Odd())

    assert (
        str(caught.value) == "work must be callable, got <odd>; pass the function itself, not what it returns"
    )
    _errors.check_callable("work", Odd)
    _errors.check_callable("work", len)


def test_what_cannot_be_iterated_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        _errors.check_iterable("items", Odd())

    assert str(caught.value) == (
        "items must be an iterable or an async iterable, got <odd>; call it if it is a generator function"
    )
    several: tuple[object, ...] = ([], "", range(3), iter(()), _generator(), _stream())
    for items in several:
        _errors.check_iterable("items", items)


def test_what_cannot_be_awaited_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        _errors.check_awaitable("work", Odd())

    assert str(caught.value) == "work must return an awaitable, got <odd>; make it an 'async def'"
    _errors.check_awaitable("work", _Awaitable())
    coroutine = _coroutine()
    _errors.check_awaitable("work", coroutine)
    coroutine.close()


def test_what_cannot_be_iterated_asynchronously_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        _errors.check_async_iterable("work", [1])

    assert str(caught.value) == "work must return an async iterable, got [1]; make it an async generator"
    _errors.check_async_iterable("work", _stream())


def test_a_coroutine_that_is_refused_is_closed() -> None:
    coroutine: Coroutine[Any, Any, None] = _coroutine()

    with pytest.raises(
        TypeError, match=r"^work must return an async iterable, got <coroutine object _coroutine at "
    ):
        _errors.check_async_iterable("work", coroutine)

    with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
        coroutine.send(None)


# Foreign exceptions


@pytest.mark.parametrize(
    "error", [Mishap(), Abort(), ExceptionGroup("two", [Mishap(), Mishap()]), None], ids=repr
)
def test_an_ordinary_error_is_told_as_it_is(error: BaseException | None) -> None:
    assert _errors.told(error, "the work", Cancelled) is error


@pytest.mark.parametrize("error", [StopIteration(3), StopAsyncIteration()], ids=repr)
def test_what_would_end_an_iteration_is_told_as_an_error(error: BaseException) -> None:
    told = _errors.told(error, "the work", Cancelled)

    assert type(told) is RuntimeError
    assert str(told) == f"the work raised {type(error).__name__}, which would have ended the iteration early"
    assert told.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [Cancelled(), BaseExceptionGroup("", [Cancelled(), BaseExceptionGroup("", [Cancelled()])])],
    ids=["bare", "grouped"],
)
def test_a_stray_cancellation_is_told_as_an_error(error: BaseException) -> None:
    told = _errors.told(error, "the work", Cancelled)

    assert type(told) is RuntimeError
    assert str(told) == "the work was cancelled, but not by the stage"
    assert told.__cause__ is error


def test_one_error_is_joined_to_nothing() -> None:
    error = Mishap()

    assert _errors.joined([error]) is error


def test_several_errors_are_joined_in_a_group() -> None:
    first, second, abort = Mishap(), Mishap(), Abort()

    group = _errors.joined([first, second])
    assert type(group) is ExceptionGroup
    assert group.message == "several clean-ups of a stage failed"
    assert group.exceptions == (first, second)

    group = _errors.joined([first, abort])
    assert type(group) is BaseExceptionGroup
    assert group.exceptions == (first, abort)


def test_what_the_stage_itself_has_thrown_in_is_left_out() -> None:
    error, kinds = Mishap(), (Cancelled, GeneratorExit)

    assert _errors.without(None, kinds) is None
    assert _errors.without(error, kinds) is error
    assert _errors.without(Cancelled(), kinds) is None
    assert _errors.without(GeneratorExit(), kinds) is None
    assert _errors.without(BaseExceptionGroup("", [Cancelled(), GeneratorExit()]), kinds) is None
    rest = _errors.without(
        BaseExceptionGroup("both", [Cancelled(), BaseExceptionGroup("in", [error])]), kinds
    )
    assert isinstance(rest, ExceptionGroup)
    assert rest.message == "both"
    assert isinstance(rest.exceptions[0], ExceptionGroup)
    assert rest.exceptions[0].exceptions == (error,)


# Chains of contexts


def chained(*errors: BaseException) -> BaseException:
    """Make each error the context of the one before it."""
    for error, context in pairwise(errors):
        error.__context__ = context
    return errors[0]


def contexts(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None:
        assert not any(error is other for other in found), "the chain is a ring"
        found.append(error)
        error = error.__context__
    return found


def test_a_later_error_is_found_at_the_far_end_of_the_chain() -> None:
    a, b, c, d = (Mishap(name) for name in "abcd")

    _errors.attach(chained(a, b), chained(c, d))

    assert contexts(a) == [a, b, c, d]


def test_an_error_that_is_in_the_chain_already_is_not_attached_again() -> None:
    a, b, c = (Mishap(name) for name in "abc")

    _errors.attach(chained(a, b, c), b)
    _errors.attach(a, c)
    _errors.attach(a, a)

    assert contexts(a) == [a, b, c]


def test_an_error_that_follows_from_the_first_is_turned_round() -> None:
    a, b, c = (Mishap(name) for name in "abc")
    chained(b, c, a)

    _errors.attach(a, b)

    assert contexts(a) == [a, b, c]


def test_errors_that_share_a_context_are_attached_without_a_ring() -> None:
    shared, a, b, c, d = (Mishap(name) for name in "sabcd")
    chained(a, shared)
    chained(b, c, shared)

    _errors.attach(a, b)
    _errors.attach(a, d)

    assert set(contexts(a)) == {a, b, c, d, shared}


def test_a_ring_of_contexts_is_opened_for_a_later_error() -> None:
    a, b, c, d, e = (Mishap(name) for name in "abcde")
    chained(a, b, c, b)

    _errors.attach(a, chained(d, e, d))

    assert a.__context__ is b
    assert b.__context__ is c
    assert c.__context__ is d
    assert d.__context__ is e


def test_errors_that_compare_equal_are_told_apart() -> None:
    class Equal(Exception):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = Exception.__hash__

    a, b = Equal(), Equal()

    _errors.attach(a, b)

    assert a.__context__ is b
