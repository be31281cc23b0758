import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.wire._telnyx_webhooks import (
    CallAnswered,
    CallEvent,
    CallHangup,
    CallInitiated,
    DtmfReceived,
    OtherEvent,
    PlaybackEnded,
    PlaybackStarted,
    SpeakEnded,
    SpeakStarted,
    StreamingFailed,
    StreamingStarted,
    StreamingStopped,
    StreamParams,
    TelnyxMessageError,
    Webhook,
    decode_webhook,
    encode_webhook,
    signed_payload,
)
from tests.wire.payloads import CALL_ID, EVENTS, STATE, STREAM_ID, anything, published, webhook

DECODED: dict[str, CallEvent] = {
    "call.initiated": CallInitiated(
        direction="incoming",
        state="parked",
        from_="+4930111",
        to="+4930222",
        start_time="2026-01-02T03:04:05Z",
    ),
    "call.answered": CallAnswered(
        state="answered", from_="+4930111", to="+4930222", start_time="2026-01-02T03:04:05Z"
    ),
    "call.hangup": CallHangup(
        hangup_cause="normal_clearing",
        hangup_source="caller",
        sip_hangup_cause="200",
        state="hangup",
        from_="+4930111",
        to="+4930222",
        start_time="2026-01-02T03:04:05Z",
    ),
    "call.playback.started": PlaybackStarted(
        media_url="https://a.example/1.wav", media_name="one", overlay=False
    ),
    "call.playback.ended": PlaybackEnded(
        status="completed",
        status_detail="all of it",
        media_url="https://a.example/1.wav",
        media_name="one",
        overlay=True,
    ),
    "call.speak.started": SpeakStarted(speak_id="sp-1"),
    "call.speak.ended": SpeakEnded(status="completed", speak_id="sp-1"),
    "streaming.started": StreamingStarted(stream_url="wss://a.example/media", stream_id=STREAM_ID),
    "streaming.stopped": StreamingStopped(stream_url="wss://a.example/media", stream_id=STREAM_ID),
    "streaming.failed": StreamingFailed(
        failure_reason="connection_failed",
        stream_id=STREAM_ID,
        stream_type="websocket",
        stream_params=StreamParams(stream_url="wss://a.example/media", track="inbound_track"),
    ),
    "call.dtmf.received": DtmfReceived(digit="5", from_="+4930111", to="+4930222"),
}


@pytest.mark.parametrize("event_type", EVENTS)
def test_an_event_is_read_and_the_carriers_side_writes_it_as_it_was(event_type: str) -> None:
    sent = webhook(event_type)

    decoded = decode_webhook(json.dumps(sent))

    assert decoded == Webhook(
        id="w-1",
        event=DECODED[event_type],
        call_control_id=CALL_ID,
        call_leg_id="leg-1",
        call_session_id="s-1",
        connection_id="c-1",
        client_state_base64=STATE,
        occurred_at="2026-01-02T03:04:05.000006Z",
        attempt=1,
        delivered_to="https://bot.example/hooks",
    )
    assert json.loads(encode_webhook(decoded)) == sent


def test_a_webhook_may_come_without_its_delivery() -> None:
    sent = webhook("call.answered")
    del sent["meta"]

    decoded = decode_webhook(json.dumps(sent).encode())

    assert (decoded.attempt, decoded.delivered_to) == (None, None)
    assert json.loads(encode_webhook(decoded)) == sent


def test_an_unknown_event_keeps_what_is_its_own() -> None:
    decoded = decode_webhook(json.dumps(webhook("call.fax.received", pages=[1, 2])))

    assert decoded.event == OtherEvent("call.fax.received", '{"pages":[1,2]}')
    assert decoded.call_control_id == CALL_ID
    assert json.loads(encode_webhook(decoded)) == webhook("call.fax.received", pages=[1, 2])


def test_what_live_webhooks_have_and_the_document_has_not_is_passed_over() -> None:
    sent = webhook(
        "call.playback.ended", client_state=None, overlay="true", status=None, calling_party_type="pstn"
    )

    decoded = decode_webhook(json.dumps(sent))

    assert decoded.client_state is None
    assert decoded.event == PlaybackEnded(
        status_detail="all of it", media_url="https://a.example/1.wav", media_name="one", overlay=True
    )


def test_a_number_is_read_where_a_string_is_documented() -> None:
    decoded = decode_webhook(json.dumps(webhook("call.hangup", sip_hangup_cause=603)))

    assert isinstance(decoded.event, CallHangup)
    assert decoded.event.sip_hangup_cause == "603"


@pytest.mark.parametrize("params", [None, {}, "none", []])
def test_a_stream_that_failed_may_not_tell_what_it_was_to_be(params: object) -> None:
    decoded = decode_webhook(json.dumps(webhook("streaming.failed", stream_params=params)))

    assert isinstance(decoded.event, StreamingFailed)
    assert decoded.event.stream_params is None


@pytest.mark.parametrize("payload", [None, "text", [], {}])
def test_an_event_without_a_payload_is_one_that_tells_nothing(payload: object) -> None:
    sent = {"data": {"id": "w-1", "event_type": "call.answered", "payload": payload}}

    assert decode_webhook(json.dumps(sent)) == Webhook(id="w-1", event=CallAnswered())


