"""Against real processes, in real time; what they say is scripted."""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL

import anyio
import pytest

from ordered_pipeline.adapters.piper._child import PiperError
from ordered_pipeline.adapters.piper._pool import Call, Pool
from tests.adapters.piper.processes import children, is_gone, scripted


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def running(*arguments: str, processes: int = 1) -> AsyncGenerator[Pool]:
    """Give a pool, and see to it that nothing is left of it, and that nothing hangs."""
    others = children()
    try:
        with anyio.fail_after(20):
            async with Pool(scripted(*arguments), processes=processes) as pool:
                yield pool
    finally:
        assert children() == others


async def spoken(pool: Pool, text: str) -> bytes:
    return b"".join([chunk.data async for chunk in pool.call(text)])


async def pid_of(pool: Pool) -> int:
    return int(await spoken(pool, "pid"))


def test_a_call_gives_what_its_process_makes(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            assert [chunk.data async for chunk in pool.call("hello!")] == [b"he", b"ll", b"o!"]
            assert await spoken(pool, "") == b""
            assert await spoken(pool, "bye!") == b"bye!"

    anyio.run(main, backend=backend)


def test_processes_live_on(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            assert await pid_of(pool) == await pid_of(pool)

    anyio.run(main, backend=backend)


def test_each_process_serves_a_call_at_the_same_time(backend: str) -> None:
    async def main() -> None:
        async with running(processes=3) as pool:
            calls = [pool.call("endless") for _ in range(3)]
            for call in calls:
                await anext(call)  # none of the others has ended
            for call in calls:
                await call.aclose()

    anyio.run(main, backend=backend)


def test_more_calls_than_processes_are_served_in_the_order_they_began(backend: str) -> None:
    ended: list[int] = []

    async def main() -> None:
        async def take(index: int) -> None:
            assert await spoken(pool, f"text {index}") == b"text %d" % index
            ended.append(index)

        async with running() as pool:
            blocker = pool.call("endless")
            await anext(blocker)
            async with anyio.create_task_group() as tasks:
                for index in range(5):
                    tasks.start_soon(take, index)
                    await anyio.wait_all_tasks_blocked()
                await blocker.aclose()

    anyio.run(main, backend=backend)

    assert ended == [0, 1, 2, 3, 4]


def test_a_call_that_nobody_reads_frees_its_process_for_the_next(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            unread = pool.call("a sentence, made of many chunks")
            first = await anext(unread)
            assert await spoken(pool, "hello!") == b"hello!"
            rest = [chunk.data async for chunk in unread]
            assert first.data + b"".join(rest) == b"a sentence, made of many chunks "

    anyio.run(main, backend=backend)


def test_a_closed_call_is_stopped_and_its_process_stays(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            pid = await pid_of(pool)
            call = pool.call("endless")
            await anext(call)
            await call.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(call)
            assert await pid_of(pool) == pid

    anyio.run(main, backend=backend)


def test_a_call_that_is_closed_in_line_is_not_served(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            blocker, waiting = pool.call("endless"), pool.call("crash")
            await anext(blocker)
            with anyio.move_on_after(0.01):
                await anext(waiting)
            await waiting.aclose()
            await blocker.aclose()
            assert await spoken(pool, "hello!") == b"hello!"

    anyio.run(main, backend=backend)


def test_a_call_that_is_closed_before_it_began_does_not_begin(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            call = pool.call("crash")
            await call.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(call)

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("after_s", [0.0, 0.0001, 0.001, 0.01])
def test_calls_cancelled_at_any_time_do_not_disturb_the_next(after_s: float, backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            for text in ("endless", "hello!", "endless", "endless"):
                call = pool.call(text)
                with anyio.move_on_after(after_s):
                    async for _ in call:
                        pass
                await call.aclose()
            assert await spoken(pool, "bye!") == b"bye!"

    anyio.run(main, backend=backend)


def test_a_process_that_does_not_stop_is_replaced(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            pid = await pid_of(pool)
            call = pool.call("hang after audio")
            await anext(call)
            await call.aclose()
            assert await pid_of(pool) != pid
            assert is_gone(pid)

    anyio.run(main, backend=backend)


def test_a_process_that_is_killed_at_work_fails_its_call_alone(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            pid = await pid_of(pool)
            call = pool.call("hang after audio")
            await anext(call)
            os.kill(pid, SIGKILL)
            with pytest.raises(
                PiperError, match=r"^the process of the voice was ended by signal 9 \(Killed\)$"
            ):
                await anext(call)
            assert await pid_of(pool) != pid
            assert is_gone(pid)

    anyio.run(main, backend=backend)


def test_what_was_made_before_a_crash_comes_before_the_error(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            call = pool.call("crash after audio")
            assert (await anext(call)).data == b"ab"
            with pytest.raises(PiperError, match="signal 11"):
                await anext(call)

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("text", ["crash", "exit", "close", "garbage", "cut", "out of turn", "fail"])
def test_what_fails_is_told_once_and_the_next_call_is_served(text: str, backend: str) -> None:
    async def main() -> None:
        async with running(processes=2) as pool:
            for _ in range(2):
                with pytest.raises(PiperError):
                    await spoken(pool, text)
                assert await spoken(pool, "hello!") == b"hello!"

    anyio.run(main, backend=backend)


def test_a_crash_does_not_touch_what_another_process_is_at(backend: str) -> None:
    async def main() -> None:
        async with running(processes=2) as pool:
            call = pool.call("endless")
            await anext(call)
            with pytest.raises(PiperError):
                await spoken(pool, "crash")
            await anext(call)
            await call.aclose()

    anyio.run(main, backend=backend)


def test_a_process_that_dies_between_calls_costs_no_call(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            pid = await pid_of(pool)
            os.kill(pid, SIGKILL)
            assert await spoken(pool, "hello!") == b"hello!"
            assert is_gone(pid)

    anyio.run(main, backend=backend)


def test_a_voice_that_cannot_be_loaded_is_told_on_entering(backend: str) -> None:
    async def main() -> None:
        with pytest.raises(PiperError, match=r"^Piper could not load the voice \(no such voice\)$"):
            async with running("fail", processes=2):
                pass

    anyio.run(main, backend=backend)


def test_a_process_that_cannot_be_replaced_is_told_to_each_call_until_it_can(
    tmp_path: Path, backend: str
) -> None:
    async def main() -> None:
        there = anyio.Path(tmp_path / "voice")
        await there.touch()
        async with running("while", str(there)) as pool:
            await there.unlink()
            for text in ("crash", "hello!", "hello!"):
                with pytest.raises(PiperError, match=r"^Piper could not load the voice \(no such voice\)$"):
                    await spoken(pool, text)
            await there.touch()
            assert await spoken(pool, "hello!") == b"hello!"

    anyio.run(main, backend=backend)


def test_leaving_the_block_ends_what_runs_and_what_waits(backend: str) -> None:
    async def main() -> None:
        errors: list[str] = []

        async def take(call: Call) -> None:
            try:
                async for _ in call:
                    pass
            except RuntimeError as error:
                errors.append(str(error))

        async with anyio.create_task_group() as tasks, running() as pool:
            unread = pool.call("hang after audio")
            await anext(unread)
            for text in ("hello!", "bye!"):
                tasks.start_soon(take, pool.call(text))
            await anyio.wait_all_tasks_blocked()
        with pytest.raises(RuntimeError, match="the block of the voice was left while it spoke"):
            await anext(unread)
        assert len(errors) == 2

    anyio.run(main, backend=backend)


def test_a_call_whose_process_is_being_replaced_ends_with_the_block(tmp_path: Path, backend: str) -> None:
    async def main() -> None:
        async def take() -> None:
            with pytest.raises(RuntimeError, match="the block of the voice was left"):
                await spoken(pool, "hello!")

        async with anyio.create_task_group() as tasks, running("once", str(tmp_path / "begun")) as pool:
            os.kill(await pid_of(pool), SIGKILL)
            tasks.start_soon(take)
            await anyio.wait_all_tasks_blocked()

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.05, 0.2])
def test_a_cancelled_block_leaves_no_process(after_s: float, backend: str) -> None:
    async def main() -> None:
        others = children()
        with anyio.move_on_after(after_s):
            async with running(processes=2) as pool:
                await spoken(pool, "hang")
        assert children() == others

    anyio.run(main, backend=backend)


def test_the_error_of_the_block_comes_out_bare(backend: str) -> None:
    async def main() -> None:
        async with running() as pool:
            await anext(pool.call("endless"))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        anyio.run(main, backend=backend)


def test_a_pool_can_be_entered_again(backend: str) -> None:
    async def main() -> None:
        pool = Pool(scripted(), processes=1)
        for _ in range(2):
            async with pool:
                assert await spoken(pool, "hello!") == b"hello!"

    anyio.run(main, backend=backend)


def test_a_pool_that_is_not_open_says_so() -> None:
    async def main() -> None:
        await spoken(Pool(scripted(), processes=1), "hello!")

    with pytest.raises(RuntimeError, match="the voice was used outside its 'async with' block"):
        anyio.run(main)


PARENT = """
import os, sys
import anyio
from ordered_pipeline.adapters.piper._pool import Pool

async def main():
    async with Pool(sys.argv[2:], processes=2) as pool:
        await anext(pool.call("endless"))
        print("speaks", flush=True)
        await {end}

anyio.run(main, backend=sys.argv[1])
"""


@pytest.mark.parametrize("end", ["anyio.sleep_forever()", "anyio.to_thread.run_sync(os._exit, 0)"])
def test_processes_end_with_their_parent(end: str, backend: str) -> None:
    code = PARENT.replace("{end}", end)
    command = [sys.executable, "-c", code, backend, *scripted()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "speaks\n"

        parent.kill()

        # The processes have its standard error too: it ends with the last of them.
        parent.communicate(timeout=10)
