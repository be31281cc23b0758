import json

from hypothesis import example, given
from hypothesis import strategies as st

from ordered_pipeline.wire._telnyx_media import (
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
    Unknown,
    decode_media_command,
    decode_media_message,
    encode_mark,
    encode_media,
    encode_media_message,
)
from tests.wire.payloads import MEDIA_MESSAGES, anything, published

TEXT = st.text(max_size=8)
NUMBER = st.none() | st.integers(-5, 2**64)
MAYBE = st.none() | TEXT

FORMATS = st.builds(MediaFormat, TEXT, st.integers(0, 96000), st.integers(0, 8))
STARTS = st.builds(
    Start,
    call_control_id=TEXT,
    media_format=st.none() | FORMATS,
    call_session_id=MAYBE,
    user_id=MAYBE,
    from_=MAYBE,
    to=MAYBE,
    tags=st.lists(TEXT, max_size=3).map(tuple),
    client_state_base64=MAYBE,
    custom_parameters=st.dictionaries(TEXT, TEXT, max_size=3).map(lambda each: tuple(each.items())),
    sequence_number=NUMBER,
    stream_id=MAYBE,
)
MESSAGES: st.SearchStrategy[MediaMessage] = st.one_of(
    st.builds(Connected, MAYBE, MAYBE),
    STARTS,
    st.builds(Media, st.binary(max_size=40), MAYBE, NUMBER, NUMBER, NUMBER, MAYBE),
    st.builds(Mark, TEXT, NUMBER, MAYBE),
    st.builds(Dtmf, TEXT, MAYBE, NUMBER, MAYBE),
    st.builds(StreamError, NUMBER, MAYBE, MAYBE, NUMBER, MAYBE),
    st.builds(Stop, MAYBE, MAYBE, NUMBER, MAYBE),
    st.builds(lambda rest: Unknown("x", json.dumps({"event": "x", "rest": rest})), MAYBE),
)


@given(message=MESSAGES, legacy_errors=st.booleans())
def test_what_the_carriers_side_writes_is_read_as_it_was(
    message: MediaMessage, *, legacy_errors: bool
) -> None:
    assert decode_media_message(encode_media_message(message, legacy_errors=legacy_errors)) == message


@given(payload=st.binary(min_size=1, max_size=200), name=st.text(min_size=1))
@example(payload=b"\xfb\xff", name='"\\\ud800')
def test_what_a_bot_writes_is_read_as_it_was(payload: bytes, name: str) -> None:
    assert decode_media_command(encode_media(payload)) == Media(payload)
    assert decode_media_command(encode_mark(name)) == Mark(name)


@given(message=anything(list(MEDIA_MESSAGES.values())))
def test_no_message_whatever_causes_another_error(message: str | bytes) -> None:
    try:
        decoded = decode_media_message(message)
    except TelnyxMessageError:
        return
    hash(decoded)


@given(
    message=anything(
        [{"event": "media", "media": {"payload": "AA=="}}, {"event": "mark", "mark": {"name": "m"}}]
    )
)
def test_no_command_whatever_causes_another_error(message: str | bytes) -> None:
    try:
        decoded = decode_media_command(message)
    except TelnyxMessageError:
        return
    assert isinstance(decoded, Media | Mark | Clear)


def test_the_published_messages_are_read_and_written_as_they_are() -> None:
    kinds = ("connected", "dtmf", "error", "mark", "media", "start", "start.asyncapi", "start.legacy", "stop")

    for kind in kinds:
        message = published(f"examples/ws.in.{kind}.json")
        assert json.loads(encode_media_message(decode_media_message(json.dumps(message)))) == message
    legacy = published("examples/ws.in.error.legacy.json")
    assert (
        json.loads(encode_media_message(decode_media_message(json.dumps(legacy)), legacy_errors=True))
        == legacy
    )


def test_the_published_commands_are_read_and_written_as_they_are() -> None:
    media, mark, clear = (published(f"examples/ws.out.{kind}.json") for kind in ("media", "mark", "clear"))

    heard, asked = decode_media_command(json.dumps(media)), decode_media_command(json.dumps(mark))

    assert isinstance(heard, Media)
    assert isinstance(asked, Mark)
    assert json.loads(encode_media(heard.payload)) == media
    assert json.loads(encode_mark(asked.name)) == mark
    assert decode_media_command(json.dumps(clear)) == Clear()
