"""Commands as HTTP requests, and back."""

from dataclasses import dataclass, field, fields
from typing import Any, Final, cast
from urllib.parse import quote

from ordered_pipeline.wire._telnyx_calls._commands import COMMANDS, Command
from ordered_pipeline.wire._telnyx_fields import (
    JsonObject,
    TelnyxMessageError,
    dump_object,
    from_base64,
    load_object,
    shown,
    to_base64,
)


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A ``POST`` with JSON in its body.

    Attributes:
        path: Behind the address of the API, such as ``https://api.telnyx.com/v2``.
        body: Its JSON.
    """

    path: str
    body: bytes = field(repr=False)


def encode_command(call_control_id: str, command: Command) -> CommandRequest:
    """Return the request that gives *command* to a call.

    Raises:
        TypeError: *call_control_id* is no string.
        ValueError: It has other than visible ASCII characters, or none.
    """
    if not isinstance(call_control_id, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"call_control_id must be a string, got {call_control_id!r}")
    visible = call_control_id.isascii() and call_control_id.isprintable() and " " not in call_control_id
    if not visible or call_control_id in {"", ".", ".."}:
        raise ValueError(
            f"call_control_id must be visible ASCII characters, got {call_control_id!r}; webhooks tell it"
        )
    path = f"/calls/{quote(call_control_id, safe=':')}/actions/{command.action}"
    values = ((option.name, cast("object", getattr(command, option.name))) for option in fields(command))
    body = {name: _written(name, value) for name, value in values if value is not None and value != ()}
    return CommandRequest(path, dump_object(body).encode())


def decode_command(action: str, body: str | bytes) -> Command:
    """Return the command that a bot gave: *action* is the last part of the path. Other fields are ignored.

    ``client_state`` comes as bytes, whichever the bot wrote.

    Raises:
        TelnyxMessageError: There is no such action, or *body* is no JSON object, or Telnyx would refuse it.
    """
    command = _COMMANDS.get(action)
    if command is None:
        raise TelnyxMessageError(f"action must be one of {', '.join(map(repr, _COMMANDS))}, got {action!r}")
    body_fields = load_object(body)
    names = (option.name for option in fields(command))
    # Of any type: the command itself checks them.
    values: dict[str, Any] = {
        name: _read(body_fields, name) for name in names if body_fields.get(name) is not None
    }
    try:
        return command(**values)
    except (TypeError, ValueError) as error:
        raise TelnyxMessageError(f"{action} must be as Telnyx takes it: {error}") from error


def _written(name: str, value: object) -> object:
    """Return what stands in JSON for *value*."""
    match name, value:
        case ("client_state", str()):
            return to_base64(value.encode())
        case (_, bytes()):
            return to_base64(value)
        case ("custom_parameters", _):
            pairs = cast("tuple[tuple[str, str], ...]", value)
            return [{"name": parameter, "value": content} for parameter, content in pairs]
        case _:
            return value


def _read(body: JsonObject, name: str) -> object:
    """Return the value that *body* has under *name*; what cannot be read is for the command to refuse."""
    value = body[name]
    if name in _BINARY and isinstance(value, str):
        decoded = from_base64(value)
        if decoded is None:
            raise TelnyxMessageError(f"{name} must be base64, got {shown(value)}")
        return decoded
    if name == "custom_parameters" and isinstance(value, list):
        return tuple(map(_pair, cast("list[object]", value)))
    return value


def _pair(parameter: object) -> object:
    match parameter:
        case {"name": str(name), "value": str(content)}:
            return (name, content)
        case _:
            return parameter


_BINARY: Final = frozenset({"client_state", "playback_content"})
_COMMANDS: Final[dict[str, type[Command]]] = {command.action: command for command in COMMANDS}
