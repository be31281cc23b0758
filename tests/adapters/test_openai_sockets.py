"""What servers and connections see of a reply: real sockets on this machine, in real time."""

import gc
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import anyio
import httpx
import pytest
from anyio.abc import SocketAttribute, SocketStream

from ordered_pipeline.adapters.openai import ChatCompletions, ChatCompletionsError
from ordered_pipeline.voice import Message

ASKED: Final = (Message("user", "Who goes there?"),)
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
DONE: Final = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def written(text: str, finish: str | None = None) -> bytes:
    """Return one event as a chunk of HTTP."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    data = f"data: {json.dumps({'choices': [choice]})}\n\n".encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


async def take_request(connection: SocketStream) -> None:
    request = b""
    while not request.endswith(b'"stream": true}'):
        request += await connection.receive()


@asynccontextmanager
async def served_by(serve: Callable[[SocketStream], Awaitable[None]]) -> AsyncGenerator[ChatCompletions]:
    """Let *serve* have each connection to who is given."""

    async def handle(connection: SocketStream) -> None:
        async with connection:
            await serve(connection)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610  # not Django's
    async with listener, anyio.create_task_group() as tasks, httpx.AsyncClient(trust_env=False) as client:
        tasks.start_soon(listener.serve, handle)
        yield ChatCompletions(client, base_url=f"http://127.0.0.1:{port}/v1", model="tiny")
        tasks.cancel_scope.cancel()


def test_closing_a_reply_ends_its_connection_and_leaves_nothing_to_the_garbage_collector(
    backend: str,
) -> None:
    async def serve(connection: SocketStream) -> None:
        await take_request(connection)
        with pytest.raises(anyio.BrokenResourceError):
            await connection.send(HEAD + written("One, ") + written("two, "))
            while True:
                await connection.send(written("and on, ") * 100)
        noticed.append(True)
        if len(noticed) == 2:
            both.set()

    async def main() -> None:
        with anyio.fail_after(10):
            async with served_by(serve) as llm:
                for _ in range(2):
                    reply = llm.reply(ASKED)
                    assert await anext(reply) == "One, "
                    await reply.aclose()
                    # Trio warns of each generator that is collected before its end; here that is an error.
                    del reply
                    gc.collect()
                await both.wait()

    noticed: list[bool] = []
    both = anyio.Event()
    anyio.run(main, backend=backend)


def test_whole_replies_are_had_on_one_connection(backend: str) -> None:
    connections: list[SocketStream] = []

    async def serve(connection: SocketStream) -> None:
        connections.append(connection)
        for _ in range(3):
            await take_request(connection)
            await connection.send(HEAD + written("One."))
            await connection.send(written("", "stop"))
            await connection.send(DONE)

    async def main() -> None:
        with anyio.fail_after(10):
            async with served_by(serve) as llm:
                for _ in range(3):
                    assert [delta async for delta in llm.reply(ASKED)] == ["One."]

    anyio.run(main, backend=backend)
    assert len(connections) == 1


def test_a_server_that_dies_in_the_middle_is_an_error_after_the_text_that_came(backend: str) -> None:
    deltas: list[str] = []

    async def serve(connection: SocketStream) -> None:
        await take_request(connection)
        await connection.send(HEAD + written("One, "))

    async def main() -> None:
        with anyio.fail_after(10):
            async with served_by(serve) as llm:
                with pytest.raises(ChatCompletionsError, match=r"^the connection to the server failed: "):
                    async for delta in llm.reply(ASKED):
                        deltas.append(delta)  # noqa: PERF401  # what came before the error is to be there

    anyio.run(main, backend=backend)
    assert deltas == ["One, "]


def test_where_nobody_listens_there_is_an_error(backend: str) -> None:
    async def main() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            # Port 9 discards what comes, where anybody listens at all, which is nowhere today.
            llm = ChatCompletions(client, base_url="http://127.0.0.1:9/v1", model="tiny")
            with pytest.raises(ChatCompletionsError, match=r"^the connection to the server failed: Connect"):
                await anext(llm.reply(ASKED))

    anyio.run(main, backend=backend)
