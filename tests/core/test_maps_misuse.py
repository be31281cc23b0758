"""Law 18: misuse is told at once, by the argument's name, its value and the way out."""

import asyncio
import inspect
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from ordered_pipeline import Stage, in_order, ordered_flat_map, ordered_map
from tests.conftest import Run
from tests.core.probes import Numbers, Work, strictly
from tests.core.strategies import LONG_S


async def double(number: int) -> int:
    await anyio.lowlevel.checkpoint()
    return 2 * number


async def twice(number: int) -> AsyncIterator[int]:
    yield number
    yield number


Make = Callable[..., Stage[Any, Any]]


def mapped(**options: object) -> Stage[int, Any]:
    options = {"transform": double, "source": [1, 2, 3], **options}
    return ordered_map(options.pop("transform"), options.pop("source"), **options)  # type: ignore[call-overload, no-any-return]  # wrong on purpose


def flat_mapped(**options: object) -> Stage[int, Any]:
    options = {"transform": twice, "source": [1, 2, 3], **options}
    return ordered_flat_map(options.pop("transform"), options.pop("source"), **options)  # type: ignore[arg-type]  # wrong on purpose


def ordered(**options: object) -> Stage[Any, Any]:
    return in_order(options.pop("awaitables", ()), **options)  # type: ignore[call-overload, no-any-return]  # wrong on purpose


class Odd:
    """Something that is nothing of what is asked for."""

    def __repr__(self) -> str:
        return "<odd>"


# At the call

GRACE = "cancelled work needs some time to clean up; the default is 5.0"

both = pytest.mark.parametrize("make", [mapped, flat_mapped])


def _refused(error: type[Exception], message: str, make: Make, **options: object) -> None:
    with pytest.raises(error) as caught:
        make(**options)
    assert type(caught.value) is error
    assert str(caught.value) == message


@both
@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("prefetch", "use prefetch=1 to run items one after another"),
        ("concurrency", "leave it out for as many as prefetch"),
        ("buffer", "use buffer=1 to hold one result of an item at a time"),
    ],
)
def test_counts_are_ints_of_at_least_one(make: Make, name: str, way_out: str) -> None:
    if name == "buffer":
        make = flat_mapped
    for value, shown in (
        (0, "0"),
        (-1, "-1"),
    ):
        _refused(ValueError, f"{name} must be at least 1, got {shown}; {way_out}", make, **{name: value})
    for wrong, shown in (
        (True, "True"),
        (False, "False"),
        (2.0, "2.0"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        ("2", "'2'"),
        (Fraction(2), "Fraction(2, 1)"),
    ):
        _refused(TypeError, f"{name} must be an int, got {shown}; {way_out}", make, **{name: wrong})


@both
def test_there_is_no_prefetch_without_limit(make: Make) -> None:
    _refused(
        TypeError,
        "prefetch must be an int, got None; use prefetch=1 to run items one after another",
        make,
        prefetch=None,
    )


@both
def test_concurrency_is_at_most_prefetch(make: Make) -> None:
    _refused(
        ValueError,
        "concurrency must be at most prefetch=3, got 4; raise prefetch or leave concurrency out",
        make,
        prefetch=3,
        concurrency=4,
    )
    _refused(
        ValueError,
        "concurrency must be at most prefetch=2, got 3; raise prefetch or leave concurrency out",
        make,
        concurrency=3,
    )
    make(prefetch=3, concurrency=3)
    make(prefetch=1, concurrency=1)
    make(prefetch=3, concurrency=None)


@both
@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("timeout_s", "leave it out for no limit"),
        ("grace_s", GRACE),
    ],
)
def test_times_are_numbers_above_zero(make: Make, name: str, way_out: str) -> None:
    for value, shown in ((0, "0"), (0.0, "0.0"), (-1.5, "-1.5"), (math.nan, "nan"), (-math.inf, "-inf")):
        _refused(ValueError, f"{name} must be above 0, got {shown}; {way_out}", make, **{name: value})
    for wrong, shown in ((True, "True"), ("1", "'1'"), (1j, "1j"), (Odd(), "<odd>")):
        _refused(
            TypeError, f"{name} must be a number of seconds, got {shown}; {way_out}", make, **{name: wrong}
        )
    for right in (0.001, 1, 2.5, math.inf):
        make(**{name: right})


def test_the_grace_time_of_in_order_is_a_number_above_zero() -> None:
    _refused(
        ValueError,
        f"grace_s must be above 0, got 0; {GRACE}",
        ordered,
        grace_s=0,
    )
    _refused(
        TypeError,
        f"grace_s must be a number of seconds, got None; {GRACE}",
        ordered,
        grace_s=None,
    )


