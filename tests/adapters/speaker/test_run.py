"""Against a real sound server, which records what it plays. Each test takes the time that its sound takes."""

import os
import signal
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.adapters.speaker import SpeakerError
from ordered_pipeline.adapters.speaker._playout import Block
from ordered_pipeline.adapters.speaker._run import Run
from tests.adapters.sound_server import RATE_HZ, SoundServer, running_sound_server
from tests.adapters.speaker.sounds import FORMAT, enter, noise

pytestmark = [pytest.mark.parts, pytest.mark.usefixtures("ahead_of_others")]


def test_a_gap_is_known_to_the_sample(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(sound_server.environment, monkeypatch)
    early, late = noise(0.4), noise(0.5)

    async def main() -> int:
        run = await Run.begin(FORMAT)
        first, second = Block(), Block()
        await run.put(first, early)
        await run.drain()
        await run.put(second, late)
        await run.drain()
        await run.end()
        assert first.start is not None
        assert second.start is not None
        return second.start - first.start - first.samples

    with sound_server.recording() as stop:
        gap = anyio.run(main)
        recorded = stop()

    assert gap > 0
    assert early + bytes(2 * gap) + late in recorded


def test_what_waits_alone_for_more_is_heard_once_it_is_started(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)
    sound = noise(0.1)

    async def main() -> None:
        run = await Run.begin(FORMAT)
        assert run.start_within_s == float("inf")
        await run.put(Block(), sound)
        await run.drain()
        assert (run.start_within_s, run.heard()) == (0.3, 0)
        await run.start()
        await run.drain()
        assert run.start_within_s == float("inf")
        await run.end()

    with sound_server.recording() as stop:
        anyio.run(main)
        recorded = stop()

    assert sound in recorded


def test_a_run_that_is_over_stays_where_it_was(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> None:
        run = await Run.begin(FORMAT)
        await run.put(Block(), noise(2.0))
        await run.change(RATE_HZ // 2)
        assert run.works
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(run.end)
        heard = run.heard()
        await anyio.sleep(0.01)
        assert (run.is_over, run.works, run.heard()) == (True, False, heard)
        assert 0 < heard < RATE_HZ

    anyio.run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_sound_server_that_hangs_keeps_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    told: list[str] = []

    async def main() -> None:
        async def wait() -> None:
            with pytest.raises(SpeakerError) as raised:
                await run.drain()
            told.append(str(raised.value))

        run = await Run.begin(FORMAT)
        await run.put(Block(), noise(1.0))
        os.kill(server.process.pid, signal.SIGSTOP)
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(wait)
        assert not run.works
        await run.drain()
        await run.end()

    with running_sound_server(tmp_path) as server:
        enter(server.environment, monkeypatch)
        anyio.run(main, backend=backend)
        os.kill(server.process.pid, signal.SIGCONT)

    assert told == 2 * ["the sound device stopped taking audio: it asked for none in 3.0 s"]
