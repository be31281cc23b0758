from base64 import b64encode
from collections.abc import Mapping

import pytest

from ordered_pipeline.adapters.telnyx import WebhookRefusedError, Webhooks, verify_webhook
from ordered_pipeline.wire._telnyx_webhooks import CallAnswered, signed_payload
from tests.adapters.telnyx.signing import KEY, NOW_S, OTHER, PUBLIC, body_of, signed


def refusal(headers: Mapping[str, str], body: bytes, now_s: float = NOW_S) -> str:
    with pytest.raises(WebhookRefusedError) as caught:
        verify_webhook(headers, body, public_key=PUBLIC, now_s=now_s)
    return caught.value.reason


def test_a_genuine_webhook_is_read() -> None:
    body = body_of("7")

    webhook = verify_webhook(signed(body), body, public_key=PUBLIC, now_s=NOW_S)

    assert (webhook.id, webhook.event, webhook.call_control_id) == ("7", CallAnswered(), "v3:a")


def test_headers_may_be_pairs() -> None:
    body = body_of()

    assert verify_webhook(signed(body).items(), body, public_key=PUBLIC, now_s=NOW_S).id == "1"


@pytest.mark.parametrize("apart_s", [-300.0, 300.0])
def test_clocks_may_be_five_minutes_apart(apart_s: float) -> None:
    body = body_of()

    assert verify_webhook(signed(body), body, public_key=PUBLIC, now_s=NOW_S + apart_s).id == "1"


@pytest.mark.parametrize("apart_s", [-301.0, 301.0])
def test_a_stale_one_is_refused(apart_s: float) -> None:
    body = body_of()

    assert refusal(signed(body), body, NOW_S + apart_s) == "stale"


def test_one_that_was_changed_is_refused_at_each_bit() -> None:
    body = body_of()
    headers = signed(body)
    for position in range(8 * len(body)):
        changed = bytearray(body)
        changed[position // 8] ^= 1 << position % 8
        assert refusal(headers, bytes(changed)) == "forged"


def test_one_by_another_key_is_refused() -> None:
    body = body_of()

    assert refusal(signed(body, key=OTHER), body) == "forged"


@pytest.mark.parametrize(
    "change",
    [
        {"Telnyx-Timestamp": str(int(NOW_S) + 1)},
        {"Telnyx-Timestamp": ""},
        {"Telnyx-Timestamp": "\udcff"},
        {"Telnyx-Signature-Ed25519": ""},
        {"Telnyx-Signature-Ed25519": "no base64!"},
        {"Telnyx-Signature-Ed25519": "ü"},
        {"Telnyx-Signature-Ed25519": "AAAA"},
        {"Telnyx-Signature-Ed25519": b64encode(bytes(64)).decode()},
        {"telnyx-signature-ed25519": "AAAA"},  # a second one
    ],
)
def test_one_with_other_headers_is_refused(change: dict[str, str]) -> None:
    body = body_of()

    assert refusal({**signed(body), **change}, body) == "forged"


def test_one_without_headers_is_refused() -> None:
    assert refusal({}, body_of()) == "forged"


@pytest.mark.parametrize(
    "timestamp", ["1e9", "+1790000000", "1790000000.0", "١٧٩٠٠٠٠٠٠٠", " 1790000000", "9" * 5000]
)
def test_a_timestamp_that_is_no_plain_number_is_refused_even_if_it_is_signed(timestamp: str) -> None:
    body = body_of()
    signature = b64encode(KEY.sign(signed_payload(timestamp, body))).decode()

    assert refusal({"telnyx-timestamp": timestamp, "telnyx-signature-ed25519": signature}, body) == "stale"


def test_one_that_is_too_long_is_refused_before_anything_else() -> None:
    assert refusal({}, bytes(256 * 1024 + 1)) == "oversized"
    assert refusal({}, bytes(256 * 1024)) == "forged"


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b'{"data":{}}', b'{"event_type":"call.answered"}'])
def test_one_that_is_signed_but_no_webhook_is_refused(body: bytes) -> None:
    assert refusal(signed(body), body) == "malformed"


@pytest.mark.parametrize("key", ["", "AAAA", "no base64!", "KEY0123-secret"])
def test_a_wrong_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ValueError, match="public_key must be 32 bytes in base64") as caught:
        Webhooks(key)
    assert not key or key not in str(caught.value)
    with pytest.raises(ValueError, match="public_key must be 32 bytes in base64"):
        verify_webhook({}, b"", public_key=key, now_s=NOW_S)
