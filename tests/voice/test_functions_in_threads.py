"""Blocking functions as voices and players, in real time: no virtual clock sees a thread at work."""

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Literal, TypeVar

import anyio
import pytest
from anyio import to_thread

from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, Playback, PlaybackResult, Player, Segment
from ordered_pipeline.voice._functions import player_from, tts_from

T = TypeVar("T")

SLOW = AudioFormat("mulaw", 1000)
# More than anything here takes; what waits so long has failed.
PATIENCE_S = 20


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> Literal["asyncio", "trio"]:
    name: Literal["asyncio", "trio"] = request.param
    return name


def run(backend: str, function: Callable[[], Awaitable[T]]) -> T:
    async def in_time() -> T:
        with anyio.fail_after(PATIENCE_S):
            return await function()

    return anyio.run(in_time, backend=backend)


async def until(event: threading.Event) -> None:
    assert await to_thread.run_sync(event.wait, PATIENCE_S)


async def asked(chunks: AsyncIterator[AudioChunk]) -> None:
    await anext(chunks)


async def close(chunks: object) -> None:
    await chunks.aclose()  # type: ignore[attr-defined]


# ---------------------------------------------------------------- voices


def test_a_blocking_function_is_a_voice_and_runs_in_a_thread(backend: str) -> None:
    threads: list[bool] = []

    def speak(text: str) -> bytes:
        threads.append(threading.current_thread() is threading.main_thread())
        return text.encode()

    async def main() -> list[AudioChunk]:
        return [chunk async for chunk in tts_from(speak, format=SLOW).synthesize(Segment(0, "Hi."))]

    assert run(backend, main) == [AudioChunk(b"Hi.")]
    assert threads == [False]


def test_a_function_that_only_returns_a_coroutine_has_it_awaited_in_the_event_loop(backend: str) -> None:
    async def synthesize(text: str, voice: str) -> bytes:
        await anyio.lowlevel.checkpoint()
        return f"{voice}:{text}".encode()

    async def main() -> list[AudioChunk]:
        voice = tts_from(lambda text: synthesize(text, "x"), format=SLOW)
        return [chunk async for chunk in voice.synthesize(Segment(0, "Hi."))]

    assert run(backend, main) == [AudioChunk(b"x:Hi.")]


def test_a_blocking_generator_is_pulled_in_a_thread_piece_by_piece(backend: str) -> None:
    may_go_on = threading.Event()
    threads: list[bool] = []

    def speak(_text: str) -> Iterator[bytes]:
        yield b"12"
        assert may_go_on.wait(PATIENCE_S)
        threads.append(threading.current_thread() is threading.main_thread())
        yield b"34"

    async def main() -> None:
        chunks = tts_from(speak, format=SLOW).synthesize(Segment(0, "Hi."))
        assert await anext(chunks) == AudioChunk(b"12")
        may_go_on.set()
        assert [chunk async for chunk in chunks] == [AudioChunk(b"34")]

    run(backend, main)

    assert threads == [False]


def test_a_list_of_pieces_will_do(backend: str) -> None:
    async def main() -> list[AudioChunk]:
        voice = tts_from(lambda _text: [b"12", b"34"], format=SLOW)
        chunks = voice.synthesize(Segment(0, "Hi."))
        pieces = [chunk async for chunk in chunks]
        await close(chunks)
        return pieces

    assert run(backend, main) == [AudioChunk(b"12"), AudioChunk(b"34")]


def test_what_a_blocking_function_raises_comes_out(backend: str) -> None:
    def speak(_text: str) -> bytes:
        raise ConnectionError("no route")

    async def main() -> None:
        with pytest.raises(ConnectionError, match=r"^no route$"):
            await anext(tts_from(speak, format=SLOW).synthesize(Segment(0, "Hi.")))

    run(backend, main)


