"""What Telnyx tells of a call. The words in it (states, causes) are strings, for Telnyx adds new ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class CallInitiated:
    """A call has come in (``direction`` is ``"incoming"``) or was placed (``"outgoing"``)."""

    event_type: ClassVar[str] = "call.initiated"

    direction: str | None = None
    state: str | None = None
    from_: str | None = None
    to: str | None = None
    start_time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """The call can be spoken on."""

    event_type: ClassVar[str] = "call.answered"

    state: str | None = None
    from_: str | None = None
    to: str | None = None
    start_time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallHangup:
    """The call is over.

    Attributes:
        hangup_cause: Such as ``"normal_clearing"``, ``"user_busy"``, ``"time_limit"``.
        hangup_source: ``"caller"``, ``"callee"`` or ``"unknown"``.
    """

    event_type: ClassVar[str] = "call.hangup"

    hangup_cause: str | None = None
    hangup_source: str | None = None
    sip_hangup_cause: str | None = None
    state: str | None = None
    from_: str | None = None
    to: str | None = None
    start_time: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackStarted:
    """A file is heard. If its bytes were in the command, it has neither address nor name."""

    event_type: ClassVar[str] = "call.playback.started"

    media_url: str | None = None
    media_name: str | None = None
    overlay: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackEnded:
    """A file is heard no more.

    Attributes:
        status: ``"completed"``, ``"cancelled"``, ``"cancelled_amd"``, ``"call_hangup"``,
            ``"file_not_found"``, ``"failed"`` or ``"unknown"``.
    """

    event_type: ClassVar[str] = "call.playback.ended"

    status: str | None = None
    status_detail: str | None = None
    media_url: str | None = None
    media_name: str | None = None
    overlay: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakStarted:
    """Telnyx's voice is heard."""

    event_type: ClassVar[str] = "call.speak.started"

    speak_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeakEnded:
    """Telnyx's voice is heard no more.

    Attributes:
        status: ``"completed"``, ``"call_hangup"`` or ``"cancelled_amd"``.
    """

    event_type: ClassVar[str] = "call.speak.ended"

    status: str | None = None
    speak_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingStarted:
    """Telnyx has connected to the WebSocket."""

    event_type: ClassVar[str] = "streaming.started"

    stream_url: str | None = None
    stream_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingStopped:
    """A media stream is over."""

    event_type: ClassVar[str] = "streaming.stopped"

    stream_url: str | None = None
    stream_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamParams:
    """What a media stream was asked to be."""

    stream_url: str | None = None
    track: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingFailed:
    """A media stream did not come about, or broke.

    Attributes:
        failure_reason: Such as ``"connection_failed"``.
    """

    event_type: ClassVar[str] = "streaming.failed"

    failure_reason: str | None = None
    stream_id: str | None = None
    stream_type: str | None = None
    stream_params: StreamParams | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfReceived:
    """The caller has pressed a key."""

    event_type: ClassVar[str] = "call.dtmf.received"

    digit: str | None = None
    from_: str | None = None
    to: str | None = None


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event that is not known here.

    Attributes:
        event_type: Which.
        payload: Its JSON object, as text.
    """

    event_type: str
    payload: str


KnownEvent: TypeAlias = (
    CallInitiated
    | CallAnswered
    | CallHangup
    | PlaybackStarted
    | PlaybackEnded
    | SpeakStarted
    | SpeakEnded
    | StreamingStarted
    | StreamingStopped
    | StreamingFailed
    | DtmfReceived
)
CallEvent: TypeAlias = KnownEvent | OtherEvent

EVENTS: Final[Mapping[str, type[KnownEvent]]] = MappingProxyType(
    {
        kind.event_type: kind
        for kind in (
            CallInitiated,
            CallAnswered,
            CallHangup,
            PlaybackStarted,
            PlaybackEnded,
            SpeakStarted,
            SpeakEnded,
            StreamingStarted,
            StreamingStopped,
            StreamingFailed,
            DtmfReceived,
        )
    }
)
