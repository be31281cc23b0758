"""The commands to a call, one value each. One with a value that Telnyx does not document cannot be made.

1. What is None is left out, and Telnyx's own default holds.
2. Commands of one call are carried out in the order in which they arrive: there is no number in them.
3. Of two commands with one ``command_id`` within 60 seconds the second is ignored. A command that is sent
   again because its reply was lost must carry the same one, or it is carried out twice.
4. ``client_state`` comes back in webhooks.

Source:
    Telnyx's API document of July 2026; "Receiving webhooks" in its knowledge base for the 60 seconds.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal, TypeAlias

from ordered_pipeline.wire._telnyx_calls._checks import check_command

AudioType: TypeAlias = Literal["mp3", "wav"]
Stop: TypeAlias = Literal["current", "all"]
Legs: TypeAlias = Literal["self", "opposite", "both"]
Loop: TypeAlias = int | Literal["infinity"]
Track: TypeAlias = Literal["inbound_track", "outbound_track", "both_tracks"]
Codec: TypeAlias = Literal["PCMU", "PCMA", "G722", "OPUS", "AMR-WB", "L16"]
AnyCodec: TypeAlias = Codec | Literal["default"]
Mode: TypeAlias = Literal["mp3", "rtp"]
Rate: TypeAlias = Literal[8000, 16000, 22050, 24000, 48000]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Take an incoming call, and if ``stream_url`` is given begin a media stream.

    The options of the stream are those of `StreamingStart`.
    """

    action: ClassVar[Literal["answer"]] = "answer"

    stream_url: str | None = None
    stream_track: Track | None = None
    stream_codec: AnyCodec | None = None
    stream_bidirectional_mode: Mode | None = None
    stream_bidirectional_codec: Codec | None = None
    stream_bidirectional_target_legs: Legs | None = None
    send_silence_when_idle: bool | None = None
    webhook_url: str | None = None
    client_state: bytes | str | None = None
    command_id: str | None = None

    def __post_init__(self) -> None:
        check_command(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hangup:
    """End the call."""

    action: ClassVar[Literal["hangup"]] = "hangup"

    client_state: bytes | str | None = None
    command_id: str | None = None

    def __post_init__(self) -> None:
        check_command(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackStart:
    """Play a file behind what is queued. Exactly one of the three sources is to be given.

    Attributes:
        audio_url: Where Telnyx fetches the file.
        media_name: What the file is called that was stored with Telnyx.
        playback_content: The file itself.
        audio_type: What `audio_url` or `playback_content` is. Telnyx takes it for MP3 if this is not given.
        cache_audio: Whether what `audio_url` named may be kept for the next time; true if not given.
        loop: How often, 1 to 100.
        overlay: Play over what plays, on the own leg only.
        stop: ``"current"``: play this instead of what plays; ``"all"``: and instead of what is queued, too.
        target_legs: Who hears it; ``"self"``, the leg that is commanded, if not given.
    """

    action: ClassVar[Literal["playback_start"]] = "playback_start"

    audio_url: str | None = None
    media_name: str | None = None
    playback_content: bytes | None = field(default=None, repr=False)
    audio_type: AudioType | None = None
    cache_audio: bool | None = None
    loop: Loop | None = None
    overlay: bool | None = None
    stop: Stop | None = None
    target_legs: Legs | None = None
    client_state: bytes | str | None = None
    command_id: str | None = None

    def __post_init__(self) -> None:
        check_command(self)
        given = [
            name
            for name in ("audio_url", "media_name", "playback_content")
            if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError(
                "exactly one of audio_url, media_name and playback_content must be given, "
                f"got {' and '.join(given) or 'none'}"
            )
        if self.overlay and self.target_legs not in {None, "self"}:
            raise ValueError(f"target_legs must be 'self' with overlay, got {self.target_legs!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackStop:
    """Stop what plays.

    Attributes:
        stop: ``"current"``: what is queued goes on; ``"all"``, and if not given: it is dropped as well.
        overlay: What plays over the rest is meant, not the rest.
    """

    action: ClassVar[Literal["playback_stop"]] = "playback_stop"

    stop: Stop | None = None
    overlay: bool | None = None
    client_state: bytes | str | None = None
    command_id: str | None = None

    def __post_init__(self) -> None:
        check_command(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Speak:
    """Have Telnyx's own voice say *payload*, behind what is queued.

    Attributes:
        payload: Text of at most 3,000 characters.
        voice: Such as ``"female"`` or ``"AWS.Polly.Joanna"``.
        payload_type: Whether `payload` is text, as it is if not given, or SSML.
        language: Such as ``"en-US"``; some voices want one.
        service_level: ``"premium"`` if not given.
        loop: As in `PlaybackStart`, and so are *stop* and *target_legs*.
    """

    action: ClassVar[Literal["speak"]] = "speak"

    payload: str
    voice: str
    payload_type: Literal["text", "ssml"] | None = None
    language: str | None = None
    service_level: Literal["basic", "premium"] | None = None
    loop: Loop | None = None
    stop: Stop | None = None
    target_legs: Legs | None = None
    client_state: bytes | str | None = None
    command_id: str | None = None

    def __post_init__(self) -> None:
        check_command(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingStart:
    """Have Telnyx connect to a WebSocket, send the call's audio there and play what comes back.

    Attributes:
        stream_url: The WebSocket's address.
        stream_track: Whose audio is sent; the caller's (``"inbound_track"``) if not given.
        stream_codec: How it is encoded; the call's own codec if not given.
        stream_bidirectional_mode: What is sent back: whole MP3 files, as is meant if not given, or a codec's
            bytes (``"rtp"``).
        stream_bidirectional_codec: Which codec, in ``"rtp"`` mode; PCMU if not given.
        stream_bidirectional_sampling_rate: Its samples a second; 8,000 if not given, also for L16.
        stream_bidirectional_target_legs: Who hears what is sent back; ``"opposite"`` if not given.
        custom_parameters: Names and values that the stream's ``start`` message is to tell.
        stream_auth_token: A secret that tells the WebSocket's server that it is this stream.
    """

    action: ClassVar[Literal["streaming_start"]] = "streaming_start"

    stream_url: str
    stream_track: Track | None = None
    stream_codec: AnyCodec | None = None
    stream_bidirectional_mode: Mode | None = None
    stream_bidirectional_codec: Codec | None = None
    stream_bidirectional_sampling_rate: Rate | None = None
    stream_bidirectional_target_legs: Legs | None = None
    custom_parameters: tuple[tuple[str, str], ...] = ()
    stream_auth_token: str | None = field(default=None, repr=False)
    client_state: bytes | str | None = None
    command_id: str | None = None

    def __post_init__(self) -> None:
        check_command(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingStop:
    """End a media stream.

    Attributes:
        stream_id: Which one; all of the call if not given.
    """

    action: ClassVar[Literal["streaming_stop"]] = "streaming_stop"

    stream_id: str | None = None
    client_state: bytes | str | None = None
    command_id: str | None = None

    def __post_init__(self) -> None:
        check_command(self)


Command: TypeAlias = Answer | Hangup | PlaybackStart | PlaybackStop | Speak | StreamingStart | StreamingStop

COMMANDS: Final[tuple[type[Command], ...]] = (
    Answer,
    Hangup,
    PlaybackStart,
    PlaybackStop,
    Speak,
    StreamingStart,
    StreamingStop,
)
