# Values of wrong types are among what is tested.
# mypy: disable-error-code="arg-type"

import json
from collections.abc import Callable

import pytest

from ordered_pipeline.wire._telnyx_calls import (
    Answer,
    Command,
    Hangup,
    PlaybackStart,
    PlaybackStop,
    Speak,
    StreamingStart,
    StreamingStop,
    TelnyxMessageError,
    decode_command,
    encode_command,
)
from tests.wire.payloads import COMMANDS, STATE, STREAM_ID

MADE: dict[str, Command] = {
    "answer": Answer(stream_url="wss://a.example/media", stream_codec="PCMU", client_state=b"order 66"),
    "hangup": Hangup(command_id="c-1"),
    "playback_start": PlaybackStart(playback_content=b"RIFF", audio_type="wav", loop=2, command_id="c-2"),
    "playback_stop": PlaybackStop(stop="all", overlay=False),
    "speak": Speak(payload="good evening", voice="female", loop="infinity"),
    "streaming_start": StreamingStart(
        stream_url="wss://a.example/media",
        stream_bidirectional_mode="rtp",
        stream_bidirectional_codec="L16",
        stream_bidirectional_sampling_rate=16000,
        custom_parameters=(("desk", "7"),),
        stream_auth_token="t0ken",  # noqa: S106  # made up
    ),
    "streaming_stop": StreamingStop(stream_id=STREAM_ID),
}


@pytest.mark.parametrize("action", MADE)
def test_a_command_is_a_post_to_its_action_with_what_was_given(action: str) -> None:
    request = encode_command("v3:abc-1_2", MADE[action])

    assert request.path == f"/calls/v3:abc-1_2/actions/{action}"
    assert json.loads(request.body) == COMMANDS[action]


@pytest.mark.parametrize("action", MADE)
def test_the_carriers_side_reads_it_as_it_was(action: str) -> None:
    assert decode_command(action, json.dumps(COMMANDS[action])) == MADE[action]
    assert decode_command(action, json.dumps(COMMANDS[action] | {"unheard_of": [1]}).encode()) == MADE[action]


def test_a_state_is_put_in_base64_whether_it_is_text_or_bytes() -> None:
    assert json.loads(encode_command("c", Hangup(client_state="order 66")).body) == {"client_state": STATE}
    assert json.loads(encode_command("c", Hangup(client_state=b"order 66")).body) == {"client_state": STATE}


def test_what_is_not_given_is_left_to_telnyx() -> None:
    assert encode_command("c", Hangup()).body == b"{}"
    assert encode_command("c", StreamingStart(stream_url="ws://a")).body == b'{"stream_url":"ws://a"}'


@pytest.mark.parametrize(
    ("call_control_id", "path"),
    [
        ("v2:T02-_~.=+", "/calls/v2:T02-_~.%3D%2B/actions/hangup"),
        ("a/../b?c#d%", "/calls/a%2F..%2Fb%3Fc%23d%25/actions/hangup"),
    ],
)
def test_an_id_stays_one_part_of_the_path(call_control_id: str, path: str) -> None:
    assert encode_command(call_control_id, Hangup()).path == path


@pytest.mark.parametrize("call_control_id", ["", ".", "..", "a b", "a\n", "é", "\ud800"])
def test_an_id_that_no_call_has_is_refused(call_control_id: str) -> None:
    with pytest.raises(ValueError, match=r"^call_control_id must be visible ASCII characters, got '"):
        encode_command(call_control_id, Hangup())


def test_an_id_that_is_no_string_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^call_control_id must be a string, got None$"):
        encode_command(None, Hangup())


