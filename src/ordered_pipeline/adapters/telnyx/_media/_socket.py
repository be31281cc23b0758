"""The socket under a media stream: what is asked of one, and one made of an ASGI server's."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol, TypeAlias, cast, final

import anyio

_Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, object]]]
_Send: TypeAlias = Callable[[dict[str, object]], Awaitable[None]]


class TelnyxStreamRefusedError(Exception):
    """Whoever opened the socket is not let in: no media stream of Telnyx, or not with our token."""


class TelnyxStreamClosedError(Exception):
    """The media stream is over: the call has ended, or the socket is gone or takes nothing more."""


class MediaSocket(Protocol):
    """A WebSocket that Telnyx has opened to us. One task receives and one sends, at the same time."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the request that opened it, by their names in small letters."""
        ...

    async def receive_text(self) -> str:
        """Return the next message.

        Raises:
            anyio.EndOfStream: The socket is closed.
        """
        ...

    async def send_text(self, text: str, /) -> None:
        """Send a message; waits while the other side takes none.

        Raises:
            anyio.BrokenResourceError: The socket is closed.
        """
        ...

    async def aclose(self) -> None:
        """Close the socket; once it is closed, do nothing."""
        ...


def from_asgi(
    scope: Mapping[str, object],
    receive: Callable[[], Awaitable[Mapping[str, object]]],
    send: Callable[[dict[str, object]], Awaitable[None]],
) -> MediaSocket:
    """Make a socket of what an ASGI server calls its application with.

    It accepts the connection when the first message is asked for, unless that was done before; to close it
    before is to refuse it. A framework's WebSocket has the three as well: of Starlette and FastAPI
    ``websocket.scope``, ``websocket.receive`` and ``websocket.send``.

    Args:
        scope: What the connection is; of the type ``"websocket"``.
        receive: Gives the server's messages.
        send: Takes the application's.

    Returns:
        The socket, which nobody else receives from or sends to.

    Raises:
        ValueError: *scope* is of another type.

    Source:
        ASGI, "HTTP and WebSocket ASGI message format", version 2.5.
    """
    if scope["type"] != "websocket":
        raise ValueError(f"scope must be of the type 'websocket', got {scope['type']!r}")
    return _AsgiSocket(scope, receive, send)


@final
class _AsgiSocket:
    def __init__(self, scope: Mapping[str, object], receive: _Receive, send: _Send) -> None:
        pairs = cast("Iterable[tuple[bytes, bytes]]", scope.get("headers", ()))
        self._headers: dict[str, str] = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs
        }
        self._receive: _Receive = receive
        self._send: _Send = send
        self._is_closed: bool = False

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    async def receive_text(self) -> str:
        while not self._is_closed:
            message = await self._receive()
            match message["type"]:
                case "websocket.connect":
                    await self._pass({"type": "websocket.accept"})
                case "websocket.receive":
                    # A server gives one of the two, and leaves the other out or says None.
                    text = message.get("text")
                    if isinstance(text, str):
                        return text
                    return cast("bytes", message["bytes"]).decode(errors="replace")
                case _:
                    self._is_closed = True
        raise anyio.EndOfStream

    async def send_text(self, text: str, /) -> None:
        if self._is_closed:
            raise anyio.BrokenResourceError
        await self._pass({"type": "websocket.send", "text": text})

    async def aclose(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            await self._pass({"type": "websocket.close"})

    async def _pass(self, message: dict[str, object]) -> None:
        try:
            await self._send(message)
        except Exception as error:  # each server and framework has its own for a connection that is gone
            raise anyio.BrokenResourceError from error
