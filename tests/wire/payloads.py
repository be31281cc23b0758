"""Telnyx's messages, made up in its shapes, what may come instead of them, and the published ones if at hand.

`openapi-facts.json`, Telnyx's own description of its API, and the payloads that it publishes are not part of
this project. If the environment variable TELNYX_FACTS names a folder that has them, these as `examples/`, or
`shared/telnyx` beside this checkout is one, the values here are compared with them.
"""

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

CALL_ID = "v3:bWFkZS11cC1jYWxs-id_1"
STREAM_ID = "5f0c2a1e-0d6b-4c55-9d0e-1f6f0f4b7a10"

_BESIDE = Path(__file__).parents[3] / "shared" / "telnyx"
_NAMED = os.environ.get("TELNYX_FACTS") or (str(_BESIDE) if _BESIDE.is_dir() else None)

# Where they are; None if nowhere.
FACTS = None if _NAMED is None else Path(_NAMED)

# "order 66"
STATE = "b3JkZXIgNjY="

MEDIA_MESSAGES: dict[str, dict[str, Any]] = {
    "connected": {"event": "connected", "version": "1.0.0"},
    "start": {
        "event": "start",
        "sequence_number": "1",
        "stream_id": STREAM_ID,
        "start": {
            "user_id": "u-1",
            "call_control_id": CALL_ID,
            "call_session_id": "s-1",
            "from": "+4930111",
            "to": "+4930222",
            "tags": ["one", "two"],
            "client_state": STATE,
            "custom_parameters": {"desk": "7"},
            "media_format": {"encoding": "PCMA", "sample_rate": 8000, "channels": 1},
        },
    },
    "media": {
        "event": "media",
        "sequence_number": "4",
        "stream_id": STREAM_ID,
        "media": {"track": "inbound", "chunk": "3", "timestamp": "40", "payload": "AAEC/w=="},
    },
    "mark": {"event": "mark", "sequence_number": "9", "stream_id": STREAM_ID, "mark": {"name": "2:7"}},
    "dtmf": {
        "event": "dtmf",
        "sequence_number": "10",
        "stream_id": STREAM_ID,
        "occurred_at": "2026-01-02T03:04:05.000006Z",
        "dtmf": {"digit": "#"},
    },
    "error": {
        "event": "error",
        "stream_id": STREAM_ID,
        "payload": {"code": 100005, "title": "rate_limit_reached", "detail": "slower, please"},
    },
    "legacy error": {
        "event": "error",
        "stream_id": STREAM_ID,
        "sequence_number": "11",
        "error": {"code": "100003", "title": "malformed_frame", "detail": "no JSON"},
    },
    "stop": {
        "event": "stop",
        "sequence_number": "12",
        "stream_id": STREAM_ID,
        "stop": {"user_id": "u-1", "call_control_id": CALL_ID},
    },
}

OF_THE_CALL: dict[str, Any] = {
    "call_control_id": CALL_ID,
    "call_leg_id": "leg-1",
    "call_session_id": "s-1",
    "connection_id": "c-1",
    "client_state": STATE,
}

