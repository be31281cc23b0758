"""What both sides read of messages that either may send."""

from ordered_pipeline.wire._telnyx_fields import (
    JsonObject,
    TelnyxPayloadError,
    child,
    from_base64,
    required_text,
    shown,
)


def payload_of(media: JsonObject) -> bytes:
    """Return the audio of a message, from what it has under ``media``.

    Raises:
        TelnyxPayloadError: It is not base64.
        TelnyxMessageError: There is none.
    """
    encoded = required_text(media, "payload", "media.payload")
    payload = from_base64(encoded)
    if payload is None:
        raise TelnyxPayloadError(f"media.payload must be base64, got {shown(encoded)}")
    return payload


def mark_name_of(fields: JsonObject) -> str:
    """Return the name of the mark in a message.

    Raises:
        TelnyxMessageError: There is none.
    """
    return required_text(child(fields, "mark"), "name", "mark.name")