@both
def test_only_the_time_out_may_be_none(make: Make) -> None:
    make(timeout_s=None)
    _refused(
        TypeError,
        f"grace_s must be a number of seconds, got None; {GRACE}",
        make,
        grace_s=None,
    )


@pytest.mark.parametrize("make", [mapped, ordered])
def test_on_error_is_one_of_three(make: Make) -> None:
    rule = "on_error must be one of 'raise', 'return', 'skip', got"
    _refused(ValueError, f"{rule} 'ignore'", make, on_error="ignore")
    _refused(ValueError, f"{rule} ''", make, on_error="")
    _refused(TypeError, f"{rule} None", make, on_error=None)
    _refused(TypeError, f"{rule} True", make, on_error=True)
    _refused(TypeError, f"{rule} ['raise']", make, on_error=["raise"])
    for policy in ("raise", "return", "skip"):
        make(on_error=policy)


def test_on_error_of_a_flat_map_is_one_of_two() -> None:
    rule = "on_error must be one of 'raise', 'skip', got"
    _refused(ValueError, f"{rule} 'return'", flat_mapped, on_error="return")
    _refused(TypeError, f"{rule} None", flat_mapped, on_error=None)
    for policy in ("raise", "skip"):
        flat_mapped(on_error=policy)


@both
def test_a_transform_is_callable(make: Make) -> None:
    rule = "transform must be callable, got"
    way_out = "pass the function itself, not what it returns"
    _refused(TypeError, f"{rule} None; {way_out}", make, transform=None)
    _refused(TypeError, f"{rule} 'double'; {way_out}", make, transform="double")


@both
def test_a_coroutine_is_no_transform(make: Make) -> None:
    coroutine = double(1)

    with pytest.raises(
        TypeError, match=r"^transform must be callable, got <coroutine object double at 0x[0-9a-f]+>; "
    ):
        make(transform=coroutine)

    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
    coroutine.close()


@both
def test_a_source_is_iterable(make: Make) -> None:
    rule = "source must be an iterable or an async iterable, got"
    way_out = "call it if it is a generator function"
    _refused(TypeError, f"{rule} None; {way_out}", make, source=None)
    _refused(TypeError, f"{rule} 3; {way_out}", make, source=3)
    _refused(TypeError, f"{rule} {twice!r}; {way_out}", make, source=twice)


def test_what_in_order_takes_is_iterable() -> None:
    rule = "awaitables must be an iterable or an async iterable, got"
    way_out = "call it if it is a generator function"
    _refused(TypeError, f"{rule} None; {way_out}", ordered, awaitables=None)
    _refused(TypeError, f"{rule} <odd>; {way_out}", ordered, awaitables=Odd())


def test_what_is_iterated_by_index_is_no_source() -> None:
    class Old:
        def __getitem__(self, index: int) -> int:
            raise IndexError

        def __repr__(self) -> str:
            return "<old>"

    _refused(
        TypeError,
        "source must be an iterable or an async iterable, got <old>; call it if it is a generator function",
        mapped,
        source=Old(),
    )


def test_the_defaults_are_as_promised() -> None:
    def defaults(function: Callable[..., object]) -> dict[str, object]:
        return {
            name: parameter.default
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is not parameter.empty
        }

    shared = {
        "prefetch": 2,
        "concurrency": None,
        "on_error": "raise",
        "timeout_s": None,
        "grace_s": 5.0,
        "observer": None,
    }
    assert defaults(ordered_map) == shared
    assert defaults(ordered_flat_map) == shared | {"buffer": 64}
    assert defaults(in_order) == {"on_error": "raise", "grace_s": 5.0}


# In use


def test_iterating_without_entering_is_refused(run: Run) -> None:
    async def main() -> None:
        stage = mapped()

        with pytest.raises(RuntimeError) as caught:
            await anext(stage)

        assert str(caught.value) == (
            "the results were iterated before the stage was entered; use 'async with' first"
        )
        # It may still be entered.
        assert await stage.collect() == [2, 4, 6]

    strictly(run, main)


def test_an_async_for_without_entering_is_refused(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"^the results were iterated before the stage was entered; "):
            async for result in mapped():
                raise AssertionError(result)

    strictly(run, main)


