import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from ordered_pipeline.wire._chat import (
    ChatChunk,
    ChatMessageError,
    decode_chunk,
    decode_refusal,
    decode_retry_after,
    encode_request,
)
from tests.wire.payloads import anything

CHUNK: dict[str, Any] = {
    "id": "chatcmpl-1",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "word"}, "finish_reason": None}],
}
REFUSALS: list[dict[str, Any]] = [
    {"error": {"message": "too many", "type": "tokens", "code": 429}},
    {"detail": [{"loc": ["body"], "msg": "Field required"}]},
]


@given(data=anything([CHUNK, *REFUSALS]))
def test_no_event_whatever_causes_another_error(data: str | bytes) -> None:
    text = data if isinstance(data, str) else data.decode(errors="replace")
    try:
        chunk = decode_chunk(text)
    except ChatMessageError:
        return
    assert isinstance(chunk.text, str)
    assert isinstance(chunk.is_last, bool)
    assert chunk.error is None or 0 < len(chunk.error) <= 300


@given(body=anything(REFUSALS))
@example(b'{"error":' * 900 + b"1" + b"}" * 900)
def test_every_refusal_has_a_reason_of_a_length_that_can_be_read(body: str | bytes) -> None:
    reason = decode_refusal(body if isinstance(body, bytes) else body.encode(errors="replace"))

    assert 0 < len(reason) <= 300


@given(value=st.text(max_size=10) | st.floats().map(str))
def test_a_time_to_wait_is_never_endless(value: str) -> None:
    seconds = decode_retry_after(value)

    assert seconds is None or 0 <= seconds < float("inf")


@given(text=st.text(), is_last=st.booleans())
def test_any_text_comes_through(text: str, is_last: bool) -> None:
    choice = {"delta": {"content": text}, "finish_reason": "stop" if is_last else None}

    assert decode_chunk(json.dumps({"choices": [choice]})) == ChatChunk(text, is_last)


@given(contents=st.lists(st.text()))
def test_any_conversation_can_be_sent(contents: list[str]) -> None:
    body = json.loads(encode_request("tiny", [("user", content) for content in contents], {}))

    assert [message["content"] for message in body["messages"]] == contents
