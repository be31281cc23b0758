"""What must happen, from a drawn case alone: the recurrences of law 5, and what follows from laws 2 and 16.

A schedule is a list of events, earliest first. Two kinds cannot be seen from outside: ``handed`` says of
which item a flat map's result is, and ``left`` when an item leaves the window.
"""

from collections.abc import Iterable
from heapq import heapreplace
from itertools import chain, repeat
from typing import Literal, NamedTuple, TypeAlias

from ordered_pipeline import Interruption, StageStatistics
from tests.core.strategies import Case, ChainCase, FlatCase, MapCase

Kind: TypeAlias = Literal[
    "read",
    "yielded",
    "exhausted",
    "started",
    "pulled",
    "came",
    "settled",
    "handed",
    "left",
    "asked",
    "delivered",
    "ended",
]


class Event(NamedTuple):
    """Something that happens at an instant.

    ``number`` is the item's, but for what the consumer does (``asked``, ``delivered``), which is counted by
    itself; ``part`` is the stage of a chain or the result of a sub-stream.
    """

    time: float
    kind: Kind
    number: int = 0
    part: int = 0


def since(time: float, events: Iterable[Event]) -> list[Event]:
    """Return the events from *time* on, earliest first, but for transforms that end."""
    return sorted(event for event in events if event.time >= time and event.kind != "settled")


def until(time: float, events: Iterable[Event]) -> list[Event]:
    """Return the events before *time*, earliest first."""
    return sorted(event for event in events if event.time < time)


def outside(events: Iterable[Event]) -> list[Event]:
    """Return what the source, the transforms and the consumer can see."""
    return sorted(event for event in events if event.kind not in {"handed", "left"})


def times(kind: Kind, events: Iterable[Event], part: int = 0) -> list[float]:
    """Return when the events of one kind are, by their numbers."""
    found = sorted((event.number, event.time) for event in events if (event.kind, event.part) == (kind, part))
    return [time for _, time in found]


class _Workers:
    """The earliest free of so many workers, given work in source order."""

    def __init__(self, count: int) -> None:
        self._free = [0.0] * count

    @property
    def free(self) -> float:
        return self._free[0]

    def busy_until(self, time: float) -> None:
        heapreplace(self._free, time)


def _room(left: list[float], prefetch: int) -> float:
    """Return when there is room for the next item, if those that left so far did so at *left*."""
    return left[-prefetch] if len(left) >= prefetch else 0.0


def _end(left: list[float], read: float, exhausted: float, asked: float, handed: int) -> list[Event]:
    """Return how the source ends, and the stage with it."""
    return [
        Event(read, "read", len(left)),
        Event(exhausted, "exhausted"),
        Event(asked, "asked", handed),
        Event(max(asked, exhausted, *left[-1:]), "ended"),
    ]


def map_schedule(case: MapCase, *, skipping: bool = False) -> list[Event]:
    """Return the schedule of law 5; with *skipping*, failed items leave by law 2 without being asked for."""
    events: list[Event] = []
    workers = _Workers(case.concurrency)
    holds = iter(case.holds)
    left: list[float] = []
    yielded, asked, handed = 0.0, case.lead, 0
    for item, work in enumerate(case.works):
        read = max(yielded, _room(left, case.prefetch))
        yielded = read + case.gaps[item]
        started = max(yielded, workers.free)
        settled = started + work
        workers.busy_until(settled)
        turn = max([settled, *left[-1:]])
        if skipping and item in case.failing:
            left.append(turn)
        else:
            delivered = max(asked, turn)
            left.append(delivered)
            events += Event(asked, "asked", handed), Event(delivered, "delivered", handed)
            asked = delivered + next(holds)
            handed += 1
        events += (
            Event(read, "read", item),
            Event(yielded, "yielded", item),
            Event(started, "started", item),
            Event(settled, "settled", item),
            Event(left[-1], "left", item),
        )
    read = max(yielded, _room(left, case.prefetch))
    events += _end(left, read, read + case.gaps[-1], asked, handed)
    return sorted(events)


def flat_schedule(case: FlatCase, *, skipping: bool = False) -> list[Event]:
    """Return the schedule of a flat map; an item's error is handed over after its results, or skipped."""
    events: list[Event] = []
    workers = _Workers(case.concurrency)
    holds = chain(case.holds, repeat(0.0))
    left: list[float] = []
    yielded, asked, handed = 0.0, case.lead, 0
    for item, (*pauses, last) in enumerate(case.streams):
        read = max(yielded, _room(left, case.prefetch))
        yielded = read + case.gaps[item]
        came = started = max(yielded, workers.free)
        turn = left[-1] if left else 0.0
        delivered: list[float] = []
        for part, pause in enumerate(pauses):
            pulled = max(came, delivered[part - case.buffer]) if part >= case.buffer else came
            came = pulled + pause
            delivered.append(max(asked, came, turn))
            events += (
                Event(pulled, "pulled", item, part),
                Event(came, "came", item, part),
                Event(asked, "asked", handed),
                Event(delivered[part], "delivered", handed),
                Event(delivered[part], "handed", item, part),
            )
            turn = delivered[part]
            asked = turn + next(holds)
            handed += 1
        room = len(pauses) - case.buffer
        pulled = max(came, delivered[room]) if room >= 0 else came
        settled = pulled + last
        workers.busy_until(settled)
        turn = max(turn, settled)
        if item in case.failing and not skipping:
            turn = max(turn, asked)
            events += Event(asked, "asked", handed), Event(turn, "delivered", handed)
            asked = turn + next(holds)
            handed += 1
        left.append(turn)
        events += (
            Event(read, "read", item),
            Event(yielded, "yielded", item),
            Event(started, "started", item),
            Event(pulled, "pulled", item, len(pauses)),
            Event(settled, "settled", item),
            Event(turn, "left", item),
        )
    read = max(yielded, _room(left, case.prefetch))
    events += _end(left, read, read + case.gaps[-1], asked, handed)
    return sorted(events)


