"""What the command does with text: speaks it as it comes, and once more the gather way to compare."""

import math
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Final

import anyio

from ordered_pipeline import ordered_flat_map
from ordered_pipeline.voice import (
    AudioChunk,
    AudioFormat,
    HeardText,
    Player,
    Prefetch,
    Segment,
    SentenceSplitter,
    SpeechPolicy,
    TextToSpeech,
    Timeline,
    speak,
)

# The voice is on this machine: what it cannot say now, it cannot say later. It has all the time it needs.
_POLICY: Final = SpeechPolicy(first_audio_s=math.inf, segment_s=math.inf, tries=1, on_failure="stop")
# More than any text has.
_ALL_SEGMENTS: Final = 10**9


@dataclass(frozen=True, slots=True)
class Run:
    """One way through the text, as far as it came."""

    timeline: Timeline
    heard: HeardText


class Tape:
    """Text with the times at which it came, so that it can come once more in the same way."""

    def __init__(self) -> None:
        self._deltas: list[tuple[float, str]] = []
        self._end_s: float = 0.0

    async def record(self, source: AsyncIterable[str]) -> AsyncIterator[str]:
        """Give what *source* gives."""
        begin_s = anyio.current_time()
        async for text in source:
            self._deltas.append((anyio.current_time() - begin_s, text))
            yield text
        self._end_s = anyio.current_time() - begin_s

    async def replay(self) -> AsyncIterator[str]:
        """Give every delta once as much time has passed as had the first time."""
        begin_s = anyio.current_time()
        for at_s, text in self._deltas:
            await anyio.sleep_until(begin_s + at_s)
            yield text
        await anyio.sleep_until(begin_s + self._end_s)


async def speak_in_order(
    source: AsyncIterable[str], *, tts: TextToSpeech, player: Player, prefetch: int, runs: list[Run]
) -> None:
    """Speak each segment when those before it are over, made ahead while they sound.

    However this ends, what came of it is appended to *runs*.
    """
    reply = speak(source, tts=tts, player=player, prefetch=Prefetch(segments=prefetch), policy=_POLICY)
    async with reply:
        try:
            await reply.finished()
        finally:
            heard = await reply.interrupt()
            runs.append(Run(reply.timeline, heard))


async def speak_gathered(
    source: AsyncIterable[str], *, tts: TextToSpeech, player: Player, runs: list[Run]
) -> None:
    """Wait for the whole text, then for the audio of all segments, then play it; else as `speak_in_order`."""
    gathering = _Gathering(tts)
    await speak_in_order(
        gathering.whole(source), tts=gathering, player=player, prefetch=_ALL_SEGMENTS, runs=runs
    )


class _Gathering:
    """A text that comes in one piece, and a voice whose audio comes when that of all segments is there."""

    def __init__(self, voice: TextToSpeech) -> None:
        self._voice: TextToSpeech = voice
        self._missing: int = 0
        self._all_there: anyio.Event = anyio.Event()

    @property
    def format(self) -> AudioFormat:
        return self._voice.format

    async def whole(self, source: AsyncIterable[str]) -> AsyncIterator[str]:
        text = "".join([delta async for delta in source])
        splitter = SentenceSplitter()
        self._missing = sum(bool(piece.strip()) for piece in (*splitter.push(text), *splitter.flush()))
        yield text

    async def synthesize(self, segment: Segment, /) -> AsyncIterator[AudioChunk]:
        try:
            chunks = await ordered_flat_map(self._voice.synthesize, [segment]).collect()
        finally:
            self._missing -= 1
            if not self._missing:
                self._all_there.set()
        await self._all_there.wait()
        for chunk in chunks:
            yield chunk
