"""The socket made of an ASGI server's, against a scripted server."""

from collections.abc import Mapping

import anyio
import pytest

from ordered_pipeline.adapters.telnyx import MediaStream, TelnyxStreamRefusedError, from_asgi
from ordered_pipeline.wire._telnyx_media import Connected, Start, encode_media_message
from tests.conftest import Run

SCOPE = {"type": "websocket", "headers": [(b"X-Telnyx-Streaming-Auth-Token", b"t\xf6ken"), (b"host", b"h")]}
CONNECT = {"type": "websocket.connect"}


class Server:
    """An ASGI server that gives what it is told, then says that the other side has gone."""

    def __init__(self, *messages: Mapping[str, object], error: Exception | None = None) -> None:
        self.messages: list[Mapping[str, object]] = list(messages)
        self.sent: list[dict[str, object]] = []
        self.error: Exception | None = error

    async def receive(self) -> Mapping[str, object]:
        await anyio.lowlevel.checkpoint()
        return self.messages.pop(0) if self.messages else {"type": "websocket.disconnect", "code": 1006}

    async def send(self, message: dict[str, object]) -> None:
        await anyio.lowlevel.checkpoint()
        if self.error is not None:
            raise self.error
        self.sent.append(message)


def text(data: str) -> dict[str, object]:
    return {"type": "websocket.receive", "text": data}


def test_it_accepts_and_gives_the_texts_until_the_other_side_has_gone(run: Run) -> None:
    server = Server(
        CONNECT,
        text("one"),
        {"type": "websocket.receive", "bytes": None, "text": "two"},
        {"type": "websocket.receive", "bytes": b"three", "text": None},
        {"type": "websocket.receive", "bytes": b"\xff"},
    )

    async def main() -> list[str]:
        socket = from_asgi(SCOPE, server.receive, server.send)
        texts = [await socket.receive_text() for _ in range(4)]
        for _ in range(2):
            with pytest.raises(anyio.EndOfStream):
                await socket.receive_text()
        with pytest.raises(anyio.BrokenResourceError):
            await socket.send_text("too late")
        await socket.aclose()
        return texts

    assert run(main) == ["one", "two", "three", "\ufffd"]
    assert server.sent == [{"type": "websocket.accept"}]


def test_one_that_was_accepted_before_is_used_as_it_is(run: Run) -> None:
    server = Server(text("one"))

    async def main() -> str:
        socket = from_asgi(SCOPE, server.receive, server.send)
        received = await socket.receive_text()
        await socket.send_text("two")
        await socket.aclose()
        await socket.aclose()
        return received

    assert run(main) == "one"
    assert server.sent == [{"type": "websocket.send", "text": "two"}, {"type": "websocket.close"}]


def test_headers_have_names_in_small_letters() -> None:
    server = Server()

    assert from_asgi(SCOPE, server.receive, server.send).headers == {
        "x-telnyx-streaming-auth-token": "t\xf6ken",
        "host": "h",
    }
    assert from_asgi({"type": "websocket"}, server.receive, server.send).headers == {}


def test_whatever_a_server_fails_to_send_with_is_a_broken_socket(run: Run) -> None:
    error = OSError("the client is gone")
    server = Server(error=error)

    async def main() -> None:
        socket = from_asgi(SCOPE, server.receive, server.send)
        with pytest.raises(anyio.BrokenResourceError) as told:
            await socket.send_text("one")
        assert told.value.__cause__ is error

    run(main)


def test_another_kind_of_connection_is_refused() -> None:
    server = Server()

    with pytest.raises(ValueError, match="scope must be of the type 'websocket', got 'http'"):
        from_asgi({"type": "http"}, server.receive, server.send)


def test_a_stream_with_a_wrong_header_is_closed_before_it_was_accepted(run: Run) -> None:
    server = Server(CONNECT, text(encode_media_message(Connected())))

    async def main() -> None:
        socket = from_asgi(SCOPE, server.receive, server.send)
        with pytest.raises(TelnyxStreamRefusedError):
            async with MediaStream(socket, auth_token="another"):  # noqa: S106  # no secret
                pass

    run(main)

    assert server.sent == [{"type": "websocket.close"}]


def test_a_stream_over_asgi_starts_and_is_closed(run: Run) -> None:
    server = Server(
        CONNECT,
        text(encode_media_message(Connected())),
        text(encode_media_message(Start(call_control_id="v3:a"))),
    )

    async def main() -> str | None:
        async with MediaStream(from_asgi(SCOPE, server.receive, server.send), auth_token=None) as stream:
            assert stream.start is not None
            return stream.start.call_control_id

    assert run(main) == "v3:a"
    assert server.sent[0] == {"type": "websocket.accept"}
