"""The watchdog: what is due is called to the instant, with one timer."""

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


def test_what_is_due_is_called_to_the_instant_and_once(run: Run) -> None:
    called: list[float] = []

    async def use(dog: Watchdog) -> None:
        dog.set(2.0, lambda: called.append(anyio.current_time()))
        await anyio.sleep(8.0)

    run(watched, use)
    assert called == [2.0]


def test_what_is_due_first_is_called_first_whenever_it_was_set(run: Run) -> None:
    called: list[tuple[str, float]] = []

    async def use(dog: Watchdog) -> None:
        def note(name: str) -> Callable[[], None]:
            return lambda: called.append((name, anyio.current_time()))

        for name, delay_s in (("long", 4.0), ("short", 1.0), ("middle", 2.0)):
            dog.set(delay_s, note(name))
            await anyio.sleep(0.5)
        await anyio.sleep(8.0)

    run(watched, use)
    assert called == [("short", 1.5), ("middle", 3.0), ("long", 4.0)]


def test_what_was_cancelled_is_not_called(run: Run) -> None:
    called: list[str] = []

    async def use(dog: Watchdog) -> None:
        alarm = dog.set(2.0, lambda: called.append("cancelled"))
        dog.set(2.0, lambda: called.append("kept"))
        await anyio.sleep(1.0)
        dog.cancel(alarm)
        await anyio.sleep(8.0)
        dog.cancel(alarm)

    run(watched, use)
    assert called == ["kept"]


def test_one_that_is_due_may_cancel_another(run: Run) -> None:
    called: list[str] = []

    async def use(dog: Watchdog) -> None:
        def call_off() -> None:
            called.append("first")
            dog.cancel(second)

        dog.set(2.0, call_off)
        second = dog.set(2.5, lambda: called.append("second"))
        await anyio.sleep(8.0)

    run(watched, use)
    assert called == ["first"]


def test_one_that_is_due_may_set_another(run: Run) -> None:
    called: list[float] = []

    async def use(dog: Watchdog) -> None:
        def again() -> None:
            called.append(anyio.current_time())
            if len(called) < 3:
                dog.set(1.0, again)

        dog.set(1.0, again)
        await anyio.sleep(8.0)

    run(watched, use)
    assert called == [1.0, 2.0, 3.0]
