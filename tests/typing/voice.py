"""What type checkers make of the voice layer: this file is checked, not run."""

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from ordered_pipeline.adapters.espeak import Espeak
from ordered_pipeline.adapters.speaker import Speaker
from ordered_pipeline.testing import (
    RecordingPlayer,
    ScriptedLanguageModel,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
)
from ordered_pipeline.voice import (
    AudioFormat,
    HeardText,
    LanguageModel,
    Player,
    Reply,
    SpeechToText,
    TextToSpeech,
    player_from,
    speak,
    tts_from,
)


def voices_have_their_role(espeak: Espeak, scripted: ScriptedTextToSpeech) -> tuple[TextToSpeech, ...]:
    return espeak, scripted


def players_have_their_role(speaker: Speaker, recording: RecordingPlayer) -> tuple[Player, ...]:
    return speaker, recording


def the_other_services_have_theirs(
    llm: ScriptedLanguageModel, stt: ScriptedSpeechToText
) -> tuple[LanguageModel, SpeechToText]:
    return llm, stt


async def synthesize(text: str) -> bytes:
    return text.encode()


async def stream(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


def block(text: str) -> bytes:
    return text.encode()


def block_in_pieces(text: str) -> Iterator[bytes]:
    yield text.encode()


async def play(audio: bytes) -> None:
    del audio


def plain_functions_are_voices_and_players(audio_format: AudioFormat) -> None:
    for voice in (synthesize, block):
        assert_type(tts_from(voice, format=audio_format), TextToSpeech)
    assert_type(tts_from(stream, format=audio_format), TextToSpeech)
    assert_type(tts_from(block_in_pieces, format=audio_format), TextToSpeech)
    assert_type(player_from(play), Player)


async def a_reply_is_entered_and_interrupted(tts: TextToSpeech, player: Player) -> None:
    async with speak("Hello.", tts=tts, player=player) as reply:
        assert_type(reply, Reply)
        assert_type(await reply.interrupt(), HeardText)
