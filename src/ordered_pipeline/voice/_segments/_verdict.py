"""Does a stop end its sentence? Told from the words around it, or that the characters to come must tell.

Nothing here keeps anything: a verdict depends on the text before and after the stop, and on the language.
"""

# ruff: noqa: RUF001  # stops and quotes are meant as they stand

import re
from enum import Enum, auto
from typing import Final

from ordered_pipeline.voice._segments._languages import Kind, Rules


class Verdict(Enum):
    """What is known of a place where a segment might end."""

    ENDS = auto()
    GOES_ON = auto()
    # What comes next tells. If nothing comes for a while, it has most likely ended.
    ENDED = auto()
    # What comes next tells, and it likely goes on, or nobody knows.
    WAITS = auto()


# Stops that want white space after them, and stops that do not.
SPACED: Final = ".!?…‼⁇⁈⁉‽؟۔;\u037e:\u0964\u0965"
UNSPACED: Final = "。！？｡．።፧፨၊။។៕༎།\u0589"
CLOSERS: Final = "\"'”’“»)\\]」』）】》〉›*_~"
EMOJI: Final = "\U0001f300-\U0001f492\U0001f4a0-\U0001faff\ufe0f\u200d\u2600-\u2604\u2705\u2728"

_QUOTES: Final = frozenset("\"'”’“»)]」』）】》〉›")
_SPOKEN_ON: Final = frozenset("と、，,って他她它")
_LAST_WORD: Final = re.compile(r"[^\s\"'“‘«„(\[*_¿¡—–]*\Z")
_NEXT_WORD: Final = re.compile(r"[^\w]*([^\W_]+(?:['’][^\W_]+)?)")
_LIST_NUMBER: Final = re.compile(r"(?:\d{1,3}|[A-Za-z])")
_DOTTED: Final = re.compile(r"(?:[^\W\d_]\.-?)+[^\W\d_]")
_VOWELLESS: Final = re.compile(r"[bcdfghjklmnpqrstvwxz]{2,5}")
_ROMAN: Final = re.compile(r"[IVXLC]{2,}")
_ADDRESS: Final = re.compile(r"[/@=_&#\\]|://|www|\w\.\w|\A\.|[a-z][A-Z]")
_HAN_OR_KANA: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_GLUED: Final = re.compile(r"[^\W\d_]+")
_LABEL_LENGTH: Final = 30
# Longer words are judged by their end.
_WORD_LENGTH: Final = 64
_DAYS: Final = frozenset(
    "monday tuesday wednesday thursday friday saturday sunday "  # noqa: SIM905  # reads best
    "est edt cst cdt mst mdt pst pdt gmt utc cet".split()
)


def judge(  # noqa: PLR0911  # a return for each rule
    before: str, stop: str, after: str, *, fresh: bool, last: bool, rules: Rules
) -> Verdict:
    """Tell whether a sentence ends with *stop*.

    Args:
        before: The segment up to the stop.
        stop: The stop, with the quotes, brackets and emoji that close it.
        after: What follows it, as far as it is there.
        fresh: Whether *before* starts with a sentence.
        last: Whether nothing more will follow *after*.
        rules: What the language says.
    """
    if not any(map(str.isalnum, before)):
        # Even so, it is not passed over before all of it is there.
        return Verdict.GOES_ON if after or last else Verdict.WAITS
    if not after:
        return Verdict.GOES_ON if last else _at_the_end(before, stop, fresh=fresh, rules=rules)
    mark = stop[: len(stop) - len(stop.lstrip(SPACED + UNSPACED))]
    closers = stop[len(mark) :]
    if not after[0].isspace():
        return _unspaced(before, mark, closers, after, last=last, rules=rules)
    if mark[-1:] and mark[-1] in UNSPACED:
        return Verdict.ENDS
    if closers.startswith("**") and len(before) < _LABEL_LENGTH and before.lstrip().startswith("**"):
        return Verdict.GOES_ON
    if mark == ".":
        verdict = _after_word(before, after, fresh=fresh, last=last, rules=rules)
        if verdict is not Verdict.ENDS:
            return verdict
    return _after_closers(mark, closers, after, last=last)


def _at_the_end(before: str, stop: str, *, fresh: bool, rules: Rules) -> Verdict:
    """Judge a stop that is the last of what is there."""
    word = _last_word(before)
    if stop in {".", "?", "!"} and (word[-1:].isdecimal() or _ADDRESS.search(word)):
        return Verdict.WAITS
    likely = judge(before, stop, " ", fresh=fresh, last=False, rules=rules)
    return Verdict.ENDED if likely in {Verdict.ENDS, Verdict.ENDED} else Verdict.WAITS


