"""A scripted stream: items at their instants, and one end for each request."""

import math

import anyio
import pytest

from ordered_pipeline.testing import ScriptedStream, ServiceRequest
from ordered_pipeline.testing._stream import Plan, RequestLog, sleep_until
from tests.conftest import Run


class Script:
    """A stream of "a" after 0.5 s and "b" after 1.0 s, which ends or fails after 2.0 s."""

    def __init__(self, *, end_s: float = 2.0, error: Exception | None = None, cleanup_s: float = 0.0) -> None:
        self.log: RequestLog[ServiceRequest] = RequestLog()
        self.plan = Plan(items=[(0.5, "a"), (1.0, "b")], end_s=end_s, error=error, cleanup_s=cleanup_s)

    def stream(self) -> ScriptedStream[str, ServiceRequest]:
        return ScriptedStream(lambda: (self.plan, ServiceRequest()), self.log)


def test_items_come_at_their_instants_from_the_first_asking_on(run: Run) -> None:
    script = Script()

    async def main() -> list[tuple[str, float]]:
        stream = script.stream()
        await anyio.sleep(4.0)
        return [(item, anyio.current_time()) async for item in stream] + [("end", anyio.current_time())]

    assert run(main) == [("a", 4.5), ("b", 5.0), ("end", 6.0)]
    assert script.log.requests == [
        ServiceRequest(asked_s=4.0, first_s=4.5, last_s=5.0, ended_s=6.0, outcome="completed")
    ]


def test_a_slow_reader_finds_what_is_due(run: Run) -> None:
    async def main() -> list[float]:
        stream = Script().stream()
        times: list[float] = []
        async for _ in stream:
            times.append(anyio.current_time())
            await anyio.sleep(8.0)
        return [*times, anyio.current_time()]

    assert run(main) == [0.5, 8.5, 16.5]


def test_it_fails_with_the_error_of_its_script_and_is_over_then(run: Run) -> None:
    error = ConnectionError("gone")
    script = Script(error=error)

    async def main() -> float:
        stream = script.stream()
        with pytest.raises(ConnectionError) as caught:
            _ = [item async for item in stream]
        assert caught.value is error
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        return anyio.current_time()

    assert run(main) == 2.0
    assert script.log.requests[0].outcome == "failed"


def test_a_cancelled_wait_ends_it_with_its_clean_up(run: Run) -> None:
    script = Script(end_s=math.inf, cleanup_s=0.25)

    async def main() -> None:
        stream = script.stream()
        with anyio.move_on_after(3.0):
            _ = [item async for item in stream]
        assert anyio.current_time() == 3.25
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        await stream.aclose()

    run(main)
    assert script.log.requests == [
        ServiceRequest(asked_s=0.0, first_s=0.5, last_s=1.0, ended_s=3.25, outcome="cancelled")
    ]
    assert script.log.running == 0


def test_closing_ends_it_once_with_its_clean_up(run: Run) -> None:
    script = Script(cleanup_s=0.25)

    async def main() -> float:
        stream = script.stream()
        await anext(stream)
        await stream.aclose()
        await stream.aclose()
        return anyio.current_time()

    assert run(main) == 0.75
    assert script.log.requests[0].outcome == "closed"
    assert script.log.requests[0].ended_s == 0.75


def test_what_was_never_asked_was_never_begun(run: Run) -> None:
    script = Script(cleanup_s=1.0)

    async def main() -> float:
        stream = script.stream()
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        return anyio.current_time()

    assert run(main) == 0.0
    assert script.log.requests == []


def test_two_tasks_at_once_are_refused(run: Run) -> None:
    async def main() -> None:
        stream = Script().stream()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.__anext__)
            await anyio.sleep(0.25)
            with pytest.raises(RuntimeError, match="used by two tasks at once"):
                await anext(stream)
            with pytest.raises(RuntimeError, match="used by two tasks at once"):
                await stream.aclose()

    run(main)


def test_the_most_that_ran_at_once_are_counted(run: Run) -> None:
    script = Script()

    async def main() -> None:
        for streams in ([script.stream()], [script.stream(), script.stream()], [script.stream()]):
            for stream in streams:
                await anext(stream)
            for stream in streams:
                await stream.aclose()

    run(main)
    assert script.log.most_running == 2
    assert script.log.running == 0


def test_sleeping_until_an_instant_never_ends_before_it(run: Run) -> None:
    async def main() -> None:
        # 0.1 + (0.7 - 0.1) is less than 0.7.
        await anyio.sleep(0.1)
        await sleep_until(0.7)
        assert anyio.current_time() >= 0.7
        await sleep_until(0.0)

    run(main)
