"""The crew on asyncio: a task an item, native futures to park on, one native cancellation, a grace time."""

import asyncio
import math
import sys
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import Any, Final, cast

import anyio

from ordered_pipeline._parking import AnyEntry, Watch
from ordered_pipeline._parking._asyncio_stint import CUT_AGAIN_S, call_off

# An eager task runs its first step at once: a transform that never suspends costs the loop nothing.
_EAGERLY: Final[dict[str, Any]] = {"eager_start": True} if sys.version_info >= (3, 12) else {}


class AsyncioSpot:
    """Where one task at a time parks: a bare future, for an `anyio.Event` costs about 1.7 times as much."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        """Wake the task that is parked here, if there is one."""
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_result(None)

    def wait(self) -> "asyncio.Future[None]":
        """Park until woken or cancelled."""
        self._future = future = self._loop.create_future()
        return future

    async def wait_shielded(self, watch: Watch = nullcontext) -> BaseException | None:
        """Park until woken; return the cancellation that struck meanwhile, if any."""
        struck: BaseException | None = None
        try:
            await self.wait()
        except asyncio.CancelledError as error:
            struck = error
            with ExitStack() as watches:
                watches.enter_context(watch())
                # If an anyio scope is the cause, it would strike again at every step of the loop: hence the
                # shield, and only now, for it costs more than the wait.
                watches.enter_context(anyio.CancelScope(shield=True))
                while self._future is not None:
                    try:
                        await self.wait()
                    except asyncio.CancelledError as again:
                        struck = again
                        watches.enter_context(watch())
        return struck


class _Threshold:
    """The point up to which a coroutine is walked before a task is made of it.

    A task that is cancelled before its first step never enters its coroutine, and no `finally` in it runs;
    one that has been walked into its `try` is cancelled there.
    """

    def __await__(self) -> Generator[None, None, None]:
        # A plain iterator does what a generator would at half the price, and this is paid for every item.
        return cast("Generator[None, None, None]", iter((None,)))


class AsyncioCrew:
    """The tasks of one stage on asyncio."""

    cancelled: type[BaseException] = asyncio.CancelledError

    def __init__(self, timeout_s: float | None, grace_s: float) -> None:
        self._timeout_s: float | None = timeout_s
        self._grace_s: float = grace_s
        self._loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.threshold: Awaitable[None] | None = _Threshold()
        # Where the user has set a task factory, that makes the tasks; else the constructor itself, for
        # asyncio.create_task takes no eager_start before Python 3.14.
        self._has_factory: bool = self._loop.get_task_factory() is not None
        if _EAGERLY and not self._has_factory:
            self.threshold = None
        self._owner: asyncio.Task[Any] | None = asyncio.current_task()
        self._feeder: asyncio.Task[None] | None = None
        self._cutter: asyncio.Handle | None = None
        self._stops: int = 0
        self._struck: BaseException | None = None

    def now(self) -> float:
        """Return the time on the loop's clock."""
        return self._loop.time()

    def spot(self) -> AsyncioSpot:
        """Return a new spot."""
        return AsyncioSpot()

    async def open(self, feed: Coroutine[Any, Any, None]) -> None:
        """Start the feeding task, which runs *feed*."""
        feed.send(None)
        self._feeder = self._loop.create_task(feed)

    async def begin(self) -> None:
        """Be the feeding task; what it awaits first."""
        try:
            await _Threshold()
        except asyncio.CancelledError as error:
            # Go in all the same, and be cancelled at the first wait.
            self.give_back(error)
        # Not left to open(): a loop with eager tasks gets here before create_task returns.
        self._feeder = asyncio.current_task()

    async def join(self) -> None:
        """Wait until the feeding task has ended, whatever happens."""
        feeder = self._feeder
        assert feeder is not None  # noqa: S101  # open() came first
        if not feeder.done():
            gone = self.spot()
            feeder.add_done_callback(lambda _: gone.wake())
            self._struck = await gone.wait_shielded()
        # It may be about to fail with an exception whose frames refer to the stage.
        self._owner = None

    async def pass_on(self, *, failing: bool) -> None:
        """Raise the cancellation that struck while joining; a native one strikes once, and would be lost."""
        struck, self._struck = self._struck, None
        if struck is not None and not (failing and _strikes_again()):
            raise struck

    def give_back(self, cancellation: BaseException | None) -> None:
        """Let *cancellation* strike the running task again, where it waits next."""
        # A scope would not know ours.
        if cancellation is not None and not _strikes_again():
            task = asyncio.current_task()
            assert task is not None  # noqa: S101  # for the type checker: coroutines run in tasks
            task.uncancel()
            task.cancel(*cancellation.args)

    @contextmanager
    def watch(self, deserted: Callable[[], object]) -> Generator[None, None, None]:
        """Call *deserted* if the owner has ended, or ends meanwhile; not if it was a scope that struck."""
        owner = self._owner
        assert owner is not None  # noqa: S101  # nobody has joined: the feeding task runs this

        def ended(_: object) -> None:
            deserted()

        if not _strikes_again():
            # Of a task that has ended before, the loop tells in its next turn.
            owner.add_done_callback(ended)
        try:
            yield
        finally:
            owner.remove_done_callback(ended)

    async def breathe(self) -> None:
        """Let every other task run once."""
        spot = self.spot()
        self._loop.call_soon(spot.wake)
        self.give_back(await spot.wait_shielded())

    def launch(self, entry: AnyEntry, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run the *coroutine* of *entry* in its context, in a task of its own."""
        if self._timeout_s is not None:
            entry.timer = self._loop.call_later(self._timeout_s, self._time_out, entry)
        if self.threshold is not None:
            coroutine.send(None)
        if self._has_factory:
            # Through the context, not with it as an argument: not every task factory takes one.
            entry.carrier = entry.context.run(self._loop.create_task, coroutine)
        else:
            entry.carrier = asyncio.Task(coroutine, loop=self._loop, context=entry.context, **_EAGERLY)

    def _time_out(self, entry: AnyEntry) -> None:
        entry.timed_out = True
        self._cancel(entry)

    def _cancel(self, entry: AnyEntry) -> None:
        if not entry.closing and not call_off(entry.carrier):
            entry.carrier.cancel()
        entry.timer = self._loop.call_later(self._grace_s, self._cut, entry)

    def _cut(self, entry: AnyEntry, again_s: float = 0.0) -> None:
        entry.carrier.cancel()
        entry.timer = self._loop.call_later(again_s, self._cut, entry, 2 * again_s or CUT_AGAIN_S)

    def in_time(self, entry: AnyEntry) -> bool:
        """Return whether *entry* has not timed out; from now on it cannot."""
        if entry.timer is not None and not entry.timed_out:
            entry.timer.cancel()
            entry.timer = None
        return not entry.timed_out

    def ended(self, entry: AnyEntry) -> bool:
        """Note that *entry*, which has a timer, has ended; return whether it was in time."""
        entry.timer.cancel()
        return not entry.timed_out

    def stop_reading(self) -> None:
        """Cancel the read that the feeding task waits in."""
        assert self._feeder is not None  # noqa: S101  # it is reading
        if not call_off(self._feeder):
            self._feeder.cancel()
        self._stops += 1
        self._cutter = self._loop.call_later(self._grace_s, self._cut_feeder)

    def _cut_feeder(self, again_s: float = 0.0) -> None:
        assert self._feeder is not None  # noqa: S101  # it is reading or closing
        self._feeder.cancel()
        self._stops += 1
        self._cutter = self._loop.call_later(again_s, self._cut_feeder, 2 * again_s or CUT_AGAIN_S)

    async def reading_stopped(self) -> BaseException | None:
        """Note that the read has ended, and take in a cancellation that came too late for it."""
        if self._cutter is not None:
            self._cutter.cancel()
        feeder = self._feeder
        assert feeder is not None  # noqa: S101  # it is the task that runs this
        if self._stops:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        # Ours only: what else has struck belongs to a scope that the source still holds.
        for _ in range(self._stops):
            feeder.uncancel()
        return asyncio.CancelledError() if feeder.cancelling() else None

    def cancel(self, entries: Iterable[AnyEntry]) -> None:
        """Cancel *entries* once; those that timed out have been cancelled already."""
        assert self._feeder is not None  # noqa: S101  # it is the task that runs this
        # As asyncio.run does at its end: then these were cancelled as well, and may be cleaning up.
        by_others = self._feeder.cancelling()
        for entry in entries:
            if not entry.timed_out:
                if entry.timer is not None:
                    entry.timer.cancel()
                entry.closing = entry.closing or bool(by_others and entry.carrier.cancelling())
                self._cancel(entry)

    async def close(self, close: Callable[[], Awaitable[object]]) -> None:
        """Close the source within the grace time."""
        self._cutter = self._loop.call_later(self._grace_s, self._cut_feeder)
        try:
            await close()
        finally:
            self._cutter.cancel()


def _strikes_again() -> bool:
    """Return whether the running task is in a cancelled anyio scope, which cancels it at every step."""
    return anyio.current_effective_deadline() == -math.inf
