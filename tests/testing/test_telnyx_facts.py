"""The simulator beside what Telnyx publishes: at least as strict as its schema, and true to it.

Nothing here is collected unless ``openapi-facts.json`` is at hand, as `tests.wire.payloads` says: Telnyx's
OpenAPI document of 2026, or what it says of calls and their webhooks.
"""

import json
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.testing._telnyx._checks import ACTIONS, check_body, field_names
from ordered_pipeline.testing.telnyx import RestFault, TelnyxSimulator
from tests.testing.telnyx_lines import Hooks, Server, bot_on, content, wav
from tests.wire.payloads import FACTS

__test__ = FACTS is not None

DOCUMENT: dict[str, Any] = (
    {} if FACTS is None else json.loads((FACTS / "openapi-facts.json").read_text("utf-8"))
)
PATH = "/calls/{call_control_id}/actions/"


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference stands for."""
    while "$ref" in schema:
        found: Any = DOCUMENT
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        schema = found
    return schema


def errors(schema: dict[str, Any], value: object) -> list[str]:
    """Return what is wrong with *value*."""
    from jsonschema import (  # noqa: PLC0415  # only these tests need it
        Draft202012Validator,
    )

    validator = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(value)]


def request_schema(action: str) -> dict[str, Any]:
    body = DOCUMENT["paths"][f"{PATH}{action}"]["post"]["requestBody"]
    schema: dict[str, Any] = body["content"]["application/json"]["schema"]
    return schema


def reply_schema(action: str, status: str) -> dict[str, Any]:
    reply = resolved(DOCUMENT["paths"][f"{PATH}{action}"]["post"]["responses"][status])
    schema: dict[str, Any] = reply["content"]["application/json"]["schema"]
    return schema


def test_the_commands_are_those_of_the_document() -> None:
    assert {path.removeprefix(PATH) for path in DOCUMENT["paths"]} == ACTIONS


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_the_fields_of_a_command_are_those_of_the_document(action: str) -> None:
    assert field_names(action) == set(resolved(request_schema(action))["properties"])


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_the_choices_of_a_field_are_those_of_the_document(action: str) -> None:
    for name, given_schema in resolved(request_schema(action))["properties"].items():
        for choice in resolved(given_schema).get("enum", []):
            refused = check_body(action, {name: choice})
            assert refused is None or refused.pointer != f"/{name}", (name, choice)
        if "enum" in resolved(given_schema):
            refused = check_body(action, {name: "none of these"})
            assert refused is not None
            assert refused.pointer == f"/{name}"


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 200),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(["all", "self", "wav", "infinity", "rtp", "PCMU", "wss://x/", "QQ==", "https://x/a"]),
    st.lists(
        st.dictionaries(st.sampled_from(["name", "value"]), st.text(max_size=2) | st.integers()), max_size=2
    ),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)


@given(st.data())
def test_what_the_document_refuses_is_refused(data: st.DataObject) -> None:
    action = data.draw(st.sampled_from(sorted(ACTIONS)))
    # What the document has as the only choice of one field is an example of a list.
    names = st.sampled_from(sorted(field_names(action) - {"preferred_codecs"}))
    body = data.draw(st.dictionaries(names, VALUES, max_size=4))
    # A field that is null counts as not given, which the document does not say.
    present = {name: value for name, value in body.items() if value is not None}

    if errors(request_schema(action), present):
        assert check_body(action, body) is not None


async def everything() -> tuple[list[tuple[str, int, Any]], list[dict[str, Any]]]:
    """Have as many replies and webhooks as there are kinds; return them."""
    hooks, replies = Hooks(), list[tuple[str, int, Any]]()
    async with TelnyxSimulator(webhooks=hooks, media=Server()) as telnyx:
        telnyx.fault(RestFault(action="hangup", nth=2, status=429))
        async with bot_on(telnyx, is_answered=False) as bot:
            commands: list[tuple[str, dict[str, object]]] = [
                ("speak", {"payload": "?", "voice": "female"}),
                ("answer", {"client_state": "QQ=="}),
                ("playback_start", {**content(wav(0.5)), "stop": "now"}),
                ("playback_start", content(wav(0.5))),
                ("speak", {"payload": "0123456789", "voice": "female"}),
                ("playback_start", {"media_name": "none"}),
                ("streaming_start", {"stream_url": "wss://bot.test/"}),
                ("playback_stop", {}),
                ("streaming_stop", {}),
                ("hangup", {}),
                ("hangup", {}),
                ("hangup", {}),
            ]
            for action, body in commands:
                reply = await bot.send(action, **body)
                replies.append((action, reply.status_code, reply.json()))
                bot.call.press("1")
                await anyio.sleep(2.0)
    async with TelnyxSimulator(webhooks=hooks) as telnyx, bot_on(telnyx) as bot:
        await bot.send("streaming_start", stream_url="ws://192.0.2.1/")
        await anyio.sleep(1.0)
    return replies, hooks.messages


def test_replies_are_as_in_the_document() -> None:
    replies, _ = run_in_virtual_time(everything)

    for action, status, body in replies:
        kind = {200: "200", 422: "422"}.get(status, "default")
        assert errors(reply_schema(action, kind), body) == [], (action, body)
    assert {status for _, status, _ in replies} == {200, 422, 429}


def test_webhooks_are_as_in_the_document() -> None:
    _, messages = run_in_virtual_time(everything)

    schemas: dict[str, dict[str, Any]] = {}
    for hook in DOCUMENT["webhooks"].values():
        schema = resolved(hook["post"]["requestBody"]["content"]["application/json"]["schema"])
        data = resolved(schema["properties"]["data"])
        schemas[resolved(data["properties"]["event_type"])["enum"][0]] = schema
    for message in messages:
        payload = message["data"]["payload"]
        # Live webhooks have null here, which the document forbids.
        if payload["client_state"] is None:
            del payload["client_state"]
        assert errors(schemas[message["data"]["event_type"]], message) == [], message
    assert {message["data"]["event_type"] for message in messages} == set(schemas)
