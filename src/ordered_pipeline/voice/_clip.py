"""The clip: the audio of one segment, which a player takes while it is still being made."""

from collections import deque
from collections.abc import Iterable
from typing import Final, Self, final

from ordered_pipeline._parking import Spot, spot
from ordered_pipeline.voice._audio import AudioChunk, AudioFormat
from ordered_pipeline.voice._talk import Segment

# Most chunks that wait for the player: 20 s in frames of 20 ms, longer than most segments.
MOST_CHUNKS: Final = 1024


@final
class Clip:
    """The audio of one segment: an async iterator of chunks, which one player iterates once.

    Iterating ends when the voice has given all, has failed in the middle, or when the reply is interrupted:
    a player plays what it gets.
    """

    def __init__(
        self, segment: Segment, audio_format: AudioFormat, chunks: Iterable[AudioChunk] = ()
    ) -> None:
        """Make a clip that has *chunks* so far, to be filled by ``put`` and ended by ``end``."""
        self.segment: Segment = segment
        self.format: AudioFormat = audio_format
        self._chunks: deque[AudioChunk] = deque(chunks)
        self._is_over: bool = False
        self._waiter: Spot | None = None

    def __aiter__(self) -> Self:
        """Return the clip itself."""
        return self

    async def __anext__(self) -> AudioChunk:
        """Return the next chunk as soon as it is there; a cancelled call loses nothing.

        Raises:
            StopAsyncIteration: The clip is over.
        """
        while not self._chunks:
            if self._is_over:
                raise StopAsyncIteration
            await self._wait()
        chunk = self._chunks.popleft()
        self._wake()
        return chunk

    async def collect(self) -> bytes:
        """Return all audio that is still to come, in one piece."""
        return b"".join([chunk.data async for chunk in self])

    @property
    def is_full(self) -> bool:
        """Whether so many chunks wait for the player that `put` waits, too."""
        return len(self._chunks) >= MOST_CHUNKS and not self._is_over

    async def put(self, chunk: AudioChunk) -> None:
        """Append *chunk*; waits while many chunks wait for the player. After `end` it is dropped."""
        while self.is_full:
            await self._wait()
        if not self._is_over:
            self._chunks.append(chunk)
            self._wake()

    def end(self) -> None:
        """Say that no more comes."""
        self._is_over = True
        self._wake()

    def drop(self) -> bool:
        """End the clip at once: what waits is dropped; return whether anything does, or was still to come."""
        is_cut = bool(self._chunks) or not self._is_over
        self._chunks.clear()
        self.end()
        return is_cut

    # Whoever puts waits only while there are chunks, and whoever takes only while there are none: never both.
    async def _wait(self) -> None:
        if self._waiter is None:
            self._waiter = spot()
        await self._waiter.wait()

    def _wake(self) -> None:
        if self._waiter is not None:
            self._waiter.wake()
