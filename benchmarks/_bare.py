"""The reply by hand, in the fewest lines that keep it early, in order and bounded: the floor of the others.

A sentence ends with a word that ends in a full stop. Three sentences are in flight at most, and at most one
waits in the player behind the one that sounds. There are no errors, no deadlines, no barge-in, no records.
"""

import asyncio
from typing import Self, TypeAlias

from _line import LinePlayback, LinePlayer, LineVoice
from _services import Call

from ordered_pipeline.voice import AudioChunk, Segment

ChunkQueue: TypeAlias = asyncio.Queue[AudioChunk | None]


class Chunks:
    """What comes of one sentence; gives its slot back when all was taken."""

    def __init__(self, slots: asyncio.Semaphore) -> None:
        self.queue: ChunkQueue = asyncio.Queue()
        self.slots = slots

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioChunk:
        chunk = await self.queue.get()
        if chunk is None:
            self.slots.release()
            raise StopAsyncIteration
        return chunk


async def speak(call: Call) -> None:
    """Speak the reply; return when it was heard."""
    voice = LineVoice(call)
    slots = asyncio.Semaphore(3)
    clips: asyncio.Queue[Chunks | None] = asyncio.Queue()

    async def read() -> None:
        sentence = ""
        async for delta in call.deltas():
            sentence += delta
            if delta.endswith("."):
                await slots.acquire()
                chunks = Chunks(slots)
                tasks.create_task(fetch(Segment(0, sentence), chunks.queue))
                clips.put_nowait(chunks)
                sentence = ""
        clips.put_nowait(None)

    async def fetch(segment: Segment, chunks: ChunkQueue) -> None:
        async for chunk in voice.synthesize(segment):
            chunks.put_nowait(chunk)
        chunks.put_nowait(None)

    async with LinePlayer(call) as player, asyncio.TaskGroup() as tasks:
        tasks.create_task(read())
        playbacks: list[LinePlayback] = []
        while (clip := await clips.get()) is not None:
            if len(playbacks) > 1:
                await playbacks[-2].finished()
            playbacks.append(await player.play(clip))
        await playbacks[-1].finished()
