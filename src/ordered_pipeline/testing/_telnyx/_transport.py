"""The way from httpx to the simulator, without a network."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeAlias, cast, final

import anyio
import httpx
from typing_extensions import override

from ordered_pipeline.testing._telnyx._api import HttpReply

SendRequest: TypeAlias = Callable[[str, str, Mapping[str, str], bytes], Awaitable[HttpReply]]


@final
class _SlowBody(httpx.AsyncByteStream):
    """A body that comes in two halves."""

    def __init__(self, body: bytes, body_s: float) -> None:
        self._body: bytes = body
        self._body_s: float = body_s

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        half = len(self._body) // 2
        yield self._body[:half]
        await anyio.sleep(self._body_s)
        yield self._body[half:]


@final
class SimulatorTransport(httpx.AsyncBaseTransport):
    """Brings requests to the simulator. A client's timeouts hold."""

    def __init__(self, send: SendRequest) -> None:
        """Make one that answers by *send*."""
        self._send: SendRequest = send

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return what the simulator answers.

        Raises:
            httpx.ReadTimeout: It took longer than the client waits.
            httpx.ReadError: The connection broke, by a fault.
        """
        body = await request.aread()
        path = request.url.raw_path.decode("ascii").partition("?")[0]
        headers = {name.lower(): value for name, value in request.headers.items()}
        timeouts = cast("Mapping[str, float | None]", request.extensions.get("timeout", {}))
        try:
            with anyio.fail_after(timeouts.get("read")):
                reply = await self._send(request.method, path, headers, body)
        except TimeoutError as error:
            raise httpx.ReadTimeout("the simulator did not answer in time", request=request) from error
        except ConnectionResetError as error:
            raise httpx.ReadError(str(error), request=request) from error
        stream: httpx.AsyncByteStream = (
            _SlowBody(reply.body, reply.body_s) if reply.body_s else httpx.ByteStream(reply.body)
        )
        return httpx.Response(reply.status, headers=dict(reply.headers), stream=stream, request=request)
