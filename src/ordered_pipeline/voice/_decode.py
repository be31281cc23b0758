"""Decoding: values as JSON has them become dataclasses again, each checked against its annotation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def decode(kind: type[T], data: Mapping[str, object]) -> T:
    """Return the dataclass *kind* with what *data* has for its fields; what else it has is left out.

    Args:
        kind: A dataclass of numbers, texts, choices, None, dataclasses, and tuples of such.
        data: As `dataclasses.asdict` gives it, or JSON.

    Raises:
        ValueError: A value is missing, or does not fit its annotation.
    """
    value: T = _decoded(kind, data, kind.__name__)
    return value


# The annotation is a value here, so what comes out has no static type.
def _decoded(kind: Any, value: object, name: str) -> Any:  # noqa: ANN401
    arguments = get_args(kind)
    if is_dataclass(kind):
        return _dataclass(kind, value, name)
    if get_origin(kind) is tuple:
        return _tuple(arguments, value, name)
    if get_origin(kind) in {Union, UnionType}:
        if value is None and NoneType in arguments:
            return None
        return _decoded(next(one for one in arguments if one is not NoneType), value, name)
    return _plain(kind, value, name)


def _plain(kind: Any, value: object, name: str) -> Any:  # noqa: ANN401  # as above
    arguments = get_args(kind)
    if get_origin(kind) is Literal:
        if value in arguments:
            return value
        raise ValueError(f"{name} must be one of {', '.join(map(repr, arguments))}, got {value!r}")
    if kind is float:
        if isinstance(value, float | int) and not isinstance(value, bool) and math.isfinite(value):
            return value
        raise ValueError(f"{name} must be a number, got {value!r}")
    if type(value) is kind:
        return value
    raise ValueError(f"{name} must be of type {kind.__name__}, got {value!r}")


def _dataclass(kind: Any, value: object, name: str) -> Any:  # noqa: ANN401  # as above
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be an object, got {value!r}")  # noqa: TRY004  # data, not arguments
    data = cast("Mapping[str, object]", value)
    kinds = get_type_hints(kind)
    found: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in data:
            found[field.name] = _decoded(kinds[field.name], data[field.name], f"{name}.{field.name}")
        elif field.default is MISSING:
            raise ValueError(f"{name} must have {field.name!r}, got {value!r}")
    return kind(**found)


def _tuple(kinds: Sequence[Any], value: object, name: str) -> tuple[Any, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError(f"{name} must be a list, got {value!r}")  # noqa: TRY004  # as above
    values = cast("Sequence[object]", value)
    each = [kinds[0]] * len(values) if kinds[-1] is Ellipsis else kinds
    if len(each) != len(values):
        raise ValueError(f"{name} must have {len(each)} values, got {value!r}")
    return tuple(
        _decoded(kind, one, f"{name}[{place}]")
        for place, (kind, one) in enumerate(zip(each, values, strict=True))
    )
