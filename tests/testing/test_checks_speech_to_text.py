"""The check of speech-to-text: one that keeps its promises passes, and each broken promise is named."""

import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable

import anyio
import pytest

from ordered_pipeline.testing import ContractBroken, ScriptedSpeechToText, check_stt
from ordered_pipeline.voice import SpeechToText, Transcript
from tests.conftest import Run

# A second in frames of 20 ms.
AUDIO = [bytes(320)] * 50
BEGIN, EAGER, PARTIAL, RESUMED, FINAL = (
    Transcript("", "speech_started"),
    Transcript("Hello", "eager_final", 0.25, 0.5),
    Transcript("Hello", "partial"),
    Transcript("", "resumed"),
    Transcript("Hello there.", "final", 0.25, 0.75),
)


class Service:
    """Speech-to-text whose promises are kept as far as its function keeps them."""

    def __init__(self, transcribe: Callable[[AsyncIterable[bytes]], AsyncIterator[Transcript]]) -> None:
        self.transcribe = transcribe


def told(*transcripts: Transcript) -> ScriptedSpeechToText:
    return ScriptedSpeechToText([(0.5, transcript) for transcript in transcripts])


def test_one_that_keeps_its_promises_passes(run: Run) -> None:
    run(check_stt, told(BEGIN, EAGER, PARTIAL, RESUMED, PARTIAL, FINAL), AUDIO)


def check(run: Run, stt: SpeechToText, message: str) -> None:
    async def main() -> None:
        with pytest.raises(ContractBroken, match=f"^{re.escape(message)}"):
            await check_stt(stt, AUDIO, within_s=10.0, close_s=1.0)

    run(main)


def test_a_coroutine_function(run: Run) -> None:
    async def transcribe(_: AsyncIterable[bytes]) -> str:
        return "Hello."

    check(run, Service(transcribe), "transcribe must return an async iterator, got coroutine")  # type: ignore[arg-type]  # the breach


@pytest.mark.parametrize(
    ("transcripts", "message"),
    [
        (
            (BEGIN, PARTIAL),
            "transcribe must tell of a turn that ends by 'final', got ['speech_started', 'partial']",
        ),
        ((BEGIN, RESUMED), "'resumed' must follow 'eager_final', got it after ['speech_started']"),
        ((Transcript("", "end"),), "kind must be one of ('speech_started', "),  # type: ignore[arg-type]  # the breach
        ((Transcript("", "final", 1.0, 0.5),), "a transcript must end after it starts, got Transcript("),
        (("Hello.",), "each transcript must be Transcript, got 'Hello.'"),
    ],
)
def test_wrong_transcripts(run: Run, transcripts: tuple[Transcript, ...], message: str) -> None:
    check(run, told(*transcripts), message)


def test_one_that_goes_on_when_the_audio_has_ended(run: Run) -> None:
    async def transcribe(audio: AsyncIterable[bytes]) -> AsyncGenerator[Transcript, None]:
        async for _ in audio:
            pass
        yield FINAL
        await anyio.sleep_forever()

    check(run, Service(transcribe), "transcribe must end when the audio has ended, within 11 s, but did not")


def test_a_slow_close(run: Run) -> None:
    async def transcribe(audio: AsyncIterable[bytes]) -> AsyncGenerator[Transcript, None]:
        async for _ in audio:
            pass
        try:
            yield FINAL
        except GeneratorExit:
            await anyio.sleep(2.0)
            raise

    check(run, Service(transcribe), "aclose of what transcribe returns must end within 1 s, but did not")
