"""The command with all its real parts, from a file into a file, in real time."""

import wave
from collections.abc import AsyncIterator
from html import escape
from pathlib import Path

import anyio
import numpy as np
import pytest

from ordered_pipeline.adapters.piper import Piper
from ordered_pipeline.cli._failures import Exit
from ordered_pipeline.voice import AudioFormat, Segment, convert_audio
from tests.adapters.whisper import Whisper, word_errors, words_of
from tests.cli.commands import started

pytestmark = pytest.mark.parts

EARS = AudioFormat("s16le", 16000)
PAUSE_S = 4.0


def caller_wav(path: Path, *sentences: str) -> None:
    """Write what a caller says, in Piper's voice, with time for an answer after each sentence."""

    async def main() -> bytes:
        async with Piper() as voice:

            async def audio() -> AsyncIterator[bytes]:
                for index, sentence in enumerate(sentences):
                    async for chunk in voice.synthesize(Segment(index, sentence)):
                        yield chunk.data
                    yield bytes(2 * round(PAUSE_S * voice.format.sample_rate_hz))

            return b"".join([frame async for frame in convert_audio(audio(), voice.format, to=EARS)])

    sound = anyio.run(main)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, EARS.sample_rate_hz, 0, "NONE", ""))
        file.writeframes(sound)


def parts_of(sound: bytes, rate_hz: int) -> list[bytes]:
    """Return the stretches of *sound* that a second without any sound divides.

    The ear hears each by itself: over a long pause it sometimes loses what comes after.
    """
    samples = np.frombuffer(sound, "<i2")
    (loud,) = samples.nonzero()
    cuts = loud[1:][np.diff(loud) > rate_hz]
    return [part.tobytes() for part in np.split(samples, cuts)]


def test_it_hears_a_file_and_answers_into_another(tmp_path: Path) -> None:
    caller_wav(tmp_path / "in.wav", "Hello, I feel sad today.", "My mother does not call me.")

    arguments = ("--wav", "in.wav", "--out", "out.wav", "--html", "page.html", "--voice", "piper")
    with started(*arguments, command="talk", folder=tmp_path) as process:
        out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (Exit.DONE, b"")
    lines = [line.partition(": ") for line in out.decode().splitlines()]
    said = [text for name, _, text in lines if name == "caller"]
    heard = [text for name, _, text in lines if name == "heard"]
    assert [words_of(text) for text in said] == [
        words_of("Hello, I feel sad today."),
        words_of("My mother does not call me."),
    ]
    assert len(heard) == 2
    assert out.decode().count("first audio after") == 2
    page = (tmp_path / "page.html").read_text("utf-8")
    for turn, text in enumerate(said):
        assert f"Turn {turn}: {escape(text.strip())}" in page

    # A good ear hears the answers in the other file, one after the other, and nothing else.
    with wave.open(str(tmp_path / "out.wav")) as file:
        sound, rate_hz = file.readframes(file.getnframes()), file.getframerate()
    ear = Whisper(tmp_path)
    for answer, part in zip(heard, parts_of(sound, rate_hz), strict=True):
        words = words_of(answer)
        assert word_errors(words, ear.words(part, rate_hz=rate_hz)) <= 0.2 * len(words)
