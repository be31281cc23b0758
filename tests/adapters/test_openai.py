import asyncio
import json
import math
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Final

import anyio
import httpx
import pytest

from ordered_pipeline.adapters.openai import ChatCompletions, ChatCompletionsError, ChatRefusedError
from ordered_pipeline.testing import check_llm
from ordered_pipeline.voice import Message
from tests.conftest import Run

ASKED: Final = (Message("system", "Be brief."), Message("user", "Who goes there?"))
SSE: Final = "text/event-stream"
KEY: Final = "sk-very-secret"


def text_event(text: str | None, finish: str | None = None, **delta: object) -> bytes:
    choice = {"index": 0, "delta": {"content": text, **delta}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}\n\n".encode()


DONE: Final = b"data: [DONE]\n\n"
END: Final = text_event(None, "stop") + DONE


class Body(httpx.AsyncByteStream):
    """Sends its pieces; a number is seconds to wait, an error what the connection fails with."""

    def __init__(self, pieces: Sequence[bytes | float | Exception]) -> None:
        self._pieces: Final = pieces
        self.read_s: float | None = None
        self.closed_s: float | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            elif isinstance(piece, Exception):
                raise piece
            else:
                await anyio.sleep(piece)
        self.read_s = anyio.current_time()

    async def aclose(self) -> None:
        self.closed_s = anyio.current_time()


class Server(httpx.AsyncBaseTransport):
    """Answers each request with the same pieces."""

    def __init__(
        self,
        *pieces: bytes | float | Exception,
        status: int = 200,
        kind: str | None = SSE,
        after_s: float = 0.0,
        error: Exception | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self._pieces: Final = pieces
        self._status: Final = status
        self._headers: Final = {**(headers or {}), **({} if kind is None else {"content-type": kind})}
        self._after_s: Final = after_s
        self._error: Final = error
        self.requests: list[httpx.Request] = []
        self.bodies: list[Body] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await anyio.sleep(self._after_s)
        if self._error is not None:
            raise self._error
        self.bodies.append(Body(self._pieces))
        return httpx.Response(self._status, headers=self._headers, stream=self.bodies[-1])

    def are_closed(self) -> bool:
        return all(body.closed_s is not None for body in self.bodies)


def mind(
    server: Server,
    *,
    base_url: str = "http://localhost:8080/v1",
    api_key: str | None = None,
    timeout_s: float = 15.0,
    options: dict[str, object] | None = None,
) -> ChatCompletions:
    return ChatCompletions(
        httpx.AsyncClient(transport=server),
        base_url=base_url,
        model="tiny",
        api_key=api_key,
        timeout_s=timeout_s,
        options=options or {},
    )


async def deltas_of(llm: ChatCompletions) -> list[str]:
    return [delta async for delta in llm.reply(ASKED)]


class Failed:
    """What a reply gave and how it failed."""

    def __init__(self, run: Run, llm: ChatCompletions) -> None:
        self.deltas: list[str] = []

        async def main() -> float:
            begun_s = anyio.current_time()
            with pytest.raises(ChatCompletionsError) as failure:
                async for delta in reply:
                    self.deltas.append(delta)
            self.error: ChatCompletionsError = failure.value
            assert [delta async for delta in reply] == []
            return anyio.current_time() - begun_s

        reply = llm.reply(ASKED)
        self.after_s: float = run(main)
        self.message: str = str(self.error)


def test_the_reply_is_asked_for_as_the_protocol_says(run: Run) -> None:
    server = Server(text_event("I."), END)

    assert run(deltas_of, mind(server, api_key=KEY, options={"temperature": 0.5})) == ["I."]

    request = server.requests[0]
    assert (request.method, str(request.url)) == ("POST", "http://localhost:8080/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == SSE
    assert json.loads(request.content) == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Who goes there?"},
        ],
        "temperature": 0.5,
        "stream": True,
    }


def test_without_a_key_none_is_sent(run: Run) -> None:
    server = Server(END)

    run(deltas_of, mind(server, base_url="https://a.example/v1/"))

    assert "authorization" not in server.requests[0].headers
    assert str(server.requests[0].url) == "https://a.example/v1/chat/completions"


