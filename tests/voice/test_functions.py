"""Async functions as voices and players, in virtual time."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import pytest

from ordered_pipeline.voice import (
    AudioChunk,
    AudioError,
    AudioFormat,
    Clip,
    Playback,
    PlaybackResult,
    Player,
    Segment,
)
from ordered_pipeline.voice._functions import player_from, tts_from
from tests.conftest import Run

# One byte a millisecond.
SLOW = AudioFormat("mulaw", 1000)
S16 = AudioFormat("s16le", 1000)


async def spoken(
    function: Callable[[str], Awaitable[bytes] | AsyncIterator[bytes]], text: str = "Hi."
) -> list[bytes]:
    chunks = tts_from(function, format=S16).synthesize(Segment(0, text))
    return [chunk.data async for chunk in chunks]


# ---------------------------------------------------------------- voices


def test_a_function_that_returns_the_audio_is_a_voice(run: Run) -> None:
    async def speak(text: str) -> bytes:
        await anyio.sleep(0.4)
        return text.encode()

    assert run(spoken, speak, "ab") == [b"ab"]
    assert tts_from(speak, format=S16).format == S16


def test_a_generator_is_a_voice_whose_pieces_pass_as_they_come(run: Run) -> None:
    async def speak(text: str) -> AsyncIterator[bytes]:
        for word in text.split():
            await anyio.sleep(0.25)
            yield word.encode()

    async def main() -> list[tuple[float, AudioChunk]]:
        chunks = tts_from(speak, format=SLOW).synthesize(Segment(0, "one two"))
        return [(anyio.current_time(), chunk) async for chunk in chunks]

    assert run(main) == [(0.25, AudioChunk(b"one")), (0.5, AudioChunk(b"two"))]


def test_an_iterator_may_be_had_by_awaiting(run: Run) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"1234"

    async def speak(_text: str) -> AsyncIterator[bytes]:
        await anyio.sleep(0.1)
        return pieces()

    assert run(spoken, speak) == [b"1234"]


class Client:
    async def speak(self, language: str, text: str) -> bytes:
        await anyio.sleep(0.1)
        return f"{language}:{text}".encode()

    async def __call__(self, text: str) -> bytes:
        return await self.speak("xx", text)


@pytest.mark.parametrize("function", [functools.partial(Client().speak, "xx"), Client()])
def test_anything_that_is_called_like_an_async_function_is_one(
    run: Run, function: Callable[[str], Awaitable[bytes]]
) -> None:
    """In virtual time a call that went to a thread would fail."""
    assert run(spoken, function, "a") == [b"xx:a"]


def test_samples_are_never_cut_between_chunks(run: Run) -> None:
    async def speak(_text: str) -> AsyncIterator[bytes]:
        for piece in (b"1", b"234", b"", b"56"):
            yield piece

    assert run(spoken, speak) == [b"1234", b"56"]


def test_half_a_sample_at_the_end_is_dropped_with_a_warning(run: Run) -> None:
    async def speak(_text: str) -> bytes:
        return b"123"

    async def main() -> list[bytes]:
        with pytest.warns(RuntimeWarning, match=r"^the audio of a segment ended inside a sample"):
            return await spoken(speak)

    assert run(main) == [b"12"]


def test_a_voice_that_has_nothing_to_say_gives_no_chunk(run: Run) -> None:
    async def speak(_text: str) -> bytes:
        return b""

    assert run(spoken, speak) == []


def test_nothing_runs_before_the_first_chunk_is_asked_for(run: Run) -> None:
    called: list[str] = []

    async def speak(text: str) -> bytes:
        called.append(text)
        return b""

    async def main() -> None:
        chunks = tts_from(speak, format=SLOW).synthesize(Segment(0, "Hi."))
        assert aiter(chunks) is chunks
        await anyio.sleep(1)
        await close(chunks)
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)

    run(main)

    assert called == []


async def close(chunks: AsyncIterator[AudioChunk]) -> None:
    await chunks.aclose()  # type: ignore[attr-defined]


def test_closing_closes_the_generator_in_the_task_that_iterated_it(run: Run) -> None:
    tasks: list[int] = []

    async def speak(_text: str) -> AsyncIterator[bytes]:
        try:
            tasks.append(anyio.get_current_task().id)
            yield b"12"
            yield b"34"
        finally:
            await anyio.lowlevel.checkpoint()
            tasks.append(anyio.get_current_task().id)

    async def main() -> None:
        chunks = tts_from(speak, format=SLOW).synthesize(Segment(0, "Hi."))
        assert await anext(chunks) == AudioChunk(b"12")
        await close(chunks)
        assert tasks == [anyio.get_current_task().id] * 2
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)

    run(main)


def test_a_call_that_was_cancelled_is_not_made_again(run: Run) -> None:
    calls: list[str] = []

    async def speak(text: str) -> bytes:
        calls.append(text)
        await anyio.sleep(10)
        return b"12"

    async def main() -> None:
        chunks = tts_from(speak, format=SLOW).synthesize(Segment(0, "Hi."))
        with anyio.move_on_after(1):
            await anext(chunks)
        with pytest.raises(StopAsyncIteration):
            await anext(chunks)

    run(main)

    assert calls == ["Hi."]


def test_what_a_function_raises_comes_out(run: Run) -> None:
    async def speak(_text: str) -> bytes:
        raise ConnectionError("no route")

    with pytest.raises(ConnectionError, match=r"^no route$"):
        run(spoken, speak)


def test_a_function_cannot_end_the_audio_by_raising(run: Run) -> None:
    async def speak(_text: str) -> bytes:
        raise StopAsyncIteration

    with pytest.raises(
        RuntimeError, match=r" raised StopAsyncIteration, which would have ended the audio early$"
    ):
        run(spoken, speak)


@pytest.mark.parametrize("result", [None, "text", bytearray(b"12"), 3])
def test_a_result_that_is_no_audio_is_refused(run: Run, result: object) -> None:
    async def speak(_text: str) -> object:
        return result

    async def main() -> None:
        await spoken(speak)  # type: ignore[arg-type]

    with pytest.raises(
        TypeError, match=r"^<function .*speak at .*> must return bytes or an iterator of bytes, got"
    ):
        run(main)


def test_a_piece_that_is_no_audio_is_refused(run: Run) -> None:
    async def speak(text: str) -> AsyncIterator[object]:
        yield text

    async def main() -> None:
        await spoken(speak)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match=r"^the pieces of <function .*speak at .*> must be bytes, got 'Hi.'$"):
        run(main)


@pytest.mark.parametrize("make", [functools.partial(tts_from, format=SLOW), player_from])
def test_what_cannot_be_called_is_refused(make: Callable[[object], object]) -> None:
    message = "function must be callable, got b'12'; pass the function itself, not what it returns"
    with pytest.raises(TypeError, match=f"^{message}$"):
        make(b"12")


@pytest.mark.parametrize("head", [b"RIFF", b"ID3", b"OggS", b"fLaC"])
def test_a_file_that_was_said_to_be_samples_is_refused(run: Run, head: bytes) -> None:
    async def speak(_text: str) -> AsyncIterator[bytes]:
        yield head + bytes(40)
        yield bytes(100)

    with pytest.raises(
        AudioError, match=f"must return s16le samples, .*, got a file that begins with {head!r}"
    ):
        run(spoken, speak)


def test_samples_may_look_like_a_file_later_on(run: Run) -> None:
    async def speak(_text: str) -> AsyncIterator[bytes]:
        yield b"12"
        yield b"RIFF"

    assert run(spoken, speak) == [b"12", b"RIFF"]


def test_a_file_that_was_said_to_be_one_passes_as_it_is(run: Run) -> None:
    async def speak(_text: str) -> bytes:
        return b"RIFF."

    async def main() -> list[bytes]:
        chunks = tts_from(speak, format=AudioFormat("wav", 8000)).synthesize(Segment(0, "Hi."))
        return [chunk.data async for chunk in chunks]

    assert run(main) == [b"RIFF."]


def test_formats_that_are_none_are_refused() -> None:
    with pytest.raises(TypeError, match=r"^format must be an AudioFormat, got 's16le'$"):
        tts_from(bytes, format="s16le")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^formats must be a sequence of AudioFormat, got AudioFormat\("):
        player_from(print, formats=SLOW)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^a format must be an AudioFormat, got 'mulaw'$"):
        player_from(print, formats=["mulaw"])  # type: ignore[list-item]


# ---------------------------------------------------------------- players


async def clip_of(audio: bytes, audio_format: AudioFormat = SLOW) -> Clip:
    clip = Clip(Segment(0, "Hi."), audio_format)
    await clip.put(AudioChunk(audio))
    clip.end()
    return clip


async def begun(player: Player, milliseconds: int = 1000) -> Playback:
    return await player.play(await clip_of(bytes(milliseconds)))


class Loudspeaker:
    """Plays in virtual time, and notes what was heard from when to when."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, float]] = []

    async def play(self, audio: bytes) -> None:
        start_s = anyio.current_time()
        try:
            await anyio.sleep(len(audio) / 1000)
        finally:
            self.heard.append((start_s, anyio.current_time()))


