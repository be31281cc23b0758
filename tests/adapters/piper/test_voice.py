"""Against the real voice, in real time, and what is said without it."""

import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL
from typing import Any

import anyio
import pytest

from ordered_pipeline.adapters.piper import Piper, PiperError
from ordered_pipeline.testing import RecordingPlayer, check_tts
from ordered_pipeline.voice import AudioFormat, Prefetch, Segment, speak
from tests.adapters.piper.processes import children, cpu_s

TEXT = "The quick brown fox jumps over the lazy dog near the river."


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def open_piper(*, processes: int = 1) -> AsyncGenerator[Piper]:
    """Give the voice, and see to it that nothing is left of it, and that nothing hangs."""
    others = children()
    try:
        with anyio.fail_after(60):
            async with Piper(processes=processes) as voice:
                yield voice
    finally:
        assert children() == others


async def data_of(voice: Piper, text: str) -> bytes:
    return b"".join([chunk.data async for chunk in voice.synthesize(Segment(0, text))])


@pytest.mark.parts
def test_it_keeps_the_promises_of_a_voice(backend: str) -> None:
    async def main() -> None:
        async with open_piper(processes=2) as voice:
            await check_tts(voice)

    anyio.run(main, backend=backend)


@pytest.mark.parts
def test_a_sentence_takes_as_long_as_somebody_takes_to_say_it() -> None:
    async def main() -> float:
        async with open_piper() as voice:
            assert voice.format == AudioFormat("s16le", 22050)
            return voice.format.duration_s(len(await data_of(voice, TEXT)))

    assert 2.5 <= anyio.run(main) <= 4.5


@pytest.mark.parts
@pytest.mark.parametrize("text", ["", " ", "...", "\0", "\n\n"])
def test_a_text_with_nothing_to_say_has_no_audio_and_is_no_error(text: str) -> None:
    async def main() -> None:
        async with open_piper() as voice:
            await data_of(voice, text)
            assert len(await data_of(voice, "Hello.")) > 10_000

    anyio.run(main)


@pytest.mark.parts
def test_a_text_without_stops_is_spoken_piece_by_piece() -> None:
    async def main() -> float:
        async with open_piper() as voice:
            return voice.format.duration_s(len(await data_of(voice, "all that and more of it " * 40)))

    # 240 words, mostly short ones: 4 to 8 a second.
    assert 30 <= anyio.run(main) <= 60


@pytest.mark.parts
def test_a_reply_is_spoken_in_order_by_processes_side_by_side(backend: str) -> None:
    async def main() -> None:
        async with open_piper(processes=2) as voice:
            player = RecordingPlayer()
            async with speak(
                "One sentence. Then another one. And the last.",
                tts=voice,
                player=player,
                prefetch=Prefetch(segments=2),
            ) as reply:
                await reply.finished()
            texts = [segment.text.strip() for segment in reply.timeline.segments]
            assert texts == ["One sentence.", "Then another one.", "And the last."]
            starts = [segment.started_s for segment in reply.timeline.segments]
            assert None not in starts
            assert starts == sorted(starts, key=lambda start: start or 0.0)

    anyio.run(main, backend=backend)


@pytest.mark.parts
def test_a_call_that_is_closed_stops_its_process_in_the_middle_of_a_sentence(backend: str) -> None:
    """A minute of speech takes seconds to make; of the process's time that is seen in steps of 10 ms."""

    async def main() -> None:
        others = children()
        async with open_piper() as voice:
            [pid] = children() - others
            call = voice.synthesize(Segment(0, f"Hello. {'and on and on and on ' * 40}"))
            await anext(call)
            await call.aclose()
            # It is ready for the next call, which has it to itself.
            await data_of(voice, "")
            before_s = cpu_s(pid)
            await data_of(voice, "")
            assert cpu_s(pid) - before_s <= 0.02
            assert children() - others == {pid}

    anyio.run(main, backend=backend)


@pytest.mark.parts
def test_a_process_that_crashes_costs_one_call(backend: str) -> None:
    async def main() -> None:
        others = children()
        async with open_piper() as voice:
            [pid] = children() - others
            call = voice.synthesize(Segment(0, f"Hello. {'and on and on and on ' * 40}"))
            await anext(call)
            os.kill(pid, SIGKILL)
            with pytest.raises(
                PiperError, match=r"^the process of the voice was ended by signal 9 \(Killed\)$"
            ):
                async for _ in call:
                    pass
            assert len(await data_of(voice, "Hello.")) > 10_000

    anyio.run(main, backend=backend)


@pytest.mark.parts
def test_a_process_that_dies_between_calls_costs_none(backend: str) -> None:
    async def main() -> None:
        others = children()
        async with open_piper() as voice:
            [pid] = children() - others
            os.kill(pid, SIGKILL)
            assert len(await data_of(voice, "Hello.")) > 10_000

    anyio.run(main, backend=backend)


@pytest.mark.parts
def test_a_file_that_is_no_model_is_told_on_entering(tmp_path: Path) -> None:
    (tmp_path / "voice.onnx").write_bytes(b"no model")
    (tmp_path / "voice.onnx.json").write_text(json.dumps({"audio": {"sample_rate": 16000}}), "utf-8")

    async def main() -> None:
        voice = Piper(tmp_path / "voice.onnx")
        assert voice.format == AudioFormat("s16le", 16000)
        with pytest.raises(PiperError, match=r"^Piper could not load the voice \("):
            async with voice:
                pass

    anyio.run(main)


@pytest.mark.parametrize("description", ["", "[]", "{}", '{"audio": {"sample_rate": "x"}}', "\0"])
def test_a_description_that_describes_no_voice_is_told_at_once(tmp_path: Path, description: str) -> None:
    (tmp_path / "voice.onnx").touch()
    (tmp_path / "voice.onnx.json").write_text(description, "utf-8")

    with pytest.raises(PiperError, match=r"voice\.onnx\.json' must describe a Piper voice, but does not \("):
        Piper(tmp_path / "voice.onnx")


def test_a_voice_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(PiperError, match=r"^voice must be the path of a Piper voice, but there is no file"):
        Piper(tmp_path / "voice.onnx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length_scale": 0.0}, "length_scale must be above 0 and finite, got 0.0"),
        ({"length_scale": float("inf")}, "length_scale must be above 0 and finite, got inf"),
        ({"processes": 0}, "processes must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Piper(**options)


def test_outside_its_block_there_is_one_clear_error(backend: str) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"^the voice was used outside its 'async with' block"):
            await anext(Piper().synthesize(Segment(0, TEXT)))

    anyio.run(main, backend=backend)
