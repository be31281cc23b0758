"""The check of a voice: one that keeps its promises passes, and each broken promise is named."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Self

import anyio
import pytest

from ordered_pipeline.testing import ContractBroken, ScriptedTextToSpeech, SpeechScript, check_tts
from ordered_pipeline.voice import AudioChunk, AudioFormat, Segment, TextToSpeech, Word
from tests.conftest import Run

PCM = AudioFormat("s16le", 8000)
Synthesize = Callable[[Segment], AsyncIterator[AudioChunk]]


class Voice:
    """A voice whose promises are kept as far as its function keeps them."""

    def __init__(self, synthesize: Synthesize, audio_format: AudioFormat = PCM) -> None:
        self.synthesize = synthesize
        self.format = audio_format


def audio_of(segment: Segment) -> bytes:
    return segment.text.encode("utf-16-le") * 500


async def good(segment: Segment) -> AsyncGenerator[AudioChunk, None]:
    await anyio.sleep(0.25)
    yield AudioChunk(audio_of(segment))


@pytest.mark.parametrize(
    "voice",
    [
        ScriptedTextToSpeech(
            SpeechScript(first_audio_s=0.5, chunk_s=0.25, pace=0.5, word_times=True, cleanup_s=0.5)
        ),
        ScriptedTextToSpeech(audio_format=AudioFormat("mulaw", 8000, 2)),
        ScriptedTextToSpeech(
            lambda segment, attempt: SpeechScript(audio_s=len(segment.text) / 10 + attempt % 2)
        ),
        Voice(good),
        Voice(good, AudioFormat("mp3", 24000)),
    ],
)
def test_a_voice_that_keeps_its_promises_passes(run: Run, voice: TextToSpeech) -> None:
    run(check_tts, voice)


def check(run: Run, voice: TextToSpeech, message: str) -> None:
    async def main() -> None:
        with pytest.raises(ContractBroken, match=f"^{re.escape(message)}"):
            await check_tts(voice)

    run(main)


def check_script(run: Run, script: SpeechScript, message: str) -> None:
    check(run, ScriptedTextToSpeech(script), message)


def test_a_format_of_another_type(run: Run) -> None:
    check(run, Voice(good, "pcm"), "format must be AudioFormat, got 'pcm'")  # type: ignore[arg-type]  # the breach


def test_a_coroutine_function(run: Run) -> None:
    async def synthesize(segment: Segment) -> bytes:
        return audio_of(segment)

    check(run, Voice(synthesize), "synthesize must return an async iterator, got coroutine")  # type: ignore[arg-type]  # the breach


def test_a_list(run: Run) -> None:
    check(run, Voice(lambda _: []), "synthesize must return an async iterator, got list")  # type: ignore[arg-type,return-value]  # the breach


def test_work_before_it_was_asked_for(run_asyncio: Run) -> None:
    tasks: list[asyncio.Task[None]] = []

    def synthesize(segment: Segment) -> AsyncIterator[AudioChunk]:
        tasks.append(asyncio.get_running_loop().create_task(asyncio.sleep(1.0)))
        return good(segment)

    async def main() -> None:
        with pytest.raises(
            ContractBroken, match=r"^synthesize must start nothing before the first __anext__"
        ):
            await check_tts(Voice(synthesize))
        await asyncio.wait(tasks)

    run_asyncio(main)


def test_bytes_in_the_place_of_chunks(run: Run) -> None:
    async def synthesize(segment: Segment) -> AsyncGenerator[bytes, None]:
        yield audio_of(segment)

    check(run, Voice(synthesize), "each chunk must be AudioChunk, got b'Y")  # type: ignore[arg-type]  # the breach


def test_half_a_sample(run: Run) -> None:
    async def synthesize(_: Segment) -> AsyncGenerator[AudioChunk, None]:
        yield AudioChunk(b"123")
        yield AudioChunk(b"4")

    check(run, Voice(synthesize), "each chunk must hold whole samples of 2 bytes, got 3")


def test_no_audio(run: Run) -> None:
    check_script(run, SpeechScript(audio_s=0.0), "synthesize must give audio for 'Yes.', got none")


def test_a_voice_that_hangs(run: Run) -> None:
    check_script(run, SpeechScript(breaks_after_s=0.125), "synthesize must end within 30 s, but did not")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([Word("Yes", 0.2, 0.1)], "words must come in the order of time, got Word(text='Yes', start_s=0.2"),
        (
            [Word("Yes", 0.2, 0.25), Word(".", 0.1, 0.2)],
            "words must come in the order of time, got Word(text='.'",
        ),
        ([Word("Yes", 0.0, 0.5)], "words must lie inside the audio of 0.25 s, got Word(text='Yes'"),
        ([Word("No", 0.0, 0.25)], "words must be those of the segment 'Yes.', got ['No']"),
    ],
)
def test_wrong_words(run: Run, words: list[Word], message: str) -> None:
    async def synthesize(segment: Segment) -> AsyncGenerator[AudioChunk, None]:
        yield AudioChunk(audio_of(segment), tuple(words))

    check(run, Voice(synthesize), message)


def test_requests_that_mix(run: Run) -> None:
    latest: list[Segment] = []

    async def synthesize(segment: Segment) -> AsyncGenerator[AudioChunk, None]:
        latest.append(segment)
        await anyio.sleep(1.0)
        yield AudioChunk(audio_of(latest[-1]))

    check(run, Voice(synthesize), "requests side by side must not mix, but 'Yes.' became 4000 bytes")


def test_requests_that_mix_in_a_voice_that_speaks_differently_each_time(run: Run) -> None:
    latest: list[Segment] = []

    async def synthesize(segment: Segment) -> AsyncGenerator[AudioChunk, None]:
        latest.append(segment)
        await anyio.sleep(1.0)
        yield AudioChunk(audio_of(latest[-1]) + bytes(2 * len(latest)))

    check(run, Voice(synthesize), "requests side by side must not mix, but 'Yes.' became 4002 bytes")


def test_an_unread_request_that_holds_up_another(run: Run) -> None:
    connection = anyio.Semaphore(1)

    async def synthesize(segment: Segment) -> AsyncGenerator[AudioChunk, None]:
        async with connection:
            yield AudioChunk(audio_of(segment))

    check(run, Voice(synthesize), "a request must be served while nobody reads another one within 30 s")


class Iterator:
    """An iterator without ``aclose``."""

    def __init__(self, segment: Segment) -> None:
        self._chunks = [AudioChunk(audio_of(segment))]

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioChunk:
        if not self._chunks:
            raise StopAsyncIteration
        return self._chunks.pop()


class Unclosable(Iterator):
    """An iterator that goes on after ``aclose``."""

    async def aclose(self) -> None:
        self._chunks.append(AudioChunk(b""))


def test_no_way_to_close(run: Run) -> None:
    check(run, Voice(Iterator), "what synthesize returns must have aclose, which cancels the request")


def test_chunks_after_closing(run: Run) -> None:
    check(run, Voice(Unclosable), "what synthesize returns must be over after aclose, but gave one more item")


def test_a_slow_close(run: Run) -> None:
    async def synthesize(segment: Segment) -> AsyncGenerator[AudioChunk, None]:
        try:
            yield AudioChunk(audio_of(segment))
        except GeneratorExit:
            await anyio.sleep(6.0)
            raise

    check(run, Voice(synthesize), "aclose of what synthesize returns must end within 5 s, but did not")


def test_a_slow_cancellation(run: Run) -> None:
    script = SpeechScript(first_audio_s=0.5, cleanup_s=6.0)

    async def synthesize(segment: Segment) -> AsyncGenerator[AudioChunk, None]:
        async for chunk in ScriptedTextToSpeech(script).synthesize(segment):
            yield chunk

    check(run, Voice(synthesize), "a cancelled wait for what synthesize returns must end within 5.02 s")


def test_a_voice_that_a_cancellation_breaks(run: Run) -> None:
    cancelled: list[Segment] = []

    async def synthesize(segment: Segment) -> AsyncGenerator[AudioChunk, None]:
        if cancelled:
            await anyio.sleep_forever()
        try:
            await anyio.sleep(1.0)
        except anyio.get_cancelled_exc_class():
            cancelled.append(segment)
            raise
        yield AudioChunk(audio_of(segment))

    check(run, Voice(synthesize), "synthesize must end within 30 s, but did not")


def test_what_the_voice_fails_with_comes_out(run: Run) -> None:
    error = ConnectionError("gone")
    voice = ScriptedTextToSpeech(SpeechScript(breaks_after_s=0.0, error=error))

    async def main() -> None:
        with pytest.raises(ConnectionError) as caught:
            await check_tts(voice)
        assert caught.value is error

    run(main)
