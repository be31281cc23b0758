"""A scripted voice activity detector: activities after so much audio."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest

from ordered_pipeline.testing import ScriptedVoiceActivityDetector
from ordered_pipeline.voice import AudioFormat, VoiceActivity, VoiceActivityDetector
from tests.conftest import Run

STARTED, STOPPED = VoiceActivity("started", 0.375), VoiceActivity("stopped", 0.75)


async def caller(seconds: float) -> AsyncGenerator[bytes, None]:
    for _ in range(round(seconds / 0.25)):
        await anyio.sleep(0.25)
        yield bytes(4000)


def test_activities_come_when_their_audio_has_come_and_what_is_left_when_it_ends(run: Run) -> None:
    vad = ScriptedVoiceActivityDetector([(0.5, STARTED), (0.75, STOPPED), (9.0, STARTED)])

    async def main() -> list[tuple[float, VoiceActivity]]:
        service: VoiceActivityDetector = vad
        return [(anyio.current_time(), activity) async for activity in service.detect(caller(2.0))]

    assert run(main) == [(0.5, STARTED), (0.75, STOPPED), (2.0, STARTED)]
    [request] = vad.requests
    assert (request.audio_s, request.first_s, request.last_s) == (2.0, 0.5, 2.0)
    assert (request.outcome, request.ended_s, vad.running, vad.most_running) == ("completed", 2.0, 0, 1)


def test_it_fails_after_its_last_activity(run: Run) -> None:
    error = ConnectionError("gone")
    vad = ScriptedVoiceActivityDetector([(0.5, STARTED)], error=error)

    async def main() -> float:
        async with aclosing(caller(4.0)) as audio:
            activities = vad.detect(audio)
            assert await anext(activities) == STARTED
            with pytest.raises(ConnectionError) as caught:
                await anext(activities)
            assert caught.value is error
            return anyio.current_time()

    assert run(main) == 0.5
    assert vad.requests[0].outcome == "failed"


def test_a_request_that_is_closed_ends(run: Run) -> None:
    vad = ScriptedVoiceActivityDetector([(0.5, STARTED)])

    async def main() -> None:
        async with aclosing(caller(1.0)) as audio:
            activities = vad.detect(audio)
            await anext(activities)
            await activities.aclose()

    run(main)
    assert [(request.outcome, request.ended_s) for request in vad.requests] == [("closed", 0.5)]
    assert vad.running == 0


def test_a_container_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^audio_format must be no container, got 'wav'$"):
        ScriptedVoiceActivityDetector([], audio_format=AudioFormat("wav", 8000))
