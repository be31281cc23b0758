"""The messages of a media stream: one JSON text each, from Telnyx and to it.

1. Telnyx opens the WebSocket. It sends ``connected``, ``start``, then ``media``, ``mark``, ``dtmf`` and
   ``error`` as they come, and ``stop`` at the end. A bot may send ``media``, ``mark`` and ``clear``.
2. Audio is in base64: the bytes of the codec alone, without headers (``rtp`` mode), or a whole MP3 file.
3. Frames of caller audio may come out of order; `Reorder` puts them right. Frames to Telnyx play in the
   order in which they are sent.
4. A mark comes back once what was sent before it has been played, and as well when it was cleared away.

What Telnyx sends is read leniently and may lack any field whose default here is None.

Source:
    Telnyx, "Media Streaming over WebSockets" and the AsyncAPI page of the same, 2026; for the older shape of
    errors its API document of 2024.
"""

from collections.abc import Callable
from typing import Final

from ordered_pipeline.wire._telnyx_fields import (
    JsonObject,
    child,
    dump_object,
    elements,
    integer,
    load_object,
    required_text,
    text,
    to_base64,
)
from ordered_pipeline.wire._telnyx_media._messages import (
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
    Unknown,
)
from ordered_pipeline.wire._telnyx_media._shared import mark_name_of, payload_of


def decode_media_message(message: str | bytes) -> MediaMessage:
    """Return what Telnyx sent.

    Raises:
        TelnyxPayloadError: Its audio is not base64.
        TelnyxMessageError: It is no JSON object, or lacks its event, or that lacks what it is about.
    """
    fields = load_object(message)
    event = required_text(fields, "event", "event")
    decoder = _DECODERS.get(event)
    if decoder is None:
        return Unknown(event, message if isinstance(message, str) else message.decode())
    return decoder(fields)


def encode_media(payload: bytes) -> str:
    """Return the message that has Telnyx play *payload* behind what it has already.

    Args:
        payload: Bytes of the codec, of 20 ms to 30 s; in ``mp3`` mode a whole file.

    Raises:
        TypeError: *payload* is no bytes.
        ValueError: It is empty.
    """
    if not isinstance(payload, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"payload must be bytes, got {type(payload).__name__}")
    if not payload:
        raise ValueError("payload must not be empty, got b''; send nothing instead")
    # Written out, for it is done 50 times a second for each call: ten times as fast as from a dict.
    return '{"event":"media","media":{"payload":"' + to_base64(payload) + '"}}'


def encode_mark(name: str) -> str:
    """Return the message that Telnyx is to answer with the same mark when it has played what it has.

    Raises:
        TypeError: *name* is no string.
        ValueError: It is empty.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"name must be a string, got {name!r}")
    if not name:
        raise ValueError("name must not be empty, got ''; a mark is known by its name")
    return dump_object({"event": "mark", "mark": {"name": name}})


def encode_clear() -> str:
    """Return the message that silences Telnyx at once and drops what it has not played."""
    return '{"event":"clear"}'


def _connected(fields: JsonObject) -> Connected:
    # XXX: that the token stands here is documented, the name that it has is reported. Telnyx can answer it.
    return Connected(text(fields, "version"), text(child(fields, "connected"), AUTH_TOKEN_HEADER))


def _started(fields: JsonObject) -> Start:
    start = child(fields, "start")
    parameters = child(start, "custom_parameters")
    return Start(
        call_control_id=required_text(start, "call_control_id", "start.call_control_id"),
        media_format=_media_format(child(start, "media_format")),
        call_session_id=text(start, "call_session_id"),
        user_id=text(start, "user_id"),
        from_=text(start, "from"),
        to=text(start, "to"),
        tags=tuple(tag for tag in elements(start, "tags") if isinstance(tag, str)),
        client_state_base64=text(start, "client_state"),
        custom_parameters=tuple(
            (name, value) for name in parameters if (value := text(parameters, name)) is not None
        ),
        sequence_number=integer(fields, "sequence_number"),
        stream_id=text(fields, "stream_id"),
    )


def _media_format(fields: JsonObject) -> MediaFormat | None:
    encoding, sample_rate_hz = text(fields, "encoding"), integer(fields, "sample_rate")
    if encoding is None or sample_rate_hz is None:
        return None
    channels = integer(fields, "channels")
    return MediaFormat(encoding, sample_rate_hz, 1 if channels is None else channels)


def _media(fields: JsonObject) -> Media:
    media = child(fields, "media")
    return Media(
        payload_of(media),
        text(media, "track"),
        integer(media, "chunk"),
        integer(media, "timestamp"),
        integer(fields, "sequence_number"),
        text(fields, "stream_id"),
    )


def _mark(fields: JsonObject) -> Mark:
    return Mark(mark_name_of(fields), integer(fields, "sequence_number"), text(fields, "stream_id"))


def _dtmf(fields: JsonObject) -> Dtmf:
    return Dtmf(
        required_text(child(fields, "dtmf"), "digit", "dtmf.digit"),
        text(fields, "occurred_at"),
        integer(fields, "sequence_number"),
        text(fields, "stream_id"),
    )


def _error(fields: JsonObject) -> StreamError:
    error = child(fields, "payload") or child(fields, "error")
    return StreamError(
        integer(error, "code"),
        text(error, "title"),
        text(error, "detail"),
        integer(fields, "sequence_number"),
        text(fields, "stream_id"),
    )


def _stopped(fields: JsonObject) -> Stop:
    stop = child(fields, "stop")
    return Stop(
        text(stop, "call_control_id"),
        text(stop, "user_id"),
        integer(fields, "sequence_number"),
        text(fields, "stream_id"),
    )


_DECODERS: Final[dict[str, Callable[[JsonObject], MediaMessage]]] = {
    "connected": _connected,
    "start": _started,
    "media": _media,
    "mark": _mark,
    "dtmf": _dtmf,
    "error": _error,
    "stop": _stopped,
}
