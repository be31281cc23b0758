"""Ways to speak a reply: four by hand, as a bot has them, and this library. All have the same services.

Those by hand leave a sentence out when its request fails, end what they have started, and give the player no
more clips than it queues. They have no deadlines, as the bots that they are modelled on have none.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import anyio

from ordered_pipeline.testing import (
    RecordedPlayback,
    RecordingPlayer,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedTextToSpeech,
    SpeechScript,
)
from ordered_pipeline.voice import (
    AudioChunk,
    Clip,
    PlayerCapabilities,
    Segment,
    SpeechPolicy,
    speak,
)

STT_S: Final = 0.007
PLAY_CALL_S: Final = 0.240
PLAY_START_S: Final = 0.200
AUDIO_S: Final = 1.5

# Forty characters each.
_SENTENCES: Final = (
    "Thank you for calling the parcel office.",
    "Your parcel has left our depot just now.",
    "It will be at your door tomorrow by ten.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a bot's services do in one reply.

    Attributes:
        sentences: How many sentences the language model writes.
        sentence_s: How long it takes for each.
        reply_s: When its reply ends; None for with the last sentence.
        speech: How the voice answers a request.
        exceptions: How it answers those for some sentences, counted from 0, instead.
        policy: What this library is told to do about a voice that fails or hangs.
    """

    sentences: int = 3
    sentence_s: float = 0.8
    reply_s: float | None = None
    speech: SpeechScript = SpeechScript(first_audio_s=0.4, audio_s=AUDIO_S)  # noqa: RUF009  # frozen
    exceptions: Mapping[int, SpeechScript] = field(default_factory=dict[int, SpeechScript])
    policy: SpeechPolicy = SpeechPolicy()  # noqa: RUF009  # frozen


class Call:
    """One turn of a call, with a bot's services; it begins when the caller stops to speak."""

    def __init__(self, services: Services, *, is_streaming: bool) -> None:
        text = [
            (services.sentence_s * (place + 1), _SENTENCES[place % len(_SENTENCES)] + " ")
            for place in range(services.sentences)
        ]
        self.policy = services.policy
        self.model = ScriptedLanguageModel(ReplyScript(deltas=tuple(text), end_s=services.reply_s))
        self.voice = ScriptedTextToSpeech(
            lambda segment, _: services.exceptions.get(segment.index, services.speech)
        )
        self.player = (
            RecordingPlayer(PlayerCapabilities(queue_ahead=1))
            if is_streaming
            else RecordingPlayer(
                PlayerCapabilities(streaming=False, queue_ahead=1), call_s=PLAY_CALL_S, start_s=PLAY_START_S
            )
        )
        self._segments: dict[bytes, Segment] = {}

    async def transcribe(self) -> None:
        await anyio.sleep(STT_S)

    def reply(self) -> AsyncIterator[str]:
        """Return the reply, sentence by sentence."""
        return self.model.reply(())

    async def synthesize(self, sentence: str, index: int) -> bytes | None:
        """Return the audio of a sentence, or None if the voice has failed."""
        segment = Segment(index, sentence)
        try:
            audio = b"".join([chunk.data async for chunk in self.voice.synthesize(segment)])
        except ConnectionError:
            return None
        self._segments[audio] = segment
        return audio

    async def play(self, audio: bytes) -> RecordedPlayback:
        """Give a clip to the player; return when it is accepted."""
        clip = Clip(self._segments[audio], self.voice.format, [AudioChunk(audio)])
        clip.end()
        return await self.player.play(clip)


async def batch(call: Call) -> None:
    await call.transcribe()
    sentences = [sentence async for sentence in call.reply()]
    requests = [call.synthesize(sentence, index) for index, sentence in enumerate(sentences)]
    for audio in await asyncio.gather(*requests):
        if audio is not None:
            playback = await call.play(audio)
            await playback.finished()


async def each_in_its_turn(call: Call) -> None:
    await call.transcribe()
    requests = asyncio.Queue[asyncio.Task[bytes | None] | None]()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_ask(call, tasks, requests))
        while (request := await requests.get()) is not None:
            audio = await request
            if audio is not None:
                playback = await call.play(audio)
                await playback.finished()


async def overlapped_calls(call: Call) -> None:
    await call.transcribe()
    requests = asyncio.Queue[asyncio.Task[bytes | None] | None]()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_ask(call, tasks, requests))
        await _play_ahead(call, requests)


async def queue_and_worker(call: Call) -> None:
    await call.transcribe()
    # Three at a time: the worker waits for one more, and who fills the queue holds another.
    requests = asyncio.Queue[asyncio.Task[bytes | None] | None](1)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_play_ahead(call, requests))
        await _ask(call, tasks, requests)


async def _ask(
    call: Call, tasks: asyncio.TaskGroup, requests: asyncio.Queue[asyncio.Task[bytes | None] | None]
) -> None:
    """Ask for each sentence as it is written."""
    index = 0
    async for sentence in call.reply():
        await requests.put(tasks.create_task(call.synthesize(sentence, index)))
        index += 1
    await requests.put(None)


async def _play_ahead(call: Call, requests: asyncio.Queue[asyncio.Task[bytes | None] | None]) -> None:
    """Make each play call while the clip before it sounds."""
    sounding: RecordedPlayback | None = None
    while (request := await requests.get()) is not None:
        audio = await request
        if audio is not None:
            playback = await call.play(audio)
            if sounding is not None:
                await sounding.finished()
            sounding = playback
    if sounding is not None:
        await sounding.finished()


async def ours(call: Call) -> None:
    await call.transcribe()
    async with speak(call.reply(), tts=call.voice, player=call.player, policy=call.policy) as reply:
        await reply.finished()


Speak: TypeAlias = Callable[[Call], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to speak a reply, and the player that it has."""

    name: str
    speak: Speak
    is_streaming: bool = False


STRATEGIES: Final = (
    Strategy("batch: gather, then sentence by sentence", batch),
    Strategy("play each as soon as its turn is ready", each_in_its_turn),
    Strategy("overlap the play calls", overlapped_calls),
    Strategy("queue and player worker", queue_and_worker),
    Strategy("this library", ours),
    Strategy("queue and player worker, streaming player", queue_and_worker, is_streaming=True),
    Strategy("this library, streaming player", ours, is_streaming=True),
)
