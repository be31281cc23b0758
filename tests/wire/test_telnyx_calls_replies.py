import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.wire._telnyx_calls import (
    CALL_IS_OVER,
    CALL_NOT_ANSWERED,
    MEDIA_STREAMING_USED,
    TOO_MANY_REQUESTS,
    ApiError,
    CommandAccepted,
    CommandRefused,
    CommandReply,
    RateLimit,
    decode_reply,
    encode_rate_limit,
    encode_reply,
)
from tests.wire.payloads import REFUSAL, anything, published


def refusal(*codes: str, status: int = 422) -> CommandRefused:
    return CommandRefused(status=status, errors=tuple(ApiError(code) for code in codes))


def test_a_command_is_accepted() -> None:
    assert decode_reply(200, {}, b'{"data":{"result":"ok"}}') == CommandAccepted(result="ok")
    assert decode_reply(200, {}, b'{"data":{"result":"ok","recording_id":"r"}}') == CommandAccepted(
        result="ok", recording_id="r"
    )


@pytest.mark.parametrize("body", [b"", b"ok", b"{}", b'{"data":null}', b"\xff"])
def test_an_accepted_command_is_accepted_whatever_the_body(body: bytes) -> None:
    assert decode_reply(201, {}, body) == CommandAccepted()


def test_a_refused_command_tells_why() -> None:
    reply = decode_reply(422, {}, json.dumps(REFUSAL).encode())

    assert reply == CommandRefused(
        status=422, errors=(ApiError("90016", "Bad stop", "stop is no such word", "/stop"),)
    )
    assert isinstance(reply, CommandRefused)
    assert reply.code == "90016"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (b'{"errors":[{"code":90018}]}', (ApiError(CALL_IS_OVER),)),
        (b'{"errors":[{"code":"90034","title":null,"source":"to"},7]}', (ApiError(CALL_NOT_ANSWERED),)),
        (b'{"errors":[{},{"code":"1"}]}', (ApiError(), ApiError("1"))),
        (b'{"errors":[{"code":"10004","source":{"parameter":"to"}}]}', (ApiError("10004", pointer="to"),)),
    ],
)
def test_errors_are_read_as_far_as_they_go(body: bytes, errors: tuple[ApiError, ...]) -> None:
    assert decode_reply(422, {}, body) == CommandRefused(status=422, errors=errors)


@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"[]", b'{"errors":[]}', b'{"errors":"none"}'])
def test_a_body_that_is_not_telnyxs_is_kept_as_text(body: bytes) -> None:
    assert decode_reply(502, {}, body) == CommandRefused(status=502, text=body.decode())


def test_of_a_long_page_the_start_is_kept() -> None:
    assert decode_reply(500, {}, b"\xff" + 600 * b"a") == CommandRefused(
        status=500, text="\ufffd" + 499 * "a"
    )


def test_the_first_code_is_the_code() -> None:
    assert refusal("1", "2").code == "1"
    assert CommandRefused(status=422, errors=(ApiError(), ApiError("2"))).code == "2"
    assert CommandRefused(status=502).code is None


@pytest.mark.parametrize(
    ("reply", "answers"),
    [
        (refusal(CALL_IS_OVER), "is_call_over"),
        (refusal("10015", CALL_IS_OVER), "is_call_over"),
        (refusal(CALL_NOT_ANSWERED), "is_not_answered"),
        (refusal(MEDIA_STREAMING_USED), ""),
        (refusal(TOO_MANY_REQUESTS, status=429), "is_rate_limited is_transient"),
        (refusal(status=429), "is_rate_limited is_transient"),
        (refusal(TOO_MANY_REQUESTS), "is_rate_limited is_transient"),
        (refusal(status=408), "is_transient"),
        (refusal(status=500), "is_transient"),
        (refusal(status=499), ""),
        (refusal(status=302), ""),
    ],
)
def test_a_refusal_tells_what_to_make_of_it(reply: CommandRefused, answers: str) -> None:
    questions = ("is_call_over", "is_not_answered", "is_rate_limited", "is_transient")

    assert [question for question in questions if getattr(reply, question)] == answers.split()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, RateLimit()),
        (
            {"X-RateLimit-Limit": "20", "x-ratelimit-remaining": "0", "X-RATELIMIT-RESET": "3"},
            RateLimit(20, 0, 3.0),
        ),
        ({"x-ratelimit-reset": "0.25", "Retry-After": "2"}, RateLimit(None, None, 0.25, 2.0)),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:05 GMT"}, RateLimit()),
        ({"x-ratelimit-limit": "many", "x-ratelimit-remaining": "", "x-ratelimit-reset": "nan"}, RateLimit()),
        ({"x-ratelimit-reset": "-1", "retry-after": "inf"}, RateLimit()),
    ],
)
def test_the_headers_tell_how_many_more_requests_are_welcome(
    headers: dict[str, str], expected: RateLimit
) -> None:
    assert decode_reply(200, headers, b"").rate_limit == expected
    assert decode_reply(429, headers, b"").rate_limit == expected