def test_a_function_that_plays_is_a_player_of_whole_clips() -> None:
    capabilities = player_from(Loudspeaker().play, formats=[SLOW]).capabilities

    assert (capabilities.formats, capabilities.streaming, capabilities.queue_ahead) == ((SLOW,), False, 0)
    assert (capabilities.acknowledges, capabilities.position_error_s) == ("clock", 0.1)


def test_a_clip_is_accepted_at_once_and_over_when_the_function_returns(run: Run) -> None:
    speaker = Loudspeaker()

    async def main() -> None:
        playback = await begun(player_from(speaker.play))
        assert playback.position_s() is None
        assert await playback.started() == 0
        assert await playback.finished() == PlaybackResult("completed", 1.0)
        assert playback.position_s() == 1.0
        assert await playback.finished() == PlaybackResult("completed", 1.0)
        assert await playback.started() == 0

    run(main)

    assert speaker.heard == [(0, 1)]


def test_all_who_wait_for_the_end_are_told(run: Run) -> None:
    async def main() -> list[PlaybackResult]:
        results: list[PlaybackResult] = []
        playback = await begun(player_from(Loudspeaker().play))

        async def wait() -> None:
            results.append(await playback.finished())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.sleep(0.25)
            assert playback.position_s() == 0.25
        return results

    assert run(main) == [PlaybackResult("completed", 1.0)] * 2


