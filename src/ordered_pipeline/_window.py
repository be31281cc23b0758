"""The window: order and bounds of the items in flight, as plain data that knows no clock and never waits.

Rules kept here:

1. Entries leave in the order in which they were admitted.
2. At most `prefetch` entries are in flight, at most `concurrency` of them running, at most `buffer` results
   held for each.
3. The head never lingers: an entry that has ended and has nothing left to hand over leaves as soon as it is
   the head.
4. After `close` nothing is handed over or started, save an error that `end_source` is given after it; entries
   still running only count themselves out.
"""

from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, Generic, Literal, TypeVar

from ordered_pipeline._report import Interruption, StageStatistics

T = TypeVar("T")
R = TypeVar("R")


class Entry(Generic[T, R]):
    """One item in flight."""

    # Defaults stand on the class: an entry is made for every item, and most fields of most entries never
    # change.
    started: bool = False
    ended: bool = False
    skipped: bool = False
    handed: int = 0
    error: BaseException | None = None
    # Kept for those who run it: its task, what will cancel it in time, where it parks while it holds as many
    # results as it may; whether it was cancelled for taking too long, or is cleaning up of itself.
    carrier: Any = None
    timer: Any = None
    room: Any = None
    timed_out: bool = False
    closing: bool = False

    def __init__(self, index: int, item: T, context: Context) -> None:
        self.index: int = index
        self.item: T = item
        self.context: Context = context
        # Not a deque: one is dearer to make than all it saves, and most items have one result.
        self.results: list[R] = []


class Window(Generic[T, R]):
    """The items in flight, oldest first, and the end of their source."""

    def __init__(
        self,
        prefetch: float,
        concurrency: float,
        *,
        buffer: int = 1,
        left: Callable[[Entry[T, R]], None] | None = None,
    ) -> None:
        """Make an empty window.

        Args:
            prefetch: Most entries in flight; `math.inf` for no limit.
            concurrency: Most entries running; `math.inf` for no limit.
            buffer: Most results held for each entry.
            left: Called with each entry that leaves because its turn has passed, in order.
        """
        self._prefetch: float = prefetch
        self._concurrency: float = concurrency
        self._buffer: int = buffer
        self._left: Callable[[Entry[T, R]], None] | None = left
        self._entries: deque[Entry[T, R]] = deque()
        self.queue: deque[Entry[T, R]] = deque()
        self._source_ended: bool = False
        self._source_error: BaseException | None = None
        self.closed: bool = False
        self.interruption: Interruption[T] | None = None
        self.admitted: int = 0
        self.running: int = 0
        self.delivered: int = 0

    @property
    def has_room(self) -> bool:
        """Whether another item may be read."""
        return len(self._entries) < self._prefetch

    @property
    def is_busy(self) -> bool:
        """Whether a transform is running or is still to be started."""
        return self.running > 0 or bool(self.queue)

    @property
    def is_ready(self) -> bool:
        """Whether `take` has something to hand over now."""
        if self._entries:
            head = self._entries[0]
            # An ended head has something to hand over, else it would have left (rule 3).
            return head.ended or bool(head.results)
        return self._source_error is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing will ever be handed over any more."""
        return self.closed or (self._source_ended and not self._entries and self._source_error is None)

    @property
    def head(self) -> Entry[T, R] | None:
        """The oldest entry in flight."""
        return self._entries[0] if self._entries else None

    def has_buffer_room(self, entry: Entry[T, R]) -> bool:
        """Return whether another result of *entry* may be asked for."""
        return len(entry.results) < self._buffer

    def admit(self, item: T, context: Context) -> Entry[T, R]:
        """Take *item* into the window, to be started when its turn comes."""
        entry: Entry[T, R] = Entry(self.admitted, item, context)
        self.admitted += 1
        self._entries.append(entry)
        self.queue.append(entry)
        return entry

    def start(self) -> Entry[T, R] | None:
        """Count the next entry that may be started as running, and return it; None if there is none."""
        if not self.queue or self.running >= self._concurrency:
            return None
        entry = self.queue.popleft()
        entry.started = True
        self.running += 1
        return entry

    def put(self, entry: Entry[T, R], result: R) -> None:
        """Hold a result of *entry* until it is taken."""
        entry.results.append(result)

    def settle(
        self, entry: Entry[T, R], error: BaseException | None = None, *, skipped: bool = False
    ) -> None:
        """Note that *entry* has ended, with *error* to be raised in its turn, or *skipped*."""
        self.running -= 1
        entry.ended = True
        entry.error = error
        entry.skipped = skipped
        if error is None and not entry.results:
            self._sweep()

    def end_source(self, error: BaseException | None = None) -> None:
        """Note that no item will follow, and the source's own *error*, to be raised last."""
        self._source_ended = True
        self._source_error = error

    def take(self) -> R:
        """Hand over the next result; only while `is_ready`.

        Returns:
            The result.

        Raises:
            BaseException: What the head failed with, or the source.
        """
        if self._entries:
            head = self._entries[0]
            if head.results:
                result = head.results.pop(0)
                head.handed += 1
                if head.ended:
                    self._sweep()
                return result
            error, head.error = head.error, None
            self._sweep()
        else:
            error, self._source_error = self._source_error, None
        assert error is not None  # noqa: S101  # rule 3
        try:
            raise error
        finally:
            # The traceback holds this frame: without this, error and frame would keep each other alive.
            del error

    def close(self) -> tuple[Entry[T, R], ...]:
        """Drop and return what is in flight, oldest first; `interruption` tells of the first such call."""
        self.closed = True
        dropped = tuple(self._entries)
        if self.interruption is None:
            partial = dropped[0] if dropped and dropped[0].handed else None
            self.interruption = Interruption(
                delivered=self.delivered,
                partial=None if partial is None else partial.item,
                partial_results=0 if partial is None else partial.handed,
                dropped=tuple(entry.item for entry in dropped if entry is not partial),
            )
            self._source_error = None
        self._entries.clear()
        self.queue.clear()
        return dropped

    def statistics(self) -> StageStatistics:
        """Return the counts of this instant."""
        return StageStatistics(
            admitted=self.admitted,
            running=self.running,
            ready=sum(entry.ended for entry in self._entries),
            delivered=self.delivered,
            waiting_for=self._waiting_for(),
        )

    def _waiting_for(self) -> Literal["source", "transform", "consumer", "nothing"]:
        if self.is_over:
            return "nothing"
        if self.is_ready:
            return "consumer"
        return "transform" if self._entries else "source"

    def _sweep(self) -> None:
        while self._entries:
            head = self._entries[0]
            if not head.ended or head.results or head.error is not None:
                return
            self._entries.popleft()
            self.delivered += 1
            if self._left is not None:
                self._left(head)
