"""Webhooks: what Telnyx posts is believed if it is signed, fresh and new, and goes to whom it concerns.

Rules kept here:

1. All that is refused is answered alike, and nothing of it is kept or logged.
2. Receiving a webhook never waits: Telnyx sends it again if it is not answered within two seconds. What it
   means for the call is done by whoever iterates the call's events.
3. All memory is bounded, and only what Telnyx has signed gets into it.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias, cast, final

from ordered_pipeline.adapters.telnyx._verification import (
    MOST_BYTES,
    TOLERANCE_S,
    WebhookRefusedError,
    load_key,
    verified,
)
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.wire._telnyx_webhooks import CallHangup, Webhook

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Message: TypeAlias = dict[str, object]

# The ids that are known again, a hundred a second for as long as a webhook can come again.
_MOST_IDS: Final = 65_536
# The calls nobody has asked for, and the calls that are over and known again.
_MOST_CALLS: Final = 1024
# The events of a call that wait. A call has some tens of them.
_MOST_EVENTS: Final = 256


@final
class CallEvents:
    """The webhooks of one call, in the order in which they came: an async iterator, which ends with the call.

    One task iterates it. If 256 wait, the oldest is dropped. Leaving its block closes it.

    Attributes:
        call_control_id: By which the call is commanded.
        dropped: How many webhooks were dropped.
    """

    def __init__(self, call_control_id: str, forget: Callable[[str], None]) -> None:
        """Use `Webhooks` instead."""
        self.call_control_id: str = call_control_id
        self.dropped: int = 0
        self._forget: Callable[[str], None] = forget
        self._waiting: deque[Webhook] = deque()
        self._is_over: bool = False
        self._changed: Bell = Bell()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close it: what waits is dropped, and so is what still comes."""
        self.close()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Webhook:
        """Return the next webhook as soon as it is there; a cancelled call loses none.

        Raises:
            StopAsyncIteration: The call was hung up, and all has been told; or this was closed.
        """
        while not self._waiting:
            if self._is_over:
                raise StopAsyncIteration
            await self._changed.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Drop what waits, and all that still comes of this call."""
        self._waiting.clear()
        self._end()

    def put(self, webhook: Webhook) -> None:
        """Add *webhook*; after the end it is dropped."""
        if self._is_over:
            return
        if len(self._waiting) == _MOST_EVENTS:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(webhook)
        if isinstance(webhook.event, CallHangup):
            self._end()
        self._changed.ring()

    def _end(self) -> None:
        self._is_over = True
        self._forget(self.call_control_id)
        self._changed.ring()


@final
class Webhooks:
    """Takes webhooks, believes the genuine, and sorts them by call.

    It is an ASGI application, to be mounted where Telnyx posts to. For any other server: `accept`.
    """

    def __init__(self, public_key: str, *, clock: Callable[[], float] = time.time) -> None:
        """Begin with no calls.

        Args:
            public_key: Telnyx's key for your account, in base64, as the portal shows it.
            clock: Tells the time, in seconds of Unix time.

        Raises:
            ValueError: *public_key* is no such key.
        """
        self._key: Ed25519PublicKey = load_key(public_key)
        self._clock: Callable[[], float] = clock
        # The ids that have come, and until when they could come again.
        self._known: OrderedDict[str, float] = OrderedDict()
        self._calls: dict[str, CallEvents] = {}
        self._unclaimed: OrderedDict[str, CallEvents] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._changed: Bell = Bell()

    def accept(
        self, headers: Mapping[str, str] | Iterable[tuple[str, str]], raw_body: bytes
    ) -> Webhook | None:
        """Take a request, and give what it carries to the events of its call.

        Args:
            headers: By name, in any case.
            raw_body: The body, as it came.

        Returns:
            The webhook, None if it has come before. Both are to be answered with a status of 200.

        Raises:
            WebhookRefusedError: It is not to be believed; to be answered with a status of 403.
        """
        now_s = self._clock()
        webhook = verified(headers, raw_body, self._key, now_s)
        if not self._is_new(webhook.id, now_s):
            return None
        call_id = webhook.call_control_id
        if call_id is not None and call_id not in self._ended:
            if call_id not in self._calls:
                self._unclaimed[call_id] = self._open(call_id)
                self._changed.ring()
                if len(self._unclaimed) > _MOST_CALLS:
                    self._unclaimed.popitem(last=False)[1].close()
            self._calls[call_id].put(webhook)
        return webhook

    def events(self, call_control_id: str) -> CallEvents:
        """Return the events of a call: of one that you placed, or that you know from elsewhere.

        Asked again, it returns the same while the call goes on. What came before nobody had asked is in it.
        """
        events = self._unclaimed.pop(call_control_id, None) or self._calls.get(call_control_id)
        if events is None:
            events = self._open(call_control_id)
            if call_control_id in self._ended:
                events.close()
        return events

    async def next_call(self) -> CallEvents:
        """Wait for a call that nobody has asked for, such as one that comes in, and return its events.

        A cancelled call of this loses none.
        """
        while not self._unclaimed:
            await self._changed.wait()
        return self._unclaimed.popitem(last=False)[1]

    async def __call__(
        self,
        scope: Mapping[str, object],
        receive: Callable[[], Awaitable[Mapping[str, object]]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request, as ASGI 3 has it.

        Raises:
            RuntimeError: It is no request but, for example, a WebSocket.
        """
        if scope["type"] != "http":
            raise RuntimeError(f"webhooks come by http, got a scope of type {scope['type']!r}")
        if scope["method"] != "POST":
            await _answer(send, 405)
            return
        body = await _body(receive)
        if body is None:
            return
        pairs = cast("Iterable[tuple[bytes, bytes]]", scope["headers"])
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
        try:
            self.accept(headers, body)
        except WebhookRefusedError:
            await _answer(send, 403)
        else:
            await _answer(send, 200)

    def _is_new(self, webhook_id: str, now_s: float) -> bool:
        while self._known and (len(self._known) > _MOST_IDS or next(iter(self._known.values())) < now_s):
            self._known.popitem(last=False)
        if webhook_id in self._known:
            return False
        # Signed up to one tolerance from now on, it can come until another one after that.
        self._known[webhook_id] = now_s + 2 * TOLERANCE_S
        return True

    def _open(self, call_control_id: str) -> CallEvents:
        events = self._calls[call_control_id] = CallEvents(call_control_id, self._forget)
        return events

    def _forget(self, call_control_id: str) -> None:
        """Note that a call is over; while nobody has asked for it, its events are kept."""
        self._calls.pop(call_control_id, None)
        self._ended[call_control_id] = None
        if len(self._ended) > _MOST_CALLS:
            self._ended.popitem(last=False)


async def _body(receive: Callable[[], Awaitable[Mapping[str, object]]]) -> bytes | None:
    """Return the body of a request, None if the client has left; of one that is too long, the first bytes."""
    body = bytearray()
    while len(body) <= MOST_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += cast("bytes", message.get("body", b""))
        if not message.get("more_body", False):
            break
    return bytes(body)


async def _answer(send: Callable[[Message], Awaitable[None]], status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