def test_leaving_without_entering_is_refused(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(
            RuntimeError, match=r"^the stage was left before it was entered; use 'async with'$"
        ):
            await mapped().__aexit__(None, None, None)

    strictly(run, main)


TWICE = "the stage was entered twice, but its source can be read once; make another stage"


def test_entering_twice_is_refused(run: Run) -> None:
    async def main() -> None:
        stage = mapped()

        async with stage as results:
            assert await anext(results) == 2
            with pytest.raises(RuntimeError) as caught:
                await _enter(stage)
            # What was entered first is none the worse for it.
            assert [result async for result in results] == [4, 6]

        assert str(caught.value) == TWICE

    strictly(run, main)


def test_entering_again_is_refused(run: Run) -> None:
    async def main() -> None:
        stage = mapped()
        async with stage:
            pass

        with pytest.raises(RuntimeError) as caught:
            await _enter(stage)

        assert str(caught.value) == TWICE

    strictly(run, main)


async def _enter(stage: Stage[Any, Any]) -> None:
    async with stage:
        raise AssertionError


@pytest.mark.parametrize(
    "use", [Stage.collect, lambda stage: stage.for_each(double)], ids=["collect", "for_each"]
)
def test_collecting_twice_is_entering_twice(
    run: Run, use: Callable[[Stage[Any, Any]], Awaitable[object]]
) -> None:
    async def main() -> None:
        stage = mapped()
        await use(stage)

        with pytest.raises(RuntimeError, match=r"^the stage was entered twice, "):
            await use(stage)

    strictly(run, main)


@pytest.mark.parametrize("exhausted", [True, False])
def test_iterating_after_the_block_is_refused(run: Run, exhausted: bool) -> None:
    async def main() -> None:
        async with mapped() as results:
            if exhausted:
                assert [result async for result in results] == [2, 4, 6]

        for _ in range(2):
            with pytest.raises(anyio.ClosedResourceError) as caught:
                await anext(results)
            assert str(caught.value) == (
                "the results were iterated after their 'async with' block ended; iterate them inside it"
            )

    strictly(run, main)


def test_iterating_after_an_interrupted_block_is_refused_too(run: Run) -> None:
    async def main() -> None:
        async with mapped() as results:
            results.interrupt()

        with pytest.raises(anyio.ClosedResourceError):
            await anext(results)

    strictly(run, main)


def test_two_tasks_that_wait_for_the_next_result_at_once_are_refused(run: Run) -> None:
    async def main() -> None:
        received: list[int] = []

        async def take(results: Stage[int, int]) -> None:
            received.append(await anext(results))

        async with (
            ordered_map(Work((1.0,)), Numbers((0.0,) * 3)) as results,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(take, results)
            await anyio.sleep(0.5)
            for _ in range(2):
                with pytest.raises(anyio.BusyResourceError) as caught:
                    await anext(results)
                assert str(caught.value) == "Another task is already iterating this resource"
            await anyio.sleep(1.0)
            # The first one was not disturbed, and the stage is free again.
            assert received == [0]
            assert await anext(results) == 1

    strictly(run, main)


def test_a_next_that_was_cancelled_leaves_the_stage_free_for_others(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work((1.0,)), Numbers((0.0,) * 3)) as results:
            with anyio.move_on_after(0.5):
                await anext(results)
            assert await anext(results) == 0

    strictly(run, main)


def test_a_next_that_waits_in_another_task_ends_when_the_block_is_left(run: Run) -> None:
    async def main() -> None:
        ended: list[float] = []

        async def take(results: Stage[int, int]) -> None:
            with pytest.raises(StopAsyncIteration):
                await anext(results)
            ended.append(anyio.current_time())
            with pytest.raises(anyio.ClosedResourceError):
                await anext(results)

        stage = ordered_map(Work((LONG_S,)), Numbers((0.0,) * 3))
        async with anyio.create_task_group() as tasks, stage as results:
            tasks.start_soon(take, results)
            await anyio.sleep(1.0)

        assert ended == [1.0]

    strictly(run, main)


def test_two_tasks_may_take_turns(run: Run) -> None:
    async def main() -> None:
        received: list[int] = []
        turns = anyio.Lock()

        async def take(results: Stage[int, int]) -> None:
            for _ in range(2):
                async with turns:
                    received.append(await anext(results))

        async with (
            ordered_map(Work((0.5,)), Numbers((0.0,) * 4)) as results,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(take, results)
            tasks.start_soon(take, results)

        assert received == [0, 1, 2, 3]

    strictly(run, main)


def test_entering_without_an_event_loop_is_refused() -> None:
    stage = mapped()
    entering = stage.__aenter__()

    with pytest.raises(RuntimeError):
        entering.send(None)

    # That was no entering.
    assert asyncio.run(stage.collect()) == [2, 4, 6]


def test_the_stage_is_its_own_iterator(run: Run) -> None:
    async def main() -> None:
        stage = mapped()
        async with stage as results:
            assert results is stage
            assert aiter(results) is stage

    strictly(run, main)
