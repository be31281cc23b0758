"""Webhooks that are signed by a key of ours."""

from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ordered_pipeline.wire._telnyx_webhooks import (
    CallAnswered,
    CallEvent,
    Webhook,
    encode_webhook,
    signed_payload,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = b64encode(KEY.public_key().public_bytes_raw()).decode()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOW_S = 1_790_000_000.0
ANSWERED = CallAnswered()


def body_of(webhook_id: str = "1", event: CallEvent = ANSWERED, call: str | None = "v3:a") -> bytes:
    return encode_webhook(Webhook(id=webhook_id, event=event, call_control_id=call))


def signed(body: bytes, *, at_s: float = NOW_S, key: Ed25519PrivateKey = KEY) -> dict[str, str]:
    timestamp = str(int(at_s))
    signature = b64encode(key.sign(signed_payload(timestamp, body))).decode()
    return {"Telnyx-Timestamp": timestamp, "Telnyx-Signature-Ed25519": signature}
