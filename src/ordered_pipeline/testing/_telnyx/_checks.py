"""What a command's body may be: the published schema, and what its prose and the table of errors add.

A field that is null counts as not given.
"""

from binascii import a2b_base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from ordered_pipeline.wire._telnyx_calls import ApiError, Command, TelnyxMessageError, decode_command

_Rule: TypeAlias = Callable[[object], "_Fault | None"]


@dataclass(frozen=True, slots=True)
class _Fault:
    code: str
    detail: str


TITLES: Final[Mapping[str, str]] = {
    "10004": "Missing required parameter",
    "10005": "Resource not found",
    "10007": "Unexpected parameter",
    "10009": "Authentication failed",
    "10011": "Too many requests",
    "10015": "Bad request",
    "10023": "Invalid JSON",
    "10032": "Invalid enumerated value",
    "10033": "Value outside of range",
    "90009": "Invalid loop value",
    "90015": "Invalid Call Control ID",
    "90016": "Invalid stop value",
    "90017": "Invalid client state",
    "90018": "Call has already ended",
    "90034": "Call not answered yet",
    "90045": "Media Streaming is used",
    "90046": "Media Streaming failed to start",
    "90048": "Media Streaming is not used",
}

_MOST_LOOP: Final = 100
_MOST_RETRIES: Final = 5
_MOST_RETRIES_S: Final = 60


def api_error(code: str, detail: str, pointer: str | None = None) -> ApiError:
    """Return an error as Telnyx writes it."""
    return ApiError(code, TITLES.get(code, "Error"), detail, pointer)


def field_names(action: str) -> frozenset[str]:
    """Return the fields that a command may have."""
    return frozenset(_FIELDS[action])


def check_body(action: str, body: Mapping[str, object]) -> ApiError | None:
    """Return what is wrong with the body of a command; None if nothing is.

    Args:
        action: One of `ACTIONS`.
        body: Its JSON.
    """
    rules = _FIELDS[action]
    for name, value in body.items():
        rule = rules.get(name)
        if rule is None:
            return api_error("10007", f"The '{name}' parameter is not known to {action}.", f"/{name}")
        if value is not None and (fault := rule(value)) is not None:
            return api_error(fault.code, fault.detail, f"/{name}")
    given = {name for name, value in body.items() if value is not None}
    for name in _REQUIRED.get(action, ()):
        if name not in given:
            return api_error("10004", f"The '{name}' parameter is required and cannot be blank.", f"/{name}")
    if action == "playback_start":
        return _check_source(given)
    return None


def read_command(action: str, body: bytes) -> Command | ApiError:
    """Return the command in a body that `check_body` has passed."""
    try:
        return decode_command(action, body)
    except TelnyxMessageError as error:
        # What remains: values that must go together, addresses, lengths.
        return api_error("10015", str(error))


def _check_source(given: set[str]) -> ApiError | None:
    sources = [name for name in ("audio_url", "media_name", "playback_content") if name in given]
    if not sources:
        return api_error(
            "10004", "One of 'audio_url', 'media_name', 'playback_content' is required.", "/audio_url"
        )
    if len(sources) > 1:
        return api_error("10007", f"Only one of {', '.join(sources)} may be given.", f"/{sources[1]}")
    return None


def _text(value: object) -> _Fault | None:
    return None if isinstance(value, str) else _Fault("10015", "The value must be a string.")


def _boolean(value: object) -> _Fault | None:
    return None if isinstance(value, bool) else _Fault("10015", "The value must be a boolean.")


def _number(value: object) -> _Fault | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return None if is_number else _Fault("10015", "The value must be an integer.")


def _object(value: object) -> _Fault | None:
    return None if isinstance(value, dict) else _Fault("10015", "The value must be an object.")


def _named_values(value: object) -> _Fault | None:
    if isinstance(value, list):
        match cast("list[object]", value):
            case [*pairs] if all(_is_named_value(pair) for pair in pairs):
                return None
            case _:
                pass
    return _Fault("10015", "The value must be an array of objects with a name and a value.")


def _is_named_value(pair: object) -> bool:
    match pair:
        case {"name": str(), "value": str()}:
            return True
        case _:
            return False


def _one_of(*choices: object, code: str = "10032") -> _Rule:
    fault = _Fault(code, f"The value must be one of: {', '.join(map(str, choices))}.")

    def check(value: object) -> _Fault | None:
        return None if any(type(value) is type(choice) and value == choice for choice in choices) else fault

    return check


def _at_most(most: int) -> _Rule:
    def check(value: object) -> _Fault | None:
        if not isinstance(value, str):
            return _text(value)
        if 0 < len(value) <= most:
            return None
        return _Fault("10033", f"The length is outside of allowed range 1 to {most}")

    return check


def _loop(value: object) -> _Fault | None:
    if value == "infinity" or (type(value) is int and 1 <= value <= _MOST_LOOP):
        return None
    return _Fault("90009", f"The value must be 1 to {_MOST_LOOP} or 'infinity'.")


def _is_base64(value: str) -> bool:
    try:
        a2b_base64(value, strict_mode=True)
    except ValueError:
        return False
    return True


def _state(value: object) -> _Fault | None:
    if isinstance(value, str) and _is_base64(value):
        return None
    return _Fault("90017", "The client_state must be a valid Base64 encoded string.")


def _content(value: object) -> _Fault | None:
    if isinstance(value, str) and value and _is_base64(value):
        return None
    return _Fault("10015", "The playback_content must be a valid Base64 encoded string.")


def _codecs(value: object) -> _Fault | None:
    if isinstance(value, str) and set(value.split(",")) <= _CALL_CODECS:
        return None
    return _Fault("10032", f"The value must be a list of: {', '.join(sorted(_CALL_CODECS))}.")


