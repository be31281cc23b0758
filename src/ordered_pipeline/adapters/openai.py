"""Language models behind OpenAI's chat completions, which most servers speak (extra ``openai``).

Rules kept here:

1. A reply is whole when the server says so, by a finish reason or by ``[DONE]``. A stream that just ends was
   cut off: an error, after the text that came.
2. However a reply is left, its response is closed by then. A server that sees this stops writing, and has
   room for the next reply.
3. A response is never dropped half read. httpx reads it by async generators, one within another, none of
   which closes the next; what ends them all is a cancellation that goes through them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Self, final

import anyio

from ordered_pipeline.voice import Message
from ordered_pipeline.wire._chat import (
    RESERVED_OPTIONS,
    ChatChunk,
    ChatMessageError,
    decode_chunk,
    decode_refusal,
    decode_retry_after,
    encode_request,
)

try:
    import httpx
    from httpx_sse import EventSource, ServerSentEvent
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the packages for chat completions are not installed; pip install 'ordered-pipeline[openai]'",
        name=_missing.name,
    ) from _missing

__all__ = ["ChatCompletions", "ChatCompletionsError", "ChatRefusedError"]

# What follows the end of a reply (token counts, [DONE]) comes at once. Read, it lets the connection serve the
# next reply; who holds it back longer than this is not worth a wait.
_LINGER_S: Final = 0.25
_SHOWN_BYTES: Final = 10_000


class ChatCompletionsError(Exception):
    """A reply could not be had, or not to its end."""


class ChatRefusedError(ChatCompletionsError):
    """The server answered with an error at once.

    Attributes:
        status: Of the HTTP answer; 429 is too many requests, 401 a wrong key.
        retry_after_s: How long the server asks to wait, in seconds; None if it does not say.
    """

    def __init__(self, message: str, *, status: int, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.status: int = status
        self.retry_after_s: float | None = retry_after_s


@final
@dataclass(frozen=True, slots=True)
class ChatCompletions:
    """A language model on a server that speaks OpenAI's chat completions, near or far.

    Attributes:
        client: Sends the requests; it stays yours to configure and to close. Its time-outs are not used.
        base_url: Where the API is; requests go to ``chat/completions`` below it.
        model: Who replies, in the server's words; servers with one model take any.
        api_key: Your secret, for servers that want one. It is in no error.
        options: More fields of each request, such as ``{"temperature": 0.3, "max_tokens": 200}``.
        timeout_s: How long the server may take to begin an answer, and from one event of it to the next, in
            seconds above 0. Comments, by which proxies keep a connection open, are no events.

    Raises:
        ValueError: `base_url` is no address, `api_key` cannot stand in a header, `options` are not JSON or
            name what is set here, or `timeout_s` is not above 0.
    """

    client: httpx.AsyncClient
    base_url: str = field(kw_only=True)
    model: str = field(kw_only=True)
    api_key: str | None = field(default=None, repr=False, kw_only=True)
    options: Mapping[str, object] = field(default_factory=dict[str, object], hash=False, kw_only=True)
    timeout_s: float = field(default=15.0, kw_only=True)

    def __post_init__(self) -> None:
        _check_address(self.base_url)
        key = self.api_key
        if key is not None and not (key.isascii() and key.isprintable() and key and " " not in key):
            raise ValueError("api_key must be visible ASCII characters, got others; look for a line end")
        if reserved := sorted(RESERVED_OPTIONS & self.options.keys()):
            raise ValueError(f"options must not name what each request has of itself, got {reserved}")
        try:
            encode_request(self.model, (), self.options)
        except (TypeError, ValueError) as error:
            raise ValueError(f"options must be JSON, got {self.options!r}") from error
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s!r}")

    def reply(self, messages: Sequence[Message], /) -> "_Reply":
        """Return the reply to *messages*: an iterator of text deltas, which asks on its first ``__anext__``.

        Close it with ``aclose`` if you do not iterate to the end. It asks once: whether an error is worth
        another try is yours to decide.

        Raises:
            ChatRefusedError: (by the iterator) The server refused.
            ChatCompletionsError: (by the iterator) The server was not reached, was silent for too long, sent
                what is no reply, told of an error or broke off. What it wrote before that was given.
        """
        headers = {"accept": "text/event-stream", "content-type": "application/json"}
        if self.api_key is not None:
            headers["authorization"] = f"Bearer {self.api_key}"
        said = ((message.role, message.content) for message in messages)
        request = self.client.build_request(
            "POST",
            f"{self.base_url.rstrip('/')}/chat/completions",
            content=encode_request(self.model, said, self.options),
            headers=headers,
            # Deadlines of our own: httpx bounds single reads, and a comment that keeps a line open is one.
            timeout=None,
        )
        return _Reply(self, request)


def _check_address(base_url: str) -> None:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ValueError(f"base_url must be an address, got {base_url!r}") from error
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
        # The repr of a URL shows no password.
        raise ValueError(f"base_url must be an address like http://localhost:8080/v1, got {url!r}")


@final
class _Reply:
    """The deltas of one reply."""

    def __init__(self, chat: ChatCompletions, request: httpx.Request) -> None:
        self._chat: Final = chat
        self._request: Final = request
        self._response: httpx.Response | None = None
        self._events: AsyncIterator[ServerSentEvent] | None = None
        # Whichever iterator reads the response: by it the rest can be read, or given up.
        self._reading: AsyncIterator[object] | None = None
        self._is_whole: bool = False
        self._is_over: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        if self._is_over:
            raise StopAsyncIteration
        try:
            while not self._is_whole:
                chunk = await self._chunk()
                self._is_whole = chunk.is_last
                if chunk.text:
                    return chunk.text
            await self._run_out(_LINGER_S)
        except BaseException:  # cancelled: the loops differ in what they raise for that
            await self.aclose()
            raise
        await self.aclose()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the connection, unless the reply came to its end; the second time nothing happens."""
        self._is_over = True
        with anyio.CancelScope(shield=True):
            await self._run_out(0.0)
            if self._response is not None:
                await self._response.aclose()

    async def _chunk(self) -> ChatChunk:
        try:
            if self._events is None:
                self._events = self._reading = await self._open()
            with anyio.fail_after(self._chat.timeout_s):
                event = await anext(self._events, None)
            chunk = None if event is None else decode_chunk(event.data)
        except TimeoutError as error:
            raise ChatCompletionsError(f"the server sent nothing for {self._chat.timeout_s:g} s") from error
        except httpx.RequestError as error:
            raise ChatCompletionsError(f"the connection to the server failed: {error!r}") from error
        except ChatMessageError as error:
            raise ChatCompletionsError(f"the server sent what is no reply: {error}") from error
        if chunk is None:
            raise ChatCompletionsError("the reply was cut off: its stream ended without a finish reason")
        if chunk.error is not None:
            raise ChatCompletionsError(f"the server failed in the reply: {self._without_key(chunk.error)}")
        return chunk

    async def _open(self) -> AsyncIterator[ServerSentEvent]:
        """Send the request and return the events of the response."""
        with anyio.fail_after(self._chat.timeout_s):
            self._response = response = await self._chat.client.send(self._request, stream=True)
        kind = response.headers.get("content-type", "")
        if response.is_success and "text/event-stream" in kind:
            # Events are in UTF-8 whatever the header says, and a byte order mark before them is none of them.
            response.encoding = "utf-8-sig"
            return EventSource(response).aiter_sse()
        reason = self._without_key(decode_refusal(await self._start_of_body(response)))
        if response.is_success:
            raise ChatCompletionsError(
                f"the server must answer with text/event-stream, got {kind!r}: {reason}"
            )
        raise ChatRefusedError(
            f"the server refused with status {response.status_code}: {reason}",
            status=response.status_code,
            retry_after_s=decode_retry_after(response.headers.get("retry-after")),
        )

    async def _start_of_body(self, response: httpx.Response) -> bytes:
        body = b""
        self._reading = chunks = response.aiter_bytes()
        try:
            with anyio.move_on_after(self._chat.timeout_s):
                async for chunk in chunks:
                    body += chunk[: _SHOWN_BYTES - len(body)]
        except httpx.RequestError:
            pass  # the status says enough
        return body

    async def _run_out(self, within_s: float) -> None:
        """Read what is left, for a while."""
        if self._reading is None:
            return
        try:
            with anyio.move_on_after(within_s):
                async for _ in self._reading:
                    pass
        except httpx.RequestError:
            pass  # nothing of it was wanted

    def _without_key(self, text: str) -> str:
        """Return what the server wrote; some quote the key that they refuse."""
        key = self._chat.api_key
        return text.replace(key, "[api_key]") if key else text
