"""All that differs between the event loops: how a task parks, how tasks are made, cancelled and waited for.

`muster` gives the crew of the loop that runs. A crew owns the tasks of one stage: the feeding task, and those
that run the items.

Rules kept here:

1. On asyncio each item has a task of its own (people keep `current_task()` to cancel it later; a shared one
   would hit a neighbour), cancelled once, natively, and again only when its grace time is over. On trio,
   where a task is nobody's handle, a worker runs one item after another, each in the item's own context.
2. An item's coroutine is always entered, so that its end is always counted, even if its task is cancelled
   before its first step.
3. The feeding task opens no scope around the source's code: the source may hold one open across its yields,
   and scopes must nest. What strikes while the feeding task is parked belongs to such a scope, and is given
   back to the source.
4. Unless the task that entered the stage has ended, or ends meanwhile: then nobody seems to be left to make
   room, and it is taken for the end of the run, when asyncio cancels every task and waits for each.
"""

import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

from ordered_pipeline._window import Entry

AnyEntry: TypeAlias = Entry[Any, Any]
Watch: TypeAlias = Callable[[], AbstractContextManager[None]]


class Spot(Protocol):
    """Where one task at a time parks until it is woken."""

    def wake(self) -> None:
        """Wake the task that is parked here, if there is one."""

    def wait(self) -> Awaitable[object]:
        """Park until woken or cancelled."""
        ...

    def wait_shielded(self, watch: Watch = nullcontext) -> Awaitable[BaseException | None]:
        """Park until woken; return the cancellation that struck meanwhile, if it strikes only once.

        Park in the context of *watch* from such a one on.
        """
        ...


class Crew(Protocol):
    """The tasks of one stage."""

    cancelled: type[BaseException]
    threshold: Awaitable[None] | None
    """What a launched coroutine awaits first, inside its `try`; None if it is entered in any case."""

    def now(self) -> float:
        """Return the time on the loop's clock."""
        ...

    def spot(self) -> Spot:
        """Return a new spot."""
        ...

    async def open(self, feed: Coroutine[Any, Any, None]) -> None:
        """Start the feeding task, which runs *feed*."""

    async def begin(self) -> None:
        """Be the feeding task: what *feed* awaits first, so that it is entered in any case."""

    async def join(self) -> None:
        """Wait until the feeding task has ended, whatever happens."""

    async def pass_on(self, *, failing: bool) -> None:
        """Raise the cancellation that struck while joining.

        If the block is *failing* anyway, only one that would not strike again by itself.
        """

    def give_back(self, cancellation: BaseException | None) -> None:
        """Let *cancellation* strike the running task again, where it waits next."""

    def watch(self, deserted: Callable[[], object]) -> AbstractContextManager[None]:
        """Return a context for parking on after a strike, which calls *deserted* where rule 4 holds."""
        ...

    async def breathe(self) -> None:
        """Let every other task run once."""

    def launch(self, entry: AnyEntry, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run the *coroutine* of *entry*, which never raises, in the entry's context.

        Not a function that makes it, kept by the crew: it would be the stage's own, and of stage and crew
        each would keep the other from going until garbage is collected.
        """

    def in_time(self, entry: AnyEntry) -> bool:
        """Return whether *entry* has not timed out; from now on it cannot."""
        ...

    def ended(self, entry: AnyEntry) -> bool:
        """Note that *entry*, which has a timer, has ended; return whether it was in time."""
        ...

    def stop_reading(self) -> None:
        """Cancel the read that the feeding task waits in."""

    async def reading_stopped(self) -> BaseException | None:
        """Note that the read has ended, however it did; return what has struck besides, as above."""
        ...

    def cancel(self, entries: Iterable[AnyEntry]) -> None:
        """Cancel *entries*, which are all that are running."""

    async def close(self, close: Callable[[], Awaitable[object]]) -> None:
        """Close the source within the grace time."""


class Stint(Protocol):
    """Work of the running task that has a deadline; a context manager, to be left by the same task.

    At the deadline it is cancelled as a stage cancels: on asyncio once, natively, and again when its grace
    time is over. Leaving it swallows that cancellation, and no other. What would pass for a cancellation, or
    for the end of an iteration, becomes a `RuntimeError`.

    It may be left open across the yields of a sub-stream, which a stage iterates and closes in one task.
    """

    @property
    def is_over(self) -> bool:
        """Whether its deadline has passed, and it was cancelled."""
        ...

    def end_at(self, deadline_s: float) -> None:
        """Set the deadline, on the loop's clock; there is none before, and none after the end."""

    def end_now(self) -> None:
        """Cancel it in this instant, unless it was, or has ended."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End."""
        ...


def muster(timeout_s: float | None, grace_s: float) -> Crew:
    """Return the crew of the running event loop.

    Args:
        timeout_s: For each entry, until it ends or it was `in_time`; None for no limit.
        grace_s: Clean-up time of what is cancelled.

    Raises:
        RuntimeError: No event loop is running.
    """
    if _on_trio():
        from ordered_pipeline._parking._trio import TrioCrew  # noqa: PLC0415  # only where trio runs

        return TrioCrew(timeout_s, grace_s)
    from ordered_pipeline._parking._asyncio import AsyncioCrew  # noqa: PLC0415  # likewise

    return AsyncioCrew(timeout_s, grace_s)


def now() -> float:
    """Return the time on the running event loop's clock. Asked often: `anyio.current_time` is dearer.

    Raises:
        RuntimeError: No event loop is running.
    """
    if _on_trio():
        import trio  # noqa: PLC0415  # only where trio runs

        return trio.current_time()
    import asyncio  # noqa: PLC0415  # only where asyncio runs

    return asyncio.get_running_loop().time()


def spot() -> Spot:
    """Return a new spot on the running event loop.

    Raises:
        RuntimeError: No event loop is running.
    """
    if _on_trio():
        from ordered_pipeline._parking._trio import TrioSpot  # noqa: PLC0415  # only where trio runs

        return TrioSpot()
    from ordered_pipeline._parking._asyncio import AsyncioSpot  # noqa: PLC0415  # likewise

    return AsyncioSpot()


def stint(culprit: str, grace_s: float) -> Stint:
    """Return a stint on the running event loop.

    Args:
        culprit: Whose work it is, for messages.
        grace_s: Clean-up time when it is cancelled.
    """
    if _on_trio():
        from ordered_pipeline._parking._trio import TrioStint  # noqa: PLC0415  # only where trio runs

        return TrioStint(culprit)
    from ordered_pipeline._parking._asyncio_stint import AsyncioStint  # noqa: PLC0415  # likewise

    return AsyncioStint(culprit, grace_s)


def _on_trio() -> bool:
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_task())
