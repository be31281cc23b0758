"""The queue-ahead player: while one clip sounds, the next is at Telnyx already.

`_queue_sender` says what is posted when; here is what a player promises of it. Webhooks only report.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, final

import anyio

from ordered_pipeline.adapters.telnyx._calls import CallControl, CallOverError
from ordered_pipeline.adapters.telnyx._queue_clips import QueuePlayback, read_sound
from ordered_pipeline.adapters.telnyx._queue_ledger import Outcome, Part
from ordered_pipeline.adapters.telnyx._queue_sender import Sender
from ordered_pipeline.voice import AudioFormat, Clip, PlayerCapabilities
from ordered_pipeline.wire._telnyx_webhooks import CallHangup, PlaybackEnded, PlaybackStarted, Webhook

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

# What a telephone line carries. Telnyx would resample everything else to it, and be sent more bytes.
_FORMAT: Final = AudioFormat("wav", 8000)
# The clips that may be unfinished beyond the one that sounds. As many as never hold back what the lead wants,
# even if each end is only presumed; and a bound where each starts later than is known.
_QUEUE_AHEAD: Final = 16
# The start of a sound is known by a guess (0.2 s), or by a webhook that took 0.06 s or somewhat longer.
_POSITION_ERROR_S: Final = 0.25

_OUTCOMES: Final[dict[str | None, Outcome]] = {
    "completed": "completed",
    "cancelled": "cleared",
    "cancelled_amd": "cleared",
    "failed": "failed",
    "file_not_found": "failed",
}


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
            url_for: Puts a WAV file somewhere and returns its address, another one for other audio; nothing
                is posted meanwhile. None: the file is sent in the command.

        Raises:
            ValueError: *lead_s* is not above 0.
        """
        if not lead_s > 0:
            raise ValueError(f"lead_s must be above 0, got {lead_s!r}")
        self._timeout_s: float = calls.timeout_s
        self._call: str = call_control_id
        self._sender: Sender = Sender(calls, call_control_id, lead_s=lead_s, url_for=url_for)
        self._is_open: bool = False
        self._tasks: TaskGroup | None = None
        self._plays: set[anyio.CancelScope] = set()

    async def __aenter__(self) -> Self:
        """Begin to post what will be played."""
        # Clips are taken one at a time, in the order in which they were given.
        self._turn: anyio.Lock = anyio.Lock()
        self._tasks = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._sender.post_all)
        self._tasks.start_soon(self._sender.stop_all)
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
            # Nobody is left to be told of an error, and what the block raised matters more.
            with suppress(Exception), anyio.move_on_after(2 * self._timeout_s, shield=True):
                if self._sender.is_busy():
                    await self._sender.silence()
            self._sender.leave()
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
        return self._settled("cleared")

    async def clear(self) -> None:
        """Be silent: stop what plays and drop all that waits, here and at Telnyx.

        Returns when Telnyx has said so; a command that was under way is waited for, and stopped as well. A
        cancelled call goes on without being waited for.

        Raises:
            CallControlError: Telnyx could not be reached, or refused. What it has may sound on.
            Exception: What the client fails with; the same.
        """
        self._end_plays()
        if self._tasks is not None:
            await self._sender.silence()

    def handle(self, webhook: Webhook) -> None:
        """Note what *webhook* tells; those of other calls and events are passed over.

        It may come late, again, or before one that was sent earlier.
        """
        if webhook.call_control_id not in {None, self._call}:
            return
        now_s = anyio.current_time()
        match webhook.event:
            case CallHangup():
                self._sender.end(CallOverError("the call has ended"))
            case PlaybackStarted(overlay=overlay) if not overlay:
                self._sender.ledger.told_started(webhook.client_state, now_s)
            case PlaybackEnded(status="call_hangup"):
                self._sender.end(CallOverError("the call has ended"))
            case PlaybackEnded(status=status, overlay=overlay) if not overlay:
                self._sender.ledger.told_ended(webhook.client_state, _OUTCOMES.get(status, "presumed"), now_s)
            case _:
                return
        self._sender.changed.ring()

    def _check(self) -> None:
        if self._sender.over is not None:
            raise CallOverError("a clip was played on a call that has ended") from self._sender.over

    async def _take(self, data: bytes) -> QueuePlayback:
        sound = read_sound(data)
        if sound is None:
            return self._settled("completed")
        while not self._sender.has_room:
            await self._sender.changed.wait()
        self._check()
        self._sender.put(sound)
        return QueuePlayback(sound.part, self._sender.changed)

    def _settled(self, outcome: Outcome) -> QueuePlayback:
        """Return the playback of a clip of which nothing is to be heard."""
        part = Part(0.0)
        part.settle(outcome, anyio.current_time())
        return QueuePlayback(part, self._sender.changed)

    async def _drain(self) -> None:
        while self._sender.is_busy():
            with anyio.CancelScope(deadline=self._sender.ledger.due_s):
                await self._sender.changed.wait()

    def _end_plays(self) -> None:
        for scope in self._plays:
            scope.cancel()
