"""The check of a detector: one that keeps its promises passes, and each broken promise is named."""

import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable

import anyio
import pytest

from ordered_pipeline.testing import ContractBroken, ScriptedVoiceActivityDetector, check_vad
from ordered_pipeline.voice import VoiceActivity, VoiceActivityDetector
from tests.conftest import Run

# A second in frames of 20 ms.
AUDIO = [bytes(320)] * 50
STARTED, STOPPED = VoiceActivity("started", 0.25), VoiceActivity("stopped", 0.5)


class Service:
    """A detector whose promises are kept as far as its function keeps them."""

    def __init__(self, detect: Callable[[AsyncIterable[bytes]], AsyncIterator[VoiceActivity]]) -> None:
        self.detect = detect


def told(*activities: VoiceActivity) -> ScriptedVoiceActivityDetector:
    return ScriptedVoiceActivityDetector([(0.75, activity) for activity in activities])


def check(run: Run, vad: VoiceActivityDetector, message: str) -> None:
    async def main() -> None:
        with pytest.raises(ContractBroken, match=f"^{re.escape(message)}"):
            await check_vad(vad, AUDIO, within_s=10.0, close_s=1.0)

    run(main)


def test_one_that_keeps_its_promises_passes(run: Run) -> None:
    run(
        check_vad, told(STARTED, STOPPED, VoiceActivity("started", 0.5), VoiceActivity("stopped", 1.0)), AUDIO
    )


@pytest.mark.parametrize(
    ("activities", "message"),
    [
        ((), "detect must notice that somebody speaks, but told nothing"),
        ((STARTED,), "the last activity must be 'stopped', got VoiceActivity(kind='started', at_s=0.25)"),
        ((STARTED, STARTED), "'started' and 'stopped' must come by turns, got ["),
        ((STOPPED,), "'started' and 'stopped' must come by turns, got ["),
        ((VoiceActivity("talking", 0.0),), "kind must be one of ('started', 'stopped'), got 'talking'"),  # type: ignore[arg-type]  # the breach
        ((VoiceActivity("started", -0.5),), "an activity must be within the audio, after the one before it"),
        ((STARTED, VoiceActivity("stopped", 1.5)), "an activity must be within the audio, after the one"),
        ((VoiceActivity("started", 0.75), STOPPED), "an activity must be within the audio, after the one"),
        (("started",), "each activity must be VoiceActivity, got 'started'"),
    ],
)
def test_wrong_activities(run: Run, activities: tuple[VoiceActivity, ...], message: str) -> None:
    check(run, told(*activities), message)


def test_a_coroutine_function(run: Run) -> None:
    async def detect(_: AsyncIterable[bytes]) -> bool:
        return True

    check(run, Service(detect), "detect must return an async iterator, got coroutine")  # type: ignore[arg-type]  # the breach


def test_one_that_goes_on_when_the_audio_has_ended(run: Run) -> None:
    async def detect(audio: AsyncIterable[bytes]) -> AsyncGenerator[VoiceActivity, None]:
        async for _ in audio:
            pass
        yield STARTED
        yield STOPPED
        await anyio.sleep_forever()

    check(run, Service(detect), "detect must end when the audio has ended, within 11 s, but did not")


def test_a_slow_close(run: Run) -> None:
    async def detect(audio: AsyncIterable[bytes]) -> AsyncGenerator[VoiceActivity, None]:
        async for _ in audio:
            pass
        try:
            yield STARTED
            yield STOPPED
        except GeneratorExit:
            await anyio.sleep(2.0)
            raise

    check(run, Service(detect), "aclose of what detect returns must end within 1 s, but did not")
