"""Scripted speech-to-text: transcripts after so much audio."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest

from ordered_pipeline.testing import ScriptedSpeechToText
from ordered_pipeline.voice import AudioFormat, SpeechToText, Transcript
from tests.conftest import Run

BEGIN, HELLO = Transcript("", "speech_started"), Transcript("hello", "final")


async def caller(seconds: float) -> AsyncGenerator[bytes, None]:
    for _ in range(round(seconds / 0.25)):
        await anyio.sleep(0.25)
        yield bytes(4000)


def test_transcripts_come_when_their_audio_has_come(run: Run) -> None:
    stt = ScriptedSpeechToText([(0.5, BEGIN), (0.75, HELLO)])

    async def main() -> list[tuple[float, Transcript]]:
        service: SpeechToText = stt
        told = [(anyio.current_time(), text) async for text in service.transcribe(caller(2.0))]
        assert anyio.current_time() == 2.0
        return told

    assert run(main) == [(0.5, BEGIN), (0.75, HELLO)]
    [request] = stt.requests
    assert (request.audio_s, request.first_s, request.last_s) == (2.0, 0.5, 0.75)
    assert (request.outcome, request.ended_s, stt.running, stt.most_running) == ("completed", 2.0, 0, 1)


def test_what_is_left_comes_when_the_audio_ends(run: Run) -> None:
    stt = ScriptedSpeechToText([(0.5, BEGIN), (9.0, HELLO)])

    async def main() -> list[tuple[float, Transcript]]:
        return [(anyio.current_time(), text) async for text in stt.transcribe(caller(1.0))]

    assert run(main) == [(0.5, BEGIN), (1.0, HELLO)]


@pytest.mark.parametrize("audio_s", [0.25, 4.0])
def test_it_fails_after_its_last_transcript(run: Run, audio_s: float) -> None:
    error = ConnectionError("gone")
    stt = ScriptedSpeechToText([(0.5, BEGIN)], error=error)

    async def main() -> float:
        async with aclosing(caller(audio_s)) as audio:
            texts = stt.transcribe(audio)
            assert await anext(texts) == BEGIN
            with pytest.raises(ConnectionError) as caught:
                await anext(texts)
            assert caught.value is error
            return anyio.current_time()

    assert run(main) == min(audio_s, 0.5)
    assert stt.requests[0].outcome == "failed"


def test_closed_and_cancelled_requests_end(run: Run) -> None:
    stt = ScriptedSpeechToText([(0.5, BEGIN)])

    async def main() -> None:
        async with aclosing(caller(1.0)) as audio:
            texts = stt.transcribe(audio)
            await anext(texts)
            await texts.aclose()
        async with aclosing(caller(100.0)) as audio:
            with anyio.move_on_after(1.125):
                _ = [text async for text in stt.transcribe(audio)]

    run(main)
    assert [(request.outcome, request.ended_s) for request in stt.requests] == [
        ("closed", 0.5),
        ("cancelled", 1.625),
    ]
    assert stt.running == 0


def test_a_container_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^audio_format must be no container, got 'wav'$"):
        ScriptedSpeechToText([], audio_format=AudioFormat("wav", 8000))
