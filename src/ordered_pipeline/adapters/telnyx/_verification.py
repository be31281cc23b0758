"""Verification: a webhook is believed if Telnyx has signed it, and not long ago.

Nothing of a body is read before its signature was checked.
"""

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias, cast

from ordered_pipeline.wire._telnyx_webhooks import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    TelnyxMessageError,
    Webhook,
    decode_webhook,
    signed_payload,
)

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the packages for Telnyx are not installed; pip install 'ordered-pipeline[telnyx]'",
        name=_missing.name,
    ) from _missing

Reason: TypeAlias = Literal["oversized", "forged", "stale", "malformed"]

# Both ways, as Telnyx's own packages have it.
TOLERANCE_S: Final = 300.0
# The largest have a few thousand bytes.
MOST_BYTES: Final = 256 * 1024
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)


class WebhookRefusedError(Exception):
    """What was received is not to be believed, or not to be understood.

    Attributes:
        reason: ``"oversized"``; ``"forged"``: the signature is missing or does not fit; ``"stale"``: signed
            too long ago, or in the future; ``"malformed"``: signed, but no webhook of API version 2.
    """

    def __init__(self, message: str, reason: Reason) -> None:
        super().__init__(message)
        self.reason: Reason = reason


def verify_webhook(
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    raw_body: bytes,
    *,
    public_key: str,
    now_s: float,
) -> Webhook:
    """Return the webhook that a request carries, if it is Telnyx's.

    It may be one that has come before: `Webhooks` passes over those.

    Args:
        headers: Of the request, by name, in any case.
        raw_body: Its body as it came: one that was decoded and encoded again has another signature.
        public_key: Telnyx's key for your account, in base64, as the portal shows it.
        now_s: What time it is, in seconds of Unix time. What was signed more than 300 seconds before or
            after it is refused.

    Raises:
        ValueError: *public_key* is no such key.
        WebhookRefusedError: The webhook is not to be believed.
    """
    return verified(headers, raw_body, load_key(public_key), now_s)


def load_key(public_key: str) -> Ed25519PublicKey:
    try:
        return Ed25519PublicKey.from_public_bytes(b64decode(public_key, validate=True))
    except ValueError as error:
        raise ValueError(
            # Its value is not shown: it may be the API key, taken for this one.
            "public_key must be 32 bytes in base64, got something else; copy it from the portal"
        ) from error


def verified(
    headers: Mapping[str, str] | Iterable[tuple[str, str]],
    raw_body: bytes,
    key: Ed25519PublicKey,
    now_s: float,
) -> Webhook:
    if len(raw_body) > MOST_BYTES:
        raise WebhookRefusedError(f"a webhook must have at most {MOST_BYTES} bytes, got more", "oversized")
    timestamp, signature = _header(headers, TIMESTAMP_HEADER), _header(headers, SIGNATURE_HEADER)
    try:
        key.verify(b64decode(signature, validate=True), signed_payload(timestamp, raw_body))
    except (InvalidSignature, ValueError) as error:
        raise WebhookRefusedError(
            "a webhook must be signed by Telnyx, got another signature", "forged"
        ) from error
    # Only now is the timestamp known to be Telnyx's.
    if not _TIMESTAMP.fullmatch(timestamp) or not abs(int(timestamp) - now_s) <= TOLERANCE_S:
        raise WebhookRefusedError(
            f"a webhook must be signed within {TOLERANCE_S:g} s, got one of {timestamp!r} at {now_s:.0f}; "
            "compare this machine's clock",
            "stale",
        )
    try:
        return decode_webhook(raw_body)
    except TelnyxMessageError as error:
        raise WebhookRefusedError(
            f"a webhook must be of API version 2, got something else: {error}", "malformed"
        ) from error


def _header(headers: Mapping[str, str] | Iterable[tuple[str, str]], name: str) -> str:
    """Return the value of a header; if it is missing, or there are several, one that is never right."""
    if isinstance(headers, Mapping):
        headers = cast("Mapping[str, str]", headers).items()
    values = [value for key, value in headers if key.lower() == name]
    return values[0] if len(values) == 1 else ""
