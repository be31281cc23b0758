"""Scripted conversations: who says what when, and what came of it.

Every time is a multiple of 1/16 s and the sample rate is a power of two, so that sums are exact.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import anyio

from ordered_pipeline.testing import (
    RecordingPlayer,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
    SpeechScript,
)
from ordered_pipeline.voice import (
    AudioFormat,
    Message,
    ServiceFailure,
    SpeechToText,
    Transcript,
    Turn,
    VoiceActivity,
    VoiceActivityDetector,
    converse,
)

FORMAT = AudioFormat("s16le", 1024)
FRAME_S = 0.125
# A character of the agent's speech.
CHARACTER_S = 0.0625
# How long the voice takes for its first audio.
VOICE_S = 0.25
VOICE = SpeechScript(first_audio_s=VOICE_S, chunk_s=0.25)

Said = Sequence[tuple[float, Transcript]]


class CallerAudio:
    """Audio as a caller gives it: each frame when he has said it."""

    def __init__(self, seconds: float, *, error: Exception | None = None, frame_s: float = FRAME_S) -> None:
        """End after *seconds*, with *error* if there is one."""
        self._seconds = seconds
        self._error = error
        self._frame_s = frame_s
        self._place_s = 0.0
        self._begun_s: float | None = None
        self.is_closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._begun_s is None:
            self._begun_s = anyio.current_time()
        if self._place_s >= self._seconds:
            if self._error is not None:
                raise self._error
            raise StopAsyncIteration
        self._place_s += self._frame_s
        await anyio.sleep_until(self._begun_s + self._place_s)
        return b"\1\1" * round(self._frame_s * FORMAT.sample_rate_hz)

    async def aclose(self) -> None:
        self.is_closed = True


@dataclass
class Talk:
    """A conversation that is over, with who took part."""

    audio: CallerAudio
    stt: Any
    llm: Any
    tts: Any
    player: Any
    vad: Any
    events: list[tuple[float, Turn | ServiceFailure]] = field(default_factory=list)
    history: tuple[Message, ...] = ()
    end_s: float = 0.0

    @property
    def turns(self) -> list[Turn]:
        return [event for _, event in self.events if isinstance(event, Turn)]

    @property
    def failures(self) -> list[ServiceFailure]:
        return [event for _, event in self.events if isinstance(event, ServiceFailure)]

    @property
    def said_and_heard(self) -> list[tuple[str, str]]:
        """What each party said, by the history."""
        return [(message.role, message.content) for message in self.history]


def final(at_s: float, text: str, *, end_s: float | None = None) -> tuple[float, Transcript]:
    return at_s, Transcript(text, "final", end_s=end_s)


def started(at_s: float) -> tuple[float, Transcript]:
    return at_s, Transcript("", "speech_started")


def eager(at_s: float, text: str) -> tuple[float, Transcript]:
    return at_s, Transcript(text, "eager_final")


def resumed(at_s: float) -> tuple[float, Transcript]:
    return at_s, Transcript("", "resumed")


async def talk(
    said: Said | SpeechToText,
    *replies: str | ReplyScript,
    seconds: float = 12.0,
    audio: CallerAudio | None = None,
    vad: Sequence[tuple[float, VoiceActivity]] | VoiceActivityDetector | None = None,
    llm: Any = None,
    tts: Any = None,
    player: Any = None,
    kept: list[Talk] | None = None,
    **options: Any,
) -> Talk:
    """Hold a conversation to its end, and append it to *kept* at its beginning, for whoever may cancel it."""
    if vad is not None and not hasattr(vad, "detect"):
        vad = ScriptedVoiceActivityDetector(vad, audio_format=FORMAT)
    it = Talk(
        audio=audio or CallerAudio(seconds),
        stt=said if hasattr(said, "transcribe") else ScriptedSpeechToText(said, audio_format=FORMAT),
        llm=llm or ScriptedLanguageModel(*(replies or ("I see.",))),
        tts=tts or ScriptedTextToSpeech(VOICE, audio_format=FORMAT),
        player=player or RecordingPlayer(),
        vad=vad,
    )
    if kept is not None:
        kept.append(it)
    conversation = converse(
        it.audio,
        audio_format=FORMAT,
        stt=it.stt,
        llm=it.llm,
        tts=it.tts,
        player=it.player,
        vad=it.vad,
        **options,
    )
    try:
        async with conversation:
            async for event in conversation:
                it.events.append((anyio.current_time(), event))
    finally:
        it.history = conversation.history
        it.end_s = anyio.current_time()
    return it


def sounds(it: Talk) -> list[tuple[int, float, float]]:
    """Return of each sound that was heard its turn, and from when to when it was."""
    return [(sound.segment.turn, sound.start_s, sound.end_s) for sound in it.player.sounds]


async def nothing() -> AsyncIterator[str]:
    """Yield nothing, for ever."""
    await anyio.sleep_forever()
    yield ""