def test_it_keeps_the_promises_of_a_language_model(run: Run) -> None:
    server = Server(0.1, text_event("One, "), 0.1, text_event("two."), END)

    run(check_llm, mind(server))

    assert server.are_closed()


def test_nothing_is_sent_before_the_first_delta_is_asked_for(run: Run) -> None:
    server = Server(END)

    async def main() -> None:
        reply = mind(server).reply(ASKED)
        await anyio.sleep(1)
        assert server.requests == []
        await reply.aclose()
        assert [delta async for delta in reply] == []

    run(main)
    assert server.requests == []


def test_each_delta_is_given_when_it_comes(run: Run) -> None:
    server = Server(text_event("One, "), 0.5, text_event("two."), 0.25, END)

    async def main() -> list[tuple[float, str]]:
        begun_s = anyio.current_time()
        return [(anyio.current_time() - begun_s, delta) async for delta in mind(server).reply(ASKED)]

    assert run(main) == [(0.0, "One, "), (0.5, "two.")]


DIALECTS: Final = {
    "llama.cpp: null content first, counts last": (
        text_event(None, role="assistant"),
        text_event("One"),
        text_event(" two"),
        text_event(None, "stop"),
        b'data: {"choices": [], "usage": {"total_tokens": 9}}\n\n',
        DONE,
    ),
    "a role in every chunk": (
        text_event("One", role="assistant"),
        text_event(" two", "stop", role="assistant"),
        DONE,
    ),
    "a role that is null": (text_event("One", role=None), text_event(" two", "stop", role=None), DONE),
    "verdicts of a filter first": (
        b'data: {"choices": [], "prompt_filter_results": []}\n\n',
        text_event("One two"),
        END,
    ),
    "comments": (b": one moment\n\n", text_event("One"), b":\n\n:\n\n", text_event(" two"), END),
    "CRLF": ((text_event("One") + text_event(" two") + END).replace(b"\n", b"\r\n"),),
    "CR": ((text_event("One") + text_event(" two") + END).replace(b"\n", b"\r"),),
    "other fields": (
        b"event: message\nid: 7\nretry: 10\n" + text_event("One"),
        b"id: 8\n\n",
        text_event(" two"),
        END,
    ),
    "no space after the colon": (text_event("One two").replace(b"data: ", b"data:"), END),
    "a byte order mark": (b"\xef\xbb\xbf" + text_event("One two"), END),
    "no [DONE]": (text_event("One two"), text_event(None, "stop")),
    "no finish reason": (text_event("One two", ""), DONE),
    "an end for lack of room": (text_event("One two", "length"),),
    "a connection that breaks behind the end": (text_event("One two", "stop"), httpx.ReadError("gone")),
}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_is_understood(run: Run, dialect: str) -> None:
    server = Server(*DIALECTS[dialect])

    assert "".join(run(deltas_of, mind(server))) == "One two"
    assert server.are_closed()


def test_the_chunks_may_be_cut_anywhere(run: Run) -> None:
    text = "Grüße, 今日は 😀\u2028and\x85so on."
    whole = (text_event(text) + END).replace(b"\n", b"\r\n")

    async def main() -> None:
        for size in (1, 2, 3, 7):
            pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
            assert await deltas_of(mind(Server(*pieces))) == [text]

    run(main)


def test_text_is_in_utf_8_whatever_the_header_says(run: Run) -> None:
    server = Server(text_event("Grüße"), END, kind="text/event-stream; charset=iso-8859-1")

    assert run(deltas_of, mind(server)) == ["Grüße"]


def test_a_whole_reply_is_read_to_the_end_of_its_response_so_that_the_connection_serves_again(
    run: Run,
) -> None:
    server = Server(text_event("One.", "stop"), 0.1, DONE)

    run(deltas_of, mind(server))

    assert server.bodies[0].read_s is not None


def test_a_server_that_holds_a_whole_reply_open_is_not_waited_for(run: Run) -> None:
    server = Server(text_event("One."), END, math.inf)

    async def main() -> float:
        begun_s = anyio.current_time()
        assert await deltas_of(mind(server)) == ["One."]
        return anyio.current_time() - begun_s

    assert run(main) == 0.25
    assert server.are_closed()


