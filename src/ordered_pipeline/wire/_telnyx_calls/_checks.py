"""What the fields of commands may be. A field has one name and one rule in all of them."""

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Rule = Callable[[str, object], None]

_LEAST_LOOP: Final = 1
_MOST_LOOP: Final = 100
# The description of the field says 3,000, the table of errors 5,000.
_MOST_SPOKEN: Final = 3000
_MOST_TOKEN: Final = 4000


def check_command(command: "DataclassInstance") -> None:
    """Refuse a field that is not what Telnyx takes.

    Raises:
        TypeError: It is of another type.
        ValueError: It has another value.
    """
    for option in fields(command):
        value: object = getattr(command, option.name)
        if value is not option.default:
            _RULES[option.name](option.name, value)
    _check_mode(command)


def _check_mode(command: "DataclassInstance") -> None:
    # Raw audio that is sent in the other mode is not heard, and nothing says so.
    mode: object = getattr(command, "stream_bidirectional_mode", "rtp")
    for name in ("stream_bidirectional_codec", "stream_bidirectional_sampling_rate"):
        value: object = getattr(command, name, None)
        if value is not None and mode != "rtp":
            raise ValueError(
                f"{name} needs stream_bidirectional_mode to be 'rtp', got {value!r} with {mode!r}"
            )


def _one_of(*choices: object) -> _Rule:
    named = ", ".join(map(repr, choices))

    def check(name: str, value: object) -> None:
        if type(value) is not type(choices[0]):
            raise TypeError(f"{name} must be one of {named}, got {value!r}")
        if value not in choices:
            raise ValueError(f"{name} must be one of {named}, got {value!r}")

    return check


def _text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {value!r}")
    if not value:
        raise ValueError(f"{name} must not be empty, got ''; leave it out instead")


def _url(*schemes: str) -> _Rule:
    named = " or ".join(f"{scheme}://" for scheme in schemes)

    def check(name: str, value: object) -> None:
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a string, got {value!r}")
        scheme, _, rest = value.partition("://")
        if scheme.lower() not in schemes or not rest:
            raise ValueError(f"{name} must begin with {named}, got {value!r}")

    return check


def _boolean(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")


def _loop(name: str, value: object) -> None:
    way_out = f"from {_LEAST_LOOP} to {_MOST_LOOP} or 'infinity'"
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise TypeError(f"{name} must be {way_out}, got {value!r}")
    if value != "infinity" and not (isinstance(value, int) and _LEAST_LOOP <= value <= _MOST_LOOP):
        raise ValueError(f"{name} must be {way_out}, got {value!r}")


def _spoken(name: str, value: object) -> None:
    _text(name, value)
    if isinstance(value, str) and len(value) > _MOST_SPOKEN:
        raise ValueError(
            f"{name} must be of at most {_MOST_SPOKEN} characters, got {len(value)}; speak it in pieces"
        )


def _token(name: str, value: object) -> None:
    # A secret: not even a wrong one is shown.
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string, got {type(value).__name__}")
    if not 0 < len(value) <= _MOST_TOKEN:
        raise ValueError(f"{name} must be of 1 to {_MOST_TOKEN} characters, got {len(value)}")


def _state(name: str, value: object) -> None:
    if not isinstance(value, bytes | str):
        raise TypeError(f"{name} must be bytes or a string, got {value!r}")
    try:
        value if isinstance(value, bytes) else value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} must be text that UTF-8 can write, got {value!r}; pass bytes") from error


def _file(name: str, value: object) -> None:
    if not isinstance(value, bytes):
        raise TypeError(f"{name} must be bytes, got {type(value).__name__}; base64 is made of them here")
    if not value:
        raise ValueError(f"{name} must not be empty, got b''; send nothing instead")


def _parameters(name: str, value: object) -> None:
    way_out = "pass them as in (('name', 'value'),)"
    if not isinstance(value, tuple):
        raise TypeError(f"{name} must be a tuple of names and values, got {value!r}; {way_out}")
    known: set[str] = set()
    for pair in cast("tuple[object, ...]", value):
        match pair:
            case (str(parameter), str()):
                if parameter in known:
                    raise ValueError(f"{name} must have each name once, got {parameter!r} again")
                known.add(parameter)
            case _:
                raise TypeError(f"{name} must be a tuple of names and values, got {pair!r} in it; {way_out}")


_LEGS: Final = _one_of("self", "opposite", "both")
_CODECS: Final = ("PCMU", "PCMA", "G722", "OPUS", "AMR-WB", "L16")

_RULES: Final[dict[str, _Rule]] = {
    "audio_type": _one_of("mp3", "wav"),
    "audio_url": _url("http", "https"),
    "cache_audio": _boolean,
    "client_state": _state,
    "command_id": _text,
    "custom_parameters": _parameters,
    "language": _text,
    "loop": _loop,
    "media_name": _text,
    "overlay": _boolean,
    "payload": _spoken,
    "payload_type": _one_of("text", "ssml"),
    "playback_content": _file,
    "send_silence_when_idle": _boolean,
    "service_level": _one_of("basic", "premium"),
    "stop": _one_of("current", "all"),
    "stream_auth_token": _token,
    "stream_bidirectional_codec": _one_of(*_CODECS),
    "stream_bidirectional_mode": _one_of("mp3", "rtp"),
    "stream_bidirectional_sampling_rate": _one_of(8000, 16000, 22050, 24000, 48000),
    "stream_bidirectional_target_legs": _LEGS,
    "stream_codec": _one_of(*_CODECS, "default"),
    "stream_id": _text,
    "stream_track": _one_of("inbound_track", "outbound_track", "both_tracks"),
    "stream_url": _url("ws", "wss"),
    "target_legs": _LEGS,
    "voice": _text,
    "webhook_url": _url("http", "https"),
}
