"""The timeline for a terminal: a table with bars, and in words what the caller waited for."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ordered_pipeline.voice._columns import columns, fit
from ordered_pipeline.voice._gaps import told
from ordered_pipeline.voice._segment_times import SegmentTimes

if TYPE_CHECKING:
    from ordered_pipeline.voice._timeline import Timeline

# More are counted, not listed: every sentence of a natural voice ends with one.
_MOST_SILENCES: Final = 3
_HEAD: Final = ("text", "tts", "audio", "sound")
_LEAST_TEXT: Final = 12
_MOST_TEXT: Final = 40
_LEAST_BAR: Final = 16
_LEGEND: Final = "░ text waits for audio   ▒ audio waits for its turn   █ sound   · gap"


def waterfall(timeline: "Timeline", *, width: int, title: str, end_s: float | None) -> str:
    """Return a table with a line for each segment and, where there is room, a bar; below it, the ledger.

    Args:
        timeline: What happened.
        width: How many columns there are.
        title: What stands above the segments.
        end_s: The time at the right end of the bars; None for the last time of the timeline.
    """
    begin_s, last_s = timeline.span_s
    scale = _Scale(begin_s, max(last_s if end_s is None else end_s, begin_s + 0.001))
    # The same for all tables with the same ends.
    digits = max(len(f"{time_s:.3f}") for time_s in (scale.begin_s, scale.end_s))
    rows = [_HEAD, *(_times(segment, digits) for segment in timeline.segments)]
    times_widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    names = ["", *(str(segment.index) for segment in timeline.segments)]
    name_width = max(map(len, names))
    room = width - name_width - 1 - sum(times_widths) - 2 * len(times_widths)
    text_width = max(_LEAST_TEXT, min(_MOST_TEXT, room // 2))
    bar_width = room - text_width - 2
    if bar_width < _LEAST_BAR:
        text_width, bar_width = max(_LEAST_TEXT, room), 0

    bars = [""] * len(rows)
    if bar_width:
        bars = [scale.head(bar_width), *_bars(timeline, scale, bar_width)]
    texts = [title, *(segment.text for segment in timeline.segments)]
    lines: list[str] = []
    for name, text, times, bar in zip(names, texts, rows, bars, strict=True):
        fitted = fit(text, text_width)
        cells = [
            f"{name.rjust(name_width)} {fitted}{' ' * (text_width - columns(fitted))}",
            *(time.rjust(times_width) for time, times_width in zip(times, times_widths, strict=True)),
            bar,
        ]
        lines.append("  ".join(cells).rstrip())
    if bar_width:
        lines.append(" " * (name_width + 1) + _LEGEND)
    for line in _ledger(timeline, width):
        lines += textwrap.wrap(line, width, subsequent_indent="  ")
    return "\n".join(lines)


class _Scale:
    """Where times stand in a bar."""

    def __init__(self, begin_s: float, end_s: float) -> None:
        self.begin_s: float = begin_s
        self.end_s: float = end_s

    def head(self, width: int) -> str:
        begin, end = f"{self.begin_s:.3g} s", f"{self.end_s:.1f} s"
        return f"{begin}{end.rjust(width - len(begin))}"

    def place(self, time_s: float, width: int) -> int:
        share = (time_s - self.begin_s) / (self.end_s - self.begin_s)
        return min(width, max(0, round(share * width)))


def _times(segment: SegmentTimes, digits: int) -> tuple[str, str, str, str]:
    def seconds(time_s: float | None) -> str:
        return " " * digits if time_s is None else f"{time_s:{digits}.3f}"

    sound = f"{seconds(segment.started_s)} – {seconds(segment.ended_s)}"
    return (
        seconds(segment.text_ready_s),
        seconds(segment.tts_asked_s),
        seconds(segment.first_audio_s),
        "" if segment.started_s is None else sound,
    )


def _bars(timeline: "Timeline", scale: _Scale, width: int) -> Iterator[str]:
    """Draw what each segment went through, as far as it came."""
    gaps = timeline.gaps
    for segment in timeline.segments:
        cells = [" "] * width
        answered_s = segment.failed_s if segment.first_audio_s is None else segment.first_audio_s
        marks = [
            ("░", segment.text_ready_s, answered_s),
            ("▒", segment.first_audio_s, segment.started_s),
            ("█", segment.started_s, segment.ended_s),
        ]
        marks += [("·", gap.start_s, gap.end_s) for gap in gaps if gap.before == segment.index]
        for mark, start_s, stop_s in marks:
            if start_s is not None and stop_s is not None and stop_s > start_s:
                first, last = scale.place(start_s, width), scale.place(stop_s, width)
                # However short, sound is seen.
                if mark == "█":
                    first = min(first, width - 1)
                    last = max(last, first + 1)
                cells[first:last] = mark * (last - first)
        yield "".join(cells)


def _ledger(timeline: "Timeline", width: int) -> Iterator[str]:
    """Tell what the caller waited for."""
    if timeline.first_audio_s is None:
        yield "no sound"
    else:
        yield f"first audio after {timeline.first_audio_s:.3f} s: {told(timeline.first_audio_parts)}"
        if not timeline.gaps:
            yield "no gap"
    for gap in timeline.gaps:
        yield f"gap of {gap}"
    silences = timeline.voice_silences
    if len(silences) > _MOST_SILENCES:
        total_s = sum(silence.length_s for silence in silences)
        yield f"{len(silences)} silences of the voice itself, {total_s:.3f} s together"
    else:
        for silence in silences:
            yield f"silence of {silence}"
    for segment in timeline.segments:
        if segment.error is not None:
            # Cut, not wrapped: it may have wide characters.
            yield fit(f"segment {segment.index} {segment.outcome or 'not heard'}: {segment.error}", width)
    if timeline.interrupted_s is not None:
        yield f"interrupted at {timeline.interrupted_s:.3f} s"
    if timeline.characters_wasted:
        count = timeline.characters_wasted
        yield f"{count} characters wasted: a voice was asked for them, and they were not heard"