def test_closing_a_reply_closes_its_response_at_once(run: Run) -> None:
    server = Server(text_event("One, "), math.inf)

    async def main() -> None:
        reply = mind(server).reply(ASKED)
        assert await anext(reply) == "One, "
        closed_s = anyio.current_time()
        await reply.aclose()
        assert server.bodies[0].closed_s == anyio.current_time() == closed_s

    run(main)


@pytest.mark.parametrize(
    "server", [Server(math.inf), Server(after_s=math.inf)], ids=["the text", "the answer"]
)
def test_a_cancelled_wait_closes_the_response(run: Run, server: Server) -> None:
    async def main() -> None:
        reply = mind(server, timeout_s=math.inf).reply(ASKED)
        with anyio.move_on_after(1):
            await anext(reply)
        assert server.are_closed()
        assert [delta async for delta in reply] == []

    run(main)


def test_a_task_that_is_cancelled_while_it_waits_ends_as_cancelled(run_asyncio: Run) -> None:
    server = Server(text_event("One, "), math.inf)

    async def main() -> None:
        task = asyncio.create_task(deltas_of(mind(server)))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert server.are_closed()

    run_asyncio(main)


def test_a_stream_that_just_ends_was_cut_off(run: Run) -> None:
    server = Server(text_event("One, "), text_event("two"))

    failed = Failed(run, mind(server))

    assert failed.deltas == ["One, ", "two"]
    assert failed.message == "the reply was cut off: its stream ended without a finish reason"
    assert server.are_closed()


def test_a_connection_that_breaks_is_an_error_after_the_text_that_came(run: Run) -> None:
    server = Server(text_event("One, "), httpx.RemoteProtocolError("peer closed connection"))

    failed = Failed(run, mind(server))

    assert failed.deltas == ["One, "]
    assert failed.message == (
        "the connection to the server failed: RemoteProtocolError('peer closed connection')"
    )
    assert isinstance(failed.error.__cause__, httpx.RemoteProtocolError)


def test_a_server_that_cannot_be_reached_is_an_error(run: Run) -> None:
    failed = Failed(run, mind(Server(error=httpx.ConnectError("refused"))))

    assert failed.message == "the connection to the server failed: ConnectError('refused')"


@pytest.mark.parametrize(
    ("server", "after_s"),
    [
        (Server(after_s=math.inf), 2.0),
        (Server(1.0, text_event("One, "), math.inf), 3.0),
        (Server(*(1.5, text_event(None, role="assistant")) * 4, math.inf), 8.0),
        (Server(*(1.5, b": still here\n\n") * 4), 2.0),
        (Server(*(1.5, b"data: {") * 4), 2.0),
    ],
    ids=["no answer", "no more text", "events go on for a while", "only comments", "an event without end"],
)
def test_a_server_that_hangs_is_an_error_when_its_time_is_over(
    run: Run, server: Server, after_s: float
) -> None:
    failed = Failed(run, mind(server, timeout_s=2.0))

    assert failed.message == "the server sent nothing for 2 s"
    assert failed.after_s == after_s
    assert server.are_closed()


def test_an_error_in_the_stream_comes_after_the_text_before_it(run: Run) -> None:
    server = Server(
        text_event("One, "), b'data: {"error": {"code": 500, "message": "no memory"}}\n\n', math.inf
    )

    failed = Failed(run, mind(server))

    assert failed.deltas == ["One, "]
    assert failed.message == "the server failed in the reply: no memory"
    assert failed.after_s == 0
    assert server.are_closed()


def test_what_is_no_json_is_an_error(run: Run) -> None:
    failed = Failed(run, mind(Server(b"data: <html>\n\n", math.inf)))

    assert failed.message == "the server sent what is no reply: an event must be JSON, got '<html>'"


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        (
            "application/json",
            b'{"choices": [{"message": {"content": "One."}}]}',
            "the server must answer with text/event-stream, got 'application/json': ",
        ),
        ("text/html", b"<p>Hi", "the server must answer with text/event-stream, got 'text/html': <p>Hi"),
        (None, b"", "the server must answer with text/event-stream, got '': no reason was given"),
    ],
)
def test_an_answer_that_is_no_stream_is_an_error(
    run: Run, kind: str | None, body: bytes, message: str
) -> None:
    server = Server(body, kind=kind)

    failed = Failed(run, mind(server))

    assert failed.message.startswith(message)
    assert not isinstance(failed.error, ChatRefusedError)
    assert server.are_closed()


