"""What all of Telnyx's messages are made of: JSON objects, read leniently.

A field that may be missing reads as None also if it is null or of a kind that makes no sense there, and
a number may be written as a string: all of this has been seen. Only what a message cannot do without is
insisted on.
"""

import json
import reprlib
from binascii import a2b_base64, b2a_base64
from typing import Final, TypeAlias, cast

JsonObject: TypeAlias = dict[str, object]

# What `json.loads` asks, without what it looks at each time before.
_DECODE: Final = json.JSONDecoder().decode


class TelnyxMessageError(Exception):
    """What the other side sent is no message of Telnyx's protocols, or lacks what it cannot do without."""


class TelnyxPayloadError(TelnyxMessageError):
    """The audio in a message is not base64; the message is well made otherwise."""


def shown(value: object) -> str:
    """Return how *value* looks, shortened: it is the other side's, and may be of any length."""
    return reprlib.repr(value)


def load_object(text: str | bytes) -> JsonObject:
    """Return the JSON object that *text* is.

    Raises:
        TelnyxMessageError: It is something else.
    """
    try:
        value: object = _DECODE(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:  # the latter: arrays in arrays, thousands deep
        raise TelnyxMessageError(f"a message must be JSON, got {shown(text)}") from error
    if not isinstance(value, dict):
        raise TelnyxMessageError(f"a message must be a JSON object, got {shown(value)}")
    return cast("JsonObject", value)


def dump_object(value: JsonObject) -> str:
    """Return *value* as compact JSON in ASCII."""
    return json.dumps(value, separators=(",", ":"))


def dump_received(value: object) -> str:
    """Return *value*, which was JSON, as JSON again.

    Raises:
        TelnyxMessageError: It is nested too deeply: what can just be read cannot always be written.
    """
    try:
        return json.dumps(value, separators=(",", ":"))
    except RecursionError as error:
        raise TelnyxMessageError("a message must not be nested thousands deep") from error


def child(parent: JsonObject, name: str) -> JsonObject:
    """Return the object that *parent* has under *name*; empty if there is none."""
    value = parent.get(name)
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def required_child(parent: JsonObject, name: str, path: str) -> JsonObject:
    """Return the object that *parent* has under *name*; *path* is how it is called in an error.

    Raises:
        TelnyxMessageError: There is none.
    """
    if not isinstance(parent.get(name), dict):
        raise TelnyxMessageError(f"a message must have an object {path}, got {shown(parent.get(name))}")
    return child(parent, name)


def elements(parent: JsonObject, name: str) -> list[object]:
    """Return the array that *parent* has under *name*; empty if there is none."""
    value = parent.get(name)
    return cast("list[object]", value) if isinstance(value, list) else []


def text(parent: JsonObject, name: str) -> str | None:
    """Return a string, also of a number."""
    value = parent.get(name)
    if value is None or isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def required_text(parent: JsonObject, name: str, path: str) -> str:
    """Return a string, also of a number; *path* is how the field is called in an error.

    Raises:
        TelnyxMessageError: There is none.
    """
    value = text(parent, name)
    if value is None:
        raise TelnyxMessageError(f"{path} must be a string, got {shown(parent.get(name))}")
    return value


def integer(parent: JsonObject, name: str) -> int | None:
    """Return a whole number, also of a string of digits."""
    value = parent.get(name)
    if value is None or isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def flag(parent: JsonObject, name: str) -> bool | None:
    """Return a truth value, also of its name in a string."""
    value = parent.get(name)
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def to_base64(data: bytes) -> str:
    """Return *data* in base64."""
    return b2a_base64(data, newline=False).decode("ascii")


def from_base64(data: str | None) -> bytes | None:
    """Return what *data* is the base64 of, or None if it is none."""
    if data is None:
        return None
    try:
        return a2b_base64(data, strict_mode=True)
    except ValueError:
        return None


def present(**fields: object) -> JsonObject:
    """Return the fields that are not None."""
    return {name: value for name, value in fields.items() if value is not None}
