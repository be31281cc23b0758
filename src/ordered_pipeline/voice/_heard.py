"""Heard text: how far into its text a reply was heard, from what the player and the voice tell."""

import math
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from ordered_pipeline.voice._audio import Word
from ordered_pipeline.voice._take import Take
from ordered_pipeline.voice._talk import HeardText

_Method: TypeAlias = Literal["marks", "words", "rate"]

# An assumption, which the error of method "rate" rests on: no part of a segment is spoken more than twice
# as fast, or less than half as fast, as the whole of it.
_RATE_FACTOR: Final = 2.0
# From here on, nearly all characters are words of their own (CJK and kana).
_FIRST_WIDE: Final = 0x2E80


def heard_text(
    takes: Sequence[Take], text: str, *, s_a_character: float, position_error_s: float
) -> HeardText:
    """Return what was heard of *text*, of which *takes* are the beginning.

    What was skipped between two segments that were heard counts as heard.

    Args:
        takes: In order, each as the player left it.
        text: All that was generated.
        s_a_character: How long a character sounds, for segments whose audio was not made to its end.
        position_error_s: How far from the truth the player's positions may be.
    """
    begin = end = 0
    method: _Method = "marks"
    error_s = 0.0
    # Each clip that was cut has a position of its own, which may be off.
    doubt_s = position_error_s
    for take in takes:
        length, played_s = len(take.segment.text), take.played_s
        if take.is_filler:
            pass  # what was heard is not its text
        elif take.is_made and take.result is not None and take.result.outcome in {"completed", "presumed"}:
            end, method = begin + length, "marks"
            error_s = position_error_s if take.result.outcome == "completed" else take.audio_s or 0.0
        elif played_s is not None and played_s > 0:
            border, method, border_error_s = _border(take, played_s, s_a_character)
            end = begin + border
            error_s = border_error_s + doubt_s + take.doubt_s
        elif played_s is not None:
            # It may have sounded for so long all the same.
            error_s = max(error_s, doubt_s + take.doubt_s)
            method = "rate" if take.doubt_s else method
        if take.result is not None and take.result.outcome == "cleared":
            if not take.is_made or (played_s or 0.0) < (take.audio_s or math.inf):
                # Nothing that was to follow it can have sounded, whatever its position says.
                break
            doubt_s += position_error_s
        begin += length
    if not text[end:].strip():
        end = len(text)
    return HeardText(text[:end], text[end:], method, error_s)


def end_of_words(text: str, words: Sequence[Word], heard_s: float) -> tuple[int, float]:
    """Return where in *text* the last word ends that was over after *heard_s* seconds, and when it was."""
    end, end_s = 0, 0.0
    for word in words:
        if word.end_s > heard_s:
            break
        place = text.find(word.text, end)
        if place >= 0:
            end, end_s = place + len(word.text), word.end_s
    return end, end_s


def whole_words(text: str, end: int) -> int:
    """Return the last place up to *end* where a word of *text* ends, or its end."""
    while 0 < end < len(text) and not _is_border(text[end - 1], text[end]):
        end -= 1
    return end if end >= len(text) else len(text[:end].rstrip())


def _is_border(before: str, after: str) -> bool:
    wide = min(ord(before), ord(after)) >= _FIRST_WIDE
    return wide or not (before.isalnum() and after.isalnum())


def _border(take: Take, played_s: float, s_a_character: float) -> tuple[int, _Method, float]:
    """Return where in the text of *take* hearing ended, how that is known, and within which error."""
    text = take.segment.text
    if take.words:
        end, end_s = end_of_words(text, take.words, played_s)
        return end, "words", played_s - end_s
    lead_s, tail_s = _silent_ends(take)
    if not (take.is_made and take.audio_s):
        spoken_s = max(played_s - lead_s, 0.0)
        end = whole_words(text, min(int(spoken_s / s_a_character), len(text)))
        said_s = end * s_a_character
        return end, "rate", max(spoken_s - said_s / _RATE_FACTOR, said_s * _RATE_FACTOR - spoken_s)
    speech_s = take.audio_s - lead_s - tail_s
    if speech_s <= 0:
        lead_s, speech_s = 0.0, take.audio_s
    spoken_s = min(max(played_s - lead_s, 0.0), speech_s)
    end = whole_words(text, int(len(text) * spoken_s / speech_s))
    part = end / len(text)
    earliest = max(part / _RATE_FACTOR, 1 - (1 - part) * _RATE_FACTOR)
    latest = min(part * _RATE_FACTOR, 1 - (1 - part) / _RATE_FACTOR)
    return end, "rate", max(spoken_s - earliest * speech_s, latest * speech_s - spoken_s)


def _silent_ends(take: Take) -> tuple[float, float]:
    lead_s = tail_s = 0.0
    for start_s, length_s in take.silences:
        if start_s <= 0:
            lead_s = length_s
        elif take.audio_s is not None and start_s + length_s >= take.audio_s - 1e-9:
            tail_s = length_s
    return lead_s, tail_s