def chain_schedule(case: ChainCase) -> list[Event]:
    """Return the schedule of a chain: what one stage is asked for and hands over is what the next one reads.

    The ``part`` of an event is the stage's number, the innermost being 0; the innermost stage alone reads a
    source that can see it. What the last stage hands over is the consumer's.
    """
    events: list[Event] = []
    workers = [_Workers(link.concurrency) for link in case.links]
    left: list[list[float]] = [[] for _ in case.links]
    admitted = [0.0 for _ in case.links]
    asked = 0.0

    def reads() -> list[float]:
        each = zip(admitted, left, case.links, strict=True)
        return [max(last, _room(gone, link.prefetch)) for last, gone, link in each]

    for item in range(len(case.holds)):
        read, *asks = *reads(), asked
        arrived = read + case.gaps[item]
        events += Event(read, "read", item), Event(arrived, "yielded", item)
        for part, link in enumerate(case.links):
            admitted[part] = arrived
            started = max(arrived, workers[part].free)
            settled = started + link.works[item]
            workers[part].busy_until(settled)
            arrived = max(asks[part], settled)
            left[part].append(arrived)
            events += (
                Event(started, "started", item, part),
                Event(settled, "settled", item, part),
                Event(arrived, "left", item, part),
            )
        events += Event(asked, "asked", item), Event(arrived, "delivered", item)
        asked = arrived + case.holds[item]
    read, *asks = *reads(), asked
    exhausted = read + case.gaps[-1]
    events += (
        Event(read, "read", len(case.holds)),
        Event(exhausted, "exhausted"),
        Event(asked, "asked", len(case.holds)),
        Event(max(exhausted, *asks), "ended"),
    )
    return sorted(events)


def stage_of(part: int, schedule: list[Event]) -> list[Event]:
    """Return what happens to the items of one stage of a chain; the innermost is 0."""
    own = [
        Event(event.time, event.kind, event.number)
        for event in schedule
        if event.part == part and event.kind in {"started", "settled", "left"}
    ]
    if part == 0:
        return sorted(own + [event for event in schedule if event.kind == "yielded"])
    return sorted(
        own + [Event(time, "yielded", item) for item, time in enumerate(times("left", schedule, part - 1))]
    )


def lives(schedule: list[Event], discarded: Iterable[int] = ()) -> dict[int, list[tuple[str, float]]]:
    """Return what an observer must be told of each item, if *discarded* are those that are skipped."""
    kinds: tuple[Kind, ...] = ("yielded", "started", "settled", "left")
    each = zip(*(times(kind, schedule) for kind in kinds), strict=True)
    return {
        item: [
            ("admitted", yielded),
            ("started", started),
            ("settled", settled),
            ("discarded" if item in discarded else "delivered", left),
        ]
        for item, (yielded, started, settled, left) in enumerate(each)
    }


def interruption_at(time: float, schedule: list[Event]) -> Interruption[int]:
    """Return what an interrupt must say at *time*, when nothing else happens."""
    past = until(time, schedule)
    admitted, left = _count("yielded", past), _count("left", past)
    handed = sum(event.kind == "handed" and event.number == left for event in past)
    return Interruption(
        delivered=left,
        partial=left if handed else None,
        partial_results=handed,
        dropped=tuple(range(left + bool(handed), admitted)),
    )


def after_interrupt(time: float, schedule: list[Event], case: Case) -> list[Event]:
    """Return what a consumer sees of an interrupt at *time*: the end, now if it waits, else when it asks."""
    past = until(time, schedule)
    asked, delivered = times("asked", past), times("delivered", past)
    if len(asked) > len(delivered):
        return [Event(time, "ended")]
    asks = delivered[-1] + [*case.holds, *repeat(0.0, len(delivered))][len(delivered) - 1]
    return [Event(asks, "asked", len(delivered)), Event(asks, "ended")]


def statistics_told(schedule: list[Event]) -> list[tuple[float, StageStatistics]]:
    """Return the statistics at every odd multiple of 1/16 until all is over, when nothing else happens."""
    [ended] = times("ended", schedule)
    instants = (eighths / 8 + 1 / 16 for eighths in range(int(ended * 8)))
    return [(time, _statistics_at(time, schedule)) for time in instants]


def _statistics_at(time: float, schedule: list[Event]) -> StageStatistics:
    """Return what the statistics must be at *time*, when nothing else happens."""
    past = until(time, schedule)
    settled, left = _count("settled", past), _count("left", past)
    return StageStatistics(
        admitted=_count("yielded", past),
        running=_count("started", past) - settled,
        ready=settled - left,
        delivered=left,
        waiting_for=_waiting_for(past),
    )


def _waiting_for(past: list[Event]) -> Literal["source", "transform", "consumer", "nothing"]:
    head = _count("left", past)
    seen = [event.kind for event in past if event.number == head]
    if "yielded" not in seen:
        return "nothing" if _count("exhausted", past) else "source"
    if "settled" in seen or seen.count("came") > seen.count("handed"):
        return "consumer"
    return "transform"


def _count(kind: Kind, events: list[Event]) -> int:
    return sum(event.kind == kind for event in events)
