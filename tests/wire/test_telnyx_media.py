import json

import pytest

from ordered_pipeline.wire._telnyx_media import (
    INVALID_MEDIA,
    RATE_LIMIT_REACHED,
    Clear,
    Connected,
    Dtmf,
    Mark,
    Media,
    MediaFormat,
    MediaMessage,
    Start,
    Stop,
    StreamError,
    TelnyxMessageError,
    TelnyxPayloadError,
    Unknown,
    decode_media_command,
    decode_media_message,
    encode_clear,
    encode_mark,
    encode_media,
    encode_media_message,
)
from tests.wire.payloads import CALL_ID, MEDIA_MESSAGES, STATE, STREAM_ID

DECODED: dict[str, MediaMessage] = {
    "connected": Connected("1.0.0"),
    "start": Start(
        call_control_id=CALL_ID,
        media_format=MediaFormat("PCMA", 8000, 1),
        call_session_id="s-1",
        user_id="u-1",
        from_="+4930111",
        to="+4930222",
        tags=("one", "two"),
        client_state_base64=STATE,
        custom_parameters=(("desk", "7"),),
        sequence_number=1,
        stream_id=STREAM_ID,
    ),
    "media": Media(b"\0\1\2\xff", "inbound", 3, 40, 4, STREAM_ID),
    "mark": Mark("2:7", 9, STREAM_ID),
    "dtmf": Dtmf("#", "2026-01-02T03:04:05.000006Z", 10, STREAM_ID),
    "error": StreamError(RATE_LIMIT_REACHED, "rate_limit_reached", "slower, please", None, STREAM_ID),
    "legacy error": StreamError(100003, "malformed_frame", "no JSON", 11, STREAM_ID),
    "stop": Stop(CALL_ID, "u-1", 12, STREAM_ID),
}


@pytest.mark.parametrize("kind", DECODED)
def test_what_telnyx_sends_is_read(kind: str) -> None:
    text = json.dumps(MEDIA_MESSAGES[kind])

    assert decode_media_message(text) == DECODED[kind]
    assert decode_media_message(text.encode()) == DECODED[kind]


@pytest.mark.parametrize("kind", DECODED)
def test_the_carriers_side_writes_it_as_it_was(kind: str) -> None:
    written = encode_media_message(DECODED[kind], legacy_errors=kind == "legacy error")

    assert json.loads(written) == MEDIA_MESSAGES[kind]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"event":"connected"}', Connected()),
        ('{"event":"start","start":{"call_control_id":"c"}}', Start(call_control_id="c")),
        (
            (
                '{"event":"start","start":{"call_control_id":"c","client_state":null,"from":null,"tags":null,'
                '"custom_parameters":null,"media_format":null},"extra":[1]}'
            ),
            Start(call_control_id="c"),
        ),
        (
            (
                '{"event":"start","start":{"call_control_id":"c","custom_parameters":[{"name":"a","value":"b"}],'
                '"tags":["t",1],"media_format":{"encoding":"L16","sample_rate":"16000"}}}'
            ),
            Start(call_control_id="c", tags=("t",), media_format=MediaFormat("L16", 16000)),
        ),
        ('{"event":"media","media":{"payload":"AA=="}}', Media(b"\0")),
        ('{"event":"media","media":{"payload":"","chunk":7,"timestamp":"soon"}}', Media(b"", chunk=7)),
        ('{"event":"media","media":{"payload":"AA==","chunk":true},"sequence_number":1.5}', Media(b"\0")),
        ('{"event":"mark","mark":{"name":5}}', Mark("5")),
        ('{"event":"dtmf","dtmf":{"digit":1}}', Dtmf("1")),
        ('{"event":"error"}', StreamError()),
        ('{"event":"error","payload":{"code":"100004"}}', StreamError(INVALID_MEDIA)),
        ('{"event":"stop"}', Stop()),
    ],
)
def test_what_is_missing_or_odd_is_left_out(text: str, expected: MediaMessage) -> None:
    assert decode_media_message(text) == expected