def _retries(value: object) -> _Fault | None:
    if not isinstance(value, dict):
        return _object(value)
    for policy in cast("dict[str, object]", value).values():
        delays_s = _delays_s(policy)
        if delays_s is None:
            return _Fault("10015", "The value must be an object of objects with an array retries_ms.")
        if len(delays_s) > _MOST_RETRIES or sum(delays_s) > _MOST_RETRIES_S:
            return _Fault(
                "10033", f"At most {_MOST_RETRIES} delays of {_MOST_RETRIES_S} s in all may be given."
            )
    return None


def _delays_s(policy: object) -> tuple[float, ...] | None:
    delays_ms = cast("dict[str, object]", policy).get("retries_ms") if isinstance(policy, dict) else None
    if not isinstance(delays_ms, list):
        return None
    found: list[float] = []
    for delay_ms in cast("list[object]", delays_ms):
        if not isinstance(delay_ms, int) or isinstance(delay_ms, bool) or delay_ms < 0:
            return None
        found.append(delay_ms / 1000)
    return tuple(found)


def webhook_retries_s(body: Mapping[str, object]) -> dict[str, tuple[float, ...]]:
    """Return how long to wait before each further try of a webhook, by event, as a checked body says."""
    policies = cast("dict[str, object]", body.get("webhook_retries_policies") or {})
    return {event: _delays_s(policy) or () for event, policy in policies.items()}


_CALL_CODECS: Final = frozenset({"G722", "PCMU", "PCMA", "G729", "OPUS", "VP8", "H264"})
_CODECS: Final = ("PCMU", "PCMA", "G722", "OPUS", "AMR-WB", "L16")
_COMMON: Final[dict[str, _Rule]] = {"client_state": _state, "command_id": _text}
_STOP: Final = _one_of("current", "all", code="90016")
_LEGS: Final = _one_of("self", "opposite", "both")
_STREAM: Final[dict[str, _Rule]] = {
    "stream_url": _text,
    "stream_track": _one_of("inbound_track", "outbound_track", "both_tracks"),
    "stream_codec": _one_of(*_CODECS, "default"),
    "stream_bidirectional_mode": _one_of("mp3", "rtp"),
    "stream_bidirectional_codec": _one_of(*_CODECS),
    "stream_bidirectional_target_legs": _LEGS,
}
_SAID: Final[dict[str, _Rule]] = {"loop": _loop, "stop": _STOP, "target_legs": _LEGS}
# Not simulated, but valid.
_LANGUAGES: Final = (
    *("arb", "cmn-CN", "cy-GB", "da-DK", "de-DE", "en-AU", "en-GB", "en-GB-WLS", "en-IN", "en-US", "es-ES"),
    *("es-MX", "es-US", "fr-CA", "fr-FR", "hi-IN", "is-IS", "it-IT", "ja-JP", "ko-KR", "nb-NO", "nl-NL"),
    *("pl-PL", "pt-BR", "pt-PT", "ro-RO", "ru-RU", "sv-SE", "tr-TR"),
)
_METHOD: Final = _one_of("POST", "GET")
_RECORDING: Final[dict[str, _Rule]] = {
    "record": _one_of("record-from-answer"),
    "record_channels": _one_of("single", "dual"),
    "record_custom_file_name": _at_most(40),
    "record_format": _one_of("wav", "mp3"),
    "record_max_length": _number,
    "record_timeout_secs": _number,
    "record_track": _one_of("both", "inbound", "outbound"),
    "record_trim": _one_of("trim-silence"),
}

_FIELDS: Final[Mapping[str, Mapping[str, _Rule]]] = {
    "answer": {
        **_COMMON,
        **_STREAM,
        **_RECORDING,
        "assistant": _object,
        "billing_group_id": _text,
        "conversation_relay_config": _object,
        "custom_headers": _named_values,
        "deepfake_detection": _object,
        "preferred_codecs": _codecs,
        "send_silence_when_idle": _boolean,
        "sip_headers": _named_values,
        "sound_modifications": _object,
        "transcription": _boolean,
        "transcription_config": _object,
        "webhook_retries_policies": _retries,
        "webhook_url": _text,
        "webhook_url_method": _METHOD,
        "webhook_urls": _object,
        "webhook_urls_method": _METHOD,
    },
    "hangup": {**_COMMON, "custom_headers": _named_values},
    "playback_start": {
        **_COMMON,
        **_SAID,
        "audio_url": _text,
        "media_name": _text,
        "playback_content": _content,
        "audio_type": _one_of("mp3", "wav"),
        "cache_audio": _boolean,
        "overlay": _boolean,
    },
    "playback_stop": {**_COMMON, "stop": _STOP, "overlay": _boolean},
    "speak": {
        **_COMMON,
        **_SAID,
        "language": _one_of(*_LANGUAGES),
        "payload": _at_most(3000),
        "payload_type": _one_of("text", "ssml"),
        "service_level": _one_of("basic", "premium"),
        "voice": _text,
        "voice_settings": _object,
    },
    "streaming_start": {
        **_COMMON,
        **_STREAM,
        "custom_parameters": _named_values,
        "dialogflow_config": _object,
        "enable_dialogflow": _boolean,
        "stream_auth_token": _at_most(4000),
        "stream_bidirectional_sampling_rate": _one_of(8000, 16000, 22050, 24000, 48000),
    },
    "streaming_stop": {**_COMMON, "stream_id": _text},
}
_REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "speak": ("payload", "voice"),
    "streaming_start": ("stream_url",),
}

ACTIONS: Final[frozenset[str]] = frozenset(_FIELDS)
