"""Hearing: a service listens to the caller's audio, and if it fails, it is told, and perhaps asked anew."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, Literal, TypeVar

import anyio

from ordered_pipeline import ordered_flat_map
from ordered_pipeline.voice._conversation._ear import Ear, Listener

T = TypeVar("T")
E = TypeVar("E")

# Enough for what comes in one go.
_RESULTS_AHEAD: Final = 16
# The first pause is no longer than a word; the longest is for a service that is down for minutes.
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Hearing(Generic[T, E]):
    """One service that listens.

    Attributes:
        role: Which one.
        serve: Asks it.
        ear: What it hears.
        read: Makes an event of what it tells, from that and from how much audio had come before the first
            that it heard, in bytes; fails if that is no such thing.
        tell: Called with each event.
        fail: Called with each failure.
        grace_s: Clean-up time.
    """

    role: Literal["stt", "vad"]
    serve: Callable[[AsyncIterable[bytes]], AsyncIterator[T]]
    ear: Ear
    read: Callable[[T, int], E]
    tell: Callable[[E], Awaitable[None]]
    fail: Callable[[Literal["stt", "vad"], Exception], None]
    grace_s: float

    async def once(self) -> None:
        """Listen until the audio is over or the service fails."""
        await self._listen()
        self.ear.leave()

    async def always(self) -> None:
        """Listen until the audio is over. A service that fails or ends is asked anew, at growing intervals.

        Once the audio is over it is asked no more than once, for what is left.
        """
        pause_s = _FIRST_PAUSE_S
        is_over = False
        while not is_over:
            is_last = self.ear.is_ended
            has_told = await self._listen()
            is_over = is_last or (self.ear.is_ended and not self.ear.has_frames)
            if has_told:
                pause_s = _FIRST_PAUSE_S
            with anyio.move_on_after(pause_s):
                while not self.ear.is_ended:
                    await self.ear.wait()
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        self.ear.leave()

    async def _listen(self) -> bool:
        """Let the service listen once; return whether it told anything."""
        listener = self.ear.listen()
        has_told = False
        stage = ordered_flat_map(
            self.serve, [listener], prefetch=1, buffer=_RESULTS_AHEAD, grace_s=self.grace_s
        )
        listener.interrupt = stage.interrupt
        try:
            async with stage:
                try:
                    async for result in stage:
                        self.ear.show_life()
                        has_told = await self._tell(result, listener) or has_told
                finally:
                    # Not after the clean-up, which takes its time.
                    self.ear.desert(listener)
        except Exception as error:  # noqa: BLE001  # whatever it fails with, the conversation goes on
            self.fail(self.role, error)
        else:
            if listener.was_given_up:
                self.fail(self.role, TimeoutError("the service showed no life for too long"))
            elif not listener.has_heard_all:
                self.fail(self.role, EOFError("the service ended before the caller's audio"))
        return has_told

    async def _tell(self, result: T, listener: Listener) -> bool:
        """Tell *result*, if it is what it should be; return whether it is."""
        try:
            event = self.read(result, listener.begun_bytes)
        except (TypeError, ValueError) as error:
            self.fail(self.role, error)
            return False
        await self.tell(event)
        return True
