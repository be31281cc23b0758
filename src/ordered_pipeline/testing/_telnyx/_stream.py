"""A media stream: Telnyx connects to the bot, sends it the caller's audio, and plays what comes back."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal, TypeAlias, final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ordered_pipeline.testing._telnyx._agenda import Agenda
from ordered_pipeline.testing._telnyx._faults import MarkFault, Rules
from ordered_pipeline.testing._telnyx._options import TelnyxReadings, TelnyxTiming
from ordered_pipeline.testing._telnyx._playout import Playout, PlayoutFormat
from ordered_pipeline.testing._telnyx._sockets import Connect, TelnyxEnd
from ordered_pipeline.testing._telnyx._timeline import CallTimeline
from ordered_pipeline.wire._telnyx_media import (
    AUTH_TOKEN_HEADER,
    Connected,
    Dtmf,
    Mark,
    Media,
    MediaFormat,
    MediaMessage,
    Start,
    Stop,
    StreamError,
    encode_media_message,
)

StreamEvent: TypeAlias = Literal["started", "failed", "stopped", "lost"]

_FRAME_MS: Final = 20
_FRAME_S: Final = 0.02
# A frame of silence. Codecs that are not read here have something as long as one.
_SILENT_BYTE: Final = {"PCMU": b"\xff", "PCMA": b"\xd5"}
_PACKED_FRAME_BYTES: Final = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRequest:
    """What a command asks of a media stream."""

    stream_id: str
    url: str
    start: Start
    track: str
    sent: PlayoutFormat
    legs: str
    auth_token: str | None = field(default=None, repr=False)


@final
class SimulatedStream:
    """One media stream.

    Attributes:
        request: What was asked for.
        state: ``"connecting"``, ``"open"`` or ``"over"``.
        playout: Plays what the bot sends.
        caller_loss: How likely a frame of caller audio is lost, 0 to 1.
        caller_reorder: How likely it changes places with the next one, 0 to 1.
    """

    def __init__(
        self,
        agenda: Agenda,
        request: StreamRequest,
        *,
        timing: TelnyxTiming,
        readings: TelnyxReadings,
        timeline: CallTimeline,
        faults: Rules[MarkFault],
        random: Random,
        on_event: Callable[["SimulatedStream", StreamEvent], None],
    ) -> None:
        """Make one that is not connected."""
        self.request: StreamRequest = request
        self.state: Literal["connecting", "open", "over"] = "connecting"
        self.caller_loss: float = 0.0
        self.caller_reorder: float = 0.0
        self.playout: Playout = Playout(
            agenda,
            timing=timing,
            readings=readings,
            timeline=timeline,
            item=request.stream_id,
            sent=request.sent,
            faults=faults,
            on_mark=self._mark,
            on_error=self._error,
            on_overflow=lambda: self.break_off(1011),
        )
        self._agenda: Agenda = agenda
        self._timing: TelnyxTiming = timing
        self._readings: TelnyxReadings = readings
        self._random: Random = random
        self._on_event: Callable[[SimulatedStream, StreamEvent], None] = on_event
        self._scope: anyio.CancelScope = anyio.CancelScope()
        self._out: MemoryObjectSendStream[str] | None = None
        self._close_code: int = 1000
        self._begin_s: float = 0.0
        self._sequence: int = 0
        self._frame_number: int = 0
        self._swapped: Media | None = None
        self._caller: deque[bytes] = deque()
        self._readable: anyio.Event = anyio.Event()
        self._readable.set()

    @property
    def underruns(self) -> int:
        """How often sound was wanted and none was there, after there had been some."""
        return self.playout.underruns

    # ------------------------------------------------------------ what a test does

    def say(self, payload: bytes) -> None:
        """Have the caller say *payload*, bytes of the codec that the bot is sent, behind what it says."""
        size = self._frame_bytes
        self._caller.extend(payload[at : at + size] for at in range(0, len(payload), size))

    def break_off(self, code: int = 1006) -> None:
        """Break the connection without a ``stop`` message.

        Args:
            code: What the WebSocket is closed with; 1006 stands for a connection that just breaks.
        """
        self._close_code = code
        self._scope.cancel()

    def stall(self) -> None:
        """Read nothing more, until `go_on`: the bot's messages pile up in the connection, then it waits."""
        self._readable = anyio.Event()

    def go_on(self) -> None:
        """Read again."""
        self._readable.set()

    # ------------------------------------------------------------ what a call does

    def stop(self) -> None:
        """End the stream as Telnyx does."""
        if self.state == "connecting":
            self.state = "over"
            self._scope.cancel()
        if self.state == "open":
            self._end()
            start = self.request.start
            stop = Stop(start.call_control_id, start.user_id, self._next_number(), self.request.stream_id)
            self._send(stop)
            self._agenda.after(self._timing.media_latency_s, self._close_out)

    def press(self, digit: str, occurred_at: str) -> None:
        """Tell that the caller has pressed a key."""
        if self.state == "open":
            self._send(Dtmf(digit, occurred_at, self._next_number(), self.request.stream_id))

    # ------------------------------------------------------------ what runs

    async def run(self, connect: Connect) -> None:
        """Connect, and stay until the stream is over."""
        with self._scope:
            await anyio.sleep(self._timing.connect_s)
            try:
                token = self.request.auth_token
                socket = await connect(self.request.url, {} if token is None else {AUTH_TOKEN_HEADER: token})
            except OSError:
                self._agenda.catch_up()
                if self.state == "connecting":
                    self.state = "over"
                    self._on_event(self, "failed")
                return
            try:
                await self._converse(socket)
            finally:
                with anyio.CancelScope(shield=True):
                    await socket.aclose(self._close_code)
        self._agenda.catch_up()
        if self.state == "open":
            self._end()
            self._on_event(self, "lost")

    async def _converse(self, socket: TelnyxEnd) -> None:
        self._out, outgoing = anyio.create_memory_object_stream[str](float("inf"))
        with self._out:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write, socket, outgoing, tasks.cancel_scope)
                self._agenda.catch_up()
                self._open()
                await self._read(socket)
                tasks.cancel_scope.cancel()

    async def _write(
        self, socket: TelnyxEnd, outgoing: MemoryObjectReceiveStream[str], all_tasks: anyio.CancelScope
    ) -> None:
        with outgoing:
            try:
                async for text in outgoing:
                    await socket.send_text(text)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass  # the reader learns of it as well
            else:
                all_tasks.cancel()

    async def _read(self, socket: TelnyxEnd) -> None:
        try:
            while True:
                await self._readable.wait()
                text = await socket.receive_text()
                self._agenda.catch_up()
                if self._timing.media_latency_s:
                    self._agenda.after(self._timing.media_latency_s, lambda text=text: self._receive(text))  # type: ignore[misc]
                else:
                    self._receive(text)
        except anyio.EndOfStream:
            pass

    def _receive(self, text: str) -> None:
        if self.state == "open":
            self.playout.receive(text)

    def _open(self) -> None:
        self.state = "open"
        self._on_event(self, "started")
        self._send(Connected("1.0.0", self.request.auth_token))
        self._send(self.request.start)
        self._sequence = 1
        if self.request.track != "outbound_track":
            self._begin_s = self._agenda.now_s
            self._next_frame()

    def _end(self) -> None:
        self.state = "over"
        self.playout.stop()
        self._on_event(self, "stopped")

    # ------------------------------------------------------------ messages to the bot

    def _frame(self) -> None:
        """Send the caller's next 20 ms."""
        if self.state != "open":
            return
        self._frame_number += 1
        frame = Media(
            self._caller.popleft() if self._caller else self._silence,
            "inbound",
            self._frame_number,
            (self._frame_number - 1) * _FRAME_MS,
            self._next_number(),
            self.request.stream_id,
        )
        is_lost = self._random.random() < self.caller_loss
        is_late = self._random.random() < self.caller_reorder
        before, self._swapped = self._swapped, None
        if not is_lost and is_late and before is None:
            self._swapped = frame
        elif not is_lost:
            self._send(frame)
        if before is not None:
            self._send(before)
        self._next_frame()

    def _next_frame(self) -> None:
        # From the beginning: adding up 20 ms would drift.
        self._agenda.at(self._begin_s + (self._frame_number + 1) * _FRAME_S, self._frame)

    @property
    def _frame_bytes(self) -> int:
        media_format = self.request.start.media_format
        if media_format is None or media_format.codec not in {"PCMU", "PCMA", "L16"}:
            return _PACKED_FRAME_BYTES
        sample_bytes = 2 if media_format.codec == "L16" else 1
        return media_format.sample_rate_hz // 50 * sample_bytes

    @property
    def _silence(self) -> bytes:
        media_format = self.request.start.media_format
        codec = "" if media_format is None else media_format.codec
        return _SILENT_BYTE.get(codec, b"\0") * self._frame_bytes

    def _mark(self, name: str) -> None:
        if self.state == "open":
            self._send(Mark(name, self._next_number(), self.request.stream_id))

    def _error(self, code: int, title: str, detail: str) -> None:
        self._send(StreamError(code, title, detail, self._next_number(), self.request.stream_id))
        if self._readings.after_error == "closed":
            self._agenda.after(self._timing.media_latency_s, self._close_out)

    def _next_number(self) -> int:
        self._sequence += 1
        return self._sequence

    def _send(self, message: MediaMessage) -> None:
        text = encode_media_message(message, legacy_errors=self._readings.error_shape == "legacy")
        if self._timing.media_latency_s:
            self._agenda.after(self._timing.media_latency_s, lambda: self._put(text))
        else:
            self._put(text)

    def _put(self, text: str) -> None:
        if self._out is not None:
            try:
                self._out.send_nowait(text)
            except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                pass  # the connection is gone

    def _close_out(self) -> None:
        """Have the writer close when it has written all."""
        if self._out is not None:
            self._out.close()


def media_format(codec: str, *, rate_hz: int | None = None) -> MediaFormat:
    """Return the format of caller audio in *codec*, at the rate that is usual for it if none is given."""
    return MediaFormat(codec, rate_hz or (16000 if codec in {"L16", "AMR-WB", "OPUS"} else 8000))
