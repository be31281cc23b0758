"""Law 17: whatever returns an awaitable, or for a flat map an async iterable, is a transform."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from functools import partial
from typing import Any, Literal, TypeAlias

import pytest

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Mishap, hesitant, listed, outcomes, strictly

Policy: TypeAlias = Literal["raise", "return", "skip"]

policies = pytest.mark.parametrize("on_error", ["raise", "return", "skip"])


class _Doubler:
    async def __call__(self, number: int) -> int:
        return 2 * number

    async def double(self, number: int) -> int:
        return 2 * number

    @staticmethod
    async def times(factor: int, number: int) -> int:
        return factor * number


class _Later:
    """An awaitable that is no coroutine."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __await__(self) -> Generator[Any, Any, int]:
        return hesitant(2 * self._number).__await__()


@pytest.mark.parametrize(
    "transform",
    [
        _Doubler(),
        _Doubler().double,
        partial(_Doubler.times, 2),
        lambda number: hesitant(2 * number),
        _Later,
    ],
    ids=["callable-object", "method", "partial", "lambda", "class-of-awaitables"],
)
def test_whatever_returns_an_awaitable_is_a_transform(
    run: Run, transform: Callable[[int], Awaitable[int]]
) -> None:
    async def main() -> None:
        assert await ordered_map(transform, range(4)).collect() == [0, 2, 4, 6]

    strictly(run, main)


def test_a_transform_may_return_a_task_or_a_future(run_asyncio: Run) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def transform(number: int) -> asyncio.Future[int]:
            if number % 2:
                return asyncio.ensure_future(hesitant(number))
            future = loop.create_future()
            loop.call_later(0.25, future.set_result, number)
            return future

        assert await ordered_map(transform, range(4)).collect() == [0, 1, 2, 3]

    strictly(run_asyncio, main)


@policies
def test_a_transform_that_raises_before_it_returns_an_awaitable_has_failed(
    run: Run, on_error: Policy
) -> None:
    async def main() -> None:
        error = Mishap()

        def transform(number: int) -> Awaitable[int]:
            if number == 1:
                raise error
            return hesitant(number)

        stage: Stage[int, object] = ordered_map(transform, range(3), on_error=on_error)

        assert await outcomes(stage) == ([0, 2] if on_error == "skip" else [0, error, 2])

    strictly(run, main)


def test_a_sub_stream_that_fails_before_it_is_there_has_failed(run: Run) -> None:
    async def main() -> None:
        error = Mishap()

        def transform(number: int) -> AsyncIterator[int]:
            if number == 1:
                raise error
            return listed(number, number)

        assert await outcomes(ordered_flat_map(transform, range(3))) == [0, 0, error, 2, 2]
        assert await outcomes(ordered_flat_map(transform, range(3), on_error="skip")) == [0, 0, 2, 2]

    strictly(run, main)


def test_a_transform_that_returns_no_awaitable_has_failed(run: Run) -> None:
    async def main() -> None:
        def transform(number: int) -> Awaitable[int]:
            return number  # type: ignore[return-value]  # the mistake

        (error,) = await outcomes(ordered_map(transform, [7]))

        assert type(error) is TypeError
        assert str(error) == "transform must return an awaitable, got 7; make it an 'async def'"

    strictly(run, main)


def test_a_transform_of_a_flat_map_that_returns_no_async_iterable_has_failed(run: Run) -> None:
    async def main() -> None:
        def transform(number: int) -> AsyncIterator[int]:
            return [number]  # type: ignore[return-value]  # the mistake

        (error,) = await outcomes(ordered_flat_map(transform, [7]))

        assert type(error) is TypeError
        assert str(error) == "transform must return an async iterable, got [7]; make it an async generator"

    strictly(run, main)


def test_a_coroutine_in_the_place_of_an_async_iterable_is_closed(run: Run) -> None:
    async def main() -> None:
        (error,) = await outcomes(ordered_flat_map(hesitant, [7]))  # type: ignore[arg-type]  # the mistake

        assert type(error) is TypeError
        assert str(error).startswith(
            "transform must return an async iterable, got <coroutine object hesitant at "
        )

    strictly(run, main)
