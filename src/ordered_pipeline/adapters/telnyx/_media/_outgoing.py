"""What goes out: clips are read, cut into frames, and sent when they are due; marks tell which were heard.

Rules kept here:

1. One task reads the clips' audio, one sends it, and one watches that it is taken; a ``clear`` is sent by
   whoever asks for it, between two frames. If he is cancelled meanwhile, it is owed, and sent before anything
   else.
2. Frames are sent when they are due (`_pacing`): at most one lead and two frames before they have played, so
   that a ``clear`` finds little, and never by sleeping a fixed time, which drifts.
3. A mark follows the frame in which a clip ends. Telnyx returns it when the clip was heard, and as well when
   it was cleared: a mark counts only while its clip is not over. A lost one is made up for by the next one
   that comes, or presumed some time after the clip should have been over.
"""

import math
from collections import deque
from collections.abc import Callable
from typing import Final, final

import anyio

from ordered_pipeline.adapters.telnyx._media._pacing import FRAME_S, Frame, Pacing
from ordered_pipeline.adapters.telnyx._media._playback import StreamPlayback
from ordered_pipeline.adapters.telnyx._media._socket import MediaSocket, TelnyxStreamClosedError
from ordered_pipeline.voice import AudioFormat, Clip
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.wire._telnyx_l16 import ByteOrder, in_byteorder
from ordered_pipeline.wire._telnyx_media import encode_clear, encode_mark, encode_media

# One to follow the clip that sounds without a gap, and one more because a clip counts as unfinished until its
# mark is back, when the next one, if it is short, may nearly be over.
QUEUE_AHEAD: Final = 2
# More of a clip is read as long as less than this waits to be sent.
_CAPACITY_S: Final = 1.0
# How long after a clip should have been over its mark is waited for.
_PATIENCE_S: Final = 2.0
# How late a clip sounds by our clock until a mark has told: a guess.
LATE_S: Final = 0.1
# How long a message may take to be sent: by then Telnyx has had nothing to play for almost as long.
_STALL_S: Final = 5.0


