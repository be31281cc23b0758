"""The watchdog: ends waits that are too long, with one task and one timer for all of a reply.

A scope with a deadline around each wait for a chunk costs about as much as the rest of the chunk's way.
"""

import math
from collections.abc import Callable
from typing import final

import anyio

from ordered_pipeline.voice._bell import Bell


@final
class Watchdog:
    """Looks after any number of watches."""

    def __init__(self) -> None:
        self._waiting: set[Watch] = set()
        self._wakes_s: float = math.inf
        self._changed: Bell = Bell()

    def watch(self, limit_s: float, expire: Callable[[], None]) -> "Watch":
        """Return a watch that calls *expire* when waits of *limit_s* together were not enough."""
        return Watch(self, limit_s, expire)

    def begin(self, watch: "Watch") -> None:
        """Look after *watch*."""
        self._waiting.add(watch)
        if watch.expires_s < self._wakes_s:
            self._changed.ring()

    def end(self, watch: "Watch") -> None:
        """Look after *watch* no longer."""
        self._waiting.discard(watch)

    async def run(self) -> None:
        """Let expire what takes too long, until cancelled."""
        while True:
            now = anyio.current_time()
            for watch in tuple(self._waiting):
                if watch.expires_s <= now:
                    watch.end()
                    watch.expire()
            self._wakes_s = min((watch.expires_s for watch in self._waiting), default=math.inf)
            with anyio.CancelScope(deadline=self._wakes_s):
                await self._changed.wait()


@final
class Watch:
    """How long somebody may wait for something, all waits together."""

    def __init__(self, dog: Watchdog, limit_s: float, expire: Callable[[], None]) -> None:
        """Use `Watchdog.watch` instead."""
        self._dog: Watchdog = dog
        self._left_s: float = limit_s
        self._since_s: float = 0.0
        self.expire: Callable[[], None] = expire

    @property
    def expires_s(self) -> float:
        """When the wait that is under way will have been too long."""
        return self._since_s + self._left_s

    def begin(self) -> None:
        """Wait from now on."""
        self._since_s = anyio.current_time()
        self._dog.begin(self)

    def end(self) -> None:
        """Wait no longer."""
        self._left_s -= anyio.current_time() - self._since_s
        self._dog.end(self)
