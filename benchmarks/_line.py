"""The scripted services in their roles: a voice and a player, which the bare loop and `speak` drive alike."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from types import TracebackType
from typing import Final, Self

from _services import SAMPLE_RATE_HZ, Call, Line, Voice

from ordered_pipeline.voice import AudioChunk, AudioFormat, PlaybackResult, PlayerCapabilities, Segment

FORMAT: Final = AudioFormat("s16le", SAMPLE_RATE_HZ)


class LineVoice:
    """The call's voice."""

    format = FORMAT

    def __init__(self, call: Call) -> None:
        self.voice: Voice = call.voice

    async def synthesize(self, segment: Segment, /) -> AsyncIterator[AudioChunk]:
        async for audio in self.voice.synthesize(segment.text):
            yield AudioChunk(audio)


class LinePlayback:
    """A clip on the line."""

    def __init__(self) -> None:
        self.start_s = self.end_s = 0.0
        self.has_started = asyncio.Event()
        self.has_finished = asyncio.Event()

    async def take(self, clip: AsyncIterable[AudioChunk], line: Line) -> None:
        """Put all of *clip* on *line*, chunk by chunk as they come."""
        loop = asyncio.get_running_loop()
        async for chunk in clip:
            starts_s = line.put(chunk.data)
            if not self.start_s:
                self.start_s = starts_s
                loop.call_at(starts_s, self.has_started.set)
        self.end_s = line.free_s
        loop.call_at(self.end_s, self.has_finished.set)

    async def started(self) -> float:
        await self.has_started.wait()
        return self.start_s

    async def finished(self) -> PlaybackResult:
        await self.has_finished.wait()
        return PlaybackResult("completed", self.end_s - self.start_s)

    def position_s(self) -> float | None:
        return None


class LinePlayer:
    """Streams clips onto the call's line; one may wait behind the one that sounds."""

    capabilities = PlayerCapabilities(formats=(FORMAT,), queue_ahead=1)

    def __init__(self, call: Call) -> None:
        self.line = call.line
        self.clips: asyncio.Queue[tuple[AsyncIterable[AudioChunk], LinePlayback]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self.feeding = asyncio.create_task(self.feed())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.feeding.cancel()
        await asyncio.wait([self.feeding])

    async def feed(self) -> None:
        """Put clip after clip on the line."""
        while True:
            clip, playback = await self.clips.get()
            await playback.take(clip, self.line)

    async def play(self, clip: AsyncIterable[AudioChunk], /) -> LinePlayback:
        playback = LinePlayback()
        self.clips.put_nowait((clip, playback))
        return playback

    async def clear(self) -> None:
        """Do nothing: nobody interrupts."""
