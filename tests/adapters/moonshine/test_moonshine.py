"""Against the real model, in real time; Whisper says what a good ear understands in the same audio."""

import math
import random
from array import array
from pathlib import Path
from typing import Self

import anyio
import pytest

from ordered_pipeline.adapters.moonshine import Moonshine, MoonshineError
from ordered_pipeline.testing import check_stt
from ordered_pipeline.voice import Transcript
from tests.adapters.leftovers import nothing_new, threads
from tests.adapters.speech import EARS, speech_of
from tests.adapters.whisper import Whisper, word_errors, words_of

pytestmark = pytest.mark.parts

PHRASES = (
    "Hello.",
    "How are you today?",
    "The quick brown fox jumps over the lazy dog near the river.",
    "I would like to book a table for two at seven o'clock.",
    "Please call me back tomorrow morning.",
    "What is the weather like in London?",
    "My order has not arrived yet, and I need it before Friday.",
)
SECOND = bytes(32000)


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def clips() -> list[bytes]:
    """Return the phrases, spoken by Piper, as ears take them."""
    return speech_of(*PHRASES)


class Frames:
    """Audio in frames of 20 ms, or others, as fast as they are taken."""

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


async def told(ears: Moonshine, audio: bytes, *, frame_bytes: int = 640) -> list[Transcript]:
    frames = Frames(audio, frame_bytes=frame_bytes)
    return [transcript async for transcript in ears.transcribe(frames)]


def hear(audio: bytes, *, frame_bytes: int = 640) -> list[Transcript]:
    async def main() -> list[Transcript]:
        async with Moonshine() as ears:
            return await told(ears, audio, frame_bytes=frame_bytes)

    return anyio.run(main)


def test_it_keeps_the_promises_of_speech_to_text(clips: list[bytes], backend: str) -> None:
    audio = SECOND + clips[1] + SECOND
    frames = [audio[start : start + 640] for start in range(0, len(audio), 640)]

    async def main() -> None:
        async with Moonshine() as ears:
            assert ears.format == EARS
            await check_stt(ears, frames, frame_s=0.001)

    anyio.run(main, backend=backend)


