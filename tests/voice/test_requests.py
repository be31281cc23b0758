"""Requests by themselves; what a reply makes of them is in test_speech.py."""

import inspect
from collections.abc import AsyncIterator, Coroutine

import anyio
import pytest

from ordered_pipeline.testing import ScriptedTextToSpeech, SpeechScript
from ordered_pipeline.voice import AudioChunk, Segment
from ordered_pipeline.voice._requests import HedgedRequest, request
from tests.conftest import Run
from tests.voice.turns import FORMAT, Bounded, VoiceFailure, audio, voice_of

ONE = Segment(0, "It is late.")
FRAMES = SpeechScript(first_audio_s=0.5, audio_s=1.0, chunk_s=0.25, pace=1.0)
HANGS = SpeechScript(breaks_after_s=0.0)
FIRST, SECOND = VoiceFailure("first"), VoiceFailure("second")


def fails(after_s: float, error: Exception) -> SpeechScript:
    return SpeechScript(first_audio_s=after_s, breaks_after_s=0.0, error=error)


@pytest.fixture
def run(run: Run) -> Bounded:
    return Bounded(run)


class Asked:
    """A voice that is asked for a segment, and when it is."""

    def __init__(self, *scripts: SpeechScript) -> None:
        self.voice: ScriptedTextToSpeech = voice_of(*scripts)
        self.times: list[float] = []

    def __call__(self) -> AsyncIterator[AudioChunk]:
        self.times.append(anyio.current_time())
        return request(self.voice, ONE)

    def hedged(self, after_s: float = 0.25) -> HedgedRequest:
        return HedgedRequest(self, after_s=after_s, grace_s=1.0)


async def heard(chunks: HedgedRequest) -> bytes:
    """Return all audio, and close."""
    try:
        return b"".join([chunk.data async for chunk in chunks])
    finally:
        await chunks.aclose()


# One request


class Mute:
    """A voice that is none."""

    format = FORMAT

    def __init__(self, answer: object) -> None:
        self.answer: object = answer

    def synthesize(self, _: Segment, /) -> object:
        return self.answer


async def coroutine() -> bytes:
    raise AssertionError("nobody awaits this")


def test_what_can_not_be_iterated_is_refused() -> None:
    with pytest.raises(TypeError, match="what a voice returns must be an async iterator of chunks, got b'x'"):
        request(Mute(b"x"), ONE)  # type: ignore[arg-type]  # the mistake


def test_a_coroutine_is_refused_and_closed() -> None:
    made: Coroutine[object, object, bytes] = coroutine()

    with pytest.raises(TypeError, match="what a voice returns must be an async iterator of chunks"):
        request(Mute(made), ONE)  # type: ignore[arg-type]  # the mistake

    assert inspect.getcoroutinestate(made) == inspect.CORO_CLOSED


# A second one


@pytest.mark.parametrize(("after_s", "times"), [(8.0, [0.0]), (0.25, [0.0, 0.25])])
def test_a_voice_is_asked_a_second_time_if_it_has_not_answered_by_then(
    run: Run, after_s: float, times: list[float]
) -> None:
    ask = Asked(FRAMES)

    async def main() -> None:
        assert await heard(ask.hedged(after_s)) == audio(0, ONE.text, 1.0)
        assert anyio.current_time() == 1.25
        assert ask.times == times
        assert ask.voice.running == 0

    run(main)


@pytest.mark.parametrize("after_s", [8.0, 0.25])
def test_an_error_in_the_middle_comes_out(run: Run, after_s: float) -> None:
    ask = Asked(SpeechScript(first_audio_s=0.5, audio_s=1.0, breaks_after_s=0.5, error=FIRST))

    async def main() -> None:
        with pytest.raises(VoiceFailure) as raised:
            await heard(ask.hedged(after_s))
        assert raised.value is FIRST

    run(main)


def test_a_request_that_was_never_iterated_asks_nobody(run: Run) -> None:
    ask = Asked(HANGS)

    async def main() -> None:
        await ask.hedged().aclose()
        assert ask.times == []

    run(main)


def test_closing_cancels_both(run: Run) -> None:
    ask = Asked(HANGS)

    async def main() -> None:
        with anyio.move_on_after(1.0) as scope:
            await heard(ask.hedged())
        assert scope.cancelled_caught
        assert [request.outcome for request in ask.voice.requests] == ["cancelled", "cancelled"]
        assert ask.voice.running == 0
        assert anyio.current_time() == 1.0

    run(main)


def test_nothing_is_heard_of_who_answers_second(run: Run) -> None:
    """Both answer at the same instant: the one is not cancelled before the other has spoken."""
    ask = Asked(SpeechScript(first_audio_s=0.5, audio_s=1.0), SpeechScript(first_audio_s=0.25, audio_s=1.0))

    async def main() -> None:
        assert await heard(ask.hedged()) == audio(0, ONE.text, 1.0)

    run(main)


def test_a_failure_before_the_second_request_is_the_end(run: Run) -> None:
    ask = Asked(fails(0.125, FIRST), FRAMES)

    async def main() -> None:
        with pytest.raises(VoiceFailure) as raised:
            await heard(ask.hedged())
        assert raised.value is FIRST
        assert ask.times == [0.0]

    run(main)


@pytest.mark.parametrize(("first_s", "second_s", "told"), [(0.5, 0.75, FIRST), (1.5, 0.5, SECOND)])
def test_of_two_failures_the_first_comes_out_when_both_are_there(
    run: Run, first_s: float, second_s: float, told: Exception
) -> None:
    ask = Asked(fails(first_s, FIRST), fails(second_s, SECOND))

    async def main() -> None:
        with pytest.raises(VoiceFailure) as raised:
            await heard(ask.hedged())
        assert raised.value is told
        assert anyio.current_time() == max(first_s, 0.25 + second_s)

    run(main)
