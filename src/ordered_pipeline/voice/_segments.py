"""Sentences out of text that is still being written: each goes out when it is certain that it has ended.

Rules kept here:

1. The pieces joined are the text; white space between two sentences leads the second.
2. Where the cuts are depends on the text alone, not on how it was cut into deltas.
3. A cut waits for the white space after the stop. Only where the stop may not end the sentence ("etc.",
   "Well...", a quote that goes on) does it wait for the first character after that as well.
"""

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text that is spoken at once, and its place in the reply, from 0."""

    index: int
    text: str


# A text without any stop is cut between two words here, after about 30 s of speech.
_LONGEST: Final = 500

# ruff: noqa: RUF001  # stops and quotes are meant as they stand

_CLOSERS: Final = "\"'”’»)\\]」』）"
_STOP: Final = re.compile(
    rf"[.!?…]+[{_CLOSERS}]*(?=\s)"  # a stop of the Latin kind, which needs white space after it
    rf"|[。！？｡]+[{_CLOSERS}]*(?=[^。！？｡{_CLOSERS}])"  # one of the CJK kind, which needs none
    r"|(?=\n[^\S\n]*\n)"  # an empty line
)
# What may be the beginning of a stop whose end is not there yet.
_UNDECIDED: Final = re.compile(rf"[.!?…。！？｡{_CLOSERS}\s]*\Z")
_LAST_WORD: Final = re.compile(r"[^\s\"'“‘«(\[]*\Z")
_DOTTED: Final = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")

# Never the end of a sentence.
_TITLES: Final = frozenset(
    "capt cf col dr e.g fig gen gov hon i.e lt mr mrs ms mt prof rep rev sen sgt st viz vs".split()  # noqa: SIM905  # reads best
)
# The end of one, unless a small letter or a digit follows. So are letters between stops, as in "a.m.".
_OPEN_ENDED: Final = frozenset(
    "al approx apr art aug ave bros ca co corp dec dept ed est etc feb inc jan jr jul jun ltd mar no nov "  # noqa: SIM905  # as above
    "nr oct p ph.d pp sept sr univ vol".split()
)


class SentenceSplitter:
    """Cuts text that comes in deltas into sentences."""

    def __init__(self) -> None:
        self._text: str = ""
        self._looked: int = 0

    def push(self, delta: str) -> list[str]:
        """Add *delta* and return the sentences that are known to have ended, oldest first."""
        self._text += delta
        sentences: list[str] = []
        while (end := self._find_end()) is not None:
            sentences.append(self._text[:end])
            self._text = self._text[end:]
            self._looked = 0
        return sentences

    def flush(self) -> list[str]:
        """Return what is left, of which no end was seen: nothing or one piece, maybe only white space."""
        rest, self._text, self._looked = self._text, "", 0
        return [rest] if rest else []

    def _find_end(self) -> int | None:
        limit = len(self._text) - len(self._text.lstrip()) + _LONGEST
        for stop in _STOP.finditer(self._text, self._looked):
            if stop.end() > limit:
                break
            before = self._text[: stop.start()]
            if not before.strip():
                continue
            goes_on = _goes_on(before, stop.group(), self._text[stop.end() :].lstrip()[:1])
            if goes_on is None:
                self._looked = stop.start()
                return None
            if not goes_on:
                return stop.end()
            self._looked = stop.end()
        if len(self._text) > limit:
            return _last_space(self._text[:limit])
        undecided = _UNDECIDED.search(self._text, self._looked)
        self._looked = undecided.start() if undecided else len(self._text)
        return None


def _last_space(text: str) -> int:
    """Return where the last word of *text* begins, with the space before it; its end if it is one word."""
    space = max(text.rfind(" "), text.rfind("\n"))
    return space if text[: max(space, 0)].strip() else len(text)


def _goes_on(before: str, stop: str, follower: str) -> bool | None:
    """Tell whether the sentence goes on after *stop*; ``None`` where the *follower*, to come, tells."""
    mark = stop.rstrip(_CLOSERS)
    match = _LAST_WORD.search(before)
    word = match.group() if match else ""
    if mark == ".":
        if word.lower() in _TITLES or _is_initial(word) or _is_list_number(before):
            return True
        if word.lower() in _OPEN_ENDED or _DOTTED.fullmatch(word):
            return _is_small_or_digit(follower)
    if mark != stop or mark == "…" or mark.startswith(".."):
        return _is_small_or_digit(follower)
    return False


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.isupper() and word != "I"


def _is_list_number(before: str) -> bool:
    return before.strip().isalnum() and (before.strip().isdecimal() or len(before.strip()) == 1)


def _is_small_or_digit(follower: str) -> bool | None:
    return (follower.islower() or follower.isdecimal()) if follower else None
