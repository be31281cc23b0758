"""Virtual time: run async code with a clock that jumps from timer to timer instead of waiting.

Rules kept here:

1. The clock starts at 0.0 and moves only when nothing is ready to run.
2. It moves to the earliest timer; timers of one instant run in the order they were set.
3. It sees tasks and timers only. A worker thread or a socket that is about to answer looks like idleness, and
   the clock jumps past it: keep real parts in real time.
"""

import asyncio
import heapq
import itertools
import math
import sys
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, cast, get_args

import anyio
from typing_extensions import TypeVarTuple, override

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LoopName: TypeAlias = Literal["asyncio", "asyncio-eager", "uvloop", "trio"]

if TYPE_CHECKING:
    _Base = asyncio.SelectorEventLoop
else:
    _Base = object


class _VirtualTime(_Base):
    """A mixin that replaces a loop's clock and timers, by public methods only, so that it fits uvloop."""

    def __init__(self) -> None:
        super().__init__()
        self._now: float = 0.0
        self._pending: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._sequence: Final = itertools.count()
        self._busy: bool = False
        self._watching: bool = False
        # Debug mode would report every jump as a slow callback.
        self.slow_callback_duration: float = math.inf

    @override
    def time(self) -> float:
        return self._now

    @override
    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self._busy = True
        return super().call_soon(callback, *args, context=context)

    @override
    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    @override
    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._pending, (when, next(self._sequence), timer))
        self._watch()
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Do nothing: a cancelled timer is passed over when its turn comes."""

    def _watch(self) -> None:
        if self._pending and not self._watching:
            self._watching = True
            super().call_soon(self._look)

    def _look(self) -> None:
        # The ready queue is first in, first out: whatever stood in it at the last look has run by now. If
        # none of that called call_soon, this callback is alone in the queue, and only a timer can make
        # anything happen.
        self._watching = False
        if self._busy:
            self._busy = False
        else:
            self._jump()
        self._watch()

    def _jump(self) -> None:
        while self._pending and self._pending[0][2].cancelled():
            heapq.heappop(self._pending)
        if self._pending:
            self._now = max(self._now, self._pending[0][0])
        due: list[asyncio.TimerHandle] = []
        while self._pending and self._pending[0][0] <= self._now:
            due.append(heapq.heappop(self._pending)[2])
        # One that they set for this same instant comes after what they have made ready: it waits for the next
        # look.
        for timer in due:
            if not timer.cancelled():
                timer._run()  # noqa: SLF001  # as every loop does; there is no public name


class _VirtualTimeLoop(_VirtualTime, asyncio.SelectorEventLoop):
    pass


def _eager_loop() -> asyncio.AbstractEventLoop:
    if sys.version_info >= (3, 12):
        loop = _VirtualTimeLoop()
        loop.set_task_factory(asyncio.eager_task_factory)
        return loop
    else:  # noqa: RET505  # type checkers leave out the branch of the other Python
        raise RuntimeError(
            "'asyncio-eager' was asked for, but eager tasks came with Python 3.12; use 'asyncio'"
        )


def _uvloop_loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415  # only this choice needs it

    # Not a class statement: for type checkers the mixin's base is another loop than uvloop's.
    return cast("asyncio.AbstractEventLoop", type("VirtualTimeUvloop", (_VirtualTime, uvloop.Loop), {})())


def virtual_time(loop: LoopName = "asyncio") -> tuple[str, dict[str, Any]]:
    """Return the anyio backend and backend options of an event loop in virtual time.

    The pair is what the ``anyio_backend`` fixture of anyio's pytest plugin may return, and what ``anyio.run``
    takes as ``backend`` and ``backend_options``. On asyncio each run starts at 0.0; a trio pair must be used
    for one run, its clock goes on.

    Args:
        loop: ``"asyncio"``, ``"asyncio-eager"`` (tasks start inside ``create_task``; Python 3.12 and up),
            ``"uvloop"`` (needs uvloop) or ``"trio"`` (needs trio).

    Returns:
        The backend's name and its options.

    Raises:
        ValueError: *loop* is none of the four.
        ModuleNotFoundError: *loop* is ``"trio"`` and trio is not installed.
        RuntimeError: Raised as the loop is made: *loop* is ``"asyncio-eager"`` before Python 3.12.
    """
    if loop == "trio":
        import trio.testing  # noqa: PLC0415  # only this choice needs it

        return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}
    if loop == "asyncio":
        return "asyncio", {"loop_factory": _VirtualTimeLoop}
    if loop == "asyncio-eager":
        return "asyncio", {"loop_factory": _eager_loop}
    if loop == "uvloop":
        return "asyncio", {"loop_factory": _uvloop_loop}
    raise ValueError(f"loop must be one of {', '.join(get_args(LoopName))}, got {loop!r}")


def run_in_virtual_time(function: Callable[[*Ts], Awaitable[T]], *args: *Ts, loop: LoopName = "asyncio") -> T:
    """Run *function* to its end in virtual time and return what it returns.

    Args:
        function: The async function to run.
        *args: Its arguments.
        loop: The event loop, as for `virtual_time`.

    Returns:
        The function's result.

    Raises:
        ValueError: *loop* is not known.
        ModuleNotFoundError: The loop's package is not installed.
        RuntimeError: *loop* is ``"asyncio-eager"`` before Python 3.12, or an event loop runs in this thread
            already.
    """
    backend, options = virtual_time(loop)
    if backend == "trio":
        import trio  # noqa: PLC0415  # only this choice needs it

        # Not by anyio.run: of the versions that we support, the older ones drop trio's options.
        return trio.run(function, *args, **options)
    return anyio.run(function, *args, backend=backend, backend_options=options)
