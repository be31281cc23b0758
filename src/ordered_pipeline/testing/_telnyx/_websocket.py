"""A WebSocket over a real connection on this machine: Telnyx's end."""

from collections import deque
from collections.abc import Mapping
from typing import Final, Self, final

import anyio
from anyio.abc import SocketStream
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from ordered_pipeline.testing._telnyx._http import local_address

_READ_BYTES: Final = 65_536
_BROKEN: Final = 1006
# How long to wait for the other side's own farewell.
_FAREWELL_S: Final = 1.0


@final
class WebSocket:
    """Telnyx's end."""

    def __init__(self, stream: SocketStream) -> None:
        """Make one on a connection that `connect` has opened."""
        self._stream: SocketStream = stream
        self._protocol: WSConnection = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Event] = deque()
        self._parts: list[str] = []
        self._is_closed: bool = False
        # A reader that answers must not get in between a writer's bytes.
        self._line: anyio.Lock = anyio.Lock()

    @classmethod
    async def connect(cls, url: str, headers: Mapping[str, str]) -> Self:
        """Open one.

        Raises:
            OSError: The address is not on this machine, or nobody there wants to talk.
        """
        host, port, target = local_address(url, "ws")
        socket = cls(await anyio.connect_tcp(host, port))
        answer: Event | None = None
        try:
            extra = [(name.encode(), value.encode()) for name, value in headers.items()]
            await socket._send(Request(host=f"{host}:{port}", target=target, extra_headers=extra))
            answer = await socket._next()
        except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise ConnectionResetError(f"{url} closed instead of a handshake") from error
        finally:
            if not isinstance(answer, AcceptConnection):
                await anyio.aclose_forcefully(socket._stream)
        if not isinstance(answer, AcceptConnection):
            status = answer.status_code if isinstance(answer, RejectConnection) else None
            raise ConnectionRefusedError(f"{url} refused the WebSocket, status {status}")
        return socket

    async def receive_text(self) -> str:
        """Return the next message.

        Raises:
            anyio.EndOfStream: The other side has closed.
        """
        while True:
            event = await self._next()
            match event:
                case TextMessage():
                    self._parts.append(event.data)
                    if event.message_finished:
                        text = "".join(self._parts)
                        self._parts.clear()
                        return text
                case BytesMessage():
                    return event.data.decode("utf-8", "replace")  # what it means is for the reader to refuse
                case Ping():
                    await self._send(event.response())
                case CloseConnection():
                    if not self._is_closed:
                        self._is_closed = True
                        await self._answer(event)
                    raise anyio.EndOfStream
                case _:
                    pass

    async def send_text(self, text: str, /) -> None:
        """Send a message.

        Raises:
            anyio.BrokenResourceError: The connection is gone.
            anyio.ClosedResourceError: One of the sides has said farewell.
        """
        await self._send(TextMessage(text))

    async def aclose(self, code: int = 1000) -> None:
        """Close with *code*; 1006 breaks the connection without a word."""
        if not self._is_closed and code != _BROKEN:
            try:
                with anyio.move_on_after(_FAREWELL_S):
                    await self._send(CloseConnection(code))
                    self._is_closed = True
                    while True:
                        await self.receive_text()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass
        self._is_closed = True
        await anyio.aclose_forcefully(self._stream)

    async def _answer(self, event: CloseConnection) -> None:
        try:
            await self._send(event.response())
        except anyio.BrokenResourceError:
            pass  # it did not wait for the answer

    async def _next(self) -> Event:
        while not self._events:
            try:
                self._protocol.receive_data(await self._stream.receive(_READ_BYTES))
                self._events.extend(self._protocol.events())
            except (anyio.BrokenResourceError, RemoteProtocolError) as error:
                raise anyio.EndOfStream from error
        return self._events.popleft()

    async def _send(self, event: Event) -> None:
        async with self._line:
            try:
                data = self._protocol.send(event)
            except LocalProtocolError as error:
                raise anyio.ClosedResourceError from error
            await self._stream.send(data)
