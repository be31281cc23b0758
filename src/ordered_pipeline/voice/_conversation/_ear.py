"""The ear: the caller's audio on its way to a service that listens, bounded.

Rules kept here:

1. While a service listens, nothing is lost: one that lags makes whoever puts frames wait. One that shows no
   life for too long is given up.
2. While none listens, the newest frames are kept, up to the same bound.
"""

from collections import deque
from collections.abc import Callable
from typing import Self, final

import anyio

from ordered_pipeline.voice._bell import Bell


@final
class Ear:
    """Frames for one service at a time."""

    def __init__(self, *, most_bytes: int, patience_s: float) -> None:
        """Begin with no frames.

        Args:
            most_bytes: How many bytes may wait; a longer frame waits alone.
            patience_s: How long a service that is waited for may show no life.
        """
        self._most_bytes: int = most_bytes
        self._patience_s: float = patience_s
        self._frames: deque[bytes] = deque()
        self._held_bytes: int = 0
        self._gone_bytes: int = 0
        self._listener: Listener | None = None
        self._changed: Bell = Bell()
        self._is_left: bool = False
        self.is_ended: bool = False

    async def put(self, frame: bytes) -> None:
        """Append *frame*; waits while a service listens and too many frames wait for it."""
        await self._until(lambda: not self._is_full(frame))
        while self._is_full(frame):
            self.take()
        self._frames.append(frame)
        self._held_bytes += len(frame)
        self._changed.ring()

    def take(self) -> bytes:
        """Return the oldest frame; there has to be one."""
        frame = self._frames.popleft()
        self._held_bytes -= len(frame)
        self._gone_bytes += len(frame)
        self._changed.ring()
        return frame

    def end(self) -> None:
        """Say that no more frames come."""
        self.is_ended = True
        self._changed.ring()

    def leave(self) -> None:
        """Say that no service will listen any more."""
        self._is_left = True
        self._changed.ring()

    async def left(self) -> None:
        """Wait until no service will listen any more."""
        while not self._is_left:
            await self._until(lambda: False)
            if not self._is_left:
                await self._changed.wait()

    def listen(self) -> "Listener":
        """Return the frames that wait and all that come; nobody else listens from now on."""
        self._listener = Listener(self, self._gone_bytes)
        return self._listener

    def listens(self, listener: "Listener") -> bool:
        """Tell whether the frames are for *listener*."""
        return self._listener is listener

    def desert(self, listener: "Listener") -> None:
        """Say that *listener* takes no more."""
        if self.listens(listener):
            self._listener = None
            self._changed.ring()

    def show_life(self) -> None:
        """Say that the service is not stuck."""
        self._changed.ring()

    async def wait(self) -> None:
        """Wait until something has changed."""
        await self._changed.wait()

    @property
    def has_frames(self) -> bool:
        """Whether frames wait."""
        return bool(self._frames)

    def _is_full(self, frame: bytes) -> bool:
        return bool(self._frames) and self._held_bytes + len(frame) > self._most_bytes

    async def _until(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds, or no service listens."""
        while self._listener is not None and not holds():
            listener = self._listener
            with anyio.move_on_after(self._patience_s) as patience:
                await self._changed.wait()
            if patience.cancelled_caught and self.listens(listener):
                listener.give_up()


@final
class Listener:
    """What one service hears: an async iterator of frames.

    Attributes:
        begun_bytes: How much of the caller's audio came before its first frame.
        has_heard_all: Whether it was told that the audio is over.
        was_given_up: Whether the service had shown no life for too long.
        interrupt: What ends the service.
    """

    def __init__(self, ear: Ear, begun_bytes: int) -> None:
        """Use `Ear.listen` instead."""
        self._ear: Ear = ear
        self.begun_bytes: int = begun_bytes
        self.has_heard_all: bool = False
        self.was_given_up: bool = False
        self.interrupt: Callable[[], object] = _nothing

    def __aiter__(self) -> Self:
        """Return the listener itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next frame; a cancelled call loses nothing.

        Raises:
            StopAsyncIteration: The audio is over, or the frames are for another listener.
        """
        while self._ear.listens(self):
            if self._ear.has_frames:
                return self._ear.take()
            if self._ear.is_ended:
                self.has_heard_all = True
                break
            await self._ear.wait()
        raise StopAsyncIteration

    def give_up(self) -> None:
        """End what shows no life."""
        self.was_given_up = True
        self._ear.desert(self)
        self.interrupt()


def _nothing() -> None:
    """Do nothing."""
