"""What is to happen, and when: the model runs on stated instants, whatever time its driver has."""

import heapq
import itertools
import math
from collections.abc import Callable
from typing import TypeAlias, final

Deed: TypeAlias = Callable[[], None]


@final
class Agenda:
    """Runs functions at their instants, in order; those of one instant in the order they were put down.

    While one runs, `now_s` is the instant it was put down for, also if the clock is past it. So what the
    model computes does not depend on how late an event loop wakes.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin; *clock* is looked at as soon as `catch_up` is called."""
        self.now_s: float = -math.inf
        # Is called when something is put down that comes before all else.
        self.on_earlier: Deed = lambda: None
        self._clock: Callable[[], float] = clock
        self._entries: list[tuple[float, int, Deed]] = []
        self._is_running: bool = False
        self._count: itertools.count[int] = itertools.count()

    @property
    def next_s(self) -> float:
        """When something is next to happen; infinity if nothing is."""
        return self._entries[0][0] if self._entries else math.inf

    def at(self, time_s: float, deed: Deed) -> None:
        """Put *deed* down for an instant; one that is over counts as now."""
        is_earlier = time_s < self.next_s
        heapq.heappush(self._entries, (max(time_s, self.now_s), next(self._count), deed))
        if is_earlier:
            self.on_earlier()

    def after(self, delay_s: float, deed: Deed) -> None:
        """Put *deed* down for *delay_s* seconds from now."""
        self.at(self.now_s + delay_s, deed)

    def end(self) -> None:
        """Let nothing happen any more."""
        self._clock = lambda: -math.inf
        self.on_earlier = lambda: None

    def catch_up(self) -> None:
        """Run all that is due by the clock. Whatever comes from outside does this first.

        From within a deed it does nothing: the rest of what is due comes after that deed.
        """
        if self._is_running:
            return
        now_s = self._clock()
        self._is_running = True
        try:
            while self.next_s <= now_s:
                time_s, _, deed = heapq.heappop(self._entries)
                self.now_s = time_s
                deed()
        finally:
            self._is_running = False
        self.now_s = max(self.now_s, now_s)
