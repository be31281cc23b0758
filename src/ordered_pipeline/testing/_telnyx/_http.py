"""HTTP over real connections, on this machine alone: a server for commands, a client for webhooks."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import urljoin, urlsplit

import anyio
import h11
from anyio.abc import ByteStream, SocketStream

from ordered_pipeline.testing._telnyx._api import HttpReply
from ordered_pipeline.testing._telnyx._transport import SendRequest

_Event: TypeAlias = h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]

# What is called is on this machine: nothing of a test ever goes further.
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_READ_BYTES: Final = 65_536
_MOST_REDIRECTS: Final = 3


def local_address(url: str, scheme: str) -> tuple[str, int, str]:
    """Return the host, port and path of an address on this machine.

    Raises:
        OSError: It is elsewhere, or of another scheme.
    """
    parts = urlsplit(url)
    if parts.scheme != scheme or parts.hostname not in _LOCAL:
        raise OSError(f"the address must begin with {scheme}:// and be on this machine, got {url!r}")
    path = parts.path or "/"
    return parts.hostname or "", parts.port or 80, f"{path}?{parts.query}" if parts.query else path


async def post(url: str, headers: Mapping[str, str], body: bytes, *, follow: bool) -> int:
    """Send a webhook; return the reply's status.

    Args:
        url: An ``http://`` address on this machine.
        headers: By name.
        body: As it is.
        follow: Whether redirects are followed, up to three times.

    Raises:
        OSError: Nobody answered, or an address is elsewhere.
    """
    status, fields, _ = await _exchange("POST", url, headers, body)
    for _ in range(_MOST_REDIRECTS if follow else 0):
        if not 300 <= status < 400 or "location" not in fields:  # noqa: PLR2004  # HTTP's
            break
        url = urljoin(url, fields["location"])
        status, fields, _ = await _exchange("POST", url, headers, body)
    return status


async def get(url: str) -> bytes | None:
    """Return what is at an ``http://`` address on this machine; None if nothing is.

    Raises:
        OSError: Nobody answered, or the address is elsewhere.
    """
    status, _, body = await _exchange("GET", url, {}, b"")
    return body if status == HTTPStatus.OK else None


async def _exchange(
    method: str, url: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    """Send a request on a connection of its own; return the reply's status, headers and body."""
    host, port, path = local_address(url, "http")
    connection = h11.Connection(h11.CLIENT)
    async with await anyio.connect_tcp(host, port) as stream:
        fields = {
            "host": f"{host}:{port}",
            "content-length": str(len(body)),
            "connection": "close",
            **headers,
        }
        request = h11.Request(method=method, target=path, headers=list(fields.items()))
        sent = [connection.send(event) or b"" for event in (request, h11.Data(body), h11.EndOfMessage())]
        try:
            await stream.send(b"".join(sent))
            reply = await _next(connection, stream)
            while isinstance(reply, h11.InformationalResponse):
                reply = await _next(connection, stream)
            content = await _body(connection, stream)
        except (anyio.BrokenResourceError, h11.ProtocolError) as error:
            raise ConnectionError(f"{url} did not answer") from error
    if not isinstance(reply, h11.Response):
        raise ConnectionError(f"{url} did not answer")
    return (
        reply.status_code,
        {name.decode(): value.decode("latin-1") for name, value in reply.headers},
        content,
    )


async def serve_connection(stream: SocketStream, send: SendRequest) -> None:
    """Answer the requests on one connection, by *send*, until it is closed."""
    connection = h11.Connection(h11.SERVER)
    async with stream:
        try:
            while True:
                request = await _next(connection, stream)
                if not isinstance(request, h11.Request):
                    return
                body = await _body(connection, stream)
                await _answer(connection, stream, request, body, send)
                connection.start_next_cycle()
        except (
            anyio.BrokenResourceError,
            anyio.ClosedResourceError,
            h11.ProtocolError,
            ConnectionResetError,
        ):
            pass  # the client has gone, talks nonsense, or a fault wants the connection to break


async def _answer(
    connection: h11.Connection, stream: ByteStream, request: h11.Request, body: bytes, send: SendRequest
) -> None:
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    path = request.target.decode("ascii", "replace").partition("?")[0]
    reply = await send(request.method.decode(), path, headers, body)
    for data in _written(connection, reply):
        await stream.send(data)
        if reply.body_s:
            await anyio.sleep(reply.body_s / 2)


def _written(connection: h11.Connection, reply: HttpReply) -> list[bytes]:
    fields = {**reply.headers, "content-length": str(len(reply.body))}
    reason = HTTPStatus(reply.status).phrase if reply.status in set(HTTPStatus) else ""
    half = len(reply.body) // 2
    head = connection.send(
        h11.Response(status_code=reply.status, headers=list(fields.items()), reason=reason.encode())
    )
    first = connection.send(h11.Data(reply.body[:half]))
    second = connection.send(h11.Data(reply.body[half:]))
    end = connection.send(h11.EndOfMessage())
    whole = [(head or b"") + (first or b""), (second or b"") + (end or b"")]
    return whole if reply.body_s else [b"".join(whole)]


async def _next(connection: h11.Connection, stream: ByteStream) -> _Event:
    while (event := connection.next_event()) is h11.NEED_DATA:
        try:
            data = await stream.receive(_READ_BYTES)
        except anyio.EndOfStream:
            data = b""
        connection.receive_data(data)
    return event


async def _body(connection: h11.Connection, stream: ByteStream) -> bytes:
    parts: list[bytes] = []
    while isinstance(event := await _next(connection, stream), h11.Data):
        parts.append(bytes(event.data))
    return b"".join(parts)
