"""Voices, ears, minds and devices, loaded when they are needed; their failures become the command's."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager

from ordered_pipeline.cli._arguments import VoiceName
from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.voice import (
    AudioFormat,
    LanguageModel,
    NoAudioError,
    Player,
    SpeechToText,
    TextToSpeech,
    VoiceActivityDetector,
)


@asynccontextmanager
async def open_voice(name: VoiceName = "espeak", *, concurrency: int) -> AsyncGenerator[TextToSpeech, None]:
    """Give the voice called *name*, for up to *concurrency* segments at a time.

    Raises:
        Failure: Its extra is not installed, or it failed.
    """
    if name == "piper":
        with needed():
            from ordered_pipeline.adapters.piper import Piper, PiperError  # noqa: PLC0415  # an extra
        with _failing_as(Exit.NO_VOICE, PiperError, NoAudioError):
            async with Piper() as voice:
                yield voice
        return
    with needed():
        from ordered_pipeline.adapters.espeak import Espeak, EspeakError  # noqa: PLC0415  # an extra
    with _failing_as(Exit.NO_VOICE, EspeakError, NoAudioError):
        async with Espeak(concurrency=concurrency) as voice:
            yield voice


@asynccontextmanager
async def open_speaker(audio_format: AudioFormat) -> AsyncGenerator[Player, None]:
    """Give the local speaker.

    Raises:
        Failure: Its extra is not installed, or there is no sound device, or that stopped working.
    """
    with needed(", or write a file with --out FILE"):
        from ordered_pipeline.adapters.speaker import Speaker, SpeakerError  # noqa: PLC0415  # an extra
    with _failing_as(Exit.NO_DEVICE, SpeakerError, hint="; write a file with --out FILE instead"):
        async with Speaker(audio_format) as speaker:
            yield speaker


@asynccontextmanager
async def open_microphone() -> AsyncGenerator[tuple[AsyncIterator[bytes], AudioFormat], None]:
    """Give what the local microphone records, and its format.

    Raises:
        Failure: Its extra is not installed, or there is no sound device, or that stopped working.
    """
    with needed(", or hear a file with --wav FILE"):
        from ordered_pipeline.adapters.microphone import Microphone, MicrophoneError  # noqa: PLC0415  # an extra
    with _failing_as(Exit.NO_DEVICE, MicrophoneError, hint="; hear a file with --wav FILE instead"):
        async with Microphone() as microphone:
            yield microphone, microphone.format


@asynccontextmanager
async def open_ears() -> AsyncGenerator[tuple[SpeechToText, VoiceActivityDetector, AudioFormat], None]:
    """Give speech-to-text and a voice activity detector, and the format that both of them hear.

    Raises:
        Failure: An extra is not installed, or the speech-to-text could not be loaded.
    """
    with needed():
        from ordered_pipeline.adapters.moonshine import Moonshine, MoonshineError  # noqa: PLC0415  # an extra
        from ordered_pipeline.adapters.silero import Silero  # noqa: PLC0415  # an extra
    with _failing_as(Exit.NO_EARS, MoonshineError):
        async with Moonshine() as stt:
            yield stt, Silero(), stt.format


@asynccontextmanager
async def open_mind(
    url: str | None, *, model: str | None, key_from: str | None
) -> AsyncGenerator[LanguageModel, None]:
    """Give the language model called *model* at *url*; without one, ELIZA.

    Raises:
        Failure: An extra is not installed, the variable *key_from* holds no key, or *url* is no address.
    """
    if url is None or model is None:
        with needed():
            from ordered_pipeline.adapters.eliza import Eliza  # noqa: PLC0415  # an extra
        yield Eliza()
        return
    key = None if key_from is None else os.environ.get(key_from, "").strip()
    if key == "":
        raise Failure(Exit.USAGE, f"the environment variable {key_from!r} must hold an API key, got none")
    with needed():
        from ordered_pipeline.adapters.openai import ChatCompletions  # noqa: PLC0415  # an extra
    import httpx  # noqa: PLC0415  # which that one needs

    async with httpx.AsyncClient() as client:
        with _failing_as(Exit.USAGE, ValueError):
            mind = ChatCompletions(client, base_url=url, model=model, api_key=key)
        yield mind


@contextmanager
def needed(hint: str = "") -> Generator[None]:
    """Tell, if a package that is needed here is not installed, which it is.

    Raises:
        Failure: It is not.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise Failure(Exit.NO_EXTRA, f"{error}{hint}") from error


@contextmanager
def _failing_as(status: Exit, *errors: type[Exception], hint: str = "") -> Generator[None]:
    try:
        yield
    except errors as error:
        raise Failure(status, f"{error}{hint}") from error
