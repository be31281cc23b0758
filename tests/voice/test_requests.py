"""Requests by themselves; what a reply makes of them is in test_speech.py."""

import math
from collections.abc import Callable

import anyio
import pytest

from ordered_pipeline.testing import ScriptedTextToSpeech, SpeechScript
from ordered_pipeline.voice import Segment
from ordered_pipeline.voice._recording import Recording
from ordered_pipeline.voice._requests import Request
from ordered_pipeline.voice._take import Take
from tests.conftest import Run
from tests.voice.turns import FORMAT, Bounded, VoiceFailure, audio, voice_of

ONE = Segment(0, "It is late.")
FRAMES = SpeechScript(first_audio_s=0.5, audio_s=1.0, chunk_s=0.25, pace=1.0)
HANGS = SpeechScript(breaks_after_s=0.0)
HEDGES = (None, 8.0, 0.25)


@pytest.fixture
def run(run: Run) -> Bounded:
    return Bounded(run)


def new_recording() -> Recording:
    recording = Recording(Take(ONE, last_delta_s=0.0, text_ready_s=0.0), FORMAT, is_streaming=True)
    recording.begin(FORMAT)
    return recording


def request_to(
    voice: ScriptedTextToSpeech,
    hedge_after_s: float | None,
    recording: Recording | None = None,
    asked: Callable[[], None] = lambda: None,
) -> Request:
    return Request(
        voice, ONE, recording or new_recording(), asked=asked, hedge_after_s=hedge_after_s, grace_s=1.0
    )


async def goes_on(request: Request, until_s: float = math.inf) -> bool:
    """Wait for news; return whether there are, and not the end."""
    try:
        return await request.next(until_s)
    except StopAsyncIteration:
        return False


async def heard(recording: Recording) -> bytes:
    assert recording.clip is not None
    recording.clip.end()
    return await recording.clip.collect()


@pytest.mark.parametrize("hedge_after_s", HEDGES)
def test_a_request_tells_of_its_first_audio_and_of_its_end(run: Run, hedge_after_s: float | None) -> None:
    recording = new_recording()
    news: list[float] = []

    async def main() -> None:
        async with request_to(voice_of(FRAMES), hedge_after_s, recording) as request:
            while await goes_on(request):
                news.append(anyio.current_time())
            assert anyio.current_time() == 1.25
        assert news == [0.5]
        assert await heard(recording) == audio(0, ONE.text, 1.0)

    run(main)


@pytest.mark.parametrize("hedge_after_s", HEDGES)
def test_an_error_of_the_voice_comes_out(run: Run, hedge_after_s: float | None) -> None:
    failure = VoiceFailure("voice")
    voice = voice_of(SpeechScript(first_audio_s=0.5, audio_s=1.0, breaks_after_s=0.5, error=failure))

    async def main() -> None:
        with pytest.raises(VoiceFailure) as raised:
            async with request_to(voice, hedge_after_s) as request:
                while await goes_on(request):
                    pass
        assert raised.value is failure

    run(main)


@pytest.mark.parametrize("hedge_after_s", HEDGES)
def test_news_are_waited_for_so_long_and_no_longer(run: Run, hedge_after_s: float | None) -> None:
    voice = voice_of(HANGS)

    async def main() -> None:
        async with request_to(voice, hedge_after_s) as request:
            for until_s in (0.125, 0.25, 1.0, 1.0):
                assert not await request.next(until_s)
                assert anyio.current_time() == until_s
        assert voice.running == 0

    run(main)


@pytest.mark.parametrize("hedge_after_s", HEDGES)
def test_a_request_may_be_left_before_it_was_waited_for(run: Run, hedge_after_s: float | None) -> None:
    voice = voice_of(HANGS)

    async def main() -> None:
        async with request_to(voice, hedge_after_s):
            pass
        assert voice.running == 0

    run(main)


@pytest.mark.parametrize("hedge_after_s", HEDGES)
def test_waits_that_are_given_up_lose_nothing(run: Run, hedge_after_s: float | None) -> None:
    recording = new_recording()

    async def main() -> None:
        async with request_to(voice_of(FRAMES), hedge_after_s, recording) as request:
            for sixteenths in range(1, 8):
                assert not await request.next(sixteenths / 16)
            while await goes_on(request):
                pass
        assert await heard(recording) == audio(0, ONE.text, 1.0)

    run(main)


@pytest.mark.parametrize(("hedge_after_s", "times"), [(None, [0.0]), (8.0, [0.0]), (0.25, [0.0, 0.25])])
def test_each_time_the_voice_is_asked_is_told(
    run: Run, hedge_after_s: float | None, times: list[float]
) -> None:
    asked: list[float] = []

    async def main() -> None:
        voice = voice_of(FRAMES)
        tell = lambda: asked.append(anyio.current_time())  # noqa: E731  # not worth a name of its own
        async with request_to(voice, hedge_after_s, asked=tell) as request:
            while await goes_on(request):
                pass
        assert asked == times

    run(main)


def test_nothing_is_recorded_of_who_answers_second(run: Run) -> None:
    """Both answer at the same instant: the one is not cancelled before the other has spoken."""
    recording = new_recording()
    voice = voice_of(
        SpeechScript(first_audio_s=0.5, audio_s=1.0), SpeechScript(first_audio_s=0.25, audio_s=1.0)
    )

    async def main() -> None:
        async with request_to(voice, 0.25, recording) as request:
            while await goes_on(request):
                pass
        assert await heard(recording) == audio(0, ONE.text, 1.0)

    run(main)


def test_a_failure_of_the_one_is_not_forgotten_while_the_other_is_waited_for(run: Run) -> None:
    first, second = VoiceFailure("first"), VoiceFailure("second")
    voice = voice_of(
        SpeechScript(first_audio_s=0.5, breaks_after_s=0.0, error=first),
        SpeechScript(first_audio_s=0.75, breaks_after_s=0.0, error=second),
    )

    async def main() -> None:
        async with request_to(voice, 0.25) as request:
            assert not await request.next(0.75)
            with pytest.raises(VoiceFailure) as raised:
                await request.next(math.inf)
            assert raised.value is first
            assert anyio.current_time() == 1.0

    run(main)
