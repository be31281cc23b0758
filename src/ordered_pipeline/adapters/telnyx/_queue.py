"""The queue-ahead player: while one clip sounds, the next is at Telnyx already.

Rules kept here:

1. One task posts, one file at a time: Telnyx plays in the order of arrival, and commands have no number.
2. A file is posted when no more than the lead is ahead of it. Clips that wait meanwhile are joined until they
   are long enough to cover the time that posting takes; none waits for one that is not there.
3. What is posted when depends on the clock and on the answers to commands. Webhooks only report.
4. `clear` stops at once, beside a command that is under way, and stops again when that has been answered: it
   may have come after the stop. Nothing is posted in between.
"""

import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, NoReturn, Self, final
from uuid import uuid4

import anyio

from ordered_pipeline.adapters.telnyx._calls import (
    CallControl,
    CallControlError,
    CallOverError,
    CommandRefusedError,
)
from ordered_pipeline.adapters.telnyx._queue_clips import QueuePlayback, Sound, join, read_sound
from ordered_pipeline.adapters.telnyx._queue_ledger import Item, Ledger, Outcome, Part
from ordered_pipeline.voice import AudioFormat, Clip, PlayerCapabilities
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.wire._telnyx_calls import PlaybackStart, PlaybackStop
from ordered_pipeline.wire._telnyx_webhooks import CallHangup, PlaybackEnded, PlaybackStarted, Webhook

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

# What a telephone line carries. Telnyx would resample everything else to it, and be sent more bytes.
_FORMAT: Final = AudioFormat("wav", 8000)
# Posting takes about 240 ms, and up to 200 ms pass until a file sounds that is prepared late: what is shorter
# than both would be over before its follower can sound.
_JOINED_S: Final = 0.5
# The clips that may be unfinished beyond the one that sounds. As many as never hold back what the lead wants,
# even if each end is only presumed; and a bound where each starts later than is known.
_QUEUE_AHEAD: Final = 16
# The start of a sound is known by a guess (0.2 s), or by a webhook that took 0.06 s or somewhat longer.
_POSITION_ERROR_S: Final = 0.25
# What Telnyx answers if there is nothing to stop; its documents do not say.
_UNPROCESSABLE: Final = 422

_OUTCOMES: Final[dict[str | None, Outcome]] = {
    "completed": "completed",
    "cancelled": "cleared",
    "cancelled_amd": "cleared",
    "failed": "failed",
    "file_not_found": "failed",
}


@dataclass(slots=True)
class _Stop:
    """A `playback_stop` that is wanted."""

    done: anyio.Event = field(default_factory=anyio.Event)
    error: CallControlError | None = None


