import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._services import open_speaker, open_voice
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
    ("module", "package", "open_service", "told"),
    [
        (
            "espeak",
            "espeakng_loader",
            lambda: open_voice(concurrency=1),
            "the package of the espeak voice is not installed; pip install 'ordered-pipeline[espeak]'",
        ),
        (
            "speaker",
            "miniaudio",
            lambda: open_speaker(FORMAT),
            (
                "the package of the local speaker is not installed; pip install 'ordered-pipeline[speaker]', "
                "or write a file with --out FILE"
            ),
        ),
    ],
)
def test_an_extra_that_is_not_installed_is_told(
    monkeypatch: pytest.MonkeyPatch, module: str, package: str, open_service: object, told: str
) -> None:
    for name in [name for name in sys.modules if name.startswith(f"ordered_pipeline.adapters.{module}")]:
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
