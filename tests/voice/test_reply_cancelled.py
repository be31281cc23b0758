"""Cancellations that are not the reply's own: none of them passes for its end, and none makes it hang."""

import asyncio
from collections.abc import AsyncIterator, Callable

import anyio
import pytest

from ordered_pipeline.testing import RecordingPlayer, ScriptedTextToSpeech, SpeechScript
from ordered_pipeline.voice import (
    AudioChunk,
    Clip,
    Playback,
    PlaybackResult,
    PlayerCapabilities,
    Segment,
    SpeechPolicy,
    speak,
)
from tests.conftest import Run
from tests.voice.turns import FORMAT, Bounded, audio, hear, voice_of

TEXT = "It is late. Why not now? Good night."
PIECES = ("It is late.", " Why not now?", " Good night.")
SPEAKS = SpeechScript(first_audio_s=0.25, audio_s=1.0)


@pytest.fixture
def run_asyncio(run_asyncio: Run) -> Bounded:
    return Bounded(run_asyncio)


async def be_cancelled() -> None:
    """Wait for what somebody has cancelled."""
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    await future


class StrayVoice:
    """A voice that waits for what was cancelled, when it is asked for the second segment."""

    format = FORMAT

    def __init__(self, times: int) -> None:
        self.inner: ScriptedTextToSpeech = voice_of(SPEAKS)
        self.times: int = times

    async def synthesize(self, segment: Segment, /) -> AsyncIterator[AudioChunk]:
        if segment.index == 1 and self.times:
            self.times -= 1
            await be_cancelled()
        async for chunk in self.inner.synthesize(segment):
            yield chunk


class StrayPlayer:
    """A player that waits for what was cancelled, in a method of its own or of the playback."""

    capabilities = PlayerCapabilities()

    def __init__(self, method: str) -> None:
        self.inner: RecordingPlayer = RecordingPlayer()
        self.method: str = method

    async def play(self, clip: Clip, /) -> Playback:
        if self.method == "play" and clip.segment.index == 1:
            await be_cancelled()
        playback = await self.inner.play(clip)
        return StrayPlayback(playback, self.method) if clip.segment.index == 1 else playback

    async def clear(self) -> None:
        await self.inner.clear()


class StrayPlayback:
    def __init__(self, inner: Playback, method: str) -> None:
        self.inner: Playback = inner
        self.method: str = method

    async def started(self) -> float:
        if self.method == "started":
            await be_cancelled()
        return await self.inner.started()

    async def finished(self) -> PlaybackResult:
        if self.method == "finished":
            await be_cancelled()
        return await self.inner.finished()

    def position_s(self) -> float | None:
        return self.inner.position_s()


def test_a_voice_that_waits_for_what_was_cancelled_is_asked_again(run_asyncio: Run) -> None:
    told = run_asyncio(hear, TEXT, StrayVoice(times=1))

    assert told.error is None
    assert told.heard == b"".join(audio(index, text, 1.0) for index, text in enumerate(PIECES))


def test_a_voice_that_always_does_costs_its_segment(run_asyncio: Run) -> None:
    told = run_asyncio(hear, TEXT, StrayVoice(times=100))

    assert [segment.outcome for segment in told.timeline.segments] == ["completed", "skipped", "completed"]
    assert told.timeline.segments[1].error == "RuntimeError: the voice was cancelled, but not by the stage"
    assert told.error is None


def test_with_stop_its_error_comes_out(run_asyncio: Run) -> None:
    async def main() -> None:
        async with speak(
            TEXT, tts=StrayVoice(times=100), player=RecordingPlayer(), policy=SpeechPolicy(on_failure="stop")
        ) as reply:
            with pytest.raises(RuntimeError, match="the voice was cancelled") as raised:
                await reply.finished()
        assert isinstance(raised.value.__cause__, asyncio.CancelledError)

    run_asyncio(main)


@pytest.mark.parametrize("method", ["play", "started", "finished"])
def test_a_player_that_waits_for_what_was_cancelled_ends_the_reply_with_an_error(
    run_asyncio: Run, method: str
) -> None:
    player = StrayPlayer(method)

    async def main() -> None:
        async with speak(TEXT, tts=voice_of(SPEAKS), player=player) as reply:
            with pytest.raises(RuntimeError, match="the player was cancelled") as raised:
                await reply.finished()
        assert isinstance(raised.value.__cause__, asyncio.CancelledError)
        assert reply.timeline.segments[0].outcome == "completed"

    run_asyncio(main)


def is_there() -> str:
    return TEXT


async def is_being_written() -> AsyncIterator[str]:
    yield TEXT
    await anyio.sleep_forever()


@pytest.mark.parametrize("source", [is_there, is_being_written])
def test_whoever_cancels_all_other_tasks_does_not_end_a_reply_in_silence(
    run_asyncio: Run, source: Callable[[], str | AsyncIterator[str]]
) -> None:
    async def main() -> None:
        async with speak(source(), tts=voice_of(SPEAKS), player=RecordingPlayer()) as reply:
            await anyio.sleep(0.5)
            mine = asyncio.current_task()
            for task in asyncio.all_tasks():
                if task is not mine:
                    task.cancel()
            with pytest.raises(RuntimeError, match="the reply was cancelled, but not by itself") as raised:
                await reply.finished()
            assert isinstance(raised.value.__cause__, asyncio.CancelledError)

    run_asyncio(main)


@pytest.mark.parametrize("source", [is_there, is_being_written])
def test_a_reply_in_a_task_that_nobody_awaits_is_cancelled_with_all_others(
    run_asyncio: Run, source: Callable[[], str | AsyncIterator[str]]
) -> None:
    """As asyncio.run does at its end."""

    async def converse() -> None:
        async with speak(source(), tts=voice_of(SPEAKS), player=RecordingPlayer()) as reply:
            await reply.finished()

    async def main() -> None:
        mine, task = asyncio.current_task(), asyncio.create_task(converse())
        await anyio.sleep(0.5)
        for each in asyncio.all_tasks():
            if each is not mine:
                each.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert anyio.current_time() == 0.5

    run_asyncio(main)