@final
class QueuePlayer:
    """A `~ordered_pipeline.voice.Player` of whole clips on a call, by ``playback_start``; open in its block.

    Leaving the block without an error lets what was accepted sound to its end, as far as is known; leaving it
    with one, or cancelled, stops it. Both end within a bounded time, whatever Telnyx does.

    Webhooks are to be given to `handle`. Without them all results are presumed, and positions drift by the
    time that Telnyx takes to start each file.
    """

    def __init__(
        self,
        calls: CallControl,
        call_control_id: str,
        *,
        lead_s: float = 1.0,
        url_for: Callable[[bytes], Awaitable[str]] | None = None,
    ) -> None:
        """Make a player for one call, which has been answered.

        Args:
            calls: Gives commands.
            call_control_id: Which call.
            lead_s: How much sound may be ahead of a file when it is posted, in seconds above 0. Less than
                half a second makes gaps; more makes what an interruption throws away.
            url_for: Puts a WAV file somewhere and returns its address, another one for other audio. None: the
                file is sent in the command.

        Raises:
            ValueError: *lead_s* is not above 0.
        """
        if not lead_s > 0:
            raise ValueError(f"lead_s must be above 0, got {lead_s!r}")
        self._calls: CallControl = calls
        self._call: str = call_control_id
        self._lead_s: float = lead_s
        self._url_for: Callable[[bytes], Awaitable[str]] | None = url_for
        self._changed: Bell = Bell()
        self._is_open: bool = False
        self._tasks: TaskGroup | None = None
        self._plays: set[anyio.CancelScope] = set()
        self._waiting: deque[Sound] = deque()
        self._ledger: Ledger = Ledger()
        # The posting that is under way, when the last one was over, whether anything was posted since the
        # last stop, and the stop that is wanted.
        self._posting: anyio.CancelScope | None = None
        self._posted_s: float = -math.inf
        self._is_heard: bool = False
        self._stop: _Stop | None = None
        self._over: CallOverError | None = None

    async def __aenter__(self) -> Self:
        """Begin to post what will be played."""
        # Clips are taken one at a time, in the order in which they were given.
        self._turn: anyio.Lock = anyio.Lock()
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._post_all)
        self._tasks.start_soon(self._stop_all)
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let what was accepted sound to its end, or after an error stop it."""
        tasks = self._tasks
        assert tasks is not None  # noqa: S101  # __aenter__ came first
        self._is_open = False
        self._end_plays()
        try:
            if kind is None:
                await self._drain()
        finally:
            try:
                with anyio.move_on_after(2 * self._calls.timeout_s, shield=True):
                    if self._is_busy():
                        await self._silence()
            except CallControlError:
                pass  # nobody is left to be told, and what the block raised matters more
            self._ledger.drop(anyio.current_time())
            self._changed.ring()
            if self._stop is not None:
                self._stop.done.set()
            # Not told of the error, it raises none: what the block raised is to come out as it is.
            self._tasks = None
            tasks.cancel_scope.cancel()
            await tasks.__aexit__(None, None, None)

    @property
    def capabilities(self) -> PlayerCapabilities:
        """It takes whole WAV files of 8 kHz, mono, and knows by webhooks what was heard."""
        return PlayerCapabilities(
            formats=(_FORMAT,),
            streaming=False,
            queue_ahead=_QUEUE_AHEAD,
            acknowledges="marks",
            position_error_s=_POSITION_ERROR_S,
        )

    async def play(self, clip: Clip, /) -> QueuePlayback:
        """Take *clip*; returns when it is one of the next to be posted, with half a second of others at most.

        Of a cancelled call nothing is heard. What comes of the posting, the playback tells.

        Raises:
            CallOverError: The call has ended.
            RuntimeError: The player was not entered, or its block has ended.
            ValueError: *clip* has another format than the player, or is no WAV file.
        """
        if not self._is_open:
            raise RuntimeError("a clip was played on a player that is not open; play inside its block")
        if clip.format != _FORMAT:
            raise ValueError(f"clip must have the player's format {_FORMAT!r}, got {clip.format!r}")
        self._check()
        with anyio.CancelScope() as scope:
            self._plays.add(scope)
            try:
                async with self._turn:
                    return await self._take(await clip.collect())
            finally:
                self._plays.discard(scope)
        part = Part(0.0)
        part.settle("cleared", anyio.current_time())
        return QueuePlayback(part, self._changed)

    async def clear(self) -> None:
        """Be silent: stop what plays and drop all that waits, here and at Telnyx.

        Returns when Telnyx has said so; a command that was under way is waited for, and stopped as well. A
        cancelled call goes on without being waited for.

        Raises:
            CallControlError: Telnyx could not be reached, or refused. What it has may sound on.
        """
        self._end_plays()
        if self._tasks is not None:
            await self._silence()

    def handle(self, webhook: Webhook) -> None:
        """Note what *webhook* tells; those of other calls and events are passed over.

        It may come late, again, or before one that was sent earlier.
        """
        if webhook.call_control_id not in {None, self._call}:
            return
        now_s = anyio.current_time()
        match webhook.event:
            case CallHangup():
                self._end(CallOverError("the call has ended"))
            case PlaybackStarted(overlay=overlay) if not overlay:
                self._ledger.told_started(webhook.client_state, now_s)
            case PlaybackEnded(status="call_hangup"):
                self._end(CallOverError("the call has ended"))
            case PlaybackEnded(status=status, overlay=overlay) if not overlay:
                self._ledger.told_ended(webhook.client_state, _OUTCOMES.get(status, "presumed"), now_s)
            case _:
                return
        self._changed.ring()

    def _check(self) -> None:
        if self._over is not None:
            raise CallOverError("a clip was played on a call that has ended") from self._over

    async def _take(self, data: bytes) -> QueuePlayback:
        sound = read_sound(data)
        if sound is None:
            part = Part(0.0)
            part.settle("completed", anyio.current_time())
            return QueuePlayback(part, self._changed)
        while self._over is None and sum(each.part.length_s for each in self._waiting) >= _JOINED_S:
            await self._changed.wait()
        self._check()
        self._waiting.append(sound)
        self._changed.ring()
        return QueuePlayback(sound.part, self._changed)

    async def _post_all(self) -> NoReturn:
        while True:
            post_s = self._ledger.ready_s - self._lead_s
            if not self._waiting or self._stop is not None:
                await self._changed.wait()
            elif anyio.current_time() < post_s:
                with anyio.CancelScope(deadline=post_s):
                    await self._changed.wait()
            else:
                await self._post(self._next())

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
        self._changed.ring()
        return sounds

    async def _post(self, sounds: list[Sound]) -> None:
        item = Item(str(uuid4()), tuple(sound.part for sound in sounds))
        self._ledger.open.append(item)
        try:
            with anyio.CancelScope() as self._posting:
                command = await self._command(item, join(sounds))
                self._is_heard = True
                item.sent_s = anyio.current_time()
                await self._calls.send(self._call, command)
                if item in self._ledger.open:
                    self._ledger.accepted(item, anyio.current_time())
        except CallOverError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001  # url_for's as well: whoever waits for the clip gets it
            if item in self._ledger.open:
                self._ledger.fail(item, error, anyio.current_time())
        finally:
            self._posting = None
            self._posted_s = anyio.current_time()
            self._changed.ring()

    async def _command(self, item: Item, file: bytes) -> PlaybackStart:
        url = None if self._url_for is None else await self._url_for(file)
        return PlaybackStart(
            audio_url=url,
            playback_content=file if url is None else None,
            audio_type="wav",
            client_state=item.state,
            command_id=item.command_id,
        )

    async def _stop_all(self) -> NoReturn:
        while True:
            if self._stop is None:
                await self._changed.wait()
                continue
            try:
                stopped_s = anyio.current_time()
                await self._send_stop()
                while self._posting is not None:
                    await self._changed.wait()
                if self._posted_s > stopped_s:
                    await self._send_stop()
                self._is_heard = False
            except CallOverError as error:
                self._end(error)
            except CallControlError as error:
                self._stop.error = error
            self._ledger.drop(anyio.current_time())
            self._stop.done.set()
            self._stop = None
            self._changed.ring()

    async def _send_stop(self) -> None:
        try:
            await self._calls.send(self._call, PlaybackStop(stop="all"))
        except CommandRefusedError as error:
            if error.reply.status != _UNPROCESSABLE:
                raise

    async def _silence(self) -> None:
        now_s = anyio.current_time()
        for sound in self._waiting:
            sound.part.settle("cleared", now_s)
        self._waiting.clear()
        if self._posting is not None:
            self._posting.cancel()
        if self._over is not None or not self._is_heard:
            self._ledger.drop(now_s)
            self._changed.ring()
            return
        stop = self._stop = self._stop or _Stop()
        self._changed.ring()
        await stop.done.wait()
        if stop.error is not None:
            raise stop.error

    async def _drain(self) -> None:
        while self._is_busy():
            with anyio.CancelScope(deadline=self._ledger.due_s):
                await self._changed.wait()

    def _is_busy(self) -> bool:
        self._ledger.presume(anyio.current_time())
        return bool(self._waiting or self._ledger.open)

    def _end(self, error: CallOverError) -> None:
        """Note that the call is over, for the reason of *error*."""
        self._over = self._over or error
        now_s = anyio.current_time()
        for sound in self._waiting:
            sound.part.fail(error, now_s)
        self._waiting.clear()
        self._ledger.end(error, now_s)
        if self._posting is not None:
            self._posting.cancel()
        self._changed.ring()

    def _end_plays(self) -> None:
        for scope in self._plays:
            scope.cancel()
