"""Chat completions, as OpenAI began them and others speak them: a request, and what its stream tells.

Servers agree in two things: the text is in ``choices[0].delta.content``, and its end is told by a finish
reason, by ``[DONE]`` or by both. Seen beside these: content or role that is null, a role or a new id in each
chunk, chunks without choices (token counts, verdicts of filters), errors that are an object or a string. So
these two are read, and the rest may be as it likes.
"""

import json
import math
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

# What a request consists of, whatever its options.
RESERVED_OPTIONS: Final = frozenset({"messages", "model", "stream"})

_DONE: Final = "[DONE]"
_SHOWN_CHARACTERS: Final = 300
# Where servers keep what a person should read, the outermost first.
_REASONS: Final = ("error", "message", "detail", "msg")


class ChatMessageError(Exception):
    """What a server sent is no part of a streamed chat completion."""


@dataclass(frozen=True, slots=True)
class ChatChunk:
    """What one event of the stream tells.

    Attributes:
        text: What the reply goes on with; may be empty.
        is_last: Whether the reply is whole with it.
        error: Why the server writes no further; None as long as it does.
    """

    text: str = ""
    is_last: bool = False
    error: str | None = None


def encode_request(model: str, messages: Iterable[tuple[str, str]], options: Mapping[str, object]) -> bytes:
    """Return the body of a request for a streamed reply.

    Args:
        model: Who is to reply, in the server's words.
        messages: The conversation: who speaks, and what.
        options: More fields of the body, such as ``temperature``; none of `RESERVED_OPTIONS`.

    Raises:
        TypeError: *options* has something that JSON has not.
        ValueError: *options* has a number that is not finite.
    """
    written = [{"role": role, "content": content} for role, content in messages]
    body = {**options, "model": model, "messages": written, "stream": True}
    return json.dumps(body, allow_nan=False).encode()


def decode_chunk(data: str) -> ChatChunk:
    """Return what the data of one event tells.

    Raises:
        ChatMessageError: It is neither a JSON object nor the word that ends a stream.
    """
    if data.strip() == _DONE:
        return ChatChunk(is_last=True)
    if not data:
        return ChatChunk()  # an event of other fields, such as an id
    try:
        value: object = json.loads(data)
    except (ValueError, RecursionError) as error:  # the latter: arrays in arrays, thousands deep
        raise ChatMessageError(f"an event must be JSON, got {reprlib.repr(data)}") from error
    if not isinstance(value, dict):
        raise ChatMessageError(f"an event must be a JSON object, got {reprlib.repr(value)}")
    fields = _object(cast("object", value))
    if fields.get("error"):
        return ChatChunk(error=_reason(fields))
    choice = _object(_first(fields.get("choices")))
    content = _object(choice.get("delta")).get("content")
    # An empty reason is what some servers give as long as there is none.
    return ChatChunk(content if isinstance(content, str) else "", bool(choice.get("finish_reason")))


def decode_refusal(body: bytes) -> str:
    """Return why a server refused a request, in its own words. It never fails: anything may come.

    Args:
        body: Of the answer, or the start of it.
    """
    text = body.decode(errors="replace")
    try:
        return _reason(json.loads(text))
    except (ValueError, RecursionError):
        return _shown(text)


def decode_retry_after(value: str | None) -> float | None:
    """Return how many seconds a server asks to wait; a date, which may stand there too, is no such number."""
    try:
        seconds = math.nan if value is None else float(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _first(value: object) -> object:
    return cast("list[object]", value)[0] if isinstance(value, list) and value else None


def _reason(value: object) -> str:
    """Return the innermost thing in *value* that tells a reason."""
    while True:
        fields = _object(value)
        found = next((fields[name] for name in _REASONS if fields.get(name)), _first(value))
        if found is None:
            return _shown(value)
        value = found


def _shown(value: object) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else reprlib.repr(value)
    return text[:_SHOWN_CHARACTERS] or "no reason was given"