def _unspaced(  # noqa: PLR0911  # as above
    before: str, mark: str, closers: str, after: str, *, last: bool, rules: Rules
) -> Verdict:
    """Judge a stop with no white space after it."""
    if mark[-1:] and mark[-1] in UNSPACED:
        goes_on = _SPOKEN_ON if closers else frozenset[str]()
        return Verdict.GOES_ON if after[0] in goes_on else Verdict.ENDS
    if mark not in {".", "!", "?"}:
        return Verdict.GOES_ON
    if _HAN_OR_KANA.match(after):
        return Verdict.ENDS
    word = _last_word(before)
    if not after[0].isupper() or _ADDRESS.search(word) or not word[-1:].isalpha():
        return Verdict.GOES_ON
    if mark != ".":
        return Verdict.ENDS
    # Two sentences glued together ("Sure.Here it is."), or one name ("node.Js", "J.Smith@a.org").
    if not word[1:].islower() or rules.kind(word):
        return Verdict.GOES_ON
    glued = _GLUED.match(after)
    following = after[glued.end() : glued.end() + 1] if glued else ""
    if not following and not last:
        return Verdict.WAITS
    return Verdict.ENDS if following.isspace() or following in set("'’,") else Verdict.GOES_ON


def _after_closers(mark: str, closers: str, after: str, *, last: bool) -> Verdict:
    """Judge a stop with white space after it, that no word before it speaks against."""
    ellipsis = mark not in {".", ""} and not mark.strip(".…")
    if mark and not ellipsis and _QUOTES.isdisjoint(closers):
        return Verdict.ENDS
    follower = after.lstrip()[:1]
    if not follower:
        if last:
            return Verdict.ENDS
        return Verdict.ENDED if mark == "." else Verdict.WAITS
    if not mark:  # an emoji alone
        return Verdict.ENDS if follower.isupper() else Verdict.GOES_ON
    return Verdict.GOES_ON if follower.islower() or follower in "—–" else Verdict.ENDS


def _after_word(before: str, after: str, *, fresh: bool, last: bool, rules: Rules) -> Verdict:
    """Judge a full stop with white space after it by the word that it follows."""
    word = _last_word(before)
    if fresh and _LIST_NUMBER.fullmatch(before.strip(" \n\t*_(\"'#>")):
        return Verdict.GOES_ON
    kind = _kind(word, rules)
    if kind == "title":
        return Verdict.GOES_ON
    if word.isdecimal():
        return _after_number(before, word, after, last=last, rules=rules)
    if kind is not None:
        return _after_abbreviation(kind, word, after, last=last, rules=rules)
    is_small_letter = len(word) == 1 and word.islower()
    return _after_letter(after, last=last) if is_small_letter else Verdict.ENDS


def _after_abbreviation(kind: Kind, word: str, after: str, *, last: bool, rules: Rules) -> Verdict:
    """Judge the full stop of an abbreviation that may end a sentence by what follows."""
    follower = after.lstrip()[:1]
    if not follower:
        return Verdict.ENDS if last else Verdict.WAITS
    if follower.isdecimal() or follower.islower() or follower in ",;":
        return Verdict.GOES_ON
    if (kind == "number" and follower not in "IVXLC") or (kind == "tail" and word[-2:].lower() != ".m"):
        return Verdict.ENDS
    following = _next_word(after, last=last)
    if following is None:
        return Verdict.WAITS
    if kind == "number":
        goes_on = _ROMAN.fullmatch(following) is not None
    elif kind == "tail":
        goes_on = following.lower() in _DAYS
    else:
        goes_on = following.lower() not in rules.starters
    return Verdict.GOES_ON if goes_on else Verdict.ENDS


def _after_letter(after: str, *, last: bool) -> Verdict:
    """Judge a full stop after a small letter: before another letter with one, it abbreviates ("z. B.")."""
    following = _NEXT_WORD.match(after)
    if following is None or following.end() == len(after):
        return Verdict.ENDS if last else Verdict.WAITS
    chained = len(following.group(1)) == 1 and after[following.end()] == "."
    return Verdict.GOES_ON if chained else Verdict.ENDS


def _kind(word: str, rules: Rules) -> Kind | None:
    kind = rules.kind(word)
    if kind:
        return kind
    # "It was I." ends a sentence more often than "I. Newton" begins a name.
    initial = len(word) == 1 and word.isupper() and word != "I"
    if initial or _DOTTED.fullmatch(word):
        return "name"
    if _VOWELLESS.fullmatch(word) or _ROMAN.fullmatch(word):
        return "tail"
    return None


def _after_number(  # noqa: PLR0911  # as above
    before: str, word: str, after: str, *, last: bool, rules: Rules
) -> Verdict:
    """Judge a full stop after a number: an ordinal in many languages."""
    if len(word) > 2:  # noqa: PLR2004  # a longer one is a year, or an amount
        return Verdict.ENDS
    follower = after.lstrip()[:1]
    if not follower:
        if last:
            return Verdict.ENDS
        return Verdict.WAITS if rules.after_ordinals else Verdict.ENDED
    previous = _last_word(before[: -len(word)].rstrip()).lower()
    if follower.islower() or previous in rules.before_ordinals:
        return Verdict.GOES_ON
    if not rules.after_ordinals:
        return Verdict.ENDS
    following = _next_word(after, last=last)
    if following is None:
        return Verdict.WAITS
    return Verdict.GOES_ON if following.lower() in rules.after_ordinals else Verdict.ENDS


def _last_word(before: str) -> str:
    match = _LAST_WORD.search(before[-_WORD_LENGTH:])
    return match.group() if match else ""


def _next_word(after: str, *, last: bool) -> str | None:
    """Return the word that follows; ``None`` until it is all there."""
    match = _NEXT_WORD.match(after)
    if match is None:
        return "" if last else None
    return match.group(1) if last or match.end() < len(after) else None
