from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pytest

from ordered_pipeline.voice._decode import decode


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    count: int
    kind: Literal["open", "closed"] | None = None
    size_s: float | None = None
    pair: tuple[float, float] = (0.0, 0.0)
    points: tuple[Point, ...] = ()


def test_values_become_what_the_annotations_say() -> None:
    data = {
        "name": "a",
        "count": 2,
        "kind": "open",
        "size_s": 1,
        "pair": [1.5, 2],
        "points": [{"x": 1.0}, {"x": 2.0, "y": 3.0}],
    }

    assert decode(Shape, data) == Shape("a", 2, "open", 1.0, (1.5, 2.0), (Point(1.0), Point(2.0, 3.0)))


def test_what_is_left_out_has_its_default_and_what_is_unknown_is_left_out() -> None:
    assert decode(Shape, {"name": "a", "count": 2, "later": True}) == Shape("a", 2)


def test_none_is_there_where_it_may_be() -> None:
    assert decode(Shape, {"name": "a", "count": 2, "kind": None, "size_s": None}) == Shape("a", 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, r"^Shape\.name must be of type str, got None$"),
        ({"count": True}, r"^Shape\.count must be of type int, got True$"),
        ({"kind": "ajar"}, r"^Shape\.kind must be one of 'open', 'closed', got 'ajar'$"),
        ({"size_s": "1"}, r"^Shape\.size_s must be a number, got '1'$"),
        ({"size_s": False}, r"^Shape\.size_s must be a number, got False$"),
        ({"size_s": float("nan")}, r"^Shape\.size_s must be a number, got nan$"),
        ({"size_s": float("inf")}, r"^Shape\.size_s must be a number, got inf$"),
        ({"pair": [1.0]}, r"^Shape\.pair must have 2 values, got \[1\.0\]$"),
        ({"pair": "ab"}, r"^Shape\.pair must be a list, got 'ab'$"),
        ({"pair": [1.0, None]}, r"^Shape\.pair\[1\] must be a number, got None$"),
        ({"points": 5}, r"^Shape\.points must be a list, got 5$"),
        ({"points": [5]}, r"^Shape\.points\[0\] must be an object, got 5$"),
        ({"points": [{"x": 1.0}, {}]}, r"^Shape\.points\[1\] must have 'x', got \{\}$"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_place(
    changes: Mapping[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        decode(Shape, {"name": "a", "count": 2, **changes})
