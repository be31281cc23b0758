"""The crew on trio: a nursery for the feeding task, and under it workers that run one item after another."""

import math
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import nullcontext
from contextvars import Context
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import trio

from ordered_pipeline import _errors
from ordered_pipeline._parking import AnyEntry

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager


class TrioSpot:
    """Where one task at a time parks."""

    def __init__(self) -> None:
        self._task: trio.lowlevel.Task | None = None

    def wake(self) -> None:
        """Wake the task that is parked here, if there is one."""
        task, self._task = self._task, None
        if task is not None:
            trio.lowlevel.reschedule(task)

    async def wait(self) -> None:
        """Park until woken or cancelled."""
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED

    async def wait_shielded(self, watch: object = None) -> None:  # noqa: ARG002  # for asyncio alone
        """Park until woken. A cancellation is not owed to anybody: a scope strikes again by itself."""
        self._task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(_refuse)


def _refuse(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


class TrioCrew:
    """The tasks of one stage on trio.

    The nursery of `open` belongs to the consumer's task and holds the host, and the host's own nursery the
    workers. Both, and what the host feeds from, are shielded: they end when the stage says so, in its order,
    not when an outer scope is cancelled.
    """

    cancelled: type[BaseException] = trio.Cancelled
    # Trio cancels at checkpoints only, and the first step of a task is none.
    threshold: Awaitable[None] | None = None
    # There is nothing to watch for: the task that entered a stage cannot end before the stage's nursery.
    watch: "Callable[..., AbstractContextManager[None]]" = nullcontext

    def __init__(self, timeout_s: float | None, grace_s: float) -> None:
        self._timeout_s: float | None = timeout_s
        self._grace_s: float = grace_s
        self._launched: deque[tuple[AnyEntry, Coroutine[Any, Any, None]]] = deque()
        self._idle: list[trio.lowlevel.Task] = []
        self._outer: AbstractAsyncContextManager[trio.Nursery] = trio.open_nursery()
        self._workers: trio.Nursery | None = None
        self._reading: trio.CancelScope = trio.CancelScope(shield=True)

    def now(self) -> float:
        """Return the time on the loop's clock."""
        return trio.current_time()

    def spot(self) -> TrioSpot:
        """Return a new spot."""
        return TrioSpot()

    async def open(self, feed: Coroutine[Any, Any, None]) -> None:
        """Start the feeding task, which runs *feed*."""
        nursery = await self._outer.__aenter__()
        nursery.start_soon(self._host, feed)

    async def _host(self, feed: Coroutine[Any, Any, None]) -> None:
        async with trio.open_nursery() as self._workers:
            self._workers.cancel_scope.shield = True
            with self._reading:
                await feed
            self._workers.cancel_scope.cancel()

    async def begin(self) -> None:
        """Do nothing: a task is entered in any case."""

    async def join(self) -> None:
        """Wait until the feeding task has ended, whatever happens."""
        # Not told of the block's exception, the nursery can't wrap it.
        await self._outer.__aexit__(None, None, None)

    async def pass_on(self, *, failing: bool) -> None:
        """Raise the cancellation that struck while joining; it would strike again at the next wait."""
        if not failing:
            await trio.lowlevel.checkpoint_if_cancelled()

    def give_back(self, cancellation: BaseException | None) -> None:
        """Do nothing: a cancelled scope strikes again by itself."""

    async def breathe(self) -> None:
        """Let every other task run once."""
        await trio.lowlevel.cancel_shielded_checkpoint()

    def launch(self, entry: AnyEntry, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run the *coroutine* of *entry* in its context: by a worker that is free, or by a new one."""
        self._launched.append((entry, coroutine))
        if self._idle:
            trio.lowlevel.reschedule(self._idle.pop())
        else:
            assert self._workers is not None  # noqa: S101  # the host launches, or its workers
            self._workers.start_soon(self._work)

    async def _work(self) -> None:
        task = trio.lowlevel.current_task()
        while True:
            # Not told which: trio runs the tasks that are ready in random order, and transforms start in
            # source order.
            entry, coroutine = self._launched.popleft()
            if self._timeout_s is None:
                await _driven(coroutine, entry.context)
            else:
                with trio.move_on_after(self._timeout_s) as entry.timer:
                    await _driven(coroutine, entry.context)
            del entry, coroutine
            self._idle.append(task)
            await trio.lowlevel.wait_task_rescheduled(_agree)

    def in_time(self, entry: AnyEntry) -> bool:
        """Return whether *entry* has not timed out; from now on it cannot."""
        if entry.timer is None:
            return True
        entry.timer.deadline = math.inf
        return self.ended(entry)

    def ended(self, entry: AnyEntry) -> bool:
        """Note that *entry*, which has a timer, has ended; return whether it was in time."""
        return not entry.timer.cancel_called

    def stop_reading(self) -> None:
        """Cancel the read that the feeding task waits in."""
        self._reading.cancel()

    async def reading_stopped(self) -> None:
        """Do nothing: cancelled means cancelled, until the scope is left."""

    def cancel(self, entries: Iterable[AnyEntry]) -> None:  # noqa: ARG002  # the scope knows its tasks
        """Cancel every worker."""
        assert self._workers is not None  # noqa: S101  # the host calls this
        self._workers.cancel_scope.cancel()

    async def close(self, close: Callable[[], Awaitable[object]]) -> None:
        """Close the source within the grace time."""
        self._reading.deadline = trio.current_time() + self._grace_s
        await close()


class TrioStint:
    """Work of the running task that has a deadline."""

    def __init__(self, culprit: str) -> None:
        self._culprit: str = culprit
        self._scope: trio.CancelScope = trio.CancelScope()

    @property
    def is_over(self) -> bool:
        """Whether its deadline has passed, and it was cancelled."""
        return self._scope.cancel_called

    def end_at(self, deadline_s: float) -> None:
        """Set the deadline, on the loop's clock."""
        self._scope.deadline = deadline_s

    def end_now(self) -> None:
        """Cancel it in this instant, unless it was, or has ended."""
        self._scope.cancel()

    def __enter__(self) -> Self:
        """Begin."""
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """End; nothing is left of the stint's own cancellation."""
        if self._scope.__exit__(kind, error, traceback):
            return True
        if isinstance(error, StopIteration | StopAsyncIteration):
            told = _errors.told(error, self._culprit, trio.Cancelled)
            assert told is not None  # noqa: S101  # for the type checker
            raise told
        return False


@types.coroutine
def _driven(coroutine: Coroutine[Any, Any, None], context: Context) -> Generator[Any, Any, None]:
    """Await *coroutine*, each step of it in *context*: what `context=` does for an asyncio task."""
    step: Callable[..., Any] = coroutine.send
    sent: object = None
    while True:
        try:
            trap = context.run(step, sent)
        except StopIteration:
            return
        try:
            step, sent = coroutine.send, (yield trap)
        except BaseException as error:  # noqa: BLE001  # it is passed in
            step, sent = coroutine.throw, error


def _agree(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.SUCCEEDED
