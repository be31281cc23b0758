"""Segments out of text that is still being written: each goes out when it is certain that it has ended.

Rules kept here:

1. The segments joined are the text. White space between two of them leads the second.
2. Where the cuts are depends on the text alone, not on how it was cut into deltas. Whatever must look ahead
   waits for a bounded number of characters, and decides by the same ones whenever they come.
3. A cut waits for the white space after the stop, for more only where the stop may not end the sentence.
4. What is held is at most `longest` characters and what rule 2 looks ahead. A character is read a bounded
   number of times, so that time is linear in the text.
"""

# ruff: noqa: RUF001  # stops and quotes are meant as they stand

import re
import unicodedata
from itertools import takewhile
from typing import Final, Literal

from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._segments._blocks import judge_line_break
from ordered_pipeline.voice._segments._languages import rules_for
from ordered_pipeline.voice._segments._verdict import CLOSERS, EMOJI, SPACED, UNSPACED, Verdict, judge

# Where a segment may end, or where what is no prose begins. In Greek a ";" asks, in Armenian a ":" ends. What
# a place can begin with is looked for first: to try each kind at every character costs more than all else.
_PLACE: Final = re.compile(
    rf"(?=[.!?…‼⁇⁈⁉‽؟۔\u037e\u0964\u0965{UNSPACED}{EMOJI}ค\n`~,;:—–،؛，、；： \u200b])"
    rf"(?:(?P<stop>(?:[.!?…‼⁇⁈⁉‽؟۔\u037e\u0964\u0965{UNSPACED}]"
    r"|(?<=[\u0370-\u03ff\u1f00-\u1fff]{2});|(?<=[\u0531-\u0587]):)"
    rf"(?:\]\([^\s)]*\)|\[\d{{1,3}}\]|[{SPACED}{UNSPACED}{CLOSERS}{EMOJI}])*)"
    rf"|(?P<emoji>(?![\ufe0f\u200d])[{EMOJI}]+(?=\s))"
    r"|(?P<polite>(?:ครับ|ค่ะ|คะ)(?=\s))"  # Thai has no stops, but says so
    r"|(?P<line>\n)"
    r"|(?P<code>`+|~~~+)"
    r"|(?P<clause>[,;:—–،؛](?=\s)|[，、；：](?=\S)|(?<=[\u0e00-\u0eff])[ \u200b](?=\S)))"
)
_LATE_CLOSER: Final = re.compile(r"\[\d{0,3}\Z|(?<=\])\([^\s)]{0,200}\Z")
_LATE_GUILLEMET: Final = re.compile(rf"\s?»[{CLOSERS}{SPACED}]*")
_CLOSED_FENCE: Final = re.compile(r"\n[^\S\n]*(`{3,}|~{3,})[^\S\n]*(?=\n)")
_BETWEEN_WORDS: Final = re.compile(r"(?<=\S)(?=\s)|(?<=[，、；：])(?=\S)")
# Had it ended a sentence, it would not be held.
_ABBREVIATED: Final = re.compile(r"[^.]\.\Z")
_FLAG_LETTER: Final = re.compile("[\U0001f1e6-\U0001f1ff]")
_INLINE_CODE: Final = 100
_LOOK_AHEAD: Final = 64
_LOOK_BACK: Final = 8  # no token of _PLACE whose end may be missing is longer
_LINE_HEAD: Final = 16
_DELTA: Final = 256


