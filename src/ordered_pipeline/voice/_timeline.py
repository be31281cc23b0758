"""The timeline: what happened in one reply, as data. What follows from it is computed elsewhere."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from typing_extensions import override

from ordered_pipeline.voice._decode import decode
from ordered_pipeline.voice._gaps import (
    Gap,
    Part,
    characters_wasted,
    first_audio_parts,
    gaps,
    told,
    voice_silences,
)
from ordered_pipeline.voice._page import html_page
from ordered_pipeline.voice._segment_times import SegmentTimes
from ordered_pipeline.voice._trace import as_dict, chrome_trace
from ordered_pipeline.voice._waterfall import waterfall


class TimelineCheckError(AssertionError):
    """A timeline broke a limit that `Timeline.check` was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What happened in one reply. Times are in seconds from its zero.

    Attributes:
        origin_s: The zero, on the event loop's clock: the end of the caller's speech if that was told, else
            the moment when the reply was begun.
        turn: Which turn it was.
        caller_end_s: When the caller's speech ended, if that was told.
        stt_final_s: When speech-to-text had the caller's last word, if that was told.
        asked_s: When the reply was begun: its block was entered.
        first_delta_s: When the first text came.
        text_end_s: When the text had ended.
        interrupted_s: When the reply was interrupted.
        segments: Its segments, in order.
    """

    origin_s: float
    turn: int = 0
    caller_end_s: float | None = None
    stt_final_s: float | None = None
    asked_s: float = 0.0
    first_delta_s: float | None = None
    text_end_s: float | None = None
    interrupted_s: float | None = None
    segments: tuple[SegmentTimes, ...] = ()

    @property
    def first_audio_s(self) -> float | None:
        """How long it took until something was heard, from the end of the caller's speech if that was told.

        Else from the moment when the reply was begun. None if nothing was heard.
        """
        begin_s = self.asked_s if self.caller_end_s is None else self.caller_end_s
        heard_s = (segment.started_s for segment in self.segments if segment.started_s is not None)
        started_s = next(heard_s, None)
        return None if started_s is None else max(0.0, started_s - begin_s)

    @property
    def first_audio_parts(self) -> tuple[Part, ...]:
        """What `first_audio_s` was spent on, in order; the parts add up to it."""
        return first_audio_parts(
            self.segments,
            caller_end_s=self.caller_end_s,
            stt_final_s=self.stt_final_s,
            asked_s=self.asked_s,
            first_delta_s=self.first_delta_s,
        )

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The silences in which the next audio was not there yet, oldest first.

        A millisecond is the shortest. Where a voice was slower than its speech, the clip ran dry somewhere
        inside; that silence is told as if it were in one piece, at the clip's end.
        """
        return gaps(self.segments)

    @property
    def voice_silences(self) -> tuple[Gap, ...]:
        """The silences in what was heard of the voice's own audio, oldest first. They are no gaps.

        That at the end of a clip and that at the beginning of the next are one if no gap is between them.
        """
        return voice_silences(self.segments)

    @property
    def span_s(self) -> tuple[float, float]:
        """The first time and the last of all that is drawn; the first is never after the zero."""
        times = [
            0.0,
            self.asked_s,
            self.caller_end_s,
            self.stt_final_s,
            self.first_delta_s,
            self.interrupted_s,
        ]
        for segment in self.segments:
            times += [segment.text_ready_s, segment.tts_asked_s, segment.first_audio_s, segment.last_audio_s]
            times += [segment.failed_s, segment.play_asked_s, segment.accepted_s]
            times += [segment.started_s, segment.ended_s]
        times += [gap.end_s for gap in self.gaps]
        known = [time_s for time_s in times if time_s is not None]
        return min(known), max(known)

    @property
    def silence_s(self) -> float:
        """How long all gaps are together."""
        return math.fsum(gap.length_s for gap in self.gaps)

    @property
    def characters_wasted(self) -> int:
        """How many characters a voice was asked for that were not heard.

        A segment that was cut off counts by the share of its audio that was heard.
        """
        return characters_wasted(self.segments)

    def check(self, *, first_audio_s: float | None = None, gap_s: float | None = None) -> None:
        """Fail if the reply was slower than it may be. Lengths are compared to the microsecond.

        Args:
            first_audio_s: The longest that `first_audio_s` may be.
            gap_s: The longest that a gap may be.

        Raises:
            TimelineCheckError: A limit is broken; the message tells each, by what, and the causes.
        """
        faults: list[str] = []
        if first_audio_s is not None:
            limit = f"first_audio_s must be at most {first_audio_s!r}"
            if self.first_audio_s is None:
                faults.append(f"{limit}, but nothing was heard")
            elif round(self.first_audio_s, 6) > first_audio_s:
                faults.append(f"{limit}, got {self.first_audio_s:.3f} s: {told(self.first_audio_parts)}")
        if gap_s is not None:
            limit = f"gap_s must be at most {gap_s!r}"
            faults += [f"{limit}, got {gap}" for gap in self.gaps if round(gap.length_s, 6) > gap_s]
        if faults:
            raise TimelineCheckError("\n".join(faults))

    def as_dict(self) -> dict[str, object]:
        """Return all of it, and what follows from it, as JSON says it."""
        return as_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> "Timeline":
        """Return the timeline of which `as_dict` gave *data*; what follows from it is computed anew.

        Raises:
            ValueError: *data* is not what `as_dict` gives.
        """
        return decode(cls, data)

    def to_json(self) -> str:
        """Return `as_dict` as JSON text."""
        return json.dumps(self.as_dict(), allow_nan=False)

    def to_chrome_trace(self) -> str:
        """Return a trace that Perfetto and Chrome's ``about:tracing`` open, as JSON text."""
        return chrome_trace({f"turn {self.turn}": self})

    def to_html(self) -> str:
        """Return a page to look at: one file, which loads nothing."""
        name = f"turn {self.turn}"
        return html_page({name: self}, title=f"Reply of {name}")

    def waterfall(self, *, width: int = 100, title: str = "", end_s: float | None = None) -> str:
        """Return a table with a line for each segment, and in words what the caller waited for.

        Args:
            width: How many columns there are. With less than 60 the table takes what it needs.
            title: What stands above the segments.
            end_s: The time at the right end of the bars, to compare timelines; None for that of `span_s`.
        """
        return waterfall(self, width=width, title=title, end_s=end_s)

    @override
    def __str__(self) -> str:
        return self.waterfall()