def test_it_understands_as_much_as_a_far_larger_model(
    clips: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    whisper = Whisper(tmp_path_factory.mktemp("whisper"))

    finals = [one for one in hear(SECOND + b"".join(clip + SECOND for clip in clips)) if one.kind == "final"]
    errors, reference = 0, 0
    for phrase, clip, final in zip(PHRASES, clips, finals, strict=True):
        errors += word_errors(words_of(phrase), words_of(final.text))
        reference += word_errors(words_of(phrase), whisper.words(clip, rate_hz=EARS.sample_rate_hz))
    words = sum(len(words_of(phrase)) for phrase in PHRASES)
    assert reference <= 0.03 * words
    assert errors <= reference + 0.05 * words


def test_turns_are_told_with_their_times(clips: list[bytes]) -> None:
    transcripts = hear(SECOND + clips[1] + SECOND + clips[0] + SECOND, frame_bytes=997)

    kinds = ["speech_started", "eager_final", "final"]
    assert [one.kind for one in transcripts if one.kind != "partial"] == kinds * 2
    finals = [one for one in transcripts if one.kind == "final"]
    assert [words_of(one.text) for one in finals] == [["how", "are", "you", "today"], ["hello"]]
    for final, begin_s, clip in (
        (finals[0], 1.0, clips[1]),
        (finals[1], 2.0 + EARS.duration_s(len(clips[1])), clips[0]),
    ):
        # The voice puts up to 0.2 s of silence around its words, and a sentence fades.
        assert final.start_s is not None
        assert final.end_s is not None
        assert begin_s - 0.05 <= final.start_s <= begin_s + 0.2
        assert begin_s + EARS.duration_s(len(clip)) - 0.3 <= final.end_s
        assert final.end_s <= begin_s + EARS.duration_s(len(clip)) + 0.15


def test_a_pause_in_a_turn_is_resumed_and_loses_no_word(clips: list[bytes]) -> None:
    transcripts = hear(SECOND + clips[4] + SECOND[:12800] + clips[0] + SECOND)

    kinds = [one.kind for one in transcripts if one.kind != "partial"]
    # Piper may pause within the phrase as well.
    assert kinds[:3] == ["speech_started", "eager_final", "resumed"]
    assert kinds[-2:] == ["eager_final", "final"]
    assert kinds.count("final") == 1
    assert words_of(transcripts[-1].text) == words_of(f"{PHRASES[4]} {PHRASES[0]}")


def test_audio_that_is_cut_ends_the_turn_with_what_was_said(clips: list[bytes]) -> None:
    transcripts = hear((SECOND + clips[3])[: -len(clips[3]) // 2 - 1])

    assert transcripts[-1].kind == "final"
    assert words_of(transcripts[-1].text)[:4] == ["i", "would", "like", "to"]


def test_ten_minutes_of_silence_are_nothing_and_leave_nothing() -> None:
    assert hear(SECOND * 600, frame_bytes=32000) == []


def test_noise_and_a_tone_are_nothing() -> None:
    generator = random.Random(1)  # noqa: S311  # noise
    noise = array("h", (round(generator.gauss(0, 1000)) for _ in range(80_000))).tobytes()
    tone = array("h", (round(8000 * math.sin(n * 0.17)) for n in range(80_000))).tobytes()

    assert hear(noise + tone) == []


def test_requests_side_by_side_hear_each_their_own(clips: list[bytes], backend: str) -> None:
    heard: dict[str, list[str]] = {}

    async def main() -> None:
        async def listen(name: str, audio: bytes) -> None:
            heard[name] = [one.text for one in await told(ears, audio) if one.kind == "final"]

        async with Moonshine() as ears, anyio.create_task_group() as tasks:
            tasks.start_soon(listen, "first", SECOND + clips[1] + SECOND)
            tasks.start_soon(listen, "second", SECOND + clips[4] + SECOND)
            tasks.start_soon(listen, "silence", SECOND * 4)

    anyio.run(main, backend=backend)

    words = {name: [words_of(text) for text in texts] for name, texts in heard.items()}
    assert words == {"first": [words_of(PHRASES[1])], "second": [words_of(PHRASES[4])], "silence": []}


def test_a_cancelled_wait_loses_nothing_and_ends(clips: list[bytes], backend: str) -> None:
    async def main() -> list[Transcript]:
        async with Moonshine() as ears:
            stream, transcripts = ears.transcribe(Frames(SECOND + clips[2] + SECOND)), []
            while True:
                # Long enough to get on, too short for the whole.
                with anyio.move_on_after(0.02), anyio.fail_after(20.0, shield=True):
                    try:
                        transcripts.append(await anext(stream))
                    except StopAsyncIteration:
                        return transcripts

    transcripts = anyio.run(main, backend=backend)

    assert [one.text for one in transcripts if one.kind == "final"] == [
        one.text for one in hear(SECOND + clips[2] + SECOND) if one.kind == "final"
    ]


def test_nothing_is_left_of_a_request_that_is_dropped_in_the_middle(clips: list[bytes]) -> None:
    """On asyncio: trio keeps idle threads for a while."""

    async def main() -> None:
        async with Moonshine() as ears:
            dropped = ears.transcribe(Frames(SECOND + clips[2] + SECOND))
            assert (await anext(dropped)).kind == "speech_started"
            await dropped.aclose()
            assert [one async for one in dropped] == []
            unfinished = ears.transcribe(Frames(SECOND + clips[2] + SECOND))
            await anext(unfinished)

    with nothing_new(threads):
        anyio.run(main)


def test_outside_its_block_there_is_one_clear_error(clips: list[bytes], backend: str) -> None:
    async def main() -> None:
        async with Moonshine() as ears:
            late = ears.transcribe(Frames(SECOND + clips[1] + SECOND))
            await anext(late)
        with pytest.raises(MoonshineError, match=r"outside the block of its Moonshine; stay inside it$"):
            async for _ in late:
                pass

    anyio.run(main, backend=backend)


def test_a_model_that_is_not_there_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, backend: str
) -> None:
    monkeypatch.setattr(
        "ordered_pipeline.adapters.moonshine._moonshine.get_model_path", lambda name: tmp_path / name
    )

    async def main() -> None:
        async with Moonshine():
            pass

    with pytest.raises(MoonshineError, match=r"^Moonshine's model could not be loaded \("):
        anyio.run(main, backend=backend)


@pytest.mark.parametrize("option", ["eager_after_s", "final_after_s", "partial_every_s"])
def test_times_must_be_above_0(option: str) -> None:
    with pytest.raises(ValueError, match=rf"^{option} must be above 0, got 0"):
        Moonshine(**{option: 0.0})
