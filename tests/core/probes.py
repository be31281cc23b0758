"""What the tests of the core look with: parts that note what happens to them, a run that notes leftovers."""

import asyncio
import gc
import sys
import types
import warnings
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Sequence,
)
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import anyio.lowlevel
import trio

from ordered_pipeline import Stage

if TYPE_CHECKING:
    from tests.conftest import Run

T = TypeVar("T")


class Mishap(Exception):
    """What fails in these tests."""


class Abort(BaseException):
    """What fails in these tests and is no `Exception`."""


def on_trio() -> bool:
    return trio.lowlevel.in_trio_run()


def this_task() -> object:
    return trio.lowlevel.current_task() if on_trio() else asyncio.current_task()


async def clean_up(duration_s: float) -> None:
    """Wait as clean-up does: plainly on asyncio, shielded on trio."""
    if on_trio():
        with trio.CancelScope(shield=True):
            await trio.sleep(duration_s)
    else:
        await asyncio.sleep(duration_s)


async def at(instant_s: float, action: Callable[[], object], *, turns: int = 0) -> None:
    """Call *action* at an instant, after *turns* more turns of the event loop."""
    await anyio.sleep_until(instant_s)
    for _ in range(turns):
        await anyio.lowlevel.checkpoint()
    action()


def reachable(error: BaseException | None) -> Iterator[BaseException]:
    """Yield *error* and all that hangs on it: causes, contexts and members of groups."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [found.__cause__, found.__context__]
            if isinstance(found, BaseExceptionGroup):
                waiting += found.exceptions


async def hesitant(number: int) -> int:
    """Transform with one suspension."""
    await anyio.lowlevel.checkpoint()
    return number


async def listed(*numbers: int) -> AsyncIterator[int]:
    for number in numbers:
        yield number


async def outcomes(stage: Stage[Any, Any]) -> list[object]:
    """Enter and iterate *stage*, going on after each exception; return all that came out, in order."""
    found: list[object] = []
    async with stage as results:
        while True:
            try:
                found.append(await anext(results))
            except StopAsyncIteration:
                return found
            except (Exception, Abort) as error:  # noqa: BLE001  # it is looked at by the caller
                found.append(error)


@dataclass(slots=True)
class Numbers:
    """A source that counts from 0 and notes what is asked of it, and by which task.

    Args:
        gaps_s: How long it takes for each number; it has as many.
        error: What it raises after the last one.
        pending_s: How long the clean-up of an interrupted ``__anext__`` takes.
        closing_s: How long ``aclose`` takes.
        closing_error: What ``aclose`` fails with.
    """

    gaps_s: Sequence[float]
    error: BaseException | None = None
    pending_s: float | None = None
    closing_s: float | None = None
    closing_error: BaseException | None = None
    given: int = 0
    closed: int = 0
    tasks: list[object] = field(default_factory=list)
    trace: list[tuple[str, float]] = field(default_factory=list)

    def __aiter__(self) -> Self:
        self.tasks.append(this_task())
        return self

    async def __anext__(self) -> int:
        self.tasks.append(this_task())
        assert not self.closed, "the source was read after it was closed"
        if self.given == len(self.gaps_s):
            if self.error is not None:
                raise self.error
            raise StopAsyncIteration
        try:
            await anyio.sleep(self.gaps_s[self.given])
        except BaseException:
            if self.pending_s is not None:
                await clean_up(self.pending_s)
            self.trace.append(("reading stopped", anyio.current_time()))
            raise
        self.given += 1
        return self.given - 1

    async def aclose(self) -> None:
        self.tasks.append(this_task())
        self.closed += 1
        if self.closing_s is not None:
            await clean_up(self.closing_s)
        self.trace.append(("source closed", anyio.current_time()))
        if self.closing_error is not None:
            raise self.closing_error


@dataclass(slots=True)
class Work:
    """A transform from a number to itself that takes its time and notes when it started and ended.

    Args:
        delays_s: How long it takes for each number; the last one holds for all that follow.
        errors: What it fails with, by number.
        cleaning_s: How long its clean-up takes after a cancellation.
        cleaning_errors: What the clean-up fails with, by number.
    """

    delays_s: Sequence[float] = (0.0,)
    errors: dict[int, BaseException] = field(default_factory=dict)
    cleaning_s: float | None = None
    cleaning_errors: dict[int, BaseException] = field(default_factory=dict)
    started: list[int] = field(default_factory=list)
    running: set[int] = field(default_factory=set)
    trace: list[tuple[str, float]] = field(default_factory=list)

    async def __call__(self, number: int) -> int:
        self.started.append(number)
        self.running.add(number)
        try:
            await anyio.sleep(self.delays_s[min(number, len(self.delays_s) - 1)])
            if number in self.errors:
                raise self.errors[number]
        except BaseException as error:
            if self.errors.get(number) is not error:
                await self._clean_up(number)
            raise
        finally:
            self.running.remove(number)
        return number

    async def _clean_up(self, number: int) -> None:
        cut = True
        try:
            if self.cleaning_s is not None:
                await clean_up(self.cleaning_s)
            cut = False
        finally:
            self.trace.append((f"{number} cut" if cut else f"{number} cancelled", anyio.current_time()))
        if number in self.cleaning_errors:
            raise self.cleaning_errors[number]


def strictly(run: "Run", function: Callable[..., Awaitable[T]], *args: Any) -> T:
    """Run *function*; fail if it leaves a task, a generator, a coroutine or an exception that nobody took."""
    generators: list[AsyncGenerator[Any, Any]] = []
    unseen: list[dict[str, Any]] = []

    async def watched() -> T:
        if not on_trio():
            asyncio.get_running_loop().set_exception_handler(lambda _, context: unseen.append(context))
        with _noting(generators):
            return await function(*args)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        result = run(watched)
        gc.collect(1)
    left = [generator for generator in generators if getattr(generator, "ag_frame", None) is not None]
    assert not left, left
    assert not unseen, unseen
    assert not warned, [str(warning.message) for warning in warned]
    return result


@contextmanager
def _noting(generators: list[AsyncGenerator[Any, Any]]) -> Iterator[None]:
    hooks = sys.get_asyncgen_hooks()

    def first(generator: AsyncGenerator[Any, Any]) -> None:
        generators.append(generator)
        if hooks.firstiter is not None:
            hooks.firstiter(generator)

    sys.set_asyncgen_hooks(firstiter=first)
    try:
        yield
    finally:
        sys.set_asyncgen_hooks(*hooks)


@dataclass(slots=True)
class Suspensions:
    """Counts how often what it runs gives way to the loop, and calls *action* the nth time."""

    nth: int
    action: Callable[[], object]
    count: int = 0

    @property
    def acted(self) -> bool:
        return self.count >= self.nth

    @types.coroutine
    def run(self, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        step: Callable[[], Any] = partial(coroutine.send, None)
        while True:
            try:
                trap = step()
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]  # StopIteration is not generic
            self.count += 1
            if self.count == self.nth:
                self.action()
            try:
                received = yield trap
            except BaseException as error:  # noqa: BLE001  # it goes into the coroutine
                step = partial(coroutine.throw, error)
            else:
                step = partial(coroutine.send, received)