def test_cancelling_does_not_wait_for_a_blocking_function(backend: str) -> None:
    inside, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def speak(_text: str) -> bytes:
        inside.set()
        assert may_end.wait(PATIENCE_S)
        ended.set()
        return b"12"

    async def main() -> None:
        chunks = tts_from(speak, format=SLOW).synthesize(Segment(0, "Hi."))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asked, chunks)
            await until(inside)
            tasks.cancel_scope.cancel()
        assert not ended.is_set()
        await close(chunks)
        may_end.set()
        await until(ended)

    run(backend, main)


def test_closing_closes_a_blocking_generator(backend: str) -> None:
    closed = threading.Event()

    def speak(_text: str) -> Iterator[bytes]:
        try:
            yield b"12"
            yield b"34"
        finally:
            closed.set()

    async def main() -> None:
        chunks = tts_from(speak, format=SLOW).synthesize(Segment(0, "Hi."))
        await anext(chunks)
        # As whoever closes has been cancelled, mostly.
        with anyio.CancelScope() as scope:
            scope.cancel()
            await close(chunks)
        assert closed.is_set()

    run(backend, main)


def test_a_blocking_generator_that_hangs_is_closed_when_it_comes_back(backend: str) -> None:
    inside, may_go_on, closed = threading.Event(), threading.Event(), threading.Event()

    def speak(_text: str) -> Iterator[bytes]:
        try:
            inside.set()
            assert may_go_on.wait(PATIENCE_S)
            yield b"12"
        finally:
            closed.set()

    async def main() -> None:
        chunks = tts_from(speak, format=SLOW).synthesize(Segment(0, "Hi."))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(asked, chunks)
            await until(inside)
            tasks.cancel_scope.cancel()
        await close(chunks)
        assert not closed.is_set()
        may_go_on.set()
        await until(closed)

    run(backend, main)


# ---------------------------------------------------------------- players


async def begun(player: Player, name: bytes) -> Playback:
    clip = Clip(Segment(0, "Hi."), SLOW)
    await clip.put(AudioChunk(name))
    clip.end()
    return await player.play(clip)


def test_a_blocking_function_plays_in_a_thread(backend: str) -> None:
    threads: list[bool] = []

    def play(_audio: bytes) -> None:
        threads.append(threading.current_thread() is threading.main_thread())

    async def main() -> PlaybackResult:
        return await (await begun(player_from(play), b"12")).finished()

    assert run(backend, main) == PlaybackResult("completed", 0.002)
    assert threads == [False]


def test_a_blocking_function_that_is_cleared_sounds_on_and_the_next_clip_waits_for_its_end(
    backend: str,
) -> None:
    events: list[str] = []
    inside, may_end = threading.Event(), threading.Event()

    def play(audio: bytes) -> None:
        events.append(f"{audio.decode()} begins")
        inside.set()
        if audio == b"first":
            assert may_end.wait(PATIENCE_S)
        events.append(f"{audio.decode()} ends")

    async def main() -> None:
        player = player_from(play)
        playback = await begun(player, b"first")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(playback.finished)
            await until(inside)
            await player.clear()
        assert (await playback.finished()).outcome == "cleared"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon((await begun(player, b"second")).finished)
            await anyio.wait_all_tasks_blocked()
            assert events == ["first begins"]
            may_end.set()

    run(backend, main)

    assert events == ["first begins", "first ends", "second begins", "second ends"]


def test_a_clip_that_is_cleared_while_the_one_before_sounds_on_is_never_heard(backend: str) -> None:
    heard: list[bytes] = []
    inside, may_end = threading.Event(), threading.Event()

    def play(audio: bytes) -> None:
        heard.append(audio)
        inside.set()
        assert may_end.wait(PATIENCE_S)

    async def main() -> None:
        player = player_from(play)
        for name in (b"first", b"second"):
            playback = await begun(player, name)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(playback.finished)
                await until(inside)
                await anyio.wait_all_tasks_blocked()
                await player.clear()
        may_end.set()
        await (await begun(player, b"third")).finished()

    run(backend, main)

    assert heard == [b"first", b"third"]
