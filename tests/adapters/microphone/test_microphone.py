"""Without a sound system, and what needs no device."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.adapters.microphone import Microphone, MicrophoneError
from ordered_pipeline.voice import AudioFormat
from tests.adapters.sound_server import without_sound
from tests.adapters.speaker.sounds import enter


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_no_microphone_is_one_error_and_no_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], backend: str
) -> None:
    enter(without_sound(tmp_path), monkeypatch)

    async def main() -> None:
        async with Microphone():
            pass

    with pytest.raises(MicrophoneError, match=r"^no microphone could be opened \(.+\)$"):
        anyio.run(main, backend=backend)

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "audio_format",
    [AudioFormat("mulaw", 8000), AudioFormat("wav", 16_000), AudioFormat("s16le", 11_025)],
    ids=repr,
)
def test_what_it_cannot_give_is_refused(audio_format: AudioFormat) -> None:
    with pytest.raises(
        ValueError,
        match=r"^audio_format must be of s16le samples, at a multiple of 50 Hz, got AudioFormat\(.*\)$",
    ):
        Microphone(audio_format)


def test_a_microphone_that_was_not_entered_gives_nothing() -> None:
    microphone = Microphone()

    async def main() -> None:
        await microphone.aclose()
        await anext(microphone)

    with pytest.raises(RuntimeError, match=r"^a microphone was iterated that was not entered"):
        anyio.run(main)

    assert (microphone.format, microphone.dropped_s, microphone.begun_s) == (
        AudioFormat("s16le", 16_000),
        0.0,
        None,
    )


def test_without_its_package_the_adapter_says_what_to_install() -> None:
    code = "import sys; sys.modules['miniaudio'] = None; import ordered_pipeline.adapters.microphone"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert result.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: the package of the local microphone is not installed; "
        "pip install 'ordered-pipeline[microphone]'"
    )
