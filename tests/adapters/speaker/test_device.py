"""Opening, starting and closing: against no sound system at all, and against one that does not answer."""

import inspect
import subprocess
import sys
from functools import partial
from pathlib import Path

import anyio
import miniaudio
import pytest

from ordered_pipeline.adapters._miniaudio import Feed
from ordered_pipeline.adapters.speaker import SpeakerError
from ordered_pipeline.adapters.speaker._device import open_device
from tests.adapters.sound_server import SoundServer, without_sound
from tests.adapters.speaker.sounds import FORMAT, enter


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_no_device_is_one_error_and_no_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], backend: str
) -> None:
    enter(without_sound(tmp_path), monkeypatch)

    with pytest.raises(SpeakerError, match=r"^no sound device could be opened \(.+\)$"):
        anyio.run(open_device, FORMAT, backend=backend)

    assert capfd.readouterr() == ("", "")


def test_a_device_that_plays_to_nobody_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What miniaudio ends at where it finds no sound library."""
    null_device = partial(miniaudio.PlaybackDevice, backends=[miniaudio.Backend.NULL])
    monkeypatch.setattr("miniaudio.PlaybackDevice", null_device)

    with pytest.raises(
        SpeakerError, match=r"^no sound device could be opened \(no sound system was found\)$"
    ):
        anyio.run(open_device, FORMAT)


def silence() -> Feed:
    while True:
        yield b""


@pytest.mark.parts
def test_a_device_that_refuses_to_start_is_an_error(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> None:
        device = await open_device(FORMAT)
        await device.start(silence())
        try:
            await device.start(silence())
        finally:
            await device.close()

    with pytest.raises(
        SpeakerError, match=r"^the sound device did not start \(can't start an already started device\)$"
    ):
        anyio.run(main)


@pytest.mark.parts
def test_a_device_that_was_closed_does_not_start(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a start that was cancelled comes to its turn."""
    enter(sound_server.environment, monkeypatch)
    feed = silence()

    async def main() -> None:
        device = await open_device(FORMAT)
        await device.close()
        await device.start(feed)

    anyio.run(main)

    assert inspect.getgeneratorstate(feed) == inspect.GEN_CREATED


@pytest.mark.parts
def test_no_connection_to_the_sound_server_stays_open(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server has 64; a device that nobody waited for is closed as well."""
    enter(sound_server.environment, monkeypatch)

    async def main() -> None:
        for _ in range(70):
            await (await open_device(FORMAT)).close()
            with anyio.move_on_after(0):
                await open_device(FORMAT)

    anyio.run(main)


def test_without_its_package_the_adapter_says_what_to_install() -> None:
    code = "import sys; sys.modules['miniaudio'] = None; import ordered_pipeline.adapters.speaker"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert result.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: the package of the local speaker is not installed; "
        "pip install 'ordered-pipeline[speaker]'"
    )