def test_a_clip_waits_for_the_one_before_it(run: Run) -> None:
    speaker = Loudspeaker()

    async def main() -> None:
        player = player_from(speaker.play)
        await begun(player)
        second = await begun(player, 500)
        await second.finished()

    run(main)

    assert speaker.heard == [(0, 1), (1, 1.5)]


def test_clearing_cancels_the_function_and_tells_what_was_heard_by_then(run: Run) -> None:
    speaker = Loudspeaker()

    async def main() -> PlaybackResult:
        player = player_from(speaker.play)
        playback = await begun(player)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(playback.finished)
            await anyio.sleep(0.25)
            await player.clear()
            await player.clear()
        return await playback.finished()

    assert run(main) == PlaybackResult("cleared", 0.25)
    assert speaker.heard == [(0, 0.25)]


def test_a_cleared_function_may_clean_up_and_what_was_heard_ends_before(run_asyncio: Run) -> None:
    ended: list[float] = []

    async def play(_audio: bytes) -> None:
        try:
            await anyio.sleep(1)
        finally:
            await anyio.sleep(0.5)
            ended.append(anyio.current_time())

    async def main() -> tuple[PlaybackResult, float]:
        player = player_from(play)
        playback = await begun(player)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(playback.finished)
            await anyio.sleep(0.25)
            await player.clear()
        return await playback.finished(), anyio.current_time()

    assert run_asyncio(main) == (PlaybackResult("cleared", 0.25), 0.75)
    assert ended == [0.75]


def test_a_clip_that_is_cleared_before_it_sounds_never_sounds(run: Run) -> None:
    speaker = Loudspeaker()

    async def main() -> None:
        player = player_from(speaker.play)
        await player.clear()
        playback = await begun(player)
        await player.clear()
        assert await playback.finished() == PlaybackResult("cleared", 0.0)
        with anyio.move_on_after(5) as scope:
            await playback.started()
        assert scope.cancelled_caught

    run(main)

    assert speaker.heard == []


def test_after_clearing_the_next_clip_plays(run: Run) -> None:
    speaker = Loudspeaker()

    async def main() -> PlaybackResult:
        player = player_from(speaker.play)
        await begun(player)
        await player.clear()
        return await (await begun(player)).finished()

    assert run(main) == PlaybackResult("completed", 1.0)
    assert speaker.heard == [(0, 1)]


def test_cancelling_who_waits_first_stops_the_sound(run: Run) -> None:
    speaker = Loudspeaker()

    async def main() -> PlaybackResult:
        playback = await begun(player_from(speaker.play))
        with anyio.move_on_after(0.5):
            await playback.finished()
        return await playback.finished()

    assert run(main) == PlaybackResult("cleared", 0.5)
    assert speaker.heard == [(0, 0.5)]


def test_what_a_player_raises_comes_out_of_each_wait_for_the_end(run: Run) -> None:
    async def play(_audio: bytes) -> None:
        await anyio.sleep(0.1)
        raise OSError("the device is gone")

    async def main() -> None:
        player = player_from(play)
        playback = await begun(player)
        for _ in range(2):
            with pytest.raises(OSError, match=r"^the device is gone$"):
                await playback.finished()
        await player.clear()
        await begun(player)

    run(main)


def test_a_clip_of_nothing_is_over_at_once(run: Run) -> None:
    speaker = Loudspeaker()

    async def main() -> PlaybackResult:
        return await (await begun(player_from(speaker.play), 0)).finished()

    assert run(main) == PlaybackResult("completed", 0.0)
    assert speaker.heard == []


def test_of_a_file_the_clock_tells_how_long_it_sounded(run: Run) -> None:
    async def main() -> PlaybackResult:
        player = player_from(Loudspeaker().play)
        playback = await player.play(await clip_of(bytes(1500), AudioFormat("mp3", 24000)))
        return await playback.finished()

    assert run(main) == PlaybackResult("completed", 1.5)


def test_half_a_sample_at_the_end_does_not_count(run: Run) -> None:
    async def main() -> PlaybackResult:
        player = player_from(Loudspeaker().play)
        playback = await player.play(await clip_of(bytes(1001), S16))
        return await playback.finished()

    assert run(main) == PlaybackResult("completed", 0.5)
