"""Webhooks on their way: signed, late, several at once, again if not taken, and wrong if so asked."""

import json
import math
from base64 import b64encode
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, Protocol, TypeAlias, cast, final

import anyio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ordered_pipeline.testing._telnyx._agenda import Agenda
from ordered_pipeline.testing._telnyx._faults import Rules, WebhookFault
from ordered_pipeline.testing._telnyx._options import TelnyxTiming
from ordered_pipeline.wire._telnyx_webhooks import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    Webhook,
    encode_webhook,
    signed_payload,
)

Endpoint: TypeAlias = str | Callable[[Mapping[str, str], bytes], Awaitable[int]]
"""Where webhooks go: an ``http://`` address, or a function of headers and body that returns the status."""

_STALE_S: Final = 301
_RETRIED: Final = frozenset({408, 429})
_KEY_BYTES: Final = 32
# Just behind another one, so that nothing can take them for simultaneous.
_BEHIND_S: Final = 0.001
_APART_S: Final = 1e-6


class Spawn(Protocol):
    """Runs an async function in the background."""

    def __call__(self, function: Callable[..., Coroutine[Any, Any, object]], /, *args: object) -> None:
        """Begin it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRecord:
    """One request that carried a webhook.

    Attributes:
        time_s: When it was sent, on the event loop's clock.
        event_type: Such as ``"call.answered"``.
        id: The webhook's own.
        call_control_id: Whose call.
        attempt: Which try, from 1.
        status: The reply's; None if there was none in time.
    """

    time_s: float
    event_type: str
    id: str
    call_control_id: str | None
    attempt: int
    status: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outgoing:
    webhook: Webhook
    extras: Mapping[str, object]
    endpoints: tuple[Endpoint, ...]
    retries_s: tuple[float, ...]
    faults: tuple[WebhookFault, ...]

    @property
    def event_type(self) -> str:
        return self.webhook.event.event_type


@final
class WebhookSender:
    """Sends webhooks."""

    def __init__(
        self,
        agenda: Agenda,
        *,
        timing: TelnyxTiming,
        rules: Rules[WebhookFault],
        random: Random,
        new_id: Callable[[], str],
        unix_time: Callable[[], float],
        post: Callable[[str, Mapping[str, str], bytes], Awaitable[int]],
        spawn: Spawn,
    ) -> None:
        """Begin with a key pair that *random* determines."""
        self.records: list[WebhookRecord] = []
        self._agenda: Agenda = agenda
        self._timing: TelnyxTiming = timing
        self._rules: Rules[WebhookFault] = rules
        self._random: Random = random
        self._new_id: Callable[[], str] = new_id
        self._unix_time: Callable[[], float] = unix_time
        self._post: Callable[[str, Mapping[str, str], bytes], Awaitable[int]] = post
        self._spawn: Spawn = spawn
        self._key: Ed25519PrivateKey = _key(random)
        self._other_key: Ed25519PrivateKey = _key(random)
        self._last_due_s: float = -math.inf
        self._behind: defaultdict[tuple[str | None, str], list[_Outgoing]] = defaultdict(list)

    @property
    def public_key(self) -> str:
        """The key that signatures are checked with, in base64, as Telnyx's portal shows it."""
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return b64encode(raw).decode("ascii")

    def send(
        self,
        webhook: Webhook,
        extras: Mapping[str, object],
        endpoints: tuple[Endpoint, ...],
        retries_s: tuple[float, ...] | None,
    ) -> None:
        """Send *webhook*, which has happened now, to the first endpoint, and to the next if that fails.

        Args:
            webhook: Without its ``id`` and instant, which it gets here.
            extras: Fields of its payload that live webhooks have and the documentation has not.
            endpoints: Where it goes.
            retries_s: How long to wait before each of the further tries; None for as long as usual.
        """
        faults = tuple(self._rules.met_by(webhook.event.event_type))
        stamped = replace(webhook, id=self._new_id(), occurred_at=_iso(self._unix_time()))
        outgoing = _Outgoing(
            webhook=stamped,
            extras=extras,
            endpoints=endpoints,
            retries_s=self._timing.webhook_retries_s if retries_s is None else retries_s,
            faults=faults,
        )
        jitter_s = self._random.uniform(-1, 1) * self._timing.webhook_jitter_s
        if not endpoints or any(fault.is_dropped for fault in faults):
            return
        for fault in faults:
            if fault.behind is not None:
                self._behind[webhook.call_control_id, fault.behind].append(outgoing)
                return
        due_s = self._agenda.now_s + max(self._timing.webhook_latency_s + jitter_s, 0.0)
        due_s += sum(fault.delay_s for fault in faults)
        for fault in faults:
            if fault.batch_s is not None:
                due_s = (due_s // fault.batch_s + 1) * fault.batch_s
        # Apart by a moment, or which of two comes first would be the event loop's choice.
        if abs(due_s - self._last_due_s) < _BEHIND_S:
            due_s = max(due_s, self._last_due_s + _APART_S)
        self._last_due_s = due_s
        self._agenda.at(due_s, lambda: self._start(outgoing))

    def _start(self, outgoing: _Outgoing) -> None:
        for _ in range(1 + sum(fault.copies for fault in outgoing.faults)):
            self._spawn(self._deliver, outgoing)
        for held in self._behind.pop((outgoing.webhook.call_control_id, outgoing.event_type), []):
            self._agenda.after(_BEHIND_S, lambda held=held: self._start(held))  # type: ignore[misc]

    async def _deliver(self, outgoing: _Outgoing) -> None:
        attempt = 0
        for endpoint in outgoing.endpoints:
            for wait_s in (0.0, *outgoing.retries_s):
                if wait_s:
                    await anyio.sleep(wait_s)
                attempt += 1
                status = await self._try(outgoing, endpoint, attempt)
                if status is not None and status not in _RETRIED and status < 500:  # noqa: PLR2004  # HTTP's
                    return

    async def _try(self, outgoing: _Outgoing, endpoint: Endpoint, attempt: int) -> int | None:
        time_s = anyio.current_time()
        headers, body = self._signed(outgoing, endpoint, attempt)
        status: int | None = None
        with anyio.move_on_after(self._timing.webhook_timeout_s):
            if isinstance(endpoint, str):
                try:
                    status = await self._post(endpoint, headers, body)
                except OSError:
                    pass
            else:
                status = await endpoint(headers, body)
        record = WebhookRecord(
            time_s=time_s,
            event_type=outgoing.event_type,
            id=outgoing.webhook.id,
            call_control_id=outgoing.webhook.call_control_id,
            attempt=attempt,
            status=status,
        )
        self.records.append(record)
        return status

    def _signed(self, outgoing: _Outgoing, endpoint: Endpoint, attempt: int) -> tuple[dict[str, str], bytes]:
        forged = {fault.forged for fault in outgoing.faults}
        address = endpoint if isinstance(endpoint, str) else "http://bot.invalid/webhooks"
        body = self._body(replace(outgoing.webhook, attempt=attempt, delivered_to=address), outgoing)
        age_s = _STALE_S if "timestamp" in forged else 0
        timestamp = str(int(self._unix_time()) - age_s)
        key = self._other_key if "signature" in forged else self._key
        signature = b64encode(key.sign(signed_payload(timestamp, body))).decode("ascii")
        headers = {
            "content-type": "application/json",
            "user-agent": "telnyx-webhooks",
            TIMESTAMP_HEADER: timestamp,
            SIGNATURE_HEADER: signature,
        }
        return headers, body.replace(b'"event"', b'"Event"', 1) if "body" in forged else body

    def _body(self, webhook: Webhook, outgoing: _Outgoing) -> bytes:
        message = cast("dict[str, Any]", json.loads(encode_webhook(webhook)))
        message["data"]["payload"].update(outgoing.extras)
        if any(fault.unknown_event for fault in outgoing.faults):
            message["data"]["event_type"] = "call.something.new"
        return json.dumps(message, separators=(",", ":")).encode()


def _key(random: Random) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(random.randbytes(_KEY_BYTES))


def _iso(unix_time: float) -> str:
    return datetime.fromtimestamp(unix_time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
