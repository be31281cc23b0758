"""Text in a terminal's columns."""

import os
import unicodedata
from typing import Final, TextIO

_DEFAULT_WIDTH: Final = 100


def terminal_width(stream: TextIO | None) -> int:
    """Return how many columns *stream*'s terminal has, unless COLUMNS says; 100 where nothing does."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    if stream is None or not stream.isatty():
        return _DEFAULT_WIDTH
    return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_WIDTH


def fit(text: str, width: int) -> str:
    """Return *text* on one line that takes at most *width* columns, cut with an ellipsis.

    White space becomes single spaces, and what does not print (escape sequences begin with such) is replaced.
    """
    text = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split())
    )
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}…" if width > 0 else ""


def columns(text: str) -> int:
    """Return how many columns *text* takes."""
    return sum(_columns_of(char) for char in text)


def _columns_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1