URL = "https://a.example/1.mp3"
STREAM = "wss://a.example/media"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            PlaybackStart,
            "exactly one of audio_url, media_name and playback_content must be given, got none",
        ),
        (
            lambda: PlaybackStart(audio_url=URL, playback_content=b"ID3"),
            (
                "exactly one of audio_url, media_name and playback_content must be given, "
                "got audio_url and playback_content"
            ),
        ),
        (
            lambda: PlaybackStart(audio_url=URL, overlay=True, target_legs="both"),
            "target_legs must be 'self' with overlay, got 'both'",
        ),
        (
            lambda: PlaybackStart(audio_url="a.mp3"),
            "audio_url must begin with http:// or https://, got 'a.mp3'",
        ),
        (
            lambda: PlaybackStart(audio_url="https://"),
            "audio_url must begin with http:// or https://, got 'https://'",
        ),
        (lambda: PlaybackStart(media_name=""), "media_name must not be empty, got ''; leave it out instead"),
        (
            lambda: PlaybackStart(playback_content=b""),
            "playback_content must not be empty, got b''; send nothing instead",
        ),
        (
            lambda: PlaybackStart(audio_url=URL, audio_type="ogg"),
            "audio_type must be one of 'mp3', 'wav', got 'ogg'",
        ),
        (lambda: PlaybackStart(audio_url=URL, loop=0), "loop must be from 1 to 100 or 'infinity', got 0"),
        (lambda: PlaybackStart(audio_url=URL, loop=101), "loop must be from 1 to 100 or 'infinity', got 101"),
        (
            lambda: PlaybackStart(audio_url=URL, loop="forever"),
            "loop must be from 1 to 100 or 'infinity', got 'forever'",
        ),
        (
            lambda: PlaybackStart(audio_url=URL, target_legs="all"),
            "target_legs must be one of 'self', 'opposite', 'both', got 'all'",
        ),
        (lambda: PlaybackStop(stop="everything"), "stop must be one of 'current', 'all', got 'everything'"),
        (lambda: Hangup(command_id=""), "command_id must not be empty, got ''; leave it out instead"),
        (
            lambda: Hangup(client_state="\ud800"),
            "client_state must be text that UTF-8 can write, got '\\ud800'; pass bytes",
        ),
        (
            lambda: Speak(payload="", voice="female"),
            "payload must not be empty, got ''; leave it out instead",
        ),
        (
            lambda: Speak(payload=3001 * "a", voice="female"),
            "payload must be of at most 3000 characters, got 3001; speak it in pieces",
        ),
        (
            lambda: Speak(payload="a", voice="female", payload_type="html"),
            "payload_type must be one of 'text', 'ssml', got 'html'",
        ),
        (
            lambda: StreamingStart(stream_url="https://a.example"),
            "stream_url must begin with ws:// or wss://, got 'https://a.example'",
        ),
        (
            lambda: StreamingStart(stream_url=STREAM, stream_bidirectional_codec="PCMU"),
            "stream_bidirectional_codec needs stream_bidirectional_mode to be 'rtp', got 'PCMU' with None",
        ),
        (
            lambda: Answer(
                stream_url=STREAM, stream_bidirectional_codec="PCMA", stream_bidirectional_mode="mp3"
            ),
            "stream_bidirectional_codec needs stream_bidirectional_mode to be 'rtp', got 'PCMA' with 'mp3'",
        ),
        (
            lambda: StreamingStart(stream_url=STREAM, stream_bidirectional_sampling_rate=8000),
            (
                "stream_bidirectional_sampling_rate needs stream_bidirectional_mode to be 'rtp', "
                "got 8000 with None"
            ),
        ),
        (
            lambda: StreamingStart(
                stream_url=STREAM, stream_bidirectional_mode="rtp", stream_bidirectional_sampling_rate=44100
            ),
            "stream_bidirectional_sampling_rate must be one of 8000, 16000, 22050, 24000, 48000, got 44100",
        ),
        (
            lambda: StreamingStart(stream_url=STREAM, stream_auth_token=4001 * "s"),
            "stream_auth_token must be of 1 to 4000 characters, got 4001",
        ),
        (
            lambda: StreamingStart(stream_url=STREAM, custom_parameters=(("a", "1"), ("a", "2"))),
            "custom_parameters must have each name once, got 'a' again",
        ),
    ],
)
def test_a_value_that_telnyx_would_refuse_is_refused_here(make: Callable[[], Command], message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole message is compared
        make()

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PlaybackStart(audio_url=7), "audio_url must be a string, got 7"),
        (lambda: PlaybackStart(media_name=b"m"), "media_name must be a string, got b'm'"),
        (
            lambda: PlaybackStart(playback_content="SUQz"),
            "playback_content must be bytes, got str; base64 is made of them here",
        ),
        (
            lambda: PlaybackStart(audio_url=URL, loop=True),
            "loop must be from 1 to 100 or 'infinity', got True",
        ),
        (lambda: PlaybackStart(audio_url=URL, overlay=1), "overlay must be True or False, got 1"),
        (lambda: PlaybackStop(stop=True), "stop must be one of 'current', 'all', got True"),
        (lambda: Hangup(client_state=7), "client_state must be bytes or a string, got 7"),
        (lambda: Speak(payload=None, voice="female"), "payload must be a string, got None"),
        (lambda: StreamingStart(stream_url=None), "stream_url must be a string, got None"),
        (
            lambda: StreamingStart(
                stream_url=STREAM, stream_bidirectional_mode="rtp", stream_bidirectional_sampling_rate=8000.0
            ),
            "stream_bidirectional_sampling_rate must be one of 8000, 16000, 22050, 24000, 48000, got 8000.0",
        ),
        (
            lambda: StreamingStart(stream_url=STREAM, stream_auth_token=b"secret"),
            "stream_auth_token must be a string, got bytes",
        ),
        (
            lambda: StreamingStart(stream_url=STREAM, custom_parameters={"a": "1"}),
            (
                "custom_parameters must be a tuple of names and values, got {'a': '1'}; "
                "pass them as in (('name', 'value'),)"
            ),
        ),
        (
            lambda: StreamingStart(stream_url=STREAM, custom_parameters=(("a", 1),)),
            (
                "custom_parameters must be a tuple of names and values, got ('a', 1) in it; "
                "pass them as in (('name', 'value'),)"
            ),
        ),
    ],
)
def test_a_value_of_another_type_is_refused(make: Callable[[], Command], message: str) -> None:
    with pytest.raises(TypeError) as caught:
        make()

    assert str(caught.value) == message


