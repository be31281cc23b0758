"""Drawn cases: how slow the source, the transforms and the consumer are, what fails, and the bounds.

Every time is a multiple of 1/8 s, so that sums are exact. Few different times are drawn: the interesting
cases are those in which several things happen at one instant.
"""

from dataclasses import dataclass

import anyio
import anyio.lowlevel
from hypothesis import strategies as st

TIMES = st.sampled_from((0.0, 0.0, 0.125, 0.25, 0.5, 0.5, 1.0, 1.0, 1.5, 3.0))

# Behind everything that a drawn case does in finite time.
LONG_S = 1000.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How a pause is made; one of zero seconds either suspends for no time or does not suspend at all."""

    suspends: bool

    async def pause(self, delay: float) -> None:
        if delay:
            await anyio.sleep(delay)
        elif self.suspends:
            await anyio.lowlevel.checkpoint()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One run over the items 0, 1, 2, ..."""

    gaps: tuple[float, ...]
    """Before each item of the source, and before its end."""

    holds: tuple[float, ...]
    """How long the consumer holds each thing it is handed; past the last one, no time."""

    lead: float = 0.0
    """From entering the block to asking for the first result; infinite: it never asks."""

    failing: frozenset[int] = frozenset()
    """The items that fail after their work."""

    pace: Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class MapCase(Case):
    """One run of `ordered_map`."""

    works: tuple[float, ...]
    """What each transform takes."""

    prefetch: int
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatCase(Case):
    """One run of `ordered_flat_map`."""

    streams: tuple[tuple[float, ...], ...]
    """For each item the pause before each of its results, and before its end."""

    prefetch: int
    concurrency: int
    buffer: int


@dataclass(frozen=True, slots=True)
class Link:
    """One stage of a chain."""

    works: tuple[float, ...]
    prefetch: int
    concurrency: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainCase(Case):
    """One run of three stages, each the source of the next."""

    links: tuple[Link, Link, Link]


def _times(count: int) -> st.SearchStrategy[tuple[float, ...]]:
    return st.lists(TIMES, min_size=count, max_size=count).map(tuple)


def _failing(count: int) -> st.SearchStrategy[frozenset[int]]:
    return st.frozensets(st.sampled_from(range(count))) if count else st.just(frozenset())


_paces = st.booleans().map(Pace)


@st.composite
def map_cases(draw: st.DrawFn, *, min_items: int = 0, failures: bool = True) -> MapCase:
    """Draw a run of `ordered_map`."""
    count = draw(st.integers(min_items, 10))
    prefetch = draw(st.integers(1, 5))
    return MapCase(
        gaps=draw(_times(count + 1)),
        works=draw(_times(count)),
        holds=draw(_times(count)),
        failing=draw(_failing(count if failures else 0)),
        prefetch=prefetch,
        concurrency=draw(st.integers(1, prefetch)),
        pace=draw(_paces),
    )


@st.composite
def flat_cases(draw: st.DrawFn, *, failures: bool = True) -> FlatCase:
    """Draw a run of `ordered_flat_map`, often with empty sub-streams."""
    count = draw(st.integers(0, 5))
    streams = tuple(draw(_times(1 + draw(st.integers(0, 4)))) for _ in range(count))
    prefetch = draw(st.integers(1, 4))
    return FlatCase(
        gaps=draw(_times(count + 1)),
        streams=streams,
        holds=draw(_times(sum(len(stream) for stream in streams))),
        failing=draw(_failing(count if failures else 0)),
        prefetch=prefetch,
        concurrency=draw(st.integers(1, prefetch)),
        buffer=draw(st.integers(1, 3)),
        pace=draw(_paces),
    )


@st.composite
def _links(draw: st.DrawFn, count: int) -> Link:
    prefetch = draw(st.integers(1, 4))
    return Link(draw(_times(count)), prefetch, draw(st.integers(1, prefetch)))


@st.composite
def chain_cases(draw: st.DrawFn) -> ChainCase:
    """Draw a run of three stages."""
    count = draw(st.integers(0, 7))
    return ChainCase(
        gaps=draw(_times(count + 1)),
        links=(draw(_links(count)), draw(_links(count)), draw(_links(count))),
        holds=draw(_times(count)),
        pace=draw(_paces),
    )


def odd_instants() -> st.SearchStrategy[float]:
    """Draw an instant between those at which a drawn case does anything."""
    return st.integers(0, 80).map(lambda eighths: eighths / 8 + 1 / 16)
