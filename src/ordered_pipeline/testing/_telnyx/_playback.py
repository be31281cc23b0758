"""The queue of what REST commands play on a call.

Rules kept here:

1. Items play one after another in the order in which their commands took effect, ``playback_start`` and
   ``speak`` in one queue.
2. An item is fetched and prepared as soon as it is queued, or when it comes to the head: nobody but Telnyx
   knows, so it is an option.
3. An item ends once, and if it is told to have started, that comes first.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from ordered_pipeline.testing._telnyx._agenda import Agenda
from ordered_pipeline.testing._telnyx._files import SoundFile
from ordered_pipeline.testing._telnyx._options import TelnyxReadings, TelnyxTiming
from ordered_pipeline.testing._telnyx._timeline import CallTimeline, Run, SoundKind

EndStatus: TypeAlias = Literal["completed", "cancelled", "call_hangup", "file_not_found", "failed"]
Fetched: TypeAlias = SoundFile | Literal["file_not_found", "failed"]
Tell: TypeAlias = Callable[["Item", EndStatus | None], None]


@dataclass(eq=False, slots=True, kw_only=True)
class Item:
    """One thing to play.

    Attributes:
        fetch: Gets its file, and hands it to the function that it is given, now or later.
        client_state: As its command gave it.
    """

    name: str
    kind: SoundKind
    fetch: Callable[[Callable[[Fetched], None]], None]
    loop: float = 1
    client_state: bytes | None = None
    media_url: str | None = None
    media_name: str | None = None
    file: Fetched | None = None
    is_asked_for: bool = False
    is_prepared: bool = False
    is_over: bool = False
    not_before_s: float = -math.inf
    run: Run | None = None


@final
class PlaybackQueue:
    """Plays items in order and tells when each has started and ended."""

    def __init__(
        self,
        agenda: Agenda,
        timing: TelnyxTiming,
        readings: TelnyxReadings,
        timeline: CallTimeline,
        tell: Tell,
    ) -> None:
        """Begin with nothing to play. *tell* gets None for the start of an item."""
        self._agenda: Agenda = agenda
        self._timing: TelnyxTiming = timing
        self._readings: TelnyxReadings = readings
        self._timeline: CallTimeline = timeline
        self._tell: Tell = tell
        self._waiting: deque[Item] = deque()
        self._head: Item | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing plays or is queued."""
        return self._head is None and not self._waiting

    def put(self, item: Item) -> None:
        """Queue *item*."""
        self._waiting.append(item)
        if self._readings.prepare == "on_enqueue":
            self._ask_for(item)
        self._advance(self._agenda.now_s)

    def stop_current(self) -> None:
        """Stop what plays; the next item begins."""
        if self._head is not None:
            self._end(self._head, "cancelled")

    def stop_all(self, status: EndStatus = "cancelled") -> None:
        """Stop what plays and drop what is queued."""
        waiting = list(self._waiting)
        self._waiting.clear()
        if self._head is not None:
            self._end(self._head, status)
        for item in waiting:
            self._end(item, status)

    def _advance(self, not_before_s: float) -> None:
        if self._head is not None or not self._waiting:
            return
        item = self._head = self._waiting.popleft()
        item.not_before_s = not_before_s
        self._ask_for(item)
        self._begin(item)

    def _ask_for(self, item: Item) -> None:
        if not item.is_asked_for:
            item.is_asked_for = True
            item.fetch(lambda fetched: self._fetched(item, fetched))

    def _fetched(self, item: Item, fetched: Fetched) -> None:
        item.file = fetched
        self._agenda.after(self._timing.start_latency_s, lambda: self._prepared(item))

    def _prepared(self, item: Item) -> None:
        item.is_prepared = True
        self._begin(item)

    def _begin(self, item: Item) -> None:
        """Play *item* if it is at the head, there and its time has come."""
        if item.is_over or item is not self._head or not item.is_prepared or item.run is not None:
            return
        if not isinstance(item.file, SoundFile):
            self._end(item, item.file or "failed")
            return
        if item.not_before_s > self._agenda.now_s:
            self._agenda.at(item.not_before_s, lambda: self._begin(item))
            return
        item.run = self._timeline.begin(Run(item.name, item.kind, self._agenda.now_s, item.file.format))
        item.run.add(item.file.data, item.file.duration_s)
        item.run.repeat(item.loop)
        self._tell(item, None)
        if item.run.end_s < math.inf:
            self._agenda.at(item.run.end_s, lambda: self._end(item, "completed"))

    def _end(self, item: Item, status: EndStatus) -> None:
        if item.is_over:
            return
        item.is_over = True
        if item.run is not None:
            item.run.cut(self._agenda.now_s)
        failed = status not in {"cancelled", "call_hangup"}
        if item.run is not None or failed or self._readings.ended_for_never_started:
            self._tell(item, status)
        if item is self._head:
            self._head = None
            self._advance(self._agenda.now_s + self._timing.inter_item_s)
