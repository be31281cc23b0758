"""Webhooks: one JSON object a request, signed.

1. One webhook may come several times, also at once; its ``id`` stays the same.
2. They come in any order: a playback may be told to have started after it was told to have ended.
3. A sender is known by its signature alone: of `signed_payload`, made with Ed25519, in base64. It is to be
   checked before anything of the body is read.

Live webhooks have null where Telnyx's document has strings, and fields that it has not. What a webhook does
not tell, or tells as null, is None here.

Source:
    Telnyx's API document of July 2026 and its pages on webhooks; for what they leave out, captured ones.
"""

from dataclasses import dataclass, fields
from typing import Any, Final, cast

from ordered_pipeline.wire._telnyx_fields import (
    JsonObject,
    TelnyxMessageError,
    child,
    dump_object,
    dump_received,
    flag,
    from_base64,
    integer,
    load_object,
    present,
    required_child,
    required_text,
    shown,
    text,
)
from ordered_pipeline.wire._telnyx_webhooks._events import (
    EVENTS,
    CallEvent,
    OtherEvent,
    StreamParams,
)

SIGNATURE_HEADER: Final[str] = "telnyx-signature-ed25519"
TIMESTAMP_HEADER: Final[str] = "telnyx-timestamp"

# What a payload tells of the call, whichever event it is.
_OF_THE_CALL: Final = ("call_control_id", "call_leg_id", "call_session_id", "connection_id", "client_state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An event of a call, and how it was delivered.

    Attributes:
        id: Tells webhooks apart; one that is delivered again keeps it.
        event: What has happened.
        call_control_id: By which the call is commanded.
        client_state_base64: As it stands in the message; `client_state` is what it says.
        occurred_at: When, in ISO 8601.
        attempt: Counts the deliveries of this webhook, from 1.
        delivered_to: The address that Telnyx sent it to.
    """

    id: str
    event: CallEvent
    call_control_id: str | None = None
    call_leg_id: str | None = None
    call_session_id: str | None = None
    connection_id: str | None = None
    client_state_base64: str | None = None
    occurred_at: str | None = None
    attempt: int | None = None
    delivered_to: str | None = None

    @property
    def client_state(self) -> bytes | None:
        """What a command to the call gave as its ``client_state``; None if it is not base64.

        XXX: of which command, if several were under way, is not documented. A live account can answer it.
        """
        return from_base64(self.client_state_base64)


def signed_payload(timestamp: str, raw_body: bytes) -> bytes:
    """Return the bytes that a webhook's signature signs.

    Args:
        timestamp: The header `TIMESTAMP_HEADER`, as it came.
        raw_body: The body, as it came.
    """
    # No header whatever is to cause an error: one that is not ASCII just has no valid signature.
    return timestamp.encode("utf-8", "surrogatepass") + b"|" + raw_body


def decode_webhook(body: str | bytes) -> Webhook:
    """Return what the body of a webhook says. Its signature is to be checked before.

    Raises:
        TelnyxMessageError: It is no JSON object, or lacks its data, its id or its event's type.
    """
    message = load_object(body)
    data = required_child(message, "data", "data, as webhooks of API version 2 have")
    meta, payload = child(message, "meta"), child(data, "payload")
    return Webhook(
        id=required_text(data, "id", "data.id"),
        event=_event(required_text(data, "event_type", "data.event_type"), payload),
        call_control_id=text(payload, "call_control_id"),
        call_leg_id=text(payload, "call_leg_id"),
        call_session_id=text(payload, "call_session_id"),
        connection_id=text(payload, "connection_id"),
        client_state_base64=text(payload, "client_state"),
        occurred_at=text(data, "occurred_at"),
        attempt=integer(meta, "attempt"),
        delivered_to=text(meta, "delivered_to"),
    )


def encode_webhook(webhook: Webhook) -> bytes:
    """Return *webhook* as Telnyx sends it: ``client_state`` is null if there is none.

    Raises:
        ValueError: The payload of an `OtherEvent` is no JSON object.
    """
    payload = {
        **present(
            call_control_id=webhook.call_control_id,
            call_leg_id=webhook.call_leg_id,
            call_session_id=webhook.call_session_id,
            connection_id=webhook.connection_id,
        ),
        "client_state": webhook.client_state_base64,
        **_written(webhook.event),
    }
    data = present(
        record_type="event",
        event_type=webhook.event.event_type,
        id=webhook.id,
        occurred_at=webhook.occurred_at,
        payload=payload,
    )
    meta = present(attempt=webhook.attempt, delivered_to=webhook.delivered_to) or None
    return dump_object(present(data=data, meta=meta)).encode()


def _event(event_type: str, payload: JsonObject) -> CallEvent:
    kind = EVENTS.get(event_type)
    if kind is None:
        rest = {name: value for name, value in payload.items() if name not in _OF_THE_CALL}
        return OtherEvent(event_type, dump_received(rest))
    # The fields of events are called as in JSON, but for a `_` behind words of Python.
    values: dict[str, Any] = {
        option.name: _read(payload, option.name.removesuffix("_")) for option in fields(kind)
    }
    return kind(**values)


def _read(payload: JsonObject, name: str) -> object:
    match name:
        case "overlay":
            return flag(payload, name)
        case "stream_params":
            params = child(payload, name)
            return (
                StreamParams(stream_url=text(params, "stream_url"), track=text(params, "track"))
                if params
                else None
            )
        case _:
            return text(payload, name)


def _payload(event: OtherEvent) -> JsonObject:
    try:
        return load_object(event.payload)
    except TelnyxMessageError as error:
        raise ValueError(f"payload must be a JSON object, got {shown(event.payload)}") from error


def _written(event: CallEvent | StreamParams) -> JsonObject:
    if isinstance(event, OtherEvent):
        return _payload(event)
    values = {
        option.name.removesuffix("_"): cast("object", getattr(event, option.name)) for option in fields(event)
    }
    return present(
        **{
            name: _written(value) if isinstance(value, StreamParams) else value
            for name, value in values.items()
        }
    )
