"""The other side of `_bot`: a media stream's messages as Telnyx reads and writes them, for a simulator."""

from typing import assert_never

from ordered_pipeline.wire._telnyx_fields import (
    JsonObject,
    TelnyxMessageError,
    child,
    dump_object,
    load_object,
    present,
    shown,
    to_base64,
)
from ordered_pipeline.wire._telnyx_media._messages import (
    AUTH_TOKEN_HEADER,
    Clear,
    Connected,
    Dtmf,
    Mark,
    Media,
    MediaCommand,
    MediaFormat,
    MediaMessage,
    Start,
    Stop,
    StreamError,
    Unknown,
)
from ordered_pipeline.wire._telnyx_media._shared import mark_name_of, payload_of


def decode_media_command(message: str | bytes) -> MediaCommand:
    """Return what a bot sent, as Telnyx reads it.

    Raises:
        TelnyxPayloadError: Its audio is not base64.
        TelnyxMessageError: It is no JSON object, or none that Telnyx knows.
    """
    fields = load_object(message)
    match fields.get("event"):
        case "media":
            return Media(payload_of(child(fields, "media")))
        case "mark":
            return Mark(mark_name_of(fields))
        case "clear":
            return Clear()
        case event:
            raise TelnyxMessageError(f"event must be one of 'media', 'mark', 'clear', got {shown(event)}")


def encode_media_message(message: MediaMessage, *, legacy_errors: bool = False) -> str:
    """Return *message* as Telnyx sends it: what is None is left out, and numbers are strings.

    Args:
        message: What to send.
        legacy_errors: Errors have the shape that they had in 2024.
    """
    match message:
        case Unknown():
            return message.text
        case Connected():
            token = None if message.auth_token is None else {AUTH_TOKEN_HEADER: message.auth_token}
            fields = present(event="connected", version=message.version, connected=token)
        case Start():
            fields = _enveloped("start", message, start=_start(message))
        case Media():
            media = present(
                track=message.track,
                chunk=_digits(message.chunk),
                timestamp=_digits(message.timestamp_ms),
                payload=to_base64(message.payload),
            )
            fields = _enveloped("media", message, media=media)
        case Mark():
            fields = _enveloped("mark", message, mark={"name": message.name})
        case Dtmf():
            dtmf = {"digit": message.digit}
            fields = _enveloped("dtmf", message, occurred_at=message.occurred_at, dtmf=dtmf)
        case StreamError():
            code = _digits(message.code) if legacy_errors else message.code
            error = present(code=code, title=message.title, detail=message.detail)
            fields = _enveloped("error", message, **{"error" if legacy_errors else "payload": error})
        case Stop():
            stop = present(user_id=message.user_id, call_control_id=message.call_control_id)
            fields = _enveloped("stop", message, stop=stop)
        case _:
            assert_never(message)
    return dump_object(fields)


def _start(message: Start) -> JsonObject:
    fields = present(
        user_id=message.user_id,
        call_control_id=message.call_control_id,
        call_session_id=message.call_session_id,
        to=message.to,
        tags=list(message.tags) or None,
        client_state=message.client_state_base64,
        custom_parameters=dict(message.custom_parameters) or None,
        media_format=None if message.media_format is None else _format(message.media_format),
    )
    return fields if message.from_ is None else {**fields, "from": message.from_}


def _format(media_format: MediaFormat) -> JsonObject:
    return {
        "encoding": media_format.encoding,
        "sample_rate": media_format.sample_rate_hz,
        "channels": media_format.channels,
    }


def _enveloped(
    event: str, message: Start | Media | Mark | Dtmf | StreamError | Stop, **body: object
) -> JsonObject:
    return present(
        event=event,
        sequence_number=_digits(message.sequence_number),
        **body,
        stream_id=message.stream_id,
    )


def _digits(number: int | None) -> str | None:
    return None if number is None else str(number)
