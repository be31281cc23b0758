"""Telnyx on this machine: the model, driven by the event loop's clock, in virtual or real time."""

import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from random import Random
from types import TracebackType
from typing import Any, Self, TypeAlias, final

import anyio
import httpx
from anyio.abc import SocketAttribute, SocketListener, TaskGroup

from ordered_pipeline.testing._stream import sleep_until
from ordered_pipeline.testing._telnyx._agenda import Agenda
from ordered_pipeline.testing._telnyx._api import CallControl, HttpReply, RequestRecord
from ordered_pipeline.testing._telnyx._call import CallIds, SimulatedCall
from ordered_pipeline.testing._telnyx._exchange import SharedExchange
from ordered_pipeline.testing._telnyx._faults import MarkFault, RestFault, Rules, WebhookFault
from ordered_pipeline.testing._telnyx._http import get, post, serve_connection
from ordered_pipeline.testing._telnyx._options import TelnyxReadings, TelnyxTiming
from ordered_pipeline.testing._telnyx._sockets import MemorySocket, TelnyxEnd, memory_sockets
from ordered_pipeline.testing._telnyx._transport import SimulatorTransport
from ordered_pipeline.testing._telnyx._webhooks import Endpoint, WebhookRecord, WebhookSender
from ordered_pipeline.testing._telnyx._websocket import WebSocket

MediaServer: TypeAlias = Callable[[MemorySocket], Awaitable[object]]
"""Serves one WebSocket, as a web framework has a bot do; it is closed when this returns."""