def test_an_unknown_event_is_kept_as_it_came() -> None:
    text = '{"event":"weather", "rain":true}'

    assert decode_media_message(text) == Unknown("weather", text)
    assert decode_media_message(text.encode()) == Unknown("weather", text)
    assert encode_media_message(Unknown("weather", text)) == text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "a message must be JSON, got ''"),
        (b"\xff", r"a message must be JSON, got b'\\xff'"),
        ("[1]", r"a message must be a JSON object, got \[1\]"),
        ("{}", "event must be a string, got None"),
        ('{"event":["media"]}', r"event must be a string, got \['media'\]"),
        ('{"event":"media"}', "media.payload must be a string, got None"),
        ('{"event":"mark","mark":"m"}', "mark.name must be a string, got None"),
        ('{"event":"dtmf","dtmf":{"digit":null}}', "dtmf.digit must be a string, got None"),
        ('{"event":"start","start":{}}', "start.call_control_id must be a string, got None"),
    ],
)
def test_what_cannot_be_read_says_what_is_wrong(text: str | bytes, error: str) -> None:
    with pytest.raises(TelnyxMessageError, match=f"^{error}$") as caught:
        decode_media_message(text)

    assert not isinstance(caught.value, TelnyxPayloadError)


@pytest.mark.parametrize("payload", ["AAE", "A", "AA==AA==", "AA==\n", "A A=", "A-_=", "AAE=x", "ÄÄ=="])
def test_a_payload_that_is_not_strict_base64_is_an_error_of_its_own(payload: str) -> None:
    text = json.dumps({"event": "media", "media": {"payload": payload}})

    for decode in (decode_media_message, decode_media_command):
        with pytest.raises(TelnyxPayloadError, match=r"^media.payload must be base64, got '"):
            decode(text)


def test_what_a_bot_sends_is_as_telnyx_documents_it() -> None:
    assert encode_media(b"\0\1\2\xff") == '{"event":"media","media":{"payload":"AAEC/w=="}}'
    assert encode_mark("2:7") == '{"event":"mark","mark":{"name":"2:7"}}'
    assert encode_clear() == '{"event":"clear"}'


def test_the_carriers_side_reads_what_a_bot_sends() -> None:
    assert decode_media_command(encode_media(b"\0\1\2\xff")) == Media(b"\0\1\2\xff")
    assert decode_media_command(encode_mark("2:7").encode()) == Mark("2:7")
    assert decode_media_command(encode_clear()) == Clear()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"event":"stop"}', "event must be one of 'media', 'mark', 'clear', got 'stop'"),
        ('{"event":{}}', "event must be one of 'media', 'mark', 'clear', got {}"),
        ('{"event":"media","payload":"AA=="}', "media.payload must be a string, got None"),
        ('{"event":"mark"}', "mark.name must be a string, got None"),
        ("null", "a message must be a JSON object, got None"),
    ],
)
def test_what_telnyx_would_not_know_is_refused_on_the_carriers_side(text: str, error: str) -> None:
    with pytest.raises(TelnyxMessageError, match=f"^{error}$"):
        decode_media_command(text)


def test_a_bot_cannot_send_what_telnyx_would_not_take() -> None:
    with pytest.raises(TypeError, match=r"^payload must be bytes, got str$"):
        encode_media("AA==")  # type: ignore[arg-type]  # that is the test
    with pytest.raises(ValueError, match=r"^payload must not be empty, got b''; send nothing instead$"):
        encode_media(b"")
    with pytest.raises(TypeError, match=r"^name must be a string, got 7$"):
        encode_mark(7)  # type: ignore[arg-type]  # as above
    with pytest.raises(ValueError, match=r"^name must not be empty, got ''; a mark is known by its name$"):
        encode_mark("")


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("PCMU", "PCMU"),
        ("audio/x-mulaw", "PCMU"),
        ("audio/x-alaw", "PCMA"),
        ("audio/PCMA", "PCMA"),
        ("l16", "L16"),
        ("AMR-WB", "AMR-WB"),
    ],
)
def test_a_codec_has_one_name_however_telnyx_wrote_it(encoding: str, codec: str) -> None:
    assert MediaFormat(encoding, 8000).codec == codec


@pytest.mark.parametrize(("encoded", "state"), [(STATE, b"order 66"), ("no base64", None), (None, None)])
def test_the_client_state_is_read_if_it_can_be(encoded: str | None, state: bytes | None) -> None:
    assert Start(call_control_id="c", client_state_base64=encoded).client_state == state


def test_the_streams_token_comes_with_the_connection_and_is_not_shown() -> None:
    message = Connected("1.0.0", "t0ken")

    assert decode_media_message(encode_media_message(message)) == message
    assert "t0ken" not in repr(message)