@final
class Outgoing:
    """The clips on their way to the caller.

    Attributes:
        position_error_s: How late the last mark was that came back: as late as its clip sounded, what Telnyx
            holds back included, and the mark's own way. A guess while none has.
    """

    def __init__(
        self,
        socket: MediaSocket,
        audio_format: AudioFormat,
        *,
        byteorder: ByteOrder,
        lead_s: float,
        lost: Callable[[str, Exception | None], None],
    ) -> None:
        """Begin with no clips.

        Args:
            socket: Where they go.
            audio_format: The format of all clips.
            byteorder: What L16 is sent in.
            lead_s: How long before it plays a frame is sent, in seconds.
            lost: Told why nothing can be sent any more, and with which error that began; `end` is up to it.
        """
        self._socket: MediaSocket = socket
        self._byteorder: ByteOrder = byteorder if audio_format.encoding == "s16le" else "little"
        self._pacing: Pacing = Pacing(audio_format, lead_s=lead_s)
        self.position_error_s: float = LATE_S
        self._lost: Callable[[str, Exception | None], None] = lost
        # The clips that were accepted and are not over, oldest first; and those of them nobody reads yet.
        self._clips: deque[StreamPlayback] = deque()
        self._waiting: deque[StreamPlayback] = deque()
        # How often all was cleared, and how many clips there have been.
        self._generation: int = 0
        self._number: int = 0
        self._owes_clear: bool = False
        # There is something to send; clips have come or gone; less than enough waits to be sent.
        self._work: Bell = Bell()
        self._clips_changed: Bell = Bell()
        self._room: Bell = Bell()
        # Clips are accepted in the order in which they were given.
        self._turn: anyio.Lock = anyio.Lock()
        # One message at a time is sent. A lock of anyio would be a tenth of what it costs to send a frame.
        self._is_sending: bool = False
        self._line_free: Bell = Bell()
        # Since when a message waits to be taken.
        self._begun_s: float = math.inf
        self._reading: anyio.CancelScope | None = None
        self._why_over: str | None = None
        self._cause: Exception | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._why_over is not None

    async def play(self, clip: Clip) -> StreamPlayback:
        """Take *clip*; waits while as many wait as are queued.

        Raises:
            TelnyxStreamClosedError: The stream is over.
        """
        generation = self._generation
        async with self._turn:
            while len(self._clips) > QUEUE_AHEAD and not self.is_over:
                await self._clips_changed.wait()
        if self.is_over:
            raise self._error()
        self._number += 1
        playback = StreamPlayback(clip, f"{self._generation}.{self._number}")
        if generation != self._generation:
            playback.clear()
            return playback
        self._clips.append(playback)
        self._waiting.append(playback)
        self._clips_changed.ring()
        return playback

    async def clear(self) -> None:
        """Drop all clips, here and at Telnyx."""
        self._generation += 1
        self._owes_clear = not self.is_over
        for playback in self._clips:
            playback.clear()
        self._drop()
        self._work.ring()
        await self._send_clear()

    def heard(self, mark: str) -> None:
        """Note that what came before a mark was heard; marks of clips that are over say nothing."""
        if any(playback.mark == mark and playback.expected_s < math.inf for playback in self._clips):
            is_last = False
            while not is_last:
                playback = self._clips[0]
                is_last = playback.mark == mark
                if is_last:
                    self.position_error_s = abs(anyio.current_time() - playback.expected_s)
                playback.complete("completed")
                self._leave(playback)

    def end(self, why: str, cause: Exception | None) -> None:
        """Fail all clips: nothing can be sent any more."""
        self._why_over, self._cause = why, cause
        for playback in self._clips:
            playback.fail(self._error())
        self._drop()

    def _error(self) -> TelnyxStreamClosedError:
        error = TelnyxStreamClosedError(f"nothing can be played on the media stream: {self._why_over}")
        error.__cause__ = self._cause
        return error

    def _drop(self) -> None:
        """Forget all clips."""
        self._clips.clear()
        self._waiting.clear()
        self._pacing.drop()
        if self._reading is not None:
            self._reading.cancel()
        self._clips_changed.ring()

    def _leave(self, playback: StreamPlayback) -> None:
        """Forget a clip that is over."""
        self._clips.remove(playback)
        self._clips_changed.ring()

    async def read(self) -> None:
        """Read the clips, one after another, as they come."""
        while True:
            while not self._waiting:
                await self._clips_changed.wait()
            playback = self._waiting.popleft()
            with anyio.CancelScope() as self._reading:
                try:
                    await self._read(playback)
                except ValueError as error:
                    playback.fail(error)
                    self._leave(playback)

    async def _read(self, playback: StreamPlayback) -> None:
        async for chunk in playback.clip:
            # The cancellation may not have struck yet.
            if playback.is_over:
                return
            self._pacing.put(playback.sound, chunk.data)
            self._work.ring()
            while self._pacing.queued_s >= _CAPACITY_S:
                await self._room.wait()
        if not playback.is_over:
            self._pacing.end(playback.sound)
            self._work.ring()

    async def send(self) -> None:
        """Send what is due."""
        while True:
            if self._owes_clear:
                await self._send_clear()
            now_s = anyio.current_time()
            frame = self._pacing.take(now_s)
            if frame is not None:
                await self._send_frame(frame, now_s)
            presume_s = self._presume(now_s)
            due_s = self._pacing.due_s()
            if due_s <= now_s or self._owes_clear:
                continue
            if self._pacing.queued_s >= FRAME_S:
                # Two frames at most: nothing in between is worth a wait that can be woken, which costs five
                # times as much.
                await anyio.sleep_until(due_s)
            else:
                with anyio.CancelScope(deadline=min(due_s, presume_s)):
                    await self._work.wait()

    async def _send_frame(self, frame: Frame, now_s: float) -> None:
        ended = [playback for playback in self._clips if playback.sound in frame.ended]
        for playback in self._clips:
            if playback.sound.spans:
                playback.begin()
        if self._pacing.queued_s < _CAPACITY_S:
            self._room.ring()
        if frame.data:
            await self._put(encode_media(in_byteorder(frame.data, self._byteorder)), now_s)
        for playback in ended:
            if not playback.is_over:
                now_s = anyio.current_time()
                playback.expected_s = max(self._pacing.end_s, now_s)
                await self._put(encode_mark(playback.mark), now_s)

    async def _send_clear(self) -> None:
        while self._owes_clear and self._is_sending:
            await self._line_free.wait()
        # Another one may have sent it meanwhile; nothing was sent since then.
        if self._owes_clear:
            # In whose task this is: `watch` could not end it.
            with anyio.move_on_after(_STALL_S) as patience:
                await self._write(encode_clear())
            if patience.cancelled_caught:
                self._stalled()
            self._owes_clear = False

    async def _put(self, text: str, now_s: float) -> None:
        while self._is_sending:
            await self._line_free.wait()
        self._begun_s = now_s
        await self._write(text)
        self._begun_s = math.inf

    async def _write(self, text: str) -> None:
        if self.is_over:
            return
        self._is_sending = True
        try:
            await self._socket.send_text(text)
        except Exception as error:  # noqa: BLE001  # whatever the socket fails with
            self._lost("the socket was closed", error)
        finally:
            self._is_sending = False
            self._line_free.ring()

    async def watch(self) -> None:
        """Give up when a message was not taken for long."""
        # Once in so many seconds: a deadline for each message is a third of all that a stream costs.
        while True:
            now_s = anyio.current_time()
            if now_s >= self._begun_s + _STALL_S:
                self._stalled()
            await anyio.sleep_until(min(self._begun_s, now_s) + _STALL_S)

    def _stalled(self) -> None:
        self._lost(f"Telnyx took nothing for {_STALL_S:g} s", None)

    def _presume(self, now_s: float) -> float:
        """Presume heard what should have been for long; return when to look again."""
        while self._clips:
            given_up_s = self._clips[0].expected_s + _PATIENCE_S
            if now_s < given_up_s:
                return given_up_s
            self._clips[0].complete("presumed")
            self._leave(self._clips[0])
        return math.inf
