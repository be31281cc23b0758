"""What may be a source, and what becomes of it when it is closed."""

from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
)

import anyio
import pytest

from ordered_pipeline import ordered_map
from ordered_pipeline._source import open_source
from tests.conftest import Run
from tests.core.probes import Numbers, Work, strictly, this_task
from tests.core.strategies import LONG_S


def test_a_source_without_aclose_is_only_iterated(run: Run) -> None:
    class Bare:
        def __init__(self) -> None:
            self.given = 0

        def __aiter__(self) -> "Bare":
            return self

        async def __anext__(self) -> int:
            self.given += 1
            return self.given

    async def main() -> None:
        async with ordered_map(Work(), Bare()) as results:
            assert [await anext(results), await anext(results)] == [1, 2]

    strictly(run, main)


def test_the_iterator_is_closed_and_not_what_gave_it(run: Run) -> None:
    closed: list[str] = []

    class Shelf:
        async def __aiter__(self) -> AsyncIterator[int]:
            try:
                for number in range(5):
                    yield number
            finally:
                closed.append("iterator")

        async def aclose(self) -> None:
            raise AssertionError("the shelf outlives its iterators")

    async def main() -> None:
        async with ordered_map(Work(), Shelf()) as results:
            assert await anext(results) == 0

        assert closed == ["iterator"]

    strictly(run, main)


def test_a_generator_that_is_left_early_is_closed(run: Run) -> None:
    closed: list[object] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(5)
        finally:
            closed.append(this_task())

    async def main() -> None:
        async with ordered_map(Work(), numbers()) as results:
            assert await anext(results) == 0
            assert closed == []

        assert len(closed) == 1

    strictly(run, main)


@pytest.mark.parametrize(
    "make",
    [list, tuple, iter, dict.fromkeys, lambda numbers: numbers],
    ids=["list", "tuple", "iterator", "dict", "range"],
)
def test_a_plain_iterable_is_a_source(run: Run, make: Callable[[range], Iterable[int]]) -> None:
    async def main() -> None:
        assert await ordered_map(Work(), make(range(3))).collect() == [0, 1, 2]

    strictly(run, main)


def test_a_stage_as_source_is_entered_and_closed_by_the_outer_one_in_one_task(run: Run) -> None:
    async def main() -> None:
        source = Numbers((0.0,) * 9, closing_s=0.25)
        inner, outer = Work((0.0, 0.0, LONG_S), cleaning_s=0.25), Work((0.0, LONG_S), cleaning_s=0.25)
        source.trace = inner.trace = outer.trace

        async with ordered_map(outer, ordered_map(inner, source)) as results:
            assert await anext(results) == 0
            await anyio.sleep_until(1.0)

        assert outer.trace[0] == ("1 cancelled", 1.25)
        assert outer.trace[-1][0] == "source closed"
        assert (len(set(source.tasks)), source.closed) == (1, 1)
        assert inner.running == outer.running == set()
        assert inner.started == [0, 1, 2, 3]

    strictly(run, main)


def test_a_stage_that_was_entered_already_is_no_source_and_is_left_alone(run: Run) -> None:
    async def main() -> None:
        async with ordered_map(Work(), Numbers((0.0,) * 3)) as inner:
            async with ordered_map(Work(), inner) as outer:
                with pytest.raises(RuntimeError, match=r"^the stage was entered twice, "):
                    await anext(outer)

            assert [result async for result in inner] == [0, 1, 2]

    strictly(run, main)


@pytest.mark.parametrize("length", [0, 3])
def test_a_plain_iterable_is_read_to_its_end(run: Run, length: int) -> None:
    async def main() -> None:
        read, close = open_source(range(length))

        assert [await read() for _ in range(length)] == list(range(length))
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await read()
        await close()

    strictly(run, main)


def test_a_generator_is_closed_in_the_midst(run: Run) -> None:
    async def main() -> None:
        numbers = (number for number in range(3))
        read, close = open_source(numbers)
        assert await read() == 0

        await close()

        assert list(numbers) == []

    strictly(run, main)


def test_an_iterator_that_somebody_passed_is_not_taken_away(run: Run) -> None:
    class Lines:
        """As a file: it can be closed, and is not for the stage to close."""

        def __init__(self) -> None:
            self.closed = False

        def __iter__(self) -> Iterator[str]:
            return self

        def __next__(self) -> str:
            return "line"

        def close(self) -> None:
            self.closed = True

    async def main() -> None:
        async def measure(line: str) -> int:
            return len(line)

        lines = Lines()

        async with ordered_map(measure, lines) as results:
            assert await anext(results) == 4

        assert not lines.closed

    strictly(run, main)


def test_what_is_iterable_either_way_is_iterated_asynchronously(run: Run) -> None:
    class Both:
        def __iter__(self) -> Iterator[int]:
            raise AssertionError

        async def __aiter__(self) -> AsyncIterator[int]:
            yield 7

    async def main() -> None:
        assert await ordered_map(Work(), Both()).collect() == [7]

    strictly(run, main)