@pytest.mark.parametrize(
    ("encoded", "state"), [(STATE, b"order 66"), ("b3JkZ", None), ("", b""), (None, None)]
)
def test_the_client_state_is_read_if_it_can_be(encoded: str | None, state: bytes | None) -> None:
    decoded = decode_webhook(json.dumps(webhook("call.answered", client_state=encoded)))

    assert decoded.client_state == state
    assert decoded.client_state_base64 == encoded


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "a message must be JSON, got b''"),
        ('"data"', "a message must be a JSON object, got 'data'"),
        (
            '{"event_type":"call_answered"}',
            "a message must have an object data, as webhooks of API version 2 have, got None",
        ),
        ('{"data":{"id":"w"}}', "data.event_type must be a string, got None"),
        ('{"data":{"event_type":"call.answered","id":{}}}', "data.id must be a string, got {}"),
    ],
)
def test_what_cannot_be_read_says_what_is_wrong(body: str | bytes, error: str) -> None:
    with pytest.raises(TelnyxMessageError, match=f"^{error}$"):
        decode_webhook(body)


@pytest.mark.parametrize("payload", ["[]", "no JSON"])
def test_another_event_cannot_be_written_without_an_object(payload: str) -> None:
    with pytest.raises(ValueError, match=r"^payload must be a JSON object, got '"):
        encode_webhook(Webhook(id="w-1", event=OtherEvent("x", payload)))


def test_what_is_signed_is_the_time_a_bar_and_the_body_as_it_came() -> None:
    assert signed_payload("1767323045", b'{"a": 1}\n') == b'1767323045|{"a": 1}\n'


MAYBE = st.none() | st.text(max_size=8)


def events() -> st.SearchStrategy[CallEvent]:
    known = [
        st.builds(kind, **{name: st.none() | st.booleans() if name == "overlay" else MAYBE for name in names})
        for kind, names in (
            (CallInitiated, ("direction", "state", "from_", "to", "start_time")),
            (CallAnswered, ("state", "from_", "to", "start_time")),
            (
                CallHangup,
                ("hangup_cause", "hangup_source", "sip_hangup_cause", "state", "from_", "to", "start_time"),
            ),
            (PlaybackStarted, ("media_url", "media_name", "overlay")),
            (PlaybackEnded, ("status", "status_detail", "media_url", "media_name", "overlay")),
            (SpeakStarted, ("speak_id",)),
            (SpeakEnded, ("status", "speak_id")),
            (StreamingStarted, ("stream_url", "stream_id")),
            (StreamingStopped, ("stream_url", "stream_id")),
            (DtmfReceived, ("digit", "from_", "to")),
        )
    ]
    params = st.builds(StreamParams, stream_url=st.text(max_size=8), track=MAYBE)
    failed = st.builds(
        StreamingFailed,
        failure_reason=MAYBE,
        stream_id=MAYBE,
        stream_type=MAYBE,
        stream_params=st.none() | params,
    )
    others = st.builds(
        OtherEvent,
        st.text(max_size=8),
        st.dictionaries(st.text(max_size=5), st.integers() | MAYBE, max_size=3).map(
            lambda fields: json.dumps(fields, separators=(",", ":"))
        ),
    )
    return st.one_of(*known, failed, others)


WEBHOOKS = st.builds(
    Webhook,
    id=st.text(max_size=8),
    event=events(),
    call_control_id=MAYBE,
    call_leg_id=MAYBE,
    call_session_id=MAYBE,
    connection_id=MAYBE,
    client_state_base64=MAYBE,
    occurred_at=MAYBE,
    attempt=st.none() | st.integers(),
    delivered_to=MAYBE,
)


@given(sent=WEBHOOKS)
def test_what_the_carriers_side_writes_is_read_as_it_was(sent: Webhook) -> None:
    assert decode_webhook(encode_webhook(sent)) == sent


@given(body=anything([webhook(event_type) for event_type in (*EVENTS, "call.fax.received")]))
def test_no_body_whatever_causes_another_error(body: str | bytes) -> None:
    try:
        decoded = decode_webhook(body)
    except TelnyxMessageError:
        return
    hash(decoded)
    assert decoded.client_state is None or decoded.client_state_base64 is not None


@pytest.mark.parametrize("levels", [100, 900, 2000, 20_000])
def test_a_payload_of_arrays_in_arrays_causes_no_other_error(levels: int) -> None:
    """What a decoder of JSON can just read, its encoder may not be able to write."""
    body = json.dumps(webhook("x")).replace('"leg-1"', '"leg-1","deep":' + "[" * levels + "]" * levels)

    try:
        decoded = decode_webhook(body)
    except TelnyxMessageError:
        return
    assert isinstance(decoded.event, OtherEvent)


@given(timestamp=st.text(), body=st.binary())
def test_any_header_can_be_taken_for_a_timestamp(timestamp: str, body: bytes) -> None:
    assert signed_payload(timestamp, body).endswith(b"|" + body)


def test_the_published_webhooks_are_read_and_written_as_they_are() -> None:
    names = [f"webhook.{event_type}.json" for event_type in EVENTS]

    for name in (*names, "webhook.call.initiated.with_meta.json"):
        sent = published(f"examples/{name}")
        decoded = decode_webhook(json.dumps(sent))

        sent["data"]["payload"].pop("call_quality_stats", None)  # the one thing that is not kept
        assert json.loads(encode_webhook(decoded)) == sent
