"""Virtual time: the clock jumps from timer to timer, the same on every loop."""

import asyncio
import sys

import anyio
import pytest

from ordered_pipeline.testing import LoopName, run_in_virtual_time, virtual_time
from tests.conftest import LOOPS


@pytest.mark.parametrize("loop", LOOPS)
def test_sleeps_take_their_time_by_the_clock_and_none_by_the_wall(loop: LoopName) -> None:
    async def main() -> list[tuple[str, float]]:
        log: list[tuple[str, float]] = []

        async def sleeper(name: str, *naps: float) -> None:
            for nap in naps:
                await anyio.sleep(nap)
                log.append((name, anyio.current_time() - start))

        start = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sleeper, "long", 86400.0)
            tasks.start_soon(sleeper, "short", 1.0, 0.5)
        return log

    assert run_in_virtual_time(main, loop=loop) == [("short", 1.0), ("short", 1.5), ("long", 86400.0)]


@pytest.mark.parametrize("loop", LOOPS)
def test_deadlines_jump_too_and_a_cancelled_timer_moves_no_clock(loop: LoopName) -> None:
    async def main() -> float:
        start = anyio.current_time()
        with anyio.move_on_after(1000.0):
            with anyio.move_on_after(2.0):
                await anyio.sleep_forever()
        await anyio.sleep(0.25)
        return anyio.current_time() - start

    assert run_in_virtual_time(main, loop=loop) == 2.25


@pytest.mark.parametrize("loop", [loop for loop in LOOPS if loop != "trio"])
def test_a_run_on_asyncio_starts_at_zero(loop: LoopName) -> None:
    async def main() -> float:
        return anyio.current_time()

    assert run_in_virtual_time(main, loop=loop) == 0.0


@pytest.mark.parametrize("loop", [loop for loop in LOOPS if loop != "trio"])
def test_timers_of_one_instant_run_in_the_order_they_were_set(loop: LoopName) -> None:
    async def main() -> list[int]:
        order: list[int] = []
        running = asyncio.get_running_loop()
        for number in range(5):
            running.call_at(1.0, order.append, number)
        running.call_later(1.0, order.append, 5)
        running.call_at(1.0, order.append, 6).cancel()
        await asyncio.sleep(2.0)
        return order

    assert run_in_virtual_time(main, loop=loop) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("loop", [loop for loop in LOOPS if loop != "trio"])
def test_the_clock_stands_still_while_anything_is_ready_to_run(loop: LoopName) -> None:
    async def main() -> float:
        fired = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(1.0, fired.set_result, None)
        for _ in range(1000):
            await asyncio.sleep(0)
        before = anyio.current_time()
        await fired
        return before

    assert run_in_virtual_time(main, loop=loop) == 0.0


def test_arguments_are_passed_on() -> None:
    async def add(left: int, right: int) -> int:
        return left + right

    assert run_in_virtual_time(add, 2, 3) == 5


def test_an_unknown_loop_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^loop must be one of asyncio, asyncio-eager, uvloop, trio, got 'curio'$"
    ):
        virtual_time("curio")  # type: ignore[arg-type]  # what is refused


def test_eager_tasks_are_refused_where_there_are_none() -> None:
    async def main() -> str:
        return "ran"

    if sys.version_info >= (3, 12):
        assert run_in_virtual_time(main, loop="asyncio-eager") == "ran"
    else:
        with pytest.raises(RuntimeError, match=r"eager tasks came with Python 3\.12"):
            run_in_virtual_time(main, loop="asyncio-eager")


@pytest.mark.parametrize("loop", [loop for loop in LOOPS if loop != "trio"])
def test_a_timer_of_this_instant_comes_after_what_is_ready(loop: LoopName) -> None:
    async def main() -> list[str]:
        order: list[str] = []
        running = asyncio.get_running_loop()

        def fire() -> None:
            running.call_later(0.0, order.append, "timer")
            running.call_soon(order.append, "ready")

        running.call_at(1.0, fire)
        await asyncio.sleep(2.0)
        return order

    assert run_in_virtual_time(main, loop=loop) == ["ready", "timer"]