def test_what_a_gateway_says_about_waiting_comes_first() -> None:
    assert RateLimit(reset_s=3.0, retry_after_s=1.0).wait_s == 1.0
    assert RateLimit(reset_s=3.0).wait_s == 3.0
    assert RateLimit().wait_s is None


MAYBE = st.none() | st.text(max_size=8)
COUNT = st.none() | st.integers()
SECONDS = st.none() | st.floats(0, 1e6)
LIMITS = st.builds(RateLimit, COUNT, COUNT, SECONDS, SECONDS)
ERRORS = st.builds(ApiError, MAYBE, MAYBE, MAYBE, MAYBE)
REPLIES: st.SearchStrategy[tuple[int, CommandReply]] = st.one_of(
    st.tuples(st.just(200), st.builds(CommandAccepted, result=MAYBE, recording_id=MAYBE, rate_limit=LIMITS)),
    st.tuples(
        st.just(422),
        st.builds(
            CommandRefused,
            status=st.just(422),
            errors=st.lists(ERRORS, min_size=1, max_size=3).map(tuple),
            rate_limit=LIMITS,
        ),
    ),
    st.tuples(
        st.just(503),
        st.builds(
            CommandRefused,
            status=st.just(503),
            text=st.none() | st.just("<html>") | st.sampled_from(["no", "ÄÖÜ"]),
            rate_limit=LIMITS,
        ),
    ),
)


@given(sent=REPLIES)
def test_what_the_carriers_side_writes_is_read_as_it_was(sent: tuple[int, CommandReply]) -> None:
    status, reply = sent

    assert decode_reply(status, encode_rate_limit(reply.rate_limit), encode_reply(reply)) == reply


@given(
    status=st.integers(),
    headers=st.dictionaries(
        st.text(max_size=5) | st.sampled_from(["retry-after", "X-RateLimit-Limit", "x-ratelimit-reset"]),
        st.text(max_size=5) | st.just("9" * 5000),
    ),
    body=anything([REFUSAL, {"data": {"result": "ok"}}]),
)
def test_no_reply_whatever_is_an_error(status: int, headers: dict[str, str], body: str | bytes) -> None:
    raw = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")

    assert hash(decode_reply(status, headers, raw)) is not None


def test_the_published_replies_are_read_and_written_as_they_are() -> None:
    for name in ("command_ok", "answer_ok_recording"):
        body = published(f"examples/response.{name}.json")
        accepted = decode_reply(200, {}, json.dumps(body).encode())
        assert json.loads(encode_reply(accepted)) == body

    for name, code in (
        ("422.call_already_ended", CALL_IS_OVER),
        ("422.call_not_answered", CALL_NOT_ANSWERED),
        ("422.media_streaming_used", MEDIA_STREAMING_USED),
        ("422.invalid_call_control_id", "90015"),
        ("422.invalid_enumerated_value", "10032"),
        ("422.missing_required_parameter", "10004"),
        ("422.value_outside_range", "10033"),
        ("429.rate_limited", TOO_MANY_REQUESTS),
    ):
        body = published(f"examples/error.{name}.json")
        refused = decode_reply(int(name[:3]), {}, json.dumps(body).encode())
        assert isinstance(refused, CommandRefused)
        assert refused.code == code
        assert json.loads(encode_reply(refused)) == body
