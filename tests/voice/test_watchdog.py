"""The watchdog: waits that are too long expire to the instant, all waits for one thing together."""

from collections.abc import Awaitable, Callable

import anyio

from ordered_pipeline.voice._watchdog import Watchdog
from tests.conftest import Run


async def watched(use: Callable[[Watchdog], Awaitable[None]]) -> None:
    async with anyio.create_task_group() as tasks:
        dog = Watchdog()
        tasks.start_soon(dog.run)
        await use(dog)
        tasks.cancel_scope.cancel()


def test_a_wait_that_is_too_long_expires_to_the_instant(run: Run) -> None:
    expired: list[float] = []

    async def use(dog: Watchdog) -> None:
        dog.watch(2.0, lambda: expired.append(anyio.current_time())).begin()
        await anyio.sleep(8.0)

    run(watched, use)
    assert expired == [2.0]


def test_time_between_two_waits_does_not_count(run: Run) -> None:
    expired: list[float] = []

    async def use(dog: Watchdog) -> None:
        watch = dog.watch(2.0, lambda: expired.append(anyio.current_time()))
        watch.begin()
        await anyio.sleep(1.5)
        watch.end()
        await anyio.sleep(10.0)
        watch.begin()
        await anyio.sleep(8.0)

    run(watched, use)
    assert expired == [12.0]


def test_waits_that_end_in_time_do_not_expire(run: Run) -> None:
    expired: list[float] = []

    async def use(dog: Watchdog) -> None:
        watch = dog.watch(2.0, lambda: expired.append(anyio.current_time()))
        for _ in range(4):
            watch.begin()
            await anyio.sleep(0.25)
            watch.end()
        await anyio.sleep(8.0)

    run(watched, use)
    assert expired == []


def test_the_one_that_is_due_first_expires_first_whenever_it_began(run: Run) -> None:
    expired: list[tuple[str, float]] = []

    async def use(dog: Watchdog) -> None:
        for name, limit_s in (("long", 4.0), ("short", 1.0), ("middle", 2.0)):
            dog.watch(limit_s, lambda name=name: expired.append((name, anyio.current_time()))).begin()  # type: ignore[misc]
            await anyio.sleep(0.5)
        await anyio.sleep(8.0)

    run(watched, use)
    assert expired == [("short", 1.5), ("middle", 3.0), ("long", 4.0)]
