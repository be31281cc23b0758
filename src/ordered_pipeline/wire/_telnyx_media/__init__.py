"""Telnyx's media streams: a call's audio, both ways, in the messages of a WebSocket."""

from ordered_pipeline.wire._telnyx_fields import TelnyxMessageError, TelnyxPayloadError
from ordered_pipeline.wire._telnyx_media._bot import (
    decode_media_message,
    encode_clear,
    encode_mark,
    encode_media,
)
from ordered_pipeline.wire._telnyx_media._carrier import decode_media_command, encode_media_message
from ordered_pipeline.wire._telnyx_media._messages import (
    AUTH_TOKEN_HEADER,
    INVALID_MEDIA,
    MALFORMED_FRAME,
    RATE_LIMIT_REACHED,
    UNKNOWN_ERROR,
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
from ordered_pipeline.wire._telnyx_media._reorder import Reorder

__all__ = [
    "AUTH_TOKEN_HEADER",
    "INVALID_MEDIA",
    "MALFORMED_FRAME",
    "RATE_LIMIT_REACHED",
    "UNKNOWN_ERROR",
    "Clear",
    "Connected",
    "Dtmf",
    "Mark",
    "Media",
    "MediaCommand",
    "MediaFormat",
    "MediaMessage",
    "Reorder",
    "Start",
    "Stop",
    "StreamError",
    "TelnyxMessageError",
    "TelnyxPayloadError",
    "Unknown",
    "decode_media_command",
    "decode_media_message",
    "encode_clear",
    "encode_mark",
    "encode_media",
    "encode_media_message",
]
