"""The two ends of a WebSocket, in memory and on a real connection alike."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final, Protocol, TypeAlias, final

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

# About what a connection's buffers hold of 20 ms frames. Who sends more waits until somebody reads.
_BUFFERED_MESSAGES: Final = 256


class TelnyxEnd(Protocol):
    """Telnyx's end of a media stream's WebSocket."""

    async def receive_text(self) -> str:
        """Return the next message.

        Raises:
            anyio.EndOfStream: The other side has closed.
        """
        ...

    async def send_text(self, text: str, /) -> None:
        """Send a message.

        Raises:
            anyio.BrokenResourceError: The other side has closed.
            anyio.ClosedResourceError: This side has closed.
        """
        ...

    async def aclose(self, code: int = 1000) -> None:
        """Close with *code*; 1006 stands for a connection that breaks."""
        ...


Connect: TypeAlias = Callable[[str, Mapping[str, str]], Awaitable[TelnyxEnd]]
"""Opens a WebSocket to an address, with these headers; raises `OSError` if that fails."""


@final
class MemorySocket:
    """One end of a WebSocket that is no more than two queues.

    Attributes:
        headers: What the handshake told, by names in lower case.
        close_code: With which code the other side has closed; None while it has not.
    """

    def __init__(
        self,
        headers: Mapping[str, str],
        send: MemoryObjectSendStream[str],
        receive: MemoryObjectReceiveStream[str],
    ) -> None:
        """Make an end of what ``memory_sockets`` connects."""
        self.headers: Mapping[str, str] = MappingProxyType(dict(headers))
        self.close_code: int | None = None
        self._send: MemoryObjectSendStream[str] = send
        self._receive: MemoryObjectReceiveStream[str] = receive
        self._other: MemorySocket | None = None

    async def receive_text(self) -> str:
        """Return the next message.

        Raises:
            anyio.EndOfStream: The other side has closed.
            anyio.ClosedResourceError: This side has closed.
        """
        return await self._receive.receive()

    async def send_text(self, text: str, /) -> None:
        """Send a message; waits while the other side reads too little.

        Raises:
            anyio.BrokenResourceError: The other side has closed.
            anyio.ClosedResourceError: This side has closed.
        """
        await self._send.send(text)

    async def aclose(self, code: int = 1000) -> None:
        """Close, with *code* for the other side to see."""
        if self._other is not None and self._other.close_code is None:
            self._other.close_code = code
        self._send.close()
        self._receive.close()

    def connect(self, other: "MemorySocket") -> None:
        """Tell *other* of this side's closing."""
        self._other = other


def memory_sockets(headers: Mapping[str, str]) -> tuple[MemorySocket, MemorySocket]:
    """Return Telnyx's end and the bot's end of a new WebSocket."""
    to_bot, at_bot = anyio.create_memory_object_stream[str](_BUFFERED_MESSAGES)
    to_telnyx, at_telnyx = anyio.create_memory_object_stream[str](_BUFFERED_MESSAGES)
    telnyx, bot = MemorySocket({}, to_bot, at_telnyx), MemorySocket(headers, to_telnyx, at_bot)
    telnyx.connect(bot)
    bot.connect(telnyx)
    return telnyx, bot
