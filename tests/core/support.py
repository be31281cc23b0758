"""Runs of drawn cases, each with a trace of what source, transforms and consumer saw, and when."""

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, repeat
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import anyio
from hypothesis import HealthCheck, settings

from ordered_pipeline import (
    Interruption,
    Stage,
    StageObserver,
    StageStatistics,
    ordered_flat_map,
    ordered_map,
)
from tests.core.oracle import Event, Kind
from tests.core.strategies import LONG_S, Case, ChainCase, FlatCase, MapCase

C = TypeVar("C", bound=Case)

R = TypeVar("R", "MapRun", "FlatRun")

Policy: TypeAlias = Literal["raise", "skip"]

# A profile may ask for fewer examples. `run` keeps nothing from one example to the next.
laws = settings(
    max_examples=min(60, settings().max_examples),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Failure(Exception):
    """What a transform of a drawn case fails with."""


@dataclass(frozen=True, slots=True)
class Result:
    """What is made of an item; by a flat map, one part of it."""

    item: int
    part: int = 0


class Told:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int, float]] = []
        self.items: dict[int, set[object]] = {}
        self.errors: dict[int, BaseException | None] = {}

    def admitted(self, index: int, item: object, time: float, /) -> None:
        self.keep("admitted", index, item, time)

    def started(self, index: int, item: object, time: float, /) -> None:
        self.keep("started", index, item, time)

    def settled(self, index: int, item: object, time: float, error: BaseException | None, /) -> None:
        self.keep("settled", index, item, time)
        self.errors[index] = error

    def delivered(self, index: int, item: object, time: float, /) -> None:
        self.keep("delivered", index, item, time)

    def discarded(self, index: int, item: object, time: float, /) -> None:
        self.keep("discarded", index, item, time)

    def keep(self, call: str, index: int, item: object, time: float) -> None:
        """Note one callback."""
        self.calls.append((call, index, time))
        self.items.setdefault(index, set()).add(item)

    def told_of(self, index: int) -> list[tuple[str, float]]:
        """Return what was told of one item, in the order in which it was told."""
        return [(call, time) for call, of, time in self.calls if of == index]


@dataclass(slots=True)
class _Run(Generic[C]):
    case: C
    failures: dict[int, Failure] = field(init=False)
    trace: list[Event] = field(default_factory=list, init=False)
    outcomes: list[object] = field(default_factory=list, init=False)
    """What the consumer was handed, and the exceptions it caught in the place of results."""

    def __post_init__(self) -> None:
        self.failures = {item: Failure(item) for item in self.case.failing}

    def note(self, kind: Kind, number: int = 0, part: int = 0) -> None:
        self.trace.append(Event(anyio.current_time(), kind, number, part))

    async def source(self) -> AsyncIterator[int]:
        *gaps, last = self.case.gaps
        for item, gap in enumerate(gaps):
            self.note("read", item)
            await self.case.pace.pause(gap)
            self.note("yielded", item)
            yield item
        self.note("read", len(gaps))
        await self.case.pace.pause(last)
        self.note("exhausted")

    async def consume(self, results: Stage[Any, Result]) -> None:
        """Iterate *results* as the case says: until they end, or never."""
        if self.case.lead == math.inf:
            await anyio.sleep(LONG_S)
            return
        await self.case.pace.pause(self.case.lead)
        for number, hold in enumerate(chain(self.case.holds, repeat(0.0))):
            self.note("asked", number)
            try:
                outcome: object = await anext(results)
            except StopAsyncIteration:
                self.note("ended")
                return
            except (Failure, TimeoutError) as error:
                outcome = error
            self.note("delivered", number)
            self.outcomes.append(outcome)
            await self.case.pace.pause(hold)


@dataclass(slots=True)
class MapRun(_Run[MapCase]):
    """A run of `ordered_map`."""

    async def transform(self, item: int) -> Result:
        self.note("started", item)
        try:
            await self.case.pace.pause(self.case.works[item])
        finally:
            self.note("settled", item)
        if item in self.failures:
            raise self.failures[item]
        return Result(item)

    def stage(self, on_error: Policy = "raise", observer: StageObserver | None = None) -> Stage[int, Result]:
        return ordered_map(
            self.transform,
            self.source(),
            prefetch=self.case.prefetch,
            concurrency=self.case.concurrency,
            on_error=on_error,
            observer=observer,
        )

    def in_line(self, on_error: Policy = "raise") -> list[object]:
        """Return the outcomes in source order."""
        return [
            self.failures.get(item, Result(item))
            for item in range(len(self.case.works))
            if on_error == "raise" or item not in self.failures
        ]


