"""What comes from the call and waits for whoever wants it: never without bound, never in anyone's way."""

from collections import deque
from typing import Final, Generic, Literal, Self, TypeVar, final

import anyio

from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.wire._telnyx_l16 import ByteOrder, in_byteorder
from ordered_pipeline.wire._telnyx_media import Media, Reorder

_Item = TypeVar("_Item")

# 10 s of frames of 20 ms: longer than a bot should be busy with anything else.
MOST_FRAMES: Final = 500


@final
class Inbox(Generic[_Item]):
    """An async iterator of what was put, oldest first; when it is full, the oldest gives way."""

    def __init__(self, most: int) -> None:
        """Begin with nothing; hold *most* items at most."""
        self._items: deque[_Item] = deque(maxlen=most)
        # How many there are, and one more when no more comes. An event for each wait costs twice as much.
        self._count: anyio.Semaphore = anyio.Semaphore(0, fast_acquire=True)
        self.dropped: int = 0

    def put(self, item: _Item) -> None:
        """Add *item*."""
        is_full = len(self._items) == self._items.maxlen
        self._items.append(item)
        if is_full:
            self.dropped += 1
        else:
            self._count.release()

    def end(self) -> None:
        """Say that no more comes."""
        self._count.release()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Item:
        await self._count.acquire()
        if not self._items:
            # For whoever asks next.
            self._count.release()
            raise StopAsyncIteration
        return self._items.popleft()


@final
class CallerAudio:
    """What the caller says: an async iterator of audio, in order, until the stream ends.

    Up to three later frames are held back for a missing one. Who iterates may stop, and another one go on;
    what nobody takes for 10 s is dropped.

    Attributes:
        format: The format; None for a codec that has none here, whose bytes are given as they came.
    """

    def __init__(self, audio_format: AudioFormat | None, *, byteorder: Literal["little", "big"]) -> None:
        """Begin with nothing; *byteorder* is what L16 comes in."""
        self.format: Final = audio_format
        is_l16 = audio_format is not None and audio_format.encoding == "s16le"
        self._byteorder: ByteOrder = byteorder if is_l16 else "little"
        self._reorder: Reorder[bytes] = Reorder()
        self._frames: Inbox[bytes] = Inbox(MOST_FRAMES)

    @property
    def dropped(self) -> int:
        """How many frames nobody took in time."""
        return self._frames.dropped

    def put(self, media: Media) -> None:
        """Add what came."""
        audio = in_byteorder(media.payload, self._byteorder)
        for frame in [audio] if media.chunk is None else self._reorder.push(media.chunk, audio):
            self._frames.put(frame)

    def end(self) -> None:
        """Say that no more comes."""
        for frame in self._reorder.flush():
            self._frames.put(frame)
        self._frames.end()

    def __aiter__(self) -> Self:
        """Return the iterator itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next frame as soon as it is there; a cancelled call loses nothing.

        Raises:
            StopAsyncIteration: The stream has ended.
        """
        return await anext(self._frames)
