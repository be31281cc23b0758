"""A call at Telnyx: carries out commands, is heard, and tells what happens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, final

from ordered_pipeline.testing._telnyx._agenda import Agenda
from ordered_pipeline.testing._telnyx._checks import api_error
from ordered_pipeline.testing._telnyx._options import TelnyxReadings, TelnyxTiming
from ordered_pipeline.testing._telnyx._playback import EndStatus, Fetched, Item, PlaybackQueue
from ordered_pipeline.testing._telnyx._stream import SimulatedStream, StreamEvent, StreamRequest, media_format
from ordered_pipeline.testing._telnyx._timeline import CallTimeline
from ordered_pipeline.testing._telnyx._translation import (
    item_event,
    played_item,
    spoken_item,
    state_of,
    stream_event,
    stream_request,
)
from ordered_pipeline.wire._telnyx_calls import (
    Answer,
    ApiError,
    Command,
    Hangup,
    PlaybackStart,
    PlaybackStop,
    Speak,
    StreamingStart,
    StreamingStop,
)
from ordered_pipeline.wire._telnyx_fields import to_base64
from ordered_pipeline.wire._telnyx_media import Start
from ordered_pipeline.wire._telnyx_webhooks import (
    CallAnswered,
    CallEvent,
    CallHangup,
    CallInitiated,
    DtmfReceived,
    Webhook,
)

_USER_ID: Final = "simulated-user"
_CONNECTION_ID: Final = "1684641123236054244"
# How long after its socket was lost a media stream connects again.
_CONNECTS_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CallIds:
    """What a call is known by."""

    call_control_id: str
    call_leg_id: str
    call_session_id: str
    from_: str
    to: str
    start_time: str


class Exchange(Protocol):
    """What a call needs of the rest of Telnyx."""

    agenda: Agenda
    timing: TelnyxTiming
    readings: TelnyxReadings

    def new_id(self) -> str:
        """Return an id that nothing else has."""
        ...

    def iso_now(self) -> str:
        """Return what time it is."""
        ...

    def tell(self, call: "SimulatedCall", webhook: Webhook, extras: Mapping[str, object]) -> None:
        """Send a webhook."""
        ...

    def fetch(self, command: PlaybackStart, done: Callable[[Fetched], None]) -> None:
        """Get the file that a command names."""
        ...

    def open_stream(self, request: StreamRequest, call: "SimulatedCall") -> SimulatedStream:
        """Begin a media stream."""
        ...


@final
class SimulatedCall:
    """One call.

    Attributes:
        ids: What it is known by.
        codec: What was negotiated with the caller's side, such as ``"PCMU"``; caller audio has it.
        state: ``"ringing"``, ``"answered"`` or ``"over"``.
        stream: The media stream, if there was one; the last of them.
        webhook_url: Where its webhooks go, if the command that answered it gave an address.
        webhook_retries_s: How long to wait before each further try of a webhook, by event, as that command
            said.
    """

    def __init__(self, exchange: Exchange, ids: CallIds, *, codec: str) -> None:
        """Make a call that rings."""
        self.ids: CallIds = ids
        self.codec: str = codec
        self.state: Literal["ringing", "answered", "over"] = "ringing"
        self.stream: SimulatedStream | None = None
        self.webhook_url: str | None = None
        self.webhook_retries_s: Mapping[str, tuple[float, ...]] = {}
        self._exchange: Exchange = exchange
        self._timeline: CallTimeline = CallTimeline()
        self._client_state: bytes | None = None
        self._item_count: int = 0
        self._queue: PlaybackQueue = self._new_queue()
        self._overlays: PlaybackQueue = self._new_queue()

    @property
    def call_control_id(self) -> str:
        """By which the call is commanded."""
        return self.ids.call_control_id

    @property
    def timeline(self) -> CallTimeline:
        """What is heard on it."""
        self._exchange.agenda.catch_up()
        return self._timeline

    # ------------------------------------------------------------ what a test does

    def hang_up(self) -> None:
        """Have the caller hang up."""
        self._exchange.agenda.catch_up()
        self.end("caller")

    def press(self, digit: str) -> None:
        """Have the caller press a key."""
        self._exchange.agenda.catch_up()
        self._tell(DtmfReceived(digit=digit, from_=self.ids.from_, to=self.ids.to))
        if self.stream is not None:
            self.stream.press(digit, self._exchange.iso_now())

    # ------------------------------------------------------------ what Telnyx does

    def ring(self) -> None:
        """Tell that it has come in."""
        event = CallInitiated(
            direction="incoming",
            state="parked",
            from_=self.ids.from_,
            to=self.ids.to,
            start_time=self.ids.start_time,
        )
        self._tell(event, {"calling_party_type": "pstn", "from_sip_uri": f"{self.ids.from_}@sip.invalid"})

    def answer(self) -> None:
        """Take it."""
        if self.state == "ringing":
            self.state = "answered"
            event = CallAnswered(
                state="answered", from_=self.ids.from_, to=self.ids.to, start_time=self.ids.start_time
            )
            self._tell(event, {"codec": self.codec, "sampling_rate": media_format(self.codec).sample_rate_hz})

    def end(self, source: str) -> None:
        """End it, and all that is heard on it."""
        if self.state == "over":
            return
        self.state = "over"
        self._queue.stop_all("call_hangup")
        self._overlays.stop_all("call_hangup")
        if self.stream is not None:
            self.stream.stop()
        event = CallHangup(
            hangup_cause="normal_clearing",
            hangup_source=source,
            sip_hangup_cause="200",
            state="hangup",
            from_=self.ids.from_,
            to=self.ids.to,
            start_time=self.ids.start_time,
        )
        self._tell(event, {"end_time": self._exchange.iso_now(), "calling_party_type": "pstn"})

    def carry_out(self, command: Command) -> ApiError | None:
        """Carry out *command*; return why not, if so."""
        readings = self._exchange.readings
        if self._open is not None and command.action in readings.refused_while_streaming:
            return api_error("90045", "This command can't be issued when media streaming is used.")
        # It is in every webhook from now on, this command's own included.
        before, self._client_state = self._client_state, state_of(command) or self._client_state
        refused = self._do(command)
        if refused is not None:
            self._client_state = before
        return refused

    def _do(self, command: Command) -> ApiError | None:
        refused: ApiError | None = None
        match command:
            case Answer():
                self._take(command)
            case Hangup():
                self.end("callee")
            case PlaybackStart():
                refused = self._play(command)
            case PlaybackStop():
                refused = self._stop(command)
            case Speak():
                item = spoken_item(
                    command, self._item_name(command), self._exchange.timing.speak_s_per_character
                )
                self._put(self._queue, command.stop, item)
            case StreamingStart():
                refused = self._start_stream(command)
            case StreamingStop():
                refused = self._stop_stream(command)
        return refused

    def _take(self, command: Answer) -> None:
        self.webhook_url = command.webhook_url
        self.answer()
        if command.stream_url is not None:
            self._open_stream(command, command.stream_url)

    # ------------------------------------------------------------ playback

    def _new_queue(self) -> PlaybackQueue:
        exchange = self._exchange
        return PlaybackQueue(
            exchange.agenda, exchange.timing, exchange.readings, self._timeline, self._tell_of_item
        )

    def _play(self, command: PlaybackStart) -> ApiError | None:
        if len(command.playback_content or b"") > self._exchange.readings.most_content_bytes:
            return api_error("10033", "The playback_content is too large.", "/playback_content")
        is_overlay = command.overlay is True
        if is_overlay and self._queue.is_empty:
            if self._exchange.readings.overlay_alone == "accepted":
                return None
            return api_error("10015", "An overlay needs something that plays.", "/overlay")
        item = played_item(
            command, self._item_name(command), lambda done: self._exchange.fetch(command, done)
        )
        self._put(self._overlays if is_overlay else self._queue, command.stop, item)
        return None

    def _put(self, queue: PlaybackQueue, stop: Literal["current", "all"] | None, item: Item) -> None:
        if stop == "all":
            queue.stop_all()
        elif stop == "current":
            queue.stop_current()
        queue.put(item)

    def _stop(self, command: PlaybackStop) -> ApiError | None:
        queue = self._overlays if command.overlay else self._queue
        if queue.is_empty and self._exchange.readings.stop_on_empty == "refused":
            return api_error("10015", "Nothing plays.")
        if command.stop == "current":
            queue.stop_current()
        else:
            queue.stop_all()
        return None

    def _item_name(self, command: PlaybackStart | Speak) -> str:
        self._item_count += 1
        return command.command_id or f"item-{self._item_count}"

    def _tell_of_item(self, item: Item, status: EndStatus | None) -> None:
        event, extras = item_event(item, status)
        is_own = self._exchange.readings.client_state == "item"
        self._tell(event, extras, item.client_state if is_own else None)

    # ------------------------------------------------------------ media stream

    @property
    def _open(self) -> SimulatedStream | None:
        """The stream that is not over."""
        return None if self.stream is None or self.stream.state == "over" else self.stream

    def _start_stream(self, command: StreamingStart) -> ApiError | None:
        if self._open is not None:
            return api_error("90046", "The call has a media stream already.")
        self._open_stream(command, command.stream_url)
        return None

    def _stop_stream(self, command: StreamingStop) -> ApiError | None:
        stream = self._open
        if stream is None:
            return api_error("90048", "This command can only be issued while media streaming is used.")
        if command.stream_id not in {None, stream.request.stream_id}:
            return api_error("10005", "There is no such stream.", "/stream_id")
        stream.stop()
        return None

    def _open_stream(self, command: Answer | StreamingStart, url: str) -> None:
        wanted = command.stream_codec
        obeys = self._exchange.readings.obeys_stream_codec and wanted != "default"
        start = Start(
            call_control_id=self.call_control_id,
            media_format=media_format(wanted if obeys and wanted is not None else self.codec),
            call_session_id=self.ids.call_session_id,
            user_id=_USER_ID,
            from_=self.ids.from_,
            to=self.ids.to,
            client_state_base64=self._state_base64(),
        )
        request = stream_request(command, url, start, self._exchange.new_id())
        self.stream = self._exchange.open_stream(request, self)

    def tell_of_stream(self, stream: SimulatedStream, event: StreamEvent) -> None:
        """Tell what became of a stream, and do what follows."""
        if event != "lost":
            self._tell(stream_event(stream.request, event))
        elif self._exchange.readings.lost_socket == "ends":
            self.end("unknown")
        elif self._exchange.readings.lost_socket == "connects":
            self._exchange.agenda.after(_CONNECTS_AGAIN_S, lambda: self._connect_again(stream))

    def _connect_again(self, lost: SimulatedStream) -> None:
        if self.stream is lost and self.state == "answered":
            self.stream = self._exchange.open_stream(lost.request, self)

    # ------------------------------------------------------------ webhooks

    def _state_base64(self) -> str | None:
        return None if self._client_state is None else to_base64(self._client_state)

    def _tell(
        self, event: CallEvent, extras: Mapping[str, object] | None = None, state: bytes | None = None
    ) -> None:
        webhook = Webhook(
            id="",
            event=event,
            call_control_id=self.call_control_id,
            call_leg_id=self.ids.call_leg_id,
            call_session_id=self.ids.call_session_id,
            connection_id=_CONNECTION_ID,
            client_state_base64=self._state_base64() if state is None else to_base64(state),
        )
        self._exchange.tell(self, webhook, extras or {})
