"""The simulator on real connections, in real time: the only tests of it that wait."""

import math
import socket as sockets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias

import anyio
import h11
import httpx
import pytest
import trio
import trio.testing
from anyio.abc import SocketAttribute, SocketStream
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from ordered_pipeline.testing._telnyx._websocket import WebSocket
from ordered_pipeline.testing.telnyx import (
    RestFault,
    SimulatedCall,
    TelnyxReadings,
    TelnyxSimulator,
    TelnyxTiming,
)
from tests.testing.telnyx_lines import content, until, wav

Loop: TypeAlias = Literal["asyncio", "trio"]
QUICK = TelnyxTiming(
    api_latency_s=0.01, start_latency_s=0.0, webhook_latency_s=0.0, webhook_retries_s=(0.01,), connect_s=0.0
)


@pytest.fixture(params=["asyncio", "trio"])
def loop(request: pytest.FixtureRequest) -> Loop:
    return "trio" if request.param == "trio" else "asyncio"


def run(loop: Loop, function: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(20.0):
            await function()

    anyio.run(bounded, backend=loop)


@asynccontextmanager
async def serving(handler: Callable[[SocketStream], Awaitable[Any]]) -> AsyncGenerator[str]:
    """Have *handler* take connections; the value is where, without a scheme."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handler)
        port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # no database is near
        yield f"127.0.0.1:{port}"
        tasks.cancel_scope.cancel()
    await listener.aclose()


@asynccontextmanager
async def client_of(
    telnyx: TelnyxSimulator, url: str
) -> AsyncGenerator[tuple[httpx.AsyncClient, SimulatedCall]]:
    headers = {"authorization": f"Bearer {telnyx.api_key}"}
    call = telnyx.incoming_call(is_answered=True)
    base = f"{url}/calls/{call.call_control_id}/actions/"
    async with httpx.AsyncClient(base_url=base, headers=headers) as client:
        yield client, call


class WebServer:
    """Answers every request with the next of some replies, the last of them again and again."""

    def __init__(self, *replies: tuple[int, dict[str, str], bytes]) -> None:
        self.replies = list(replies)
        self.requests: list[tuple[str, str, bytes]] = []

    async def __call__(self, stream: SocketStream) -> None:
        connection = h11.Connection(h11.SERVER)
        async with stream:
            method, target, body = "", "", b""
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await stream.receive())
                elif isinstance(event, h11.Request):
                    method, target = event.method.decode(), event.target.decode()
                elif isinstance(event, h11.Data):
                    body += event.data
                else:
                    break
            self.requests.append((method, target, body))
            status, headers, data = self.replies[0] if len(self.replies) == 1 else self.replies.pop(0)
            fields = [*headers.items(), ("content-length", str(len(data)))]
            sent = [h11.Response(status_code=status, headers=fields), h11.Data(data), h11.EndOfMessage()]
            await stream.send(b"".join(connection.send(event) or b"" for event in sent))


def is_over(call: SimulatedCall) -> bool:
    """Return whether its stream is."""
    return call.stream is not None and call.stream.state == "over"


def test_commands_come_over_http_and_connections_are_kept(loop: Loop) -> None:
    async def main() -> None:
        async with (
            TelnyxSimulator(timing=QUICK) as telnyx,
            telnyx.serve() as url,
            client_of(telnyx, url) as (client, call),
        ):
            for index in range(3):
                reply = await client.post(
                    "playback_start", json={**content(wav(0.5)), "command_id": str(index)}
                )
                assert (reply.status_code, reply.json()) == (200, {"data": {"result": "ok"}})
                assert "x-ratelimit-remaining" in reply.headers
            assert (await client.post("dance", json={})).status_code == 404
            assert call.timeline.order()[:1] == ["0"]
        assert [request.status for request in telnyx.requests] == [200, 200, 200, 404]

    run(loop, main)


def test_faults_break_connections_and_slow_bodies_down(loop: Loop) -> None:
    async def main() -> None:
        async with (
            TelnyxSimulator(timing=QUICK) as telnyx,
            telnyx.serve() as url,
            client_of(telnyx, url) as (client, _),
        ):
            telnyx.fault(RestFault(nth=1, is_reset=True))
            telnyx.fault(RestFault(nth=2, body_s=0.05))
            telnyx.fault(RestFault(nth=3, status=502))
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post("playback_stop", json={})
            assert (await client.post("playback_stop", json={})).json() == {"data": {"result": "ok"}}
            page = await client.post("playback_stop", json={})
            assert (page.status_code, page.headers["content-type"]) == (502, "text/html")

    run(loop, main)


def test_a_client_that_talks_nonsense_or_goes_away_harms_nobody(loop: Loop) -> None:
    async def main() -> None:
        async with TelnyxSimulator(timing=QUICK) as telnyx, telnyx.serve() as url:
            port = int(url.split(":")[2].split("/")[0])
            for words in (
                b"",
                b"nonsense\r\n\r\n",
                b"POST /v2/calls HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n",
            ):
                async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                    if words:
                        await stream.send(words)
            async with client_of(telnyx, url) as (client, _):
                assert (await client.post("playback_stop", json={})).status_code == 200

    run(loop, main)


def test_nobody_listens_when_the_block_is_over(loop: Loop) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx:
            async with telnyx.serve() as url:
                port = int(url.split(":")[2].split("/")[0])
            with pytest.raises(OSError):  # noqa: PT011  # loops say it in different words
                await anyio.connect_tcp("127.0.0.1", port)
            async with telnyx.serve(port=port) as again:
                assert again == url

    run(loop, main)


@pytest.mark.parametrize(("reading", "count", "status"), [("failed", 1, 307), ("followed", 3, 200)])
def test_webhooks_go_over_http_and_follow_redirects_if_so_read(
    loop: Loop, reading: str, count: int, status: int
) -> None:
    readings = TelnyxReadings(redirects="followed" if reading == "followed" else "failed")

    async def main() -> None:
        elsewhere = (307, {"location": "/other"}, b"")
        server = WebServer(elsewhere, elsewhere, (200, {}, b""))
        async with (
            serving(server) as address,
            TelnyxSimulator(webhooks=f"http://{address}/hook", timing=QUICK, readings=readings) as telnyx,
        ):
            telnyx.incoming_call()
            await until(lambda: bool(telnyx.webhooks))
        assert len(server.requests) == count
        assert [target for _, target, _ in server.requests] == ["/hook", "/other", "/other"][:count]
        assert all(b"call.initiated" in body for _, _, body in server.requests)
        assert [each.status for each in telnyx.webhooks] == [status]

    run(loop, main)


def test_webhooks_that_nobody_takes_are_tried_again(loop: Loop) -> None:
    async def main() -> None:
        with sockets.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        async with TelnyxSimulator(webhooks=url, timing=QUICK) as telnyx:
            telnyx.incoming_call()
            await until(lambda: len(telnyx.webhooks) == 2)
        assert [each.status for each in telnyx.webhooks] == [None, None]

    run(loop, main)


@pytest.mark.parametrize(("status", "heard"), [(200, ["0"]), (404, [])])
def test_files_on_this_machine_are_fetched(loop: Loop, status: int, heard: list[str]) -> None:
    async def main() -> None:
        server = WebServer((status, {}, wav(0.2)))
        async with (
            serving(server) as address,
            TelnyxSimulator(timing=QUICK) as telnyx,
            telnyx.serve() as url,
            client_of(telnyx, url) as (client, call),
        ):
            body = {"audio_url": f"http://{address}/a.wav?b=c", "command_id": "0"}
            assert (await client.post("playback_start", json=body)).status_code == 200
            await until(lambda: bool(server.requests))
            await anyio.sleep(0.05)
            assert server.requests == [("GET", "/a.wav?b=c", b"")]
            assert call.timeline.order() == heard

    run(loop, main)


class MediaServer:
    """A WebSocket server that says *replies* to the stream's start and keeps what comes."""

    def __init__(self, *replies: str | bytes | int, status: int | None = None) -> None:
        self.replies = replies
        self.status = status
        self.texts: list[str] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.target = ""
        self.pongs = 0
        self.code: int | None = None
        self.closed = anyio.Event()

    async def __call__(self, stream: SocketStream) -> None:
        protocol = WSConnection(ConnectionType.SERVER)
        async with stream:
            try:
                while True:
                    protocol.receive_data(await stream.receive())
                    for event in protocol.events():
                        await self.take(protocol, stream, event)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                self.code = 1006 if self.code is None else self.code
        self.closed.set()

    async def take(self, protocol: WSConnection, stream: SocketStream, event: object) -> None:
        match event:
            case Request():
                self.target, self.headers = event.target, list(event.extra_headers)
                if self.status is None:
                    await stream.send(protocol.send(AcceptConnection()))
                else:
                    await stream.send(protocol.send(RejectConnection(status_code=self.status)))
            case TextMessage():
                self.texts.append(event.data)
                if '"start"' in event.data:
                    for reply in self.replies:
                        await self.reply(protocol, stream, reply)
            case Pong():
                self.pongs += 1
            case CloseConnection():
                if self.code is None:
                    self.code = event.code
                    await stream.send(protocol.send(event.response()))
            case _:
                pass

    async def reply(self, protocol: WSConnection, stream: SocketStream, reply: str | bytes | int) -> None:
        match reply:
            case str():
                # In two pieces, as a proxy may have it.
                await stream.send(protocol.send(TextMessage(reply[:5], message_finished=False)))
                await stream.send(protocol.send(Ping(b"?")))
                await stream.send(protocol.send(TextMessage(reply[5:])))
            case bytes():
                await stream.send(protocol.send(BytesMessage(reply)))
            case int():
                self.code = reply
                await stream.send(protocol.send(CloseConnection(reply)))

    def count(self, event: str) -> int:
        return sum(f'"event":"{event}"' in text for text in self.texts)


async def stream_to(server: MediaServer, use: Callable[[SimulatedCall], Awaitable[None]]) -> TelnyxSimulator:
    async with (
        serving(server) as address,
        TelnyxSimulator(timing=QUICK) as telnyx,
        telnyx.serve() as url,
        client_of(telnyx, url) as (client, call),
    ):
        body = {
            "stream_url": f"ws://{address}/media?call=7",
            "stream_bidirectional_mode": "rtp",
            "stream_auth_token": "secret",
        }
        assert (await client.post("streaming_start", json=body)).status_code == 200
        await use(call)
        await server.closed.wait()
    return telnyx


def test_media_goes_both_ways_over_a_websocket(loop: Loop) -> None:
    media = '{"event":"media","media":{"payload":"' + "A" * 216 + '"}}'
    server = MediaServer(media, '{"event":"mark","mark":{"name":"m"}}', b"{}")

    async def use(call: SimulatedCall) -> None:
        await until(lambda: bool(server.count("mark")) and server.count("media") > 2)
        assert [len(sound.data) for sound in call.timeline.sounds] == [162]
        call.hang_up()

    async def main() -> None:
        server.closed = anyio.Event()
        await stream_to(server, use)
        assert server.target == "/media?call=7"
        assert (b"x-telnyx-streaming-auth-token", b"secret") in server.headers
        assert (server.count("connected"), server.count("start"), server.count("stop")) == (1, 1, 1)
        assert server.count("error") == 1  # the bytes are no message
        assert (server.pongs, server.code) == (2, 1000)

    run(loop, main)


@pytest.mark.parametrize("code", [1001, 1006, 1011])
def test_a_websocket_can_break(loop: Loop, code: int) -> None:
    async def main() -> None:
        server = MediaServer()

        async def use(call: SimulatedCall) -> None:
            await until(lambda: bool(server.count("media")))
            assert call.stream is not None
            call.stream.break_off(code)

        await stream_to(server, use)
        assert (server.code, server.count("stop")) == (code, 0)

    run(loop, main)


def test_a_bot_can_close_the_websocket(loop: Loop) -> None:
    async def main() -> None:
        server = MediaServer(4000)

        async def use(call: SimulatedCall) -> None:
            await until(lambda: is_over(call))
            assert call.state == "answered"

        await stream_to(server, use)

    run(loop, main)


def test_a_ping_that_comes_while_a_message_is_being_sent_is_answered_behind_it(loop: Loop) -> None:
    # More than a connection takes at once.
    message = "a" * 8_000_000
    events: list[object] = []

    async def server(stream: SocketStream) -> None:
        protocol = WSConnection(ConnectionType.SERVER)
        async with stream:
            while Pong(b"?") not in events:
                protocol.receive_data(await stream.receive())
                for event in protocol.events():
                    match event:
                        case Request():
                            await stream.send(protocol.send(AcceptConnection()))
                        case TextMessage(message_finished=False) if not events:
                            events.append("begun")
                            await stream.send(protocol.send(Ping(b"?")))
                        case TextMessage(message_finished=False):
                            pass
                        case _:
                            events.append("sent" if isinstance(event, TextMessage) else event)

    async def main() -> None:
        async with serving(server) as address:
            socket = await WebSocket.connect(f"ws://{address}/", {})
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(socket.send_text, message)
                with pytest.raises(anyio.EndOfStream):
                    await socket.receive_text()
            await socket.aclose(1006)
        assert events == ["begun", "sent", Pong(b"?")]

    run(loop, main)


@pytest.mark.parametrize("answer", ["rejected", "closed", "nobody"])
def test_a_websocket_that_cannot_be_opened_fails_the_stream(loop: Loop, answer: str) -> None:
    async def hang_up(stream: SocketStream) -> None:
        await stream.aclose()

    async def main() -> None:
        handler = MediaServer(status=403) if answer == "rejected" else hang_up
        async with (
            serving(handler) as address,
            TelnyxSimulator(timing=QUICK) as telnyx,
            telnyx.serve() as url,
            client_of(telnyx, url) as (client, call),
        ):
            where = "127.0.0.1:1" if answer == "nobody" else address
            reply = await client.post("streaming_start", json={"stream_url": f"ws://{where}/"})
            assert reply.status_code == 200
            await until(lambda: is_over(call))

    run(loop, main)


def test_queued_clips_have_no_gap_in_real_time_either(loop: Loop) -> None:
    async def main() -> None:
        async with (
            TelnyxSimulator(timing=QUICK) as telnyx,
            telnyx.serve() as url,
            client_of(telnyx, url) as (client, call),
        ):
            for _ in range(3):
                await client.post("playback_start", json=content(wav(0.2)))
            timeline = call.timeline
            await anyio.sleep(0.7)
            assert timeline.gaps() == []
            assert math.isclose(sum(sound.duration_s for sound in timeline.sounds), 0.6)

    run(loop, main)


def test_time_may_run_faster_over_real_connections_too() -> None:
    async def main() -> None:
        async with (
            TelnyxSimulator() as telnyx,
            telnyx.serve() as url,
            client_of(telnyx, url) as (client, call),
        ):
            for _ in range(3):
                await client.post("playback_start", json=content(wav(5.0)))
            await anyio.sleep(16.0)
            assert call.timeline.gaps() == []
            assert [round(each.duration_s, 6) for each in call.timeline.sounds] == [5.0, 5.0, 5.0]
            assert call.timeline.sounds[-1].end_s < anyio.current_time()

    began_s = time.monotonic()
    # Twenty seconds a second.
    trio.run(main, clock=trio.testing.MockClock(rate=20.0))
    assert time.monotonic() - began_s < 10.0
