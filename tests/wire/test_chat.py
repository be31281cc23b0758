import json
import math
from typing import Any

import pytest

from ordered_pipeline.wire._chat import (
    ChatChunk,
    ChatMessageError,
    decode_chunk,
    decode_refusal,
    decode_retry_after,
    encode_request,
)


def chunk(delta: object, **fields: object) -> str:
    """Return an event's data, with *fields* beside its delta."""
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, **fields}],
        }
    )


def test_a_request_asks_for_a_stream_with_the_conversation_and_the_options() -> None:
    body = encode_request("tiny", [("system", "Be brief."), ("user", "Grüß Gott")], {"temperature": 0.5})

    assert json.loads(body) == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Grüß Gott"},
        ],
        "temperature": 0.5,
        "stream": True,
    }


@pytest.mark.parametrize(
    ("value", "error"), [(math.nan, ValueError), (math.inf, ValueError), ({1}, TypeError), (b"x", TypeError)]
)
def test_options_that_are_not_json_are_refused(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        encode_request("tiny", [], {"option": value})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (chunk({"content": " word"}), ChatChunk(" word")),
        (chunk({"role": "assistant", "content": " word"}, finish_reason=None), ChatChunk(" word")),
        (chunk({"role": None, "content": "word"}, finish_reason=""), ChatChunk("word")),
        (chunk({"role": "assistant", "content": None}), ChatChunk()),
        (chunk({"role": "assistant"}), ChatChunk()),
        (chunk({"reasoning_content": "hm"}), ChatChunk()),
        (chunk({}, finish_reason="stop"), ChatChunk(is_last=True)),
        (chunk({"content": "end."}, finish_reason="stop"), ChatChunk("end.", is_last=True)),
        (chunk(None, finish_reason="length"), ChatChunk(is_last=True)),
        ("[DONE]", ChatChunk(is_last=True)),
        (" [DONE] ", ChatChunk(is_last=True)),
        ("", ChatChunk()),
        ('{"choices": [], "usage": {"total_tokens": 3}}', ChatChunk()),
        ('{"choices": null, "error": null}', ChatChunk()),
        ('{"type": "ping"}', ChatChunk()),
        ("{}", ChatChunk()),
    ],
)
def test_of_what_servers_send_the_text_and_the_end_are_read(data: str, expected: ChatChunk) -> None:
    assert decode_chunk(data) == expected


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ('{"error": {"code": 500, "message": "context is full", "type": "server_error"}}', "context is full"),
        ('{"error": "model not found"}', "model not found"),
        ('{"error": {"code": 502}, "choices": [{"delta": {"content": "x"}}]}', "{'code': 502}"),
        ('{"error": true}', "True"),
    ],
)
def test_an_error_in_the_stream_is_told_in_the_words_of_the_server(data: str, error: str) -> None:
    assert decode_chunk(data) == ChatChunk(error=error)


@pytest.mark.parametrize("data", ["nonsense", "{", "[1]", "3", "null", '"text"', "[" * 100_000, "9" * 5000])
def test_what_is_no_json_object_is_an_error(data: str) -> None:
    with pytest.raises(ChatMessageError, match=r"^an event must be"):
        decode_chunk(data)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"error": {"message": "Rate limit reached\nfor tiny", "type": "tokens"}},
            "Rate limit reached for tiny",
        ),
        ({"error": "Invalid API key"}, "Invalid API key"),
        ({"object": "error", "message": "no such model", "code": 404}, "no such model"),
        ([{"error": {"code": 400, "message": "bad role"}}], "bad role"),
        ({"detail": [{"loc": ["body", "model"], "msg": "Field required"}]}, "Field required"),
        ({"detail": "Not Found"}, "Not Found"),
        ({"status": 400}, "{'status': 400}"),
        ([], "[]"),
    ],
)
def test_the_reason_of_a_refusal_is_found_wherever_servers_put_it(body: Any, reason: str) -> None:
    assert decode_refusal(json.dumps(body).encode()) == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no reason was given"),
        (b"Bad\n  Gateway", "Bad Gateway"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"<html>" + b"x" * 1000, "<html>" + "x" * 294),
        (b'{"error": {"message": "cut o', '{"error": {"message": "cut o'),
    ],
)
def test_a_refusal_that_is_no_json_is_shown_from_its_start(body: bytes, reason: str) -> None:
    assert decode_refusal(body) == reason


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        (None, None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("inf", None),
    ],
)
def test_a_time_to_wait_is_a_number_of_seconds(value: str | None, seconds: float | None) -> None:
    assert decode_retry_after(value) == seconds