@dataclass(slots=True)
class FlatRun(_Run[FlatCase]):
    """A run of `ordered_flat_map`."""

    def transform(self, item: int) -> AsyncIterator[Result]:
        self.note("started", item)
        return self._sub_stream(item)

    async def _sub_stream(self, item: int) -> AsyncIterator[Result]:
        *delays, last = self.case.streams[item]
        try:
            for part, delay in enumerate(delays):
                self.note("pulled", item, part)
                await self.case.pace.pause(delay)
                self.note("came", item, part)
                yield Result(item, part)
            self.note("pulled", item, len(delays))
            await self.case.pace.pause(last)
        finally:
            self.note("settled", item)
        if item in self.failures:
            raise self.failures[item]

    def stage(
        self,
        on_error: Policy = "raise",
        observer: StageObserver | None = None,
        timeout_s: float | None = None,
    ) -> Stage[int, Result]:
        return ordered_flat_map(
            self.transform,
            self.source(),
            prefetch=self.case.prefetch,
            concurrency=self.case.concurrency,
            buffer=self.case.buffer,
            on_error=on_error,
            timeout_s=timeout_s,
            observer=observer,
        )

    def in_line(self, on_error: Policy = "raise") -> list[object]:
        """Return the outcomes in source order, an item's error after its results."""
        outcomes: list[object] = []
        for item, stream in enumerate(self.case.streams):
            outcomes += (Result(item, part) for part in range(len(stream) - 1))
            if on_error == "raise" and item in self.failures:
                outcomes.append(self.failures[item])
        return outcomes


@dataclass(slots=True)
class ChainRun(_Run[ChainCase]):
    """A run of three stages, each the source of the next, of which one has the items that fail."""

    failing_part: int = 0
    told: tuple[Told, Told, Told] = field(default_factory=lambda: (Told(), Told(), Told()), init=False)

    def stages(self) -> tuple[Stage[int, int], Stage[int, int], Stage[int, Result]]:
        """Return the stages, innermost first; entering the last one enters them all."""
        inner, middle, outer = self.case.links
        first = ordered_map(
            partial(self.transform, 0),
            self.source(),
            prefetch=inner.prefetch,
            concurrency=inner.concurrency,
            observer=self.told[0],
        )
        second = ordered_map(
            partial(self.transform, 1),
            first,
            prefetch=middle.prefetch,
            concurrency=middle.concurrency,
            observer=self.told[1],
        )
        third = ordered_map(
            self.finish,
            second,
            prefetch=outer.prefetch,
            concurrency=outer.concurrency,
            observer=self.told[2],
        )
        return first, second, third

    async def transform(self, part: int, item: int) -> int:
        self.note("started", item, part)
        try:
            await self.case.pace.pause(self.case.links[part].works[item])
        finally:
            self.note("settled", item, part)
        if part == self.failing_part and item in self.failures:
            raise self.failures[item]
        return item

    async def finish(self, item: int) -> Result:
        return Result(await self.transform(2, item))


async def play(played: R, on_error: Policy = "raise") -> tuple[R, Told]:
    """Run a case to its end, or for long."""
    told = Told()
    async with played.stage(on_error, told) as results:
        with anyio.move_on_after(LONG_S):
            await played.consume(results)
    return played, told


async def interrupt(played: R, instant_s: float) -> tuple[R, Told, Interruption[int]]:
    """Run a case and interrupt it twice; return what was found the first time."""
    told = Told()
    found: list[Interruption[int]] = []
    stage = played.stage(observer=told)

    async def strike() -> None:
        await anyio.sleep_until(instant_s)
        found.append(stage.interrupt())

    async with anyio.create_task_group() as group, stage as results:
        group.start_soon(strike)
        await played.consume(results)
    assert stage.interrupt() == found[0]
    return played, told, found[0]


async def statistics_of(played: MapRun | FlatRun, on_error: Policy) -> list[tuple[float, StageStatistics]]:
    """Run a case and return its statistics at every odd multiple of 1/16."""
    seen: list[tuple[float, StageStatistics]] = []
    stage = played.stage(on_error)

    async def watch() -> None:
        await anyio.sleep(1 / 16)
        while True:
            seen.append((anyio.current_time(), stage.statistics()))
            await anyio.sleep(1 / 8)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        async with stage as results:
            await played.consume(results)
        group.cancel_scope.cancel()
    return seen