class SentenceSplitter:
    """Cuts text that comes in deltas into segments: sentences, as a rule.

    Promised: the segments joined are the text, white space included; ``push`` and ``flush`` cut a text in
    the same places however it came in deltas; a sentence goes out with the delta that holds its stop and the
    white space after it, unless what stands before the stop ("Dr.", "3.") or after it (a quote that closes,
    an ellipsis) leaves open whether it ends; memory is bounded by *longest*, and time linear in the text.

    Not promised: that each cut is where a reader would make it (docs/reference/segments.md tells how often
    it is). A segment is white space alone only if it is the last one, or if more of it than *longest*
    characters stand together.

    A splitter knows no clock. Who has one calls ``release`` when ``pending`` has stood for too long. Then
    text goes out earlier, and the cuts depend on when.
    """

    def __init__(
        self,
        *,
        language: str | None = None,
        first_clause_characters: float = 25,
        shortest: int = 8,
        longest: int = 300,
    ) -> None:
        """Make a splitter for one text.

        Args:
            language: A code such as "de" or "pt-BR", whose abbreviations and ordinal numbers are looked for.
                ``None``, or one without lists of its own: all lists together, less what is an ordinary word
                elsewhere. Scripts are told by their letters in any case.
            first_clause_characters: The first segment may end with a clause once it has so many characters;
                ``math.inf`` for whole sentences only.
            shortest: A sentence of fewer characters is joined to the next one. The first is not: it is
                awaited.
            longest: The most characters of a segment. A sentence of more is cut between two words, or, where
                it is one word, anywhere but inside what reads as one character.

        Raises:
            TypeError: *language* is no text.
            ValueError: A limit is less than 1.
        """
        if language is not None:
            check_kind("language", language, str, "a code such as 'de'")
        for name, limit in (
            ("first_clause_characters", first_clause_characters),
            ("shortest", shortest),
            ("longest", longest),
        ):
            if not limit >= 1:
                raise ValueError(f"{name} must be at least 1, got {limit!r}")
        self._rules = rules_for(language)
        self._first_clause = first_clause_characters
        self._shortest = shortest
        self._longest = longest
        self._start_over()

    def _start_over(self) -> None:
        self._text: str = ""
        # Up to here, everything is judged.
        self._looked: int = 0
        # Where the sentence that is being read starts: after 0, there is a short one before it.
        self._sentence: int = 0
        # Whether it starts there, rather than goes on from a segment that was cut inside it.
        self._fresh: bool = True
        self._first: bool = True
        # The beginning of the line that the text starts in, as far as it was given out.
        self._line: str = ""
        # What opened the code block that is being read.
        self._fence: str = ""
        # Where a sentence ends if nothing more comes.
        self._likely_end: int = 0
        # Whether that one is better joined to the next.
        self._short: bool = False

    @property
    def pending(self) -> Literal["nothing", "ended", "open"]:
        """What kind of text is held, and so how long it is to wait for more.

        "nothing" is none, or white space;
        "ended" is a sentence that very likely is whole, and only waits for the character after its stop;
        "open" is any other text, and a sentence that is to be joined to the next. It is never "ended" right
        after the stop of a known abbreviation, a number or an address.
        """
        if not self._text or self._text.isspace():
            return "nothing"
        return "ended" if self._likely_end and not self._short else "open"

    def push(self, delta: str) -> list[str]:
        """Add *delta* and return the segments that are known to have ended, oldest first."""
        if len(delta) <= _DELTA:
            self._text += delta
            return self._known(last=False)
        pieces = (delta[start : start + _DELTA] for start in range(0, len(delta), _DELTA))
        return [segment for piece in pieces for segment in self.push(piece)]

    def flush(self) -> list[str]:
        """Return what is left, its last piece maybe white space alone, and start over with a new text."""
        segments = self._known(last=True)
        rest = [self._text] if self._text else []
        self._start_over()
        return segments + rest

    def release(self) -> list[str]:
        """Return what can be given out without waiting for more: at most one segment.

        Of "ended", that sentence, to the end of its stop; of "open", all up to the last end of a word. A word
        that more letters may follow stays, and so does an abbreviation, a number or an address with its stop.
        In a script without spaces, text goes out up to its last comma.

        Nothing is lost or said twice. A quote that closes late stands at the start of the next segment.
        """
        if self.pending == "nothing":
            return []
        if self._likely_end:
            return [self._cut(self._likely_end, fresh=True)]
        ends = [place.start() for place in _BETWEEN_WORDS.finditer(self._text)]
        while ends and ends[-1] > self._sentence and _ABBREVIATED.search(self._text, 0, ends[-1]):
            ends.pop()
        return [self._cut(ends[-1], fresh=ends[-1] == self._sentence)] if ends else []

    def _known(self, *, last: bool) -> list[str]:
        segments: list[str] = []
        while (found := self._find_end(last=last)) is not None:
            end, fresh = found
            segments.append(self._cut(end, fresh=fresh))
        return segments

    def _cut(self, end: int, *, fresh: bool) -> str:
        segment, self._text = self._text[:end], self._text[end:]
        self._line = (self._line + segment).rpartition("\n")[2][:_LINE_HEAD]
        self._looked = max(0, self._looked - end)
        self._sentence = max(0, self._sentence - end)
        self._fresh = fresh or (self._fresh and self._sentence > 0)
        self._first = False
        self._likely_end = 0
        return segment

    def _find_end(self, *, last: bool) -> tuple[int, bool] | None:
        """Return where the next segment ends, if that is known, and whether a sentence starts there."""
        self._likely_end = 0
        text = self._text
        while (place := self._next_place()) is not None and place.end() <= self._longest:
            end, verdict = self._judge(place, last=last)
            if end > self._longest:
                break
            if verdict is Verdict.GOES_ON:
                self._looked = max(end, place.end())
                continue
            if verdict is Verdict.WAITS:
                self._looked = place.start()
                return None
            if place.lastgroup == "clause":
                return end, False
            short = not self._first and len(text[:end].strip()) < self._shortest
            if verdict is Verdict.ENDED:
                self._looked = place.start()
                self._likely_end, self._short = end, short
                return None
            if not short:
                return end, True
            self._looked = max(end, place.end())
            self._sentence = end
            self._fresh = True
        if len(text) > self._longest:
            return self._last_resort(), False
        if place is None and not self._fence:
            self._looked = max(self._looked, len(text) - _LOOK_BACK)
        return None

    def _next_place(self) -> re.Match[str] | None:
        if not self._fence:
            return _PLACE.search(self._text, self._looked)
        place = _CLOSED_FENCE.search(self._text, self._looked)
        if place is None:
            # What closes it may begin in the last line.
            self._looked = max(self._looked, self._text.rfind("\n"))
        return place

    def _judge(  # noqa: PLR0911  # a return for each kind of place
        self, place: re.Match[str], *, last: bool
    ) -> tuple[int, Verdict]:
        """Return where the segment would end at *place*, and whether it does."""
        end = place.end()
        before = self._text[self._sentence : place.start()]
        after = self._text[end : end + _LOOK_AHEAD]
        sees_all = last or len(after) == _LOOK_AHEAD
        match place.lastgroup:
            case "stop" | "emoji":
                return self._judge_stop(before, place, last=sees_all)
            case "polite":
                return end, Verdict.ENDS
            case "line":
                if not before.strip():
                    return end, Verdict.GOES_ON
                verdict = judge_line_break(self._line_before(place), after, last=sees_all)
                return (end if verdict is Verdict.GOES_ON else place.start()), verdict
            case "code":
                return self._judge_code(place, last=last)
            case "clause":
                long_enough = self._first and len(before.strip()) >= self._first_clause
                if place.group().isspace():
                    end = place.start()
                return end, Verdict.ENDS if long_enough else Verdict.GOES_ON
            case _:  # the end of a code block
                ends = place.group(1).startswith(self._fence)
                self._fence = "" if ends else self._fence
                return end, Verdict.ENDS if ends else Verdict.GOES_ON

    def _line_before(self, place: re.Match[str]) -> str:
        return (self._line + self._text[: place.start()]).rpartition("\n")[2]

    def _judge_stop(self, before: str, place: re.Match[str], *, last: bool) -> tuple[int, Verdict]:
        end = place.end()
        after = self._text[end : end + _LOOK_AHEAD]
        if self._line_before(place).lstrip().startswith("|"):
            return end, Verdict.GOES_ON  # a table's row is one piece
        if not last and _LATE_CLOSER.search(self._text, end):
            return end, Verdict.WAITS
        if before.rfind("«") > before.rfind("»"):
            if guillemet := _LATE_GUILLEMET.match(self._text, end):
                end = guillemet.end()
                after = self._text[end : end + _LOOK_AHEAD]
            elif not after.strip() and not last:
                return end, Verdict.WAITS
        elif after.startswith("«") and "»" in before:
            end, after = end + 1, after[1:]
        verdict = judge(
            before, self._text[place.start() : end], after, fresh=self._fresh, last=last, rules=self._rules
        )
        return end, verdict

    def _judge_code(self, place: re.Match[str], *, last: bool) -> tuple[int, Verdict]:
        """Pass over code, where stops end nothing."""
        ticks, end = place.group(), place.end()
        if end == len(self._text) and not last:
            return end, Verdict.WAITS
        if len(ticks) >= 3 and not self._line_before(place).strip():  # noqa: PLR2004  # what Markdown says
            self._fence = ticks
            return end, Verdict.GOES_ON
        if ticks[0] == "~":
            return end, Verdict.GOES_ON
        code = self._text[end : end + _INLINE_CODE].partition("\n")[0]
        closing = code.find(ticks)
        if closing >= 0:
            return end + closing + len(ticks), Verdict.GOES_ON
        is_all_there = last or len(self._text) > end + len(code) or len(code) == _INLINE_CODE
        return end, Verdict.GOES_ON if is_all_there else Verdict.WAITS

    def _last_resort(self) -> int:
        """Return where to cut a sentence that is too long."""
        ends = [place.start() for place in _BETWEEN_WORDS.finditer(self._text, 0, self._longest + 1)]
        if ends:
            return ends[-1]
        end = self._longest
        while end > 1 and _is_inside_a_character(self._text, end):
            end -= 1
        return end if end > 1 else self._longest


def _is_inside_a_character(text: str, place: int) -> bool:
    """Tell whether the code points before and after *place* belong to what reads as one character."""
    left, right = text[place - 1], text[place]
    if _FLAG_LETTER.match(left) and _FLAG_LETTER.match(right):
        # They go in pairs.
        return sum(1 for _ in takewhile(_FLAG_LETTER.match, reversed(text[:place]))) % 2 == 1
    return (
        unicodedata.category(right).startswith("M")
        or "\u200d" in (left, right)
        or "\U0001f3fb" <= right <= "\U0001f3ff"
        or ("\u1100" <= left <= "\u11ff" and "\u1160" <= right <= "\u11ff")
        or (left == "\r" and right == "\n")
    )
