"""Requests by themselves; what a reply makes of them is in test_speech.py."""

import math

import anyio
import pytest
from anyio.abc import TaskGroup

from ordered_pipeline.testing import ScriptedTextToSpeech, SpeechScript
from ordered_pipeline.voice import AudioChunk, Segment, SpeechPolicy
from ordered_pipeline.voice._requests import Request, request_for
from tests.conftest import Run
from tests.voice.turns import Bounded, VoiceFailure, audio, voice_of

ONE = Segment(0, "It is late.")
FRAMES = SpeechScript(first_audio_s=0.5, audio_s=1.0, chunk_s=0.25, pace=1.0)
HANGS = SpeechScript(breaks_after_s=0.0)
HEDGES = (None, 8.0, 0.25)


@pytest.fixture
def run(run: Run) -> Bounded:
    return Bounded(run)


def request_to(
    voice: ScriptedTextToSpeech, tasks: TaskGroup, hedge_after_s: float | None, first_audio_s: float = 5.0
) -> Request:
    policy = SpeechPolicy(hedge_after_s=hedge_after_s, first_audio_s=first_audio_s)
    return request_for(voice, ONE, policy=policy, asked=lambda: None, tasks=tasks, grace_s=1.0)


async def next_of(request: Request) -> AudioChunk | None:
    try:
        return await request.next()
    except StopAsyncIteration:
        return None


async def collect(request: Request) -> list[tuple[float, bytes]]:
    """Return when each chunk came, and its audio."""
    chunks: list[tuple[float, bytes]] = []
    await request.open()
    try:
        while (chunk := await next_of(request)) is not None:
            chunks.append((anyio.current_time(), chunk.data))
    finally:
        await request.close()
    return chunks  # inside the group, it would be no return for type checkers


async def ask(
    voice: ScriptedTextToSpeech, hedge_after_s: float | None, first_audio_s: float = 5.0
) -> list[tuple[float, bytes]]:
    async with anyio.create_task_group() as tasks:
        chunks = await collect(request_to(voice, tasks, hedge_after_s, first_audio_s))
    return chunks  # noqa: RET504  # inside the group, it would be no return for type checkers


@pytest.mark.parametrize("hedge_after_s", HEDGES)
def test_chunks_come_as_the_voice_gives_them(run: Run, hedge_after_s: float | None) -> None:
    chunks = run(ask, voice_of(FRAMES), hedge_after_s)

    assert [at_s for at_s, _ in chunks] == [0.5, 0.75, 1.0, 1.25]
    assert b"".join(data for _, data in chunks) == audio(0, ONE.text, 1.0)


@pytest.mark.parametrize("hedge_after_s", HEDGES)
def test_an_error_of_the_voice_comes_out(run: Run, hedge_after_s: float | None) -> None:
    failure = VoiceFailure("voice")
    voice = voice_of(SpeechScript(first_audio_s=0.5, audio_s=1.0, breaks_after_s=0.5, error=failure))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            with pytest.raises(VoiceFailure) as raised:
                await collect(request_to(voice, tasks, hedge_after_s))
        assert raised.value is failure

    run(main)


@pytest.mark.parametrize(("hedge_after_s", "after_s"), [(None, 1.0), (8.0, 1.0), (0.25, 1.25)])
def test_the_first_chunk_has_a_deadline(run: Run, hedge_after_s: float | None, after_s: float) -> None:
    """The second request of a hedge has one of its own."""
    voice = voice_of(HANGS)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            with pytest.raises(TimeoutError):
                await collect(request_to(voice, tasks, hedge_after_s, 1.0))
        assert anyio.current_time() == after_s
        assert voice.running == 0

    run(main)


def test_a_first_chunk_may_have_no_deadline(run: Run) -> None:
    chunks = run(ask, voice_of(SpeechScript(first_audio_s=500.0, audio_s=1.0)), None, math.inf)

    assert [at_s for at_s, _ in chunks] == [500.0]


@pytest.mark.parametrize("hedge_after_s", HEDGES)
@pytest.mark.parametrize("waits_s", [0.0, 1.0])
def test_a_request_may_be_closed_before_anything_came(
    run: Run, hedge_after_s: float | None, waits_s: float
) -> None:
    voice = voice_of(HANGS)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            request = request_to(voice, tasks, hedge_after_s)
            await request.open()
            with anyio.move_on_after(waits_s):
                await request.next()
            await request.close()
        assert voice.running == 0

    run(main)


@pytest.mark.parametrize("hedge_after_s", HEDGES)
def test_a_cancelled_wait_loses_no_chunk(run: Run, hedge_after_s: float | None) -> None:
    voice = voice_of(FRAMES)
    got: list[bytes] = []

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            request = request_to(voice, tasks, hedge_after_s)
            await request.open()
            while sum(map(len, got)) < len(audio(0, ONE.text, 1.0)):
                with anyio.move_on_after(0.15625):
                    got.append((await request.next()).data)
            await request.close()
        assert b"".join(got) == audio(0, ONE.text, 1.0)

    run(main)


@pytest.mark.parametrize(("hedge_after_s", "times"), [(None, [0.0]), (8.0, [0.0]), (0.25, [0.0, 0.25])])
def test_each_time_the_voice_is_asked_is_told(
    run: Run, hedge_after_s: float | None, times: list[float]
) -> None:
    asked: list[float] = []

    async def main() -> None:
        policy = SpeechPolicy(hedge_after_s=hedge_after_s)
        async with anyio.create_task_group() as tasks:
            await collect(
                request_for(
                    voice_of(FRAMES),
                    ONE,
                    policy=policy,
                    asked=lambda: asked.append(anyio.current_time()),
                    tasks=tasks,
                    grace_s=1.0,
                )
            )
        assert asked == times

    run(main)
