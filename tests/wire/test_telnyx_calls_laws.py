import json
from dataclasses import fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from tests.wire.payloads import COMMANDS, anything, published

TYPES: tuple[type[Command], ...] = (
    Answer,
    Hangup,
    PlaybackStart,
    PlaybackStop,
    Speak,
    StreamingStart,
    StreamingStop,
)

TEXT = st.text(min_size=1, max_size=8)
WEB = st.sampled_from(["http://a.example/1.mp3", "HTTPS://a.example/ü"])
SOCKET = st.sampled_from(["ws://a.example", "WSS://a.example/media?x=1"])
SOURCES: tuple[dict[str, st.SearchStrategy[Any]], ...] = (
    {"audio_url": WEB},
    {"media_name": TEXT},
    {"playback_content": st.binary(min_size=1, max_size=20)},
)
# What a type does not tell.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "audio_url": WEB,
    "client_state": st.binary(max_size=8),
    "custom_parameters": st.dictionaries(TEXT, st.text(max_size=3), max_size=3).map(
        lambda each: tuple(each.items())
    ),
    "loop": st.integers(1, 100) | st.just("infinity"),
    "stream_url": SOCKET,
    "webhook_url": WEB,
}


def choices(hint: object) -> set[object]:
    """Return the words that a type allows."""
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    return {word for part in get_args(hint) for word in choices(part)}


def values(name: str, hint: object) -> st.SearchStrategy[Any]:
    if name in VALUES:
        return VALUES[name]
    if choices(hint):
        return st.sampled_from(sorted(choices(hint), key=repr))
    return st.booleans() if bool in get_args(hint) else TEXT


@st.composite
def commands(draw: st.DrawFn) -> Command:
    kind = draw(st.sampled_from(TYPES))
    hints = get_type_hints(kind)
    names = [option.name for option in fields(kind)]
    needed = {name for name in names if hints[name] is str}
    given_names = needed | set(draw(st.lists(st.sampled_from(names), unique=True)))
    options = {name: draw(values(name, hints[name])) for name in names if name in given_names}
    if kind is PlaybackStart:
        source = draw(st.sampled_from(SOURCES))
        options = {
            name: value for name, value in options.items() if all(name not in each for each in SOURCES)
        }
        options |= {name: draw(strategy) for name, strategy in source.items()}
        if options.get("overlay"):
            options["target_legs"] = "self"
    if "stream_bidirectional_mode" in names:
        options["stream_bidirectional_mode"] = "rtp"
    return kind(**options)


@given(command=commands())
def test_what_a_bot_writes_is_read_as_it_was(command: Command) -> None:
    request = encode_command("v3:abc", command)

    assert decode_command(request.path.rpartition("/")[2], request.body) == command


@given(action=st.sampled_from(sorted(COMMANDS)), body=anything(list(COMMANDS.values())))
def test_no_body_whatever_causes_another_error(action: str, body: str | bytes) -> None:
    try:
        decoded = decode_command(action, body)
    except TelnyxMessageError:
        return
    assert decode_command(action, encode_command("c", decoded).body) == decoded


def test_each_field_is_in_the_published_description_with_the_same_words() -> None:
    facts = published("openapi-facts.json")
    schemas = facts["components"]["schemas"]

    for kind in TYPES:
        operation = facts["paths"][f"/calls/{{call_control_id}}/actions/{kind.action}"]["post"]
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        properties = schemas[reference.rpartition("/")[2]]["properties"]
        hints = get_type_hints(kind)
        for name in (option.name for option in fields(kind)):
            schema = properties[name]
            schema = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
            if "enum" in schema and name != "language":  # new voices bring new languages
                assert choices(hints[name]) == set(schema["enum"]), (kind, name)


@pytest.mark.parametrize("action", sorted(COMMANDS))
def test_the_published_commands_are_read_and_written_as_they_are(action: str) -> None:
    body = published(f"examples/request.{action}.json")

    request = encode_command("c", decode_command(action, json.dumps(body)))

    # Fields of answers and streams that no voice bot has a use for are not known here.
    foreign = {
        "assistant",
        "deepfake_detection",
        "webhook_url_method",
        "dialogflow_config",
        "enable_dialogflow",
    }
    assert json.loads(request.body) == {name: value for name, value in body.items() if name not in foreign}


def test_the_published_command_with_every_field_is_one_that_telnyx_could_not_take() -> None:
    body = published("examples/sdk.start_playback.all_params.json")

    with pytest.raises(TelnyxMessageError, match=r"^playback_content must be base64"):
        decode_command("playback_start", json.dumps(body))
