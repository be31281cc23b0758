"""The voice and the speaker, loaded when they are needed; their failures become the command's."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.voice import AudioFormat, NoAudioError, Player, TextToSpeech


@asynccontextmanager
async def open_voice(*, concurrency: int) -> AsyncGenerator[TextToSpeech, None]:
    """Give the espeak voice, for up to *concurrency* segments at a time.

    Raises:
        Failure: Its extra is not installed, or it failed.
    """
    try:
        from ordered_pipeline.adapters.espeak import Espeak, EspeakError  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise Failure(Exit.NO_EXTRA, str(error)) from error
    try:
        async with Espeak(concurrency=concurrency) as voice:
            yield voice
    except (EspeakError, NoAudioError) as error:
        raise Failure(Exit.NO_VOICE, str(error)) from error


@asynccontextmanager
async def open_speaker(audio_format: AudioFormat) -> AsyncGenerator[Player, None]:
    """Give the local speaker.

    Raises:
        Failure: Its extra is not installed, or there is no sound device, or that stopped working.
    """
    try:
        from ordered_pipeline.adapters.speaker import Speaker, SpeakerError  # noqa: PLC0415  # an extra
    except ModuleNotFoundError as error:
        raise Failure(Exit.NO_EXTRA, f"{error}, or write a file with --out FILE") from error
    try:
        async with Speaker(audio_format) as speaker:
            yield speaker
    except SpeakerError as error:
        raise Failure(Exit.NO_DEVICE, f"{error}; write a file with --out FILE instead") from error
