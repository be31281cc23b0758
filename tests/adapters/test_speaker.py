"""Against a real sound server, which records what it plays. Each test takes the time that its sound takes."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import anyio
import miniaudio
import pytest

from ordered_pipeline.adapters.speaker import Speaker, SpeakerError
from ordered_pipeline.voice import AudioFormat, Block
from tests.adapters.sound_server import (
    RATE_HZ,
    SoundServer,
    common_length,
    running_sound_server,
    without_sound,
)

FORMAT = AudioFormat("s16le", RATE_HZ)


def noise(seconds: float) -> bytes:
    """Return sound in which every place is different, and no sample is silent."""
    numbers = random.Random(seconds)  # noqa: S311  # no secret
    return bytes(numbers.randrange(1, 256) for _ in range(2 * round(seconds * RATE_HZ)))


def enter(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_is_written_sounds_without_a_seam_to_the_last_sample(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    enter(sound_server.environment, monkeypatch)
    sound = noise(1.7)
    places = range(0, len(sound), 2 * 997)
    blocks: list[Block] = []

    async def main() -> None:
        async with Speaker(FORMAT) as speaker:
            blocks.extend([await speaker.write(sound[place : place + 2 * 997]) for place in places])
            await speaker.drain()

    with sound_server.recording() as stop:
        anyio.run(main, backend=backend)
        recorded = stop()

    assert sound in recorded
    began = blocks[0].first_sample
    assert began is not None
    assert [block.first_sample for block in blocks] == [began + place // 2 for place in places]


def test_a_gap_is_known_to_the_sample(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(sound_server.environment, monkeypatch)
    early, late = noise(0.4), noise(0.5)

    async def main() -> int:
        async with Speaker(FORMAT) as speaker:
            first = await speaker.write(early)
            await speaker.drain()
            second = await speaker.write(late)
            await speaker.drain()
        assert first.first_sample is not None
        assert second.first_sample is not None
        return second.first_sample - first.first_sample - first.samples

    with sound_server.recording() as stop:
        gap = anyio.run(main)
        recorded = stop()

    assert gap > 0
    assert early + bytes(2 * gap) + late in recorded


def test_to_stop_is_silence_at_once(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(sound_server.environment, monkeypatch)
    sound = noise(3.0)

    async def main() -> tuple[int, int]:
        async with Speaker(FORMAT) as speaker:
            assert speaker.heard_samples() == 0
            block = await speaker.write(sound)
            # More is taken once less than a second waits: two seconds have been handed to the device then.
            await speaker.write(sound)
            speaker.stop()
            with pytest.raises(RuntimeError, match="audio was written to a speaker that is not open"):
                await speaker.write(sound)
            assert block.first_sample is not None
            return block.first_sample, speaker.heard_samples()

    with sound_server.recording() as stop:
        silence, heard = anyio.run(main)
        recorded = stop()

    start = recorded.index(sound[:200])
    played = common_length(recorded[start:], sound)
    assert not any(recorded[start + played :])
    assert 0 < played < len(sound)
    assert 0 < heard - silence < len(sound) // 2


def test_a_sound_server_that_hangs_keeps_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with Speaker(FORMAT) as speaker:
            await speaker.write(noise(1.0))
            os.kill(server.process.pid, signal.SIGSTOP)
            await speaker.drain()

    with running_sound_server(tmp_path) as server:
        enter(server.environment, monkeypatch)
        with pytest.raises(
            SpeakerError, match=r"^the sound device stopped taking audio: it asked for none in 3"
        ):
            anyio.run(main)
        os.kill(server.process.pid, signal.SIGCONT)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_no_device_is_one_error_and_no_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], backend: str
) -> None:
    enter(without_sound(tmp_path), monkeypatch)

    async def main() -> None:
        async with Speaker(FORMAT):
            pass

    with pytest.raises(SpeakerError, match=r"^no sound device could be opened \(.+\)$"):
        anyio.run(main, backend=backend)

    assert capfd.readouterr() == ("", "")


def test_a_device_that_plays_to_nobody_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What miniaudio ends at where it finds no sound library."""
    null_device = partial(miniaudio.PlaybackDevice, backends=[miniaudio.Backend.NULL])
    monkeypatch.setattr("miniaudio.PlaybackDevice", null_device)

    async def main() -> None:
        async with Speaker(FORMAT):
            pass

    with pytest.raises(
        SpeakerError, match=r"^no sound device could be opened \(no sound system was found\)$"
    ):
        anyio.run(main)


def test_a_speaker_that_is_not_open_takes_nothing() -> None:
    async def main() -> None:
        await Speaker(FORMAT).write(bytes(2))

    with pytest.raises(RuntimeError, match="audio was written to a speaker that is not open"):
        anyio.run(main)


def test_to_drain_before_anything_was_written_is_no_wait(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> None:
        async with Speaker(FORMAT) as speaker:
            await speaker.drain()
            assert speaker.started_s is None

    anyio.run(main)


def test_without_its_package_the_adapter_says_what_to_install() -> None:
    code = "import sys; sys.modules['miniaudio'] = None; import ordered_pipeline.adapters.speaker"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert result.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: the package of the local speaker is not installed; "
        "pip install 'ordered-pipeline[speaker]'"
    )