def test_a_refusal_tells_its_status_its_reason_and_how_long_to_wait(run: Run) -> None:
    body = b'{"error": {"message": "Rate limit reached"}}'
    server = Server(body, status=429, kind="application/json", headers={"retry-after": "7"})

    failed = Failed(run, mind(server))

    assert isinstance(failed.error, ChatRefusedError)
    assert (failed.error.status, failed.error.retry_after_s) == (429, 7.0)
    assert failed.message == "the server refused with status 429: Rate limit reached"
    assert server.are_closed()


@pytest.mark.parametrize("status", [307, 400, 404, 500, 503])
def test_every_other_status_is_a_refusal(run: Run, status: int) -> None:
    failed = Failed(run, mind(Server(b"why", status=status)))

    assert isinstance(failed.error, ChatRefusedError)
    assert (failed.error.status, failed.error.retry_after_s) == (status, None)
    assert failed.message == f"the server refused with status {status}: why"


@pytest.mark.parametrize(
    ("pieces", "after_s"),
    [
        ([b"out of", b" order", httpx.ReadError("gone")], 0.0),
        ([b"out of order", math.inf], 2.0),
        ([b"out of order ", *[b"x" * 9999] * 100], 0.0),
    ],
    ids=["breaks off", "hangs", "is long"],
)
def test_a_refusal_whose_body_is_amiss_is_told_all_the_same(
    run: Run, pieces: list[bytes | float | Exception], after_s: float
) -> None:
    server = Server(*pieces, status=500)

    failed = Failed(run, mind(server, timeout_s=2.0))

    assert failed.message.startswith("the server refused with status 500: out of order")
    assert len(failed.message) < 400
    assert failed.after_s == after_s
    assert server.are_closed()


def test_the_key_is_in_no_error_and_no_repr(run: Run) -> None:
    quoted = json.dumps({"error": f"no such key: {KEY}"}).encode()
    refusing = mind(Server(quoted, status=401), api_key=KEY)
    failing = mind(Server(b"data: " + quoted + b"\n\n"), api_key=KEY)

    assert Failed(run, refusing).message == "the server refused with status 401: no such key: [api_key]"
    assert Failed(run, failing).message == "the server failed in the reply: no such key: [api_key]"
    assert KEY not in repr(refusing)
    with pytest.raises(ValueError, match="api_key") as bad:
        mind(Server(), api_key=f"{KEY}\n")
    assert KEY not in str(bad.value)


@pytest.mark.parametrize("api_key", ["", "two words", "käse", "line\r\nend"])
def test_a_key_that_cannot_stand_in_a_header_is_refused(api_key: str) -> None:
    with pytest.raises(ValueError, match=r"^api_key must be visible ASCII characters"):
        mind(Server(), api_key=api_key)


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "localhost:8080/v1",
        "ftp://a.example/v1",
        "http://",
        "http://a.example/v1?x=1",
        "http://a.example/v1#x",
        "http://a.example:port/",
        "http://me:secret@a.example/v1",
    ],
)
def test_what_is_no_address_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match=r"^base_url must be an address") as bad:
        mind(Server(), base_url=base_url)
    assert "secret" not in str(bad.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stream": False, "model": "x"}, r"^options must not name .*, got \['model', 'stream'\]"),
        ({"stop": {"a set"}}, r"^options must be JSON, got "),
        ({"temperature": math.nan}, r"^options must be JSON, got "),
    ],
)
def test_options_that_cannot_be_sent_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mind(Server(), options=options)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, math.nan])
def test_a_timeout_must_be_above_0(timeout_s: float) -> None:
    with pytest.raises(ValueError, match=r"^timeout_s must be above 0, got "):
        mind(Server(), timeout_s=timeout_s)


def test_without_the_packages_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['httpx_sse'] = None; import ordered_pipeline.adapters.openai"

    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert ran.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: the packages for chat completions are not installed; "
        "pip install 'ordered-pipeline[openai]'"
    )
