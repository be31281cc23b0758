"""The watchdog: one task and one timer for all deadlines of a reply.

A scope with a deadline around each wait for a chunk costs about as much as the rest of the chunk's way.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import anyio

from ordered_pipeline.voice._bell import Bell


@dataclass(frozen=True, slots=True, eq=False)
class Alarm:
    """What is to be called, and when, on the event loop's clock."""

    at_s: float
    call: Callable[[], None]


@final
class Watchdog:
    """Calls what is due."""

    def __init__(self) -> None:
        self._alarms: set[Alarm] = set()
        self._wakes_s: float = math.inf
        self._changed: Bell = Bell()

    def set(self, delay_s: float, call: Callable[[], None]) -> Alarm:
        """Call *call* in *delay_s* seconds, unless the alarm is cancelled."""
        alarm = Alarm(anyio.current_time() + delay_s, call)
        self._alarms.add(alarm)
        if alarm.at_s < self._wakes_s:
            self._changed.ring()
        return alarm

    def cancel(self, alarm: Alarm) -> None:
        """Forget *alarm*, whether or not it was due."""
        self._alarms.discard(alarm)

    async def run(self) -> None:
        """Do so until cancelled."""
        while True:
            now = anyio.current_time()
            for alarm in sorted(self._alarms, key=lambda alarm: alarm.at_s):
                if alarm.at_s <= now and alarm in self._alarms:
                    self._alarms.discard(alarm)
                    alarm.call()
            self._wakes_s = min((alarm.at_s for alarm in self._alarms), default=math.inf)
            with anyio.CancelScope(deadline=self._wakes_s):
                await self._changed.wait()