def test_neither_a_token_nor_a_file_is_shown() -> None:
    started = MADE["streaming_start"]

    assert "t0ken" not in repr(started)
    assert "t0ken" not in repr(encode_command("c", started))
    assert "RIFF" not in repr(MADE["playback_start"])


@pytest.mark.parametrize(
    ("action", "body", "error"),
    [
        ("transfer", "{}", "action must be one of 'answer', 'hangup', .*, got 'transfer'"),
        ("hangup", "", "a message must be JSON, got ''"),
        ("hangup", '{"client_state":"order 66"}', "client_state must be base64, got 'order 66'"),
        (
            "hangup",
            '{"client_state":66}',
            "hangup must be as Telnyx takes it: client_state must be bytes or .*",
        ),
        ("speak", '{"voice":"female"}', "speak must be as Telnyx takes it: .*'payload'"),
        ("playback_start", "{}", "playback_start must be as Telnyx takes it: exactly one of .*"),
        ("playback_stop", '{"stop":[]}', "playback_stop must be as Telnyx takes it: stop must be one of .*"),
        (
            "streaming_start",
            '{"stream_url":"ws://a","custom_parameters":[{"name":"a"}]}',
            "streaming_start must be as Telnyx takes it: custom_parameters must be .*",
        ),
    ],
)
def test_a_command_that_telnyx_would_refuse_is_refused_on_the_carriers_side(
    action: str, body: str, error: str
) -> None:
    with pytest.raises(TelnyxMessageError, match=f"^{error}$"):
        decode_command(action, body)


def test_null_is_nothing() -> None:
    assert decode_command("hangup", '{"client_state":null,"command_id":null}') == Hangup()
