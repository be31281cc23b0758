"""What a type checker sees of the core. Nothing here runs; mypy and pyright read it, no comment is idle."""

import asyncio
import functools
from collections.abc import AsyncIterator
from typing import assert_type

from ordered_pipeline import (
    Interruption,
    Stage,
    StageObserver,
    StageStatistics,
    in_order,
    ordered_flat_map,
    ordered_map,
)


async def length(text: str) -> int:
    return len(text)


async def letters_of(count: int) -> str:
    return "a" * count


async def letters(text: str) -> AsyncIterator[bytes]:
    for letter in text:
        yield letter.encode()


async def texts() -> AsyncIterator[str]:
    yield "a"


class Observer:
    def admitted(self, index: int, item: object, time: float, /) -> None: ...
    def started(self, index: int, item: object, time: float, /) -> None: ...
    def settled(self, index: int, item: object, time: float, error: BaseException | None, /) -> None: ...
    def delivered(self, index: int, item: object, time: float, /) -> None: ...
    def discarded(self, index: int, item: object, time: float, /) -> None: ...


async def results_have_the_type_that_the_transform_gives() -> None:
    assert_type(ordered_map(length, ["a"]), Stage[str, int])
    assert_type(ordered_map(length, texts(), prefetch=3, on_error="skip"), Stage[str, int])
    assert_type(ordered_map(functools.partial(length), ["a"]), Stage[str, int])
    assert_type(ordered_flat_map(letters, ["a"]), Stage[str, bytes])
    assert_type(ordered_map(letters_of, ordered_map(length, ["a"])), Stage[int, str])


async def returned_errors_are_in_the_type() -> None:
    assert_type(ordered_map(length, ["a"], on_error="return"), Stage[str, int | Exception])


async def in_order_takes_what_gather_takes() -> None:
    task = asyncio.create_task(length("a"))
    async for result in in_order([task]):
        assert_type(result, int)
    async for result in in_order([length("a"), length("b")]):
        assert_type(result, int)


async def a_stage_gives_results_and_tells_of_itself() -> None:
    async with ordered_map(length, texts(), observer=Observer()) as results:
        async for result in results:
            assert_type(result, int)
        assert_type(results.interrupt(), Interruption[str])
        assert_type(results.interrupt().partial, str | None)
        assert_type(results.statistics(), StageStatistics)
    assert_type(await ordered_map(length, texts()).collect(), list[int])
    assert_type(await ordered_map(length, texts()).for_each(asyncio.sleep), int)


def any_object_with_the_callbacks_observes() -> StageObserver[str]:
    return Observer()


def misuse_is_an_error() -> None:
    # Each comment is the assertion: one that silences nothing fails the check.
    ordered_map(len, ["a"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ordered_map(length, [1])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    ordered_map(length, ["a"], 3)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    ordered_flat_map(letters, ["a"], on_error="return")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
