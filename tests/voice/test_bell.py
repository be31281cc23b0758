import anyio
import pytest

from ordered_pipeline.voice._bell import Bell
from tests.conftest import Run


def test_a_bell_wakes_everyone_who_waits(run: Run) -> None:
    bell = Bell()
    woken: list[float] = []

    async def wait() -> None:
        await bell.wait()
        woken.append(anyio.current_time())

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.sleep(1.0)
            bell.ring()
        assert woken == [1.0, 1.0]

    run(main)


def test_a_bell_is_not_heard_later(run: Run) -> None:
    bell = Bell()

    async def main() -> None:
        bell.ring()
        with pytest.raises(TimeoutError), anyio.fail_after(1.0):
            await bell.wait()

    run(main)
