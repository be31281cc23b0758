"""What each law costs: the floor's window, given one law of the stage after the other.

Each step is the one before it and a little more, written as plainly as the floor, so that the difference
between two rows is the price of the laws between them. They start tasks, wait and cancel natively, without
anyio. A context for each item (law 15) comes with its task, the floor's too; it has a step where workers take
the place of tasks.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final, Self

from _contenders import Consume, Factory, Run, Source, Transform, floor, ours
from _native import EAGER_TASKS, AsyncioTasks, Handle, Tasks, TrioTasks, Workers, WorkersWithContexts


class Slot:
    """One item in flight."""

    __slots__ = ("error", "handle", "item", "result", "settled")

    def __init__(self, item: int) -> None:
        self.item = item
        self.result = 0
        self.error: Exception | None = None
        self.settled = False
        self.handle: Handle = None


class Fed:
    """Laws 2, 3, 4, 6: a task of its own reads the source while there is room, whatever the consumer does."""

    def __init__(self, tasks: Tasks, transform: Transform, source: Source, prefetch: int) -> None:
        self.tasks = tasks
        self.transform = transform
        self.source = source
        self.prefetch = prefetch
        self.slots: deque[Slot] = deque()
        self.ended = False
        self.room = tasks.spot()
        self.ready = tasks.spot()
        self.feeder: Handle = None

    async def __aenter__(self) -> Self:
        await self.tasks.open()
        self.feeder = self.tasks.start(self.feed)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.tasks.cancel([self.feeder])

    async def feed(self) -> None:
        async for item in self.source:
            self.admit(Slot(item))
            while len(self.slots) >= self.prefetch:
                await self.room.wait()
        self.ended = True
        self.ready.wake()

    def admit(self, slot: Slot) -> None:
        self.slots.append(slot)
        slot.handle = self.tasks.start(self.fill, slot)

    async def fill(self, slot: Slot) -> None:
        slot.result = await self.transform(slot.item)
        self.settle(slot)

    def settle(self, slot: Slot) -> None:
        slot.settled = True
        if slot is self.slots[0]:
            self.ready.wake()

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        while not self.slots or not self.slots[0].settled:
            if self.ended and not self.slots:
                raise StopAsyncIteration
            await self.ready.wait()
        return self.take()

    def take(self) -> int:
        self.room.wake()
        return self.slots.popleft().result


class InLine(Fed):
    """Laws 8, 10: an error is kept with its item and comes out in its place; iteration may go on after it."""

    async def fill(self, slot: Slot) -> None:
        try:
            slot.result = await self.transform(slot.item)
        except (StopIteration, StopAsyncIteration) as error:
            slot.error = RuntimeError(f"a transform raised {error!r}")
            slot.error.__cause__ = error
        except Exception as error:  # noqa: BLE001  # whatever it is, the consumer gets it
            slot.error = error
        self.settle(slot)

    def take(self) -> int:
        self.room.wake()
        slot = self.slots.popleft()
        if slot.error is not None:
            raise slot.error
        return slot.result


class Closing(InLine):
    """Laws 7, 9: what is in flight is cancelled and awaited, the source closed in the task that read it."""

    async def __aexit__(self, *exc_info: object) -> None:
        await self.tasks.cancel([self.feeder, *(slot.handle for slot in self.slots)])

    async def feed(self) -> None:
        try:
            await super().feed()
        finally:
            await self.source.aclose()


class Telling(Closing):
    """Law 13, statistics: counts that are right at every instant, and a stop that holds from its instant."""

    admitted = 0
    running = 0
    delivered = 0
    stopped = False

    def admit(self, slot: Slot) -> None:
        self.admitted += 1
        self.running += 1
        self.slots.append(slot)
        slot.handle = self.tasks.start(self.fill, slot)

    def settle(self, slot: Slot) -> None:
        self.running -= 1
        slot.settled = True
        if not self.stopped and slot is self.slots[0]:
            self.ready.wake()

    def take(self) -> int:
        if self.stopped:
            raise StopAsyncIteration
        self.delivered += 1
        self.room.wake()
        slot = self.slots.popleft()
        if slot.error is not None:
            raise slot.error
        return slot.result


class Fair(Telling):
    """Law 19: a consumer that never waits lets the others run once every `prefetch` + 1 results."""

    burst = 0

    async def __anext__(self) -> int:
        if self.burst > self.prefetch:
            self.burst = 0
            await self.tasks.checkpoint()
        while not self.slots or not self.slots[0].settled:
            if self.ended and not self.slots:
                raise StopAsyncIteration
            self.burst = 0
            await self.ready.wait()
        self.burst += 1
        return self.take()


def step(
    window: type[Fed],
    asyncio_tasks: Callable[[], Tasks] | None = AsyncioTasks,
    trio_tasks: Callable[[], Tasks] | None = TrioTasks,
) -> Factory:
    """Return the factory of one step; without a way to start tasks on a loop, it has no place there."""

    def make(*, on_trio: bool) -> Run | None:
        tasks = trio_tasks if on_trio else asyncio_tasks
        if tasks is None:
            return None

        async def run(transform: Transform, source: Source, prefetch: int, consume: Consume) -> None:
            async with window(tasks(), transform, source, prefetch) as results:
                async for result in results:
                    consume(result)

        return run

    return make


LAWS: Final[dict[str, Factory]] = {
    "floor": floor,
    "+ reads ahead by itself (laws 2, 3, 4, 6)": step(Fed),
    "+ errors in line (8, 10)": step(InLine),
    "+ closes what it opened (7, 9)": step(Closing),
    "+ tells, and stops at once (13)": step(Telling),
    "+ lets others run (19)": step(Fair),
    "+ starts tasks eagerly": step(Fair, EAGER_TASKS, None),
    "+ workers in place of tasks": step(Fair, None, Workers),
    "+ a context for each item (15)": step(Fair, None, WorkersWithContexts),
    "ours: all laws, policies, observers": ours,
}
