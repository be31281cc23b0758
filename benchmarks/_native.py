"""Tasks and waiting as each event loop has them, without anyio: what the steps of `_windows` stand on."""

import asyncio
import sys
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context, copy_context
from typing import Any, Protocol, TypeAlias

import trio

Job: TypeAlias = Callable[..., Coroutine[Any, Any, None]]
# On trio a task is nobody's handle.
Handle: TypeAlias = asyncio.Task[None] | None


class Spot(Protocol):
    """A place where one task waits until another wakes it."""

    async def wait(self) -> None: ...
    def wake(self) -> None: ...


class Tasks(Protocol):
    """What the steps need of an event loop."""

    async def open(self) -> None: ...
    def spot(self) -> Spot: ...
    def start(self, job: Job, *arguments: object) -> Handle: ...
    async def checkpoint(self) -> None: ...
    async def cancel(self, handles: Iterable[Handle]) -> None: ...


class FutureSpot:
    """A spot on asyncio."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        self.future = asyncio.get_running_loop().create_future()
        await self.future

    def wake(self) -> None:
        future, self.future = self.future, None
        if future is not None and not future.done():
            future.set_result(None)


class AsyncioTasks:
    """A task an item on asyncio, as the floor has it."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()

    async def open(self) -> None:
        """Do nothing: a task needs no place to be in."""

    def spot(self) -> FutureSpot:
        return FutureSpot()

    def start(self, job: Job, *arguments: object) -> Handle:
        return self.loop.create_task(job(*arguments))

    async def checkpoint(self) -> None:
        await asyncio.sleep(0)

    async def cancel(self, handles: Iterable[Handle]) -> None:
        tasks = [task for task in handles if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


EAGER_TASKS: Callable[[], Tasks] | None = None
if sys.version_info >= (3, 12):

    class EagerTasks(AsyncioTasks):
        """A task an item, its first step run at once."""

        def start(self, job: Job, *arguments: object) -> Handle:
            return asyncio.Task(job(*arguments), loop=self.loop, eager_start=True)

    EAGER_TASKS = EagerTasks


class ParkingSpot:
    """A spot on trio."""

    def __init__(self) -> None:
        self.task: trio.lowlevel.Task | None = None

    async def wait(self) -> None:
        self.task = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self.abort)

    def abort(self, _: object) -> trio.lowlevel.Abort:
        self.task = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        task, self.task = self.task, None
        if task is not None:
            trio.lowlevel.reschedule(task)


class TrioTasks:
    """A task an item on trio, in one nursery, as the floor has it."""

    def __init__(self) -> None:
        self.manager = trio.open_nursery()
        self.nursery: trio.Nursery | None = None

    async def open(self) -> None:
        self.nursery = await self.manager.__aenter__()

    def spot(self) -> ParkingSpot:
        return ParkingSpot()

    def start(self, job: Job, *arguments: object) -> Handle:
        assert self.nursery is not None
        self.nursery.start_soon(job, *arguments)
        return None

    async def checkpoint(self) -> None:
        await trio.lowlevel.checkpoint()

    async def cancel(self, _: Iterable[Handle]) -> None:
        """Cancel all that was started, and wait for it: a nursery does it whole."""
        assert self.nursery is not None
        if not self.nursery.cancel_scope.cancel_called:
            self.nursery.cancel_scope.cancel()
            await self.manager.__aexit__(None, None, None)


class Workers(TrioTasks):
    """Workers that take one item after another, in the order of the items, in a context they share."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: deque[tuple[Context | None, Job, tuple[object, ...]]] = deque()
        self.idle: list[trio.lowlevel.Task] = []

    def start(self, job: Job, *arguments: object) -> Handle:
        self.calls.append((None, job, arguments))
        self.wake_one()
        return None

    def wake_one(self) -> None:
        if self.idle:
            trio.lowlevel.reschedule(self.idle.pop())
        else:
            super().start(self.work)

    async def work(self) -> None:
        task = trio.lowlevel.current_task()
        while True:
            # Trio runs the workers that are ready in any order: the first to run takes the first call.
            context, job, arguments = self.calls.popleft()
            if context is None:
                await job(*arguments)
            else:
                await steps_in(context, job(*arguments))
            self.idle.append(task)
            await trio.lowlevel.wait_task_rescheduled(self.agree)

    def agree(self, _: object) -> trio.lowlevel.Abort:
        return trio.lowlevel.Abort.SUCCEEDED


class WorkersWithContexts(Workers):
    """Workers that run each item in a copy of the context in which it was started."""

    def start(self, job: Job, *arguments: object) -> Handle:
        self.calls.append((copy_context(), job, arguments))
        self.wake_one()
        return None


@types.coroutine
def steps_in(context: Context, coroutine: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
    """Run each step of *coroutine* in *context*."""
    step: Callable[..., Any] = coroutine.send
    value: object = None
    while True:
        try:
            trap = context.run(step, value)
        except StopIteration:
            return
        try:
            step, value = coroutine.send, (yield trap)
        except BaseException as error:  # noqa: BLE001  # a cancellation: it is the coroutine's
            step, value = coroutine.throw, error
