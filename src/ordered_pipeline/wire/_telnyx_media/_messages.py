"""The messages of a media stream. What Telnyx sends may lack any field whose default here is None."""

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ordered_pipeline.wire._telnyx_fields import from_base64

AUTH_TOKEN_HEADER: Final[str] = "x-telnyx-streaming-auth-token"  # noqa: S105  # its name, no token

# Codes of `StreamError`.
UNKNOWN_ERROR: Final[int] = 100002
MALFORMED_FRAME: Final[int] = 100003
INVALID_MEDIA: Final[int] = 100004
RATE_LIMIT_REACHED: Final[int] = 100005


@dataclass(frozen=True, slots=True)
class MediaFormat:
    """How the audio that Telnyx sends is encoded, as it was negotiated with the caller's side.

    Attributes:
        encoding: Such as ``"PCMU"``, as Telnyx wrote it.
        sample_rate_hz: Samples a second, of each channel.
        channels: How many channels.
    """

    encoding: str
    sample_rate_hz: int
    channels: int = 1

    @property
    def codec(self) -> str:
        """The encoding by the name that commands use for it, whichever name Telnyx wrote."""
        name = self.encoding.upper().removeprefix("AUDIO/")
        return {"X-MULAW": "PCMU", "X-ALAW": "PCMA"}.get(name, name)


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket is open; nothing is known about the call yet.

    Attributes:
        version: Of the protocol.
        auth_token: The stream's ``stream_auth_token``, which the header `AUTH_TOKEN_HEADER` tells as well.
    """

    version: str | None = None
    auth_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The stream begins: which call it is, and how its audio is encoded.

    Attributes:
        client_state_base64: As it stands in the message; `client_state` is what it says.
        custom_parameters: Names and values given to the command that started the stream.
    """

    call_control_id: str
    media_format: MediaFormat | None = None
    call_session_id: str | None = None
    user_id: str | None = None
    from_: str | None = None
    to: str | None = None
    tags: tuple[str, ...] = ()
    client_state_base64: str | None = None
    custom_parameters: tuple[tuple[str, str], ...] = ()
    sequence_number: int | None = None
    stream_id: str | None = None

    @property
    def client_state(self) -> bytes | None:
        """The bot's own note about the call; None if there is none, or it is not base64."""
        return from_base64(self.client_state_base64)


@dataclass(frozen=True, slots=True)
class Media:
    """Audio.

    Attributes:
        payload: Bytes of the codec. Which byte of a sample is first in L16 is the reader's to know.
        track: ``"inbound"`` is the caller's side, ``"outbound"`` ours; what a bot sends names none.
        chunk: Number of this frame on its track; see `Reorder`.
        timestamp_ms: When it was spoken, from the start of the stream.
        sequence_number: Number of this message among all that the stream brought.
    """

    payload: bytes = field(repr=False)
    track: str | None = None
    chunk: int | None = None
    timestamp_ms: int | None = None
    sequence_number: int | None = None
    stream_id: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark: sent by a bot behind its audio, and by Telnyx when that was played or cleared away."""

    name: str
    sequence_number: int | None = None
    stream_id: str | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """What was sent and has not been played is not to be."""


@dataclass(frozen=True, slots=True)
class Dtmf:
    """The caller has pressed a key."""

    digit: str
    occurred_at: str | None = None
    sequence_number: int | None = None
    stream_id: str | None = None


@dataclass(frozen=True, slots=True)
class StreamError:
    """Telnyx did not like what it was sent.

    Attributes:
        code: Such as 100003: a malformed frame.
        title: The code's name.
        detail: More about it.
    """

    code: int | None = None
    title: str | None = None
    detail: str | None = None
    sequence_number: int | None = None
    stream_id: str | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """The stream has ended."""

    call_control_id: str | None = None
    user_id: str | None = None
    sequence_number: int | None = None
    stream_id: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a kind that is not known here, as it came."""

    event: str
    text: str


MediaMessage: TypeAlias = Connected | Start | Media | Mark | Dtmf | StreamError | Stop | Unknown
"""What Telnyx sends."""

MediaCommand: TypeAlias = Media | Mark | Clear
"""What a bot sends."""
