"""The ledger of the files that Telnyx was given to play: which of them sounds, and since when.

Rules kept here:

1. Telnyx plays what it is given one after another, in the order in which it came. So lengths and the answers
   to commands tell when a file should sound; webhooks correct that.
2. A webhook may come late, several times or not at all, and it does not always tell which file it is about:
   ``client_state`` is that of the command that Telnyx took last, or of the file; its documents leave it open.
   So a webhook is believed if it is possible by the clock: of the file that it names, or else of the oldest.
   Once one has named a file for which it was too early, names are not heeded any more.
3. `Ledger.ready_s`, by which the next file is posted, is never moved to a later time by a webhook: a late or
   a wrong one makes no gap.
4. What nobody tells the end of is presumed to be over, some time after it should have been.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, final

from ordered_pipeline.voice import PlaybackResult

Outcome: TypeAlias = Literal["completed", "cleared", "failed", "presumed"]

# From an accepted command to the first sample, if nothing else plays: measured on a live line.
_START_S: Final = 0.2
# How long a webhook is under way, measured as above.
_WEBHOOK_S: Final = 0.06
# How much earlier than expected a file may start or end, so that a webhook of it is believed.
_EARLY_S: Final = 0.3
# How much later than expected that may be; a webhook that comes later still is late itself.
_LATE_S: Final = 0.5
# How much later a file may start, for all that is known, if no webhook has told of those before it.
_MOST_LATE_S: Final = 2.0
# How long after its end should have come a file is presumed to be over.
_PATIENCE_S: Final = 1.0
# How many files that are over are known again when a late webhook names them.
_REMEMBERED: Final = 64


@final
@dataclass(slots=True, eq=False)
class Part:
    """A clip in a file.

    Attributes:
        length_s: Of its sound, in seconds.
        offset_s: Where in the file it begins.
        item: The file, once it is in one.
        result: How it ended, once it has.
        error: What it failed with, instead of a result.
        last_s: How much of it had sounded when it failed.
    """

    length_s: float
    offset_s: float = 0.0
    item: "Item | None" = None
    result: PlaybackResult | None = None
    error: Exception | None = None
    last_s: float = 0.0

    @property
    def is_over(self) -> bool:
        """Whether it has a result or an error."""
        return self.result is not None or self.error is not None

    @property
    def start_s(self) -> float:
        """When its first sample sounds; infinite if that is not known yet."""
        return math.inf if self.item is None else self.item.start_s + self.offset_s

    @property
    def due_s(self) -> float:
        """When it is presumed to be over."""
        late_s = 0.0 if self.item is None else self.item.late_s
        return self.start_s + self.length_s + late_s + _PATIENCE_S

    def position_s(self, now_s: float) -> float:
        """Return how much of it has sounded by *now_s*."""
        if self.result is not None:
            return self.result.played_s
        if self.error is not None:
            return self.last_s
        return max(0.0, min(now_s - self.start_s, self.length_s))

    def settle(self, outcome: Outcome, now_s: float) -> None:
        """Give it a result at *now_s*, unless it is over already."""
        if self.is_over:
            return
        played_s = self.length_s if outcome in {"completed", "presumed"} else self.position_s(now_s)
        if outcome == "cleared" and played_s == self.length_s:
            # It was dropped too late to matter.
            outcome = "presumed"
        self.result = PlaybackResult(outcome, played_s)

    def fail(self, error: Exception, now_s: float) -> None:
        """Give it an error at *now_s*, unless it is over already, or has sounded by the clock."""
        if self.is_over:
            return
        self.last_s = self.position_s(now_s)
        if self.last_s == self.length_s:
            self.settle("presumed", now_s)
        else:
            self.error = error


@final
@dataclass(slots=True, eq=False)
class Item:
    """A file of one clip, or of several that were joined.

    Attributes:
        command_id: Of the command that posts it.
        parts: The clips.
        sent_s: When it was posted.
        earliest_s: When it may start as far as it alone is concerned.
        start_s: When it starts; infinite as long as neither an answer nor a webhook tells.
        is_told: Whether a webhook has told the start.
        late_s: How much later it may start, for files before it may each have started later.
    """

    command_id: str
    parts: tuple[Part, ...]
    length_s: float = field(init=False)
    sent_s: float = math.inf
    earliest_s: float = math.inf
    start_s: float = math.inf
    is_told: bool = False
    late_s: float = 0.0

    def __post_init__(self) -> None:
        self.length_s = 0.0
        for part in self.parts:
            part.item, part.offset_s = self, self.length_s
            self.length_s += part.length_s

    @property
    def state(self) -> bytes:
        """What webhooks about it are to bring back."""
        return self.command_id.encode()

    @property
    def end_s(self) -> float:
        """When it is over."""
        return self.start_s + self.length_s

    @property
    def due_s(self) -> float:
        """When it is presumed to be over."""
        return self.end_s + self.late_s + _PATIENCE_S


@final
class Ledger:
    """The files of one call that are being posted, wait at Telnyx or sound.

    Attributes:
        open: The files, oldest first.
        ready_s: When all of them will have sounded, at the earliest.
    """

    def __init__(self) -> None:
        self.open: list[Item] = []
        self.ready_s: float = -math.inf
        # When the last file that is not open any more was over, how much later that may have been, and how
        # webhooks call the latest such files.
        self._over_s: float = -math.inf
        self._late_s: float = 0.0
        self._closed: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._heeds_names: bool = True

    @property
    def due_s(self) -> float:
        """When the next file is presumed to be over; infinite if there is none."""
        return min((item.due_s for item in self.open), default=math.inf)

    def accepted(self, item: Item, now_s: float) -> None:
        """Note that Telnyx has accepted *item*."""
        self.presume(now_s)
        item.earliest_s = now_s + _START_S
        self.ready_s = max(self.ready_s, item.earliest_s) + item.length_s
        self._reckon()

    def told_started(self, state: bytes | None, now_s: float) -> None:
        """Note that a webhook with *state* has told the start of a file."""
        item = self._meant(state, lambda item: now_s >= self._expected_s(item) - _EARLY_S)
        if item is None or item.is_told:
            return
        said_s = min(max(now_s - _WEBHOOK_S, item.sent_s, self._free_s(item)), now_s)
        item.start_s = min(said_s, item.start_s + _LATE_S)
        item.is_told = True
        self._reckon()

    def told_ended(self, state: bytes | None, outcome: Outcome, now_s: float) -> None:
        """Note that a webhook with *state* has told the end of a file."""
        if outcome in {"completed", "presumed"}:
            item = self._meant(state, lambda item: now_s >= item.end_s - _EARLY_S)
        else:
            item = self._meant(state, lambda item: item is self.open[0] or now_s >= item.start_s)
        if item is None:
            return
        if outcome == "failed" and not item.is_told:
            # It was never heard, whatever the clock says.
            item.start_s = math.inf
        if outcome in {"completed", "presumed"}:
            # What was to sound before it is over as well.
            for earlier in self.open[: self.open.index(item)]:
                self._settle(earlier, "presumed", now_s)
            self._settle(item, outcome, now_s)
            self._over_s = min(max(self._over_s, now_s - _WEBHOOK_S), item.end_s + _LATE_S)
        else:
            self._settle(item, outcome, now_s)
        self._late_s = 0.0
        self._reckon()

    def presume(self, now_s: float) -> None:
        """Close the files that should have been over for some time."""
        for item in self.open.copy():
            if now_s >= item.due_s:
                self._settle(item, "presumed", now_s)

    def drop(self, now_s: float) -> None:
        """Note that all is silent from *now_s* on."""
        for item in self.open.copy():
            self._settle(item, "cleared", now_s)
        self.ready_s = -math.inf

    def fail(self, item: Item, error: Exception, now_s: float) -> None:
        """Note that *item* was not accepted."""
        for part in item.parts:
            part.fail(error, now_s)
        self._close(item)
        self._reckon()

    def end(self, error: Exception, now_s: float) -> None:
        """Note that the call is over: what has not sounded by now never will."""
        for item in self.open:
            for part in item.parts:
                part.fail(error, now_s)
        self.open.clear()

    def _meant(self, state: bytes | None, is_possible: Callable[[Item], bool]) -> Item | None:
        """Return which file a webhook is about, None if none that is open."""
        if not self.open or state in self._closed:
            return None
        named = next((item for item in self.open if item.state == state), None)
        if named is not None and self._heeds_names:
            if named.sent_s < math.inf and is_possible(named):
                return named
            self._heeds_names = named is self.open[0]
        oldest = self.open[0]
        return oldest if oldest.sent_s < math.inf and is_possible(oldest) else None

    def _expected_s(self, item: Item) -> float:
        """Return when *item* should start, also if it is not accepted yet."""
        return self._free_s(item) if item.start_s == math.inf else item.start_s

    def _free_s(self, item: Item) -> float:
        """Return when all before *item* is over."""
        before = self.open.index(item)
        return self.open[before - 1].end_s if before else self._over_s

    def _settle(self, item: Item, outcome: Outcome, now_s: float) -> None:
        for part in item.parts:
            part.settle(outcome, now_s)
        self._close(item)
        self._over_s = max(self._over_s, min(item.end_s, now_s))
        self._late_s = item.late_s

    def _close(self, item: Item) -> None:
        self.open.remove(item)
        self._closed.append(item.state)

    def _reckon(self) -> None:
        """Put the files in a row: none starts before the one before it is over."""
        end_s, late_s = self._over_s, self._late_s
        for item in self.open:
            if not item.is_told:
                item.start_s = max(item.earliest_s, end_s)
            # Told, or long after all else, it is not late.
            late_s = 0.0 if item.is_told else max(0.0, end_s + late_s + _START_S - item.start_s)
            item.late_s = late_s = min(late_s, _MOST_LATE_S)
            end_s = item.end_s
        if end_s < math.inf:
            self.ready_s = min(self.ready_s, end_s)
