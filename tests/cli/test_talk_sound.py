"""A conversation on a real sound server: its microphone hears what is said to it, its speaker is recorded."""

import math
import os
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import final

import anyio
import pytest

from ordered_pipeline.adapters.eliza import Eliza
from ordered_pipeline.adapters.microphone import Microphone
from ordered_pipeline.adapters.moonshine import Moonshine
from ordered_pipeline.adapters.piper import Piper
from ordered_pipeline.adapters.silero import Silero
from ordered_pipeline.adapters.speaker import Speaker
from ordered_pipeline.cli._failures import Exit
from ordered_pipeline.voice import (
    ServiceFailure,
    Turn,
    VoiceActivity,
    converse,
)
from tests.adapters.sound_server import RATE_HZ, RECORD, SoundServer, run_ahead, wait_until
from tests.adapters.speaker.sounds import enter
from tests.adapters.speech import EARS, speech_of
from tests.adapters.whisper import Whisper, word_errors, words_of
from tests.cli.commands import started

pytestmark = pytest.mark.parts

# Three seconds, and nine without a stop, so that a silence in them is the interruption's.
STORY = (
    "Yesterday the farmer walked along the river with his brother. They carried apples and bread to the "
    "village where an old teacher waited in the garden behind the church until the evening train arrived "
    "from London with letters and newspapers for everybody"
)
QUESTION = "What is the weather like in London?"
# As fast as it is told.
WORDS_A_SECOND = 3.0
ALLOWED_S = 0.15
BYTES_A_SECOND = 2 * RATE_HZ


@final
class Detector:
    """Silero, and when it told that somebody speaks."""

    def __init__(self) -> None:
        self.started_s: list[float] = []

    async def detect(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[VoiceActivity]:
        async for activity in Silero().detect(audio):
            if activity.kind == "started":
                self.started_s.append(time.monotonic())
            yield activity


@final
class Recorder:
    """What the speaker plays, and when it did."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.sound = bytearray()
        self._begin_s = math.inf
        self._process = process
        self._thread = threading.Thread(target=self._record)
        self._thread.start()

    def _record(self) -> None:
        assert self._process.stdout is not None
        while data := os.read(self._process.stdout.fileno(), 4096):
            self.sound += data
            # Nothing is recorded before it sounds. What comes later than the rest was held up on its way.
            self._begin_s = min(self._begin_s, time.monotonic() - len(self.sound) / BYTES_A_SECOND)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(10)

    def length_at(self, time_s: float) -> int:
        """Return how many bytes had sounded at *time_s*, by the recording's own clock."""
        return 2 * round((time_s - self._begin_s) * RATE_HZ)

    def sounding_s(self) -> float:
        """Return how long it was from the first sound to the last."""
        return len(self.sound.strip(b"\0")) / BYTES_A_SECOND


@contextmanager
def recording(server: SoundServer) -> Iterator[Recorder]:
    with subprocess.Popen(
        RECORD, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=server.environment
    ) as process:
        run_ahead(process.pid)
        recorder = Recorder(process)
        try:
            wait_until(lambda: bool(recorder.sound))
            yield recorder
        finally:
            recorder.stop()


@pytest.fixture(scope="module")
def question() -> bytes:
    """Return a question, as the microphone hears it."""
    # The sound server may need a moment to begin.
    return bytes(EARS.sample_rate_hz) + speech_of(QUESTION)[0]


def test_a_barge_in_is_silence_within_150_ms_and_the_heard_text_is_what_was_heard(
    sound_server: SoundServer,
    monkeypatch: pytest.MonkeyPatch,
    question: bytes,
    tmp_path: Path,
) -> None:
    """It takes 20 ms on an idle machine, most of it the sound server's: 150 ms are for a busy one."""
    enter(sound_server.environment, monkeypatch)
    detector = Detector()
    events: list[Turn | ServiceFailure] = []

    async def main(recorder: Recorder) -> None:
        async with AsyncExitStack() as stack:
            stt = await stack.enter_async_context(Moonshine())
            voice = await stack.enter_async_context(Piper())
            speaker = await stack.enter_async_context(Speaker(voice.format))
            microphone = await stack.enter_async_context(Microphone())
            conversation = converse(
                microphone,
                audio_format=microphone.format,
                stt=stt,
                vad=detector,
                llm=Eliza(),
                tts=voice,
                player=speaker,
                greeting=STORY,
            )
            async with conversation:
                await anyio.to_thread.run_sync(wait_until, lambda: recorder.sounding_s() > 4.0)
                said = await anyio.to_thread.run_sync(sound_server.say, question)
                async for event in conversation:
                    events.append(event)
                    if len(events) == 2:
                        break
                said.wait()

    with recording(sound_server) as recorder:
        anyio.run(main, recorder)

    interrupted, answered = events
    assert isinstance(interrupted, Turn)
    assert isinstance(answered, Turn)
    # Silent in time, by the clock of the recording, and until the question is over and answered.
    decided_s = detector.started_s[0]
    limit = recorder.length_at(decided_s + ALLOWED_S)
    answer = recorder.length_at(decided_s + 1.0)
    assert any(recorder.sound[recorder.length_at(decided_s - 0.1) : recorder.length_at(decided_s)])
    assert not any(recorder.sound[limit:answer])
    assert word_errors(words_of(QUESTION), words_of(answered.said)) <= 1
    assert answered.heard.text

    # What a good ear hears of it is what the heard text claims, up to its error, a word cut in two and one
    # that the ear gets wrong.
    story = words_of(STORY)
    heard = Whisper(tmp_path).words(bytes(recorder.sound[:limit]), rate_hz=RATE_HZ)
    claimed = len(words_of(interrupted.heard.text))
    allowed = 1 + round(interrupted.heard.error_s * WORDS_A_SECOND)
    sure, denied = story[: claimed - allowed], {*story[claimed + allowed :]} - {*story[: claimed + allowed]}
    assert len(sure) >= 8
    assert len(denied) >= 8
    assert len([word for word in sure if word not in heard]) <= 1
    assert denied.isdisjoint(heard)


def test_the_command_listens_to_the_microphone_and_answers_by_the_speaker(
    sound_server: SoundServer, question: bytes, tmp_path: Path
) -> None:
    with (
        recording(sound_server) as recorder,
        started(
            "--html", "page.html", command="talk", environment=sound_server.environment, folder=tmp_path
        ) as process,
    ):
        wait_until(sound_server.is_listened_to)
        with sound_server.say(question):
            pass
        wait_until(lambda: recorder.sounding_s() > 0.5)
        # A turn is told when its answer has been heard.
        assert process.stdout is not None
        told = [line.decode() for line in iter(process.stdout.readline, b"\n")]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert process.returncode == Exit.INTERRUPTED
    assert word_errors(["caller", *words_of(QUESTION)], words_of(told[0])) <= 1
    assert told[1].startswith("heard: ")
    assert err.decode() == "ordered-pipeline: interrupted\n"
    assert f"Turn 0: {told[0].partition(':')[2].strip()}" in (tmp_path / "page.html").read_text("utf-8")


def test_a_microphone_that_delivers_silence_is_no_turn_and_no_error(
    sound_server: SoundServer, tmp_path: Path
) -> None:
    with started(command="talk", environment=sound_server.environment, folder=tmp_path) as process:
        wait_until(sound_server.is_listened_to)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)

    assert (process.returncode, out, err) == (Exit.INTERRUPTED, b"", b"ordered-pipeline: interrupted\n")
