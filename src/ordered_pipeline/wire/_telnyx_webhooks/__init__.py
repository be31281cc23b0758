"""Telnyx's webhooks: what happens to a call, told over HTTP."""

from ordered_pipeline.wire._telnyx_fields import TelnyxMessageError
from ordered_pipeline.wire._telnyx_webhooks._envelope import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Webhook,
    decode_webhook,
    encode_webhook,
    signed_payload,
)
from ordered_pipeline.wire._telnyx_webhooks._events import (
    CallAnswered,
    CallEvent,
    CallHangup,
    CallInitiated,
    DtmfReceived,
    KnownEvent,
    OtherEvent,
    PlaybackEnded,
    PlaybackStarted,
    SpeakEnded,
    SpeakStarted,
    StreamingFailed,
    StreamingStarted,
    StreamingStopped,
    StreamParams,
)

__all__ = [
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "CallAnswered",
    "CallEvent",
    "CallHangup",
    "CallInitiated",
    "DtmfReceived",
    "KnownEvent",
    "OtherEvent",
    "PlaybackEnded",
    "PlaybackStarted",
    "SpeakEnded",
    "SpeakStarted",
    "StreamParams",
    "StreamingFailed",
    "StreamingStarted",
    "StreamingStopped",
    "TelnyxMessageError",
    "Webhook",
    "decode_webhook",
    "encode_webhook",
    "signed_payload",
]