@final
class TelnyxSimulator:
    """Telnyx, for tests: an async context manager, inside of whose block it runs.

    Nothing here depends on the event loop being punctual: everything happens at instants that are computed,
    on `anyio.current_time`, so in virtual time as in real time. What is drawn by lot is drawn from the seed.

    Attributes:
        api_key: What requests must bear.
        timing: How long things take.
        readings: How it answers what the documentation leaves open.
        calls: All calls, by their ``call_control_id``.
        files: What is found under an ``audio_url`` or ``media_name``, WAV or MP3. Other addresses on
            127.0.0.1 are asked for over HTTP; the rest is not found.
    """

    def __init__(
        self,
        *,
        webhooks: Endpoint | None = None,
        failover_webhooks: Endpoint | None = None,
        media: MediaServer | None = None,
        api_key: str = "KEY-simulated",
        timing: TelnyxTiming = TelnyxTiming(),  # noqa: B008  # frozen
        readings: TelnyxReadings = TelnyxReadings(),  # noqa: B008  # frozen
        requests_a_minute: int = 100_000,
        unix_time: float | None = None,
        seed: int = 0,
    ) -> None:
        """Make one that has no calls.

        Args:
            webhooks: Where webhooks go: an ``http://`` address on this machine, or an async function of
                headers (in lower case) and body that returns the status. Nowhere if not given.
            failover_webhooks: Where they go if that fails.
            media: Serves the WebSockets of media streams in memory, whatever their address. If not given,
                they connect to their address, which must be on this machine.
            api_key: What requests must bear.
            timing: How long things take.
            readings: How it answers what the documentation leaves open.
            requests_a_minute: The rate limit.
            unix_time: What time it is at the start, in seconds since 1970; the machine's if not given.
            seed: Equal seeds draw the same jitter, faults, ids and keys.
        """
        self.api_key: str = api_key
        self.timing: TelnyxTiming = timing
        self.readings: TelnyxReadings = readings
        self.calls: dict[str, SimulatedCall] = {}
        self.files: dict[str, bytes] = {}
        self._media: MediaServer | None = media
        self._agenda: Agenda = Agenda(anyio.current_time)
        self._unix_start: float = time.time() if unix_time is None else unix_time
        self._start_s: float = 0.0
        self._tasks: TaskGroup | None = None
        self._wake: anyio.Event | None = None
        self._rest_rules: Rules[RestFault] = Rules(f"{seed}-rest")
        self._webhook_rules: Rules[WebhookFault] = Rules(f"{seed}-webhooks")
        self._mark_rules: Rules[MarkFault] = Rules(f"{seed}-marks")
        self._ids: Random = _random(seed, "ids")
        self._sender: WebhookSender = WebhookSender(
            self._agenda,
            timing=timing,
            rules=self._webhook_rules,
            random=_random(seed, "webhooks"),
            new_id=self._new_id,
            unix_time=self.unix_time,
            post=partial(post, follow=readings.redirects == "followed"),
            spawn=self._spawn,
        )
        self._exchange: SharedExchange = SharedExchange(
            agenda=self._agenda,
            timing=timing,
            readings=readings,
            mark_rules=self._mark_rules,
            webhooks=self._sender,
            endpoints=tuple(each for each in (webhooks, failover_webhooks) if each is not None),
            files=self.files,
            stream_random=_random(seed, "streams"),
            unix_time=self.unix_time,
            new_id=self._new_id,
            spawn=self._spawn,
            connect=self._connect,
            get=get,
        )
        self._api: CallControl = CallControl(
            self._agenda,
            self.calls,
            timing=timing,
            readings=readings,
            rules=self._rest_rules,
            random=_random(seed, "latency"),
            api_key=api_key,
            limit=requests_a_minute,
            new_id=self._new_id,
        )

    async def __aenter__(self) -> Self:
        self._start_s = anyio.current_time()
        self._agenda.catch_up()
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._drive)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool | None:
        assert self._tasks is not None  # noqa: S101  # entered
        self._agenda.catch_up()
        self._agenda.end()
        self._tasks.cancel_scope.cancel()
        if isinstance(exc_val, Exception):
            # What the block raised goes on as it is, not in a group.
            await self._tasks.__aexit__(None, None, None)
            return None
        return await self._tasks.__aexit__(exc_type, exc_val, exc_tb)

    @property
    def requests(self) -> list[RequestRecord]:
        """All requests that came to the REST interface, oldest first."""
        self._agenda.catch_up()
        return self._api.records

    @property
    def webhooks(self) -> list[WebhookRecord]:
        """All requests that carried a webhook and are over, oldest first."""
        return self._sender.records

    @property
    def public_key(self) -> str:
        """What the signatures of webhooks are checked with, in base64."""
        return self._sender.public_key

    def unix_time(self) -> float:
        """Return what time it is here, in seconds since 1970: what webhooks are stamped with."""
        return self._unix_start + anyio.current_time() - self._start_s

    def incoming_call(
        self,
        *,
        is_answered: bool = False,
        codec: str = "PCMU",
        from_: str = "+12025550133",
        to: str = "+12025550131",
    ) -> SimulatedCall:
        """Have somebody call, and tell so by a webhook.

        Args:
            is_answered: The call is answered already, and no webhook tells of either.
            codec: Of the caller's side: ``"PCMU"``, ``"PCMA"``, ``"L16"`` or another, which is not read here.
            from_: Who calls.
            to: Whom.

        Raises:
            RuntimeError: The simulator does not run yet.
        """
        if self._tasks is None:
            raise RuntimeError(
                "a call came in outside the simulator's 'async with' block; have it come inside"
            )
        self._agenda.catch_up()
        ids = CallIds(
            call_control_id=f"v3:{self._new_id()}",
            call_leg_id=self._new_id(),
            call_session_id=self._new_id(),
            from_=from_,
            to=to,
            start_time=datetime.fromtimestamp(self.unix_time(), UTC).isoformat().replace("+00:00", "Z"),
        )
        call = SimulatedCall(self._exchange, ids, codec=codec)
        self.calls[ids.call_control_id] = call
        if is_answered:
            call.state = "answered"
        else:
            call.ring()
        return call

    def fault(self, rule: RestFault | WebhookFault | MarkFault) -> None:
        """Heed *rule* from now on. Of several rules for a command, the oldest that it meets holds."""
        match rule:
            case RestFault():
                self._rest_rules.add(rule)
            case WebhookFault():
                self._webhook_rules.add(rule)
            case MarkFault():
                self._mark_rules.add(rule)

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return a transport that brings the requests of an ``httpx.AsyncClient`` here, without a network."""
        return SimulatorTransport(self.request)

    @asynccontextmanager
    async def serve(self, *, port: int = 0) -> AsyncGenerator[str]:
        """Answer requests on 127.0.0.1 inside the block, whose value is the address: ``http://.../v2``.

        Args:
            port: Which port; one that is free if not given.
        """
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # no database is near
        scope, closed = anyio.CancelScope(), anyio.Event()
        self._spawn(self._listen, listener, scope, closed)
        try:
            yield f"http://127.0.0.1:{port}/v2"
        finally:
            scope.cancel()
            with anyio.CancelScope(shield=True):
                await closed.wait()

    async def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> HttpReply:
        """Answer a request. One whose caller is cancelled takes effect all the same.

        Args:
            method: Such as ``"POST"``.
            path: Such as ``"/v2/calls/<call_control_id>/actions/answer"``.
            headers: By names in lower case.
            body: All of it.

        Raises:
            ConnectionResetError: By a fault.
        """
        self._agenda.catch_up()
        pending = self._api.arrive(method, path, headers, body)
        await sleep_until(pending.due_s)
        self._agenda.catch_up()
        if pending.reply is None:
            raise ConnectionResetError("the simulated connection broke")
        return pending.reply

    async def _listen(self, listener: SocketListener, scope: anyio.CancelScope, closed: anyio.Event) -> None:
        try:
            with scope:
                async with listener:
                    await listener.serve(lambda stream: serve_connection(stream, self.request))
        finally:
            closed.set()

    async def _drive(self) -> None:
        self._agenda.on_earlier = self._notice
        while True:
            self._agenda.catch_up()
            self._wake = anyio.Event()
            with anyio.CancelScope(deadline=self._agenda.next_s):
                await self._wake.wait()

    def _notice(self) -> None:
        if self._wake is not None:
            self._wake.set()

    def _spawn(self, function: Callable[..., Coroutine[Any, Any, object]], /, *args: object) -> None:
        assert self._tasks is not None  # noqa: S101  # nothing happens before it is entered
        self._tasks.start_soon(function, *args)

    async def _connect(self, url: str, headers: Mapping[str, str]) -> TelnyxEnd:
        if self._media is None:
            return await WebSocket.connect(url, headers)
        telnyx, bot = memory_sockets(headers)
        self._spawn(self._serve_media, self._media, bot)
        return telnyx

    async def _serve_media(self, serve: MediaServer, socket: MemorySocket) -> None:
        try:
            await serve(socket)
        finally:
            await socket.aclose()

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._ids.getrandbits(128), version=4))


def _random(seed: int, purpose: str) -> Random:
    return Random(f"{seed}-{purpose}")  # noqa: S311  # no secret: it is to be the same each time
