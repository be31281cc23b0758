"""Text in a terminal's columns."""

import unicodedata
from itertools import accumulate


def fit(text: str, width: int) -> str:
    """Return *text* on one line that takes at most *width* columns, cut with an ellipsis.

    White space becomes single spaces. What only formats is left out: it could turn the line around. What else
    does not print (escape sequences begin with such) is replaced.
    """
    text = "".join(map(_shown, " ".join(text.split())))
    if columns(text) <= width:
        return text
    end = sum(taken < width for taken in accumulate(map(_columns_of, text)))
    return f"{text[:end].rstrip()}…" if width > 0 else ""


def columns(text: str) -> int:
    """Return how many columns *text* takes."""
    return sum(map(_columns_of, text))


def _shown(char: str) -> str:
    if unicodedata.category(char) == "Cf":
        return ""
    return char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"


def _columns_of(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
