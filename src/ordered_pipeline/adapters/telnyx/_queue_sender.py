"""The sender of the queue-ahead player: what is posted to Telnyx when, and how it is stopped.

Rules kept here:

1. One task posts, one file at a time: Telnyx plays in the order of arrival, and commands have no number.
2. A file is posted when no more than the lead is ahead of it. Clips that wait meanwhile are joined until they
   are long enough to cover the time that posting takes; none waits for one that is not there.
3. What is posted when depends on the clock and on the answers to commands, not on webhooks.
4. To be silent it stops at once, beside a command that is under way, and stops again when that has been
   answered: it may have come after the stop. Nothing is posted in between.
"""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn, final
from uuid import uuid4

import anyio

from ordered_pipeline.adapters.telnyx._calls import (
    CallControl,
    CallOverError,
    CommandRefusedError,
)
from ordered_pipeline.adapters.telnyx._queue_clips import Sound, join
from ordered_pipeline.adapters.telnyx._queue_ledger import Item, Ledger
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.wire._telnyx_calls import PlaybackStart, PlaybackStop

# Posting takes about 240 ms, and up to 200 ms pass until a file sounds that is prepared late: what is shorter
# than both would be over before its follower can sound.
_JOINED_S: Final = 0.5
# What Telnyx answers if there is nothing to stop; its documents do not say.
_UNPROCESSABLE: Final = 422


@dataclass(slots=True)
class _Stop:
    """A `playback_stop` that is wanted."""

    done: anyio.Event = field(default_factory=anyio.Event)
    error: Exception | None = None


@final
class Sender:
    """Gives the sounds of one call to Telnyx.

    Attributes:
        ledger: The files that it has.
        changed: Rings whenever anything has changed.
        over: Why nothing can be played any more, once the call is over.
    """

    def __init__(
        self,
        calls: CallControl,
        call_control_id: str,
        *,
        lead_s: float,
        url_for: Callable[[bytes], Awaitable[str]] | None,
    ) -> None:
        """Begin with nothing; the arguments are those of the player."""
        self.ledger: Ledger = Ledger()
        self.changed: Bell = Bell()
        self.over: CallOverError | None = None
        self._calls: CallControl = calls
        self._call: str = call_control_id
        self._lead_s: float = lead_s
        self._url_for: Callable[[bytes], Awaitable[str]] | None = url_for
        self._waiting: deque[Sound] = deque()
        # The posting that is under way, when the last one was over, whether anything was posted since the
        # last stop, and the stop that is wanted.
        self._posting: anyio.CancelScope | None = None
        self._posted_s: float = -math.inf
        self._is_heard: bool = False
        self._stop: _Stop | None = None

    @property
    def has_room(self) -> bool:
        """Whether another sound may wait. None has to once the call is over."""
        return self.over is not None or sum(sound.part.length_s for sound in self._waiting) < _JOINED_S

    def is_busy(self) -> bool:
        """Return whether anything is to be heard yet, as far as is known."""
        self.ledger.presume(anyio.current_time())
        return bool(self._waiting or self.ledger.open)

    def put(self, sound: Sound) -> None:
        """Have *sound* posted behind all that waits."""
        self._waiting.append(sound)
        self.changed.ring()

    async def silence(self) -> None:
        """Stop what plays, and drop all that waits, here and at Telnyx.

        Raises:
            CallControlError: Telnyx could not be reached, or refused.
            Exception: What the client fails with.
        """
        now_s = anyio.current_time()
        for sound in self._waiting:
            sound.part.settle("cleared", now_s)
        self._waiting.clear()
        if self._posting is not None:
            self._posting.cancel()
        if self.over is not None or not self._is_heard:
            self.ledger.drop(now_s)
            self.changed.ring()
            return
        stop = self._stop = self._stop or _Stop()
        self.changed.ring()
        await stop.done.wait()
        if stop.error is not None:
            raise stop.error

    def end(self, error: CallOverError) -> None:
        """Note that the call is over, for the reason of *error*."""
        self.over = self.over or error
        now_s = anyio.current_time()
        for sound in self._waiting:
            sound.part.fail(error, now_s)
        self._waiting.clear()
        self.ledger.end(error, now_s)
        if self._posting is not None:
            self._posting.cancel()
        self.changed.ring()

    def leave(self) -> None:
        """Let go whoever still waits; nothing is posted or stopped any more."""
        self.ledger.drop(anyio.current_time())
        self.changed.ring()
        if self._stop is not None:
            self._stop.done.set()

    # ------------------------------------------------------------------ what runs

    async def post_all(self) -> NoReturn:
        """Post what waits, as it becomes time."""
        while True:
            post_s = self.ledger.ready_s - self._lead_s
            if not self._waiting or self._stop is not None:
                await self.changed.wait()
            elif anyio.current_time() < post_s:
                with anyio.CancelScope(deadline=post_s):
                    await self.changed.wait()
            else:
                await self._post(self._next())

    async def stop_all(self) -> NoReturn:
        """Stop what plays, as often as that is wanted."""
        while True:
            if self._stop is None:
                await self.changed.wait()
                continue
            try:
                stopped_s = anyio.current_time()
                await self._send_stop()
                while self._posting is not None:
                    await self.changed.wait()
                if self._posted_s > stopped_s:
                    await self._send_stop()
                self._is_heard = False
            except CallOverError as error:
                self.end(error)
            except Exception as error:  # noqa: BLE001  # the client's own as well: whoever asked for it gets it
                self._stop.error = error
            self.ledger.drop(anyio.current_time())
            self._stop.done.set()
            self._stop = None
            self.changed.ring()

    def _next(self) -> list[Sound]:
        """Take what is to be posted out of what waits."""
        sounds = [self._waiting.popleft()]
        while (
            self._waiting
            and sum(sound.part.length_s for sound in sounds) < _JOINED_S
            and sounds[0].format.encoding == "s16le"
            and sounds[0].format == self._waiting[0].format
        ):
            sounds.append(self._waiting.popleft())
        self.changed.ring()
        return sounds

    async def _post(self, sounds: list[Sound]) -> None:
        item = Item(str(uuid4()), tuple(sound.part for sound in sounds))
        self.ledger.open.append(item)
        try:
            with anyio.CancelScope() as self._posting:
                command = await self._command(item, join(sounds))
                self._is_heard = True
                item.sent_s = anyio.current_time()
                await self._calls.send(self._call, command)
                if item in self.ledger.open:
                    self.ledger.accepted(item, anyio.current_time())
        except CallOverError as error:
            self.end(error)
        except Exception as error:  # noqa: BLE001  # url_for's as well: whoever waits for the clip gets it
            if item in self.ledger.open:
                self.ledger.fail(item, error, anyio.current_time())
        finally:
            self._posting = None
            self._posted_s = anyio.current_time()
            self.changed.ring()

    async def _command(self, item: Item, file: bytes) -> PlaybackStart:
        url = None if self._url_for is None else await self._url_for(file)
        return PlaybackStart(
            audio_url=url,
            playback_content=file if url is None else None,
            audio_type="wav",
            client_state=item.state,
            command_id=item.command_id,
        )

    async def _send_stop(self) -> None:
        try:
            await self._calls.send(self._call, PlaybackStop(stop="all"))
        except CommandRefusedError as error:
            if error.reply.status != _UNPROCESSABLE:
                raise
