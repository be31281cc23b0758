"""The stint on asyncio: one native cancellation at a deadline, and a grace time."""

import asyncio
import math
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ordered_pipeline import _errors

if TYPE_CHECKING:
    from contextvars import Context

# Grace time is over: cancelled at once, at the next step, and then at growing intervals, from this one on.
# What outlasts every cancellation, as an inner stage does while it cleans up, must not keep the loop busy.
CUT_AGAIN_S: Final = 1 / 1024


class AsyncioStint:
    """Work of the running task that has a deadline."""

    def __init__(self, culprit: str, grace_s: float) -> None:
        self._culprit: str = culprit
        self._grace_s: float = grace_s
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._deadline_s: float = math.inf
        self._rings_s: float = math.inf
        self._alarm: asyncio.Handle | None = None
        self._is_on: bool = False
        self._strikes: int = 0
        self.is_called_off: bool = False

    @property
    def is_over(self) -> bool:
        """Whether its deadline has passed, and it was cancelled."""
        return self._strikes > 0

    def end_at(self, deadline_s: float) -> None:
        """Set the deadline, on the loop's clock."""
        self._deadline_s = deadline_s
        # One that moves away costs nothing until the alarm rings for the old one.
        if deadline_s < self._rings_s and self._is_on and not self._strikes:
            self._set_alarm()

    def end_now(self) -> None:
        """Cancel it in this instant, unless it was, or has ended."""
        if self._is_on and not self._strikes:
            self._silence_alarm()
            self._strike()

    def _set_alarm(self) -> None:
        self._silence_alarm()
        self._rings_s = self._deadline_s
        if self._rings_s < math.inf:
            self._alarm = self._loop.call_at(self._rings_s, self._ring, context=self._context)

    def _silence_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        if self._deadline_s > self._rings_s:
            self._set_alarm()
        else:
            self._strike()

    def _strike(self) -> None:
        _cleaning_up[self._task] = self
        self._cancel()
        # Most work has ended before this is called: a timer for each would be in the loop for long.
        self._alarm = self._loop.call_soon(self._cut_after, self._grace_s)

    def _cut_after(self, grace_s: float, again_s: float = 0.0) -> None:
        self._alarm = self._loop.call_later(grace_s, self._cut, again_s)

    def _cut(self, again_s: float) -> None:
        self._cancel()
        self._cut_after(again_s, 2 * again_s or CUT_AGAIN_S)

    def _cancel(self) -> None:
        self._task.cancel()
        self._strikes += 1

    def __enter__(self) -> Self:
        """Begin."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # for the type checker: coroutines run in tasks
        self._task: asyncio.Task[object] = task
        self._cancellations: int = task.cancelling()
        # Or else the loop would make a copy for each alarm. Before Python 3.12 a task does not tell.
        get_context = getattr(task, "get_context", None)
        self._context: Context | None = None if get_context is None else get_context()
        self._is_on = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End; nothing is left of the stint's own cancellation."""
        self._is_on = False
        self._silence_alarm()
        if self._strikes:
            del _cleaning_up[self._task]
            for _ in range(self._strikes):
                self._task.uncancel()
        is_cancelled = isinstance(error, asyncio.CancelledError)
        if self.is_called_off and not is_cancelled:
            # It strikes where the task waits next: what the clean-up failed with is not to be lost.
            self._task.cancel()
        if self.is_called_off or self._task.cancelling() > self._cancellations:
            return False
        if self._strikes and is_cancelled:
            return True
        told = _errors.told(error, self._culprit, asyncio.CancelledError)
        if told is not None and told is not error:
            raise told
        return False


# The tasks that a stint has cancelled, and that clean up. For that they have their time, whoever else wants
# them to end.
_cleaning_up: Final[dict[asyncio.Task[object], AsyncioStint]] = {}


def call_off(task: asyncio.Task[object]) -> bool:
    """Return whether a stint has cancelled *task*; if so, cancel it once more when it has cleaned up."""
    if (stint := _cleaning_up.get(task)) is None:
        return False
    stint.is_called_off = True
    return True