EVENTS: dict[str, dict[str, Any]] = {
    "call.initiated": {
        "direction": "incoming",
        "state": "parked",
        "from": "+4930111",
        "to": "+4930222",
        "start_time": "2026-01-02T03:04:05Z",
    },
    "call.answered": {
        "state": "answered",
        "from": "+4930111",
        "to": "+4930222",
        "start_time": "2026-01-02T03:04:05Z",
    },
    "call.hangup": {
        "state": "hangup",
        "from": "+4930111",
        "to": "+4930222",
        "start_time": "2026-01-02T03:04:05Z",
        "hangup_cause": "normal_clearing",
        "hangup_source": "caller",
        "sip_hangup_cause": "200",
    },
    "call.playback.started": {"media_url": "https://a.example/1.wav", "media_name": "one", "overlay": False},
    "call.playback.ended": {
        "media_url": "https://a.example/1.wav",
        "media_name": "one",
        "overlay": True,
        "status": "completed",
        "status_detail": "all of it",
    },
    "call.speak.started": {"speak_id": "sp-1"},
    "call.speak.ended": {"status": "completed", "speak_id": "sp-1"},
    "streaming.started": {"stream_url": "wss://a.example/media", "stream_id": STREAM_ID},
    "streaming.stopped": {"stream_url": "wss://a.example/media", "stream_id": STREAM_ID},
    "streaming.failed": {
        "failure_reason": "connection_failed",
        "stream_id": STREAM_ID,
        "stream_type": "websocket",
        "stream_params": {"stream_url": "wss://a.example/media", "track": "inbound_track"},
    },
    "call.dtmf.received": {"digit": "5", "from": "+4930111", "to": "+4930222"},
}

COMMANDS: dict[str, dict[str, Any]] = {
    "answer": {"stream_url": "wss://a.example/media", "stream_codec": "PCMU", "client_state": STATE},
    "hangup": {"command_id": "c-1"},
    "playback_start": {"playback_content": "UklGRg==", "audio_type": "wav", "loop": 2, "command_id": "c-2"},
    "playback_stop": {"stop": "all", "overlay": False},
    "speak": {"payload": "good evening", "voice": "female", "loop": "infinity"},
    "streaming_start": {
        "stream_url": "wss://a.example/media",
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_codec": "L16",
        "stream_bidirectional_sampling_rate": 16000,
        "custom_parameters": [{"name": "desk", "value": "7"}],
        "stream_auth_token": "t0ken",
    },
    "streaming_stop": {"stream_id": STREAM_ID},
}

REFUSAL: dict[str, Any] = {
    "errors": [
        {
            "code": "90016",
            "title": "Bad stop",
            "detail": "stop is no such word",
            "source": {"pointer": "/stop"},
            "meta": {"url": "https://a.example/errors/90016"},
        }
    ]
}


def webhook(event_type: str, **changes: object) -> dict[str, Any]:
    """Return the webhook of an event; *changes* are fields of its payload."""
    return {
        "data": {
            "record_type": "event",
            "event_type": event_type,
            "id": "w-1",
            "occurred_at": "2026-01-02T03:04:05.000006Z",
            "payload": {**OF_THE_CALL, **EVENTS.get(event_type, {}), **changes},
        },
        "meta": {"attempt": 1, "delivered_to": "https://bot.example/hooks"},
    }


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["8", "-1", STATE]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutations(draw: st.DrawFn, samples: list[dict[str, Any]]) -> str:
    """Draw one of *samples* as JSON, with up to three of its values replaced or gone, or its text cut."""
    message = copy.deepcopy(draw(st.sampled_from(samples)))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(message))
        if places:
            parent, key = draw(st.sampled_from(places))
            if draw(st.booleans()):
                parent[key] = draw(JSON_VALUES)
            else:
                del parent[key]
    text = json.dumps(message)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 9)) == 0 else text


def _places(value: Any) -> list[tuple[Any, Any]]:
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


def anything(samples: list[dict[str, Any]]) -> st.SearchStrategy[str | bytes]:
    """Return what may come instead of a message: bytes, text, JSON, and messages with something wrong."""
    deep = st.sampled_from(["[" * 100_000, '{"a":' * 100_000, "[" * 3000 + "]" * 3000, "9" * 5000])
    return (
        st.binary(max_size=30)
        | st.text(max_size=30)
        | JSON_VALUES.map(json.dumps)
        | deep
        | mutations(samples)
        | mutations(samples).map(str.encode)
    )


def published(name: str) -> Any:
    """Return the JSON in a file of that folder; without one the test is skipped."""
    if FACTS is None:
        pytest.skip("Telnyx's own payloads are not at hand: see tests/wire/payloads.py")
    return json.loads((FACTS / name).read_text("utf-8"))
