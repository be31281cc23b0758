"""The report: a waterfall for people, JSON for programs."""

from dataclasses import asdict
from typing import Final

from ordered_pipeline.cli._columns import columns, fit
from ordered_pipeline.cli._ledger import Report, SegmentReport

_HEAD: Final = ("text", "tts", "audio", "sound")
_LEAST_TEXT: Final = 12
_MOST_TEXT: Final = 40
_LEAST_BAR: Final = 16
_LEGEND: Final = "░ text waits for its audio   ▒ audio waits for its turn   █ sound"
# For output that has no such characters.
_PLAIN: Final = str.maketrans("░▒█…–·▶", ".-#~-|>")


def in_encoding(text: str, encoding: str | None) -> str:
    """Return *text* as *encoding* can say it, with plain characters for bars where it must be."""
    encoding = encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    return text


def waterfall(report: Report, *, title: str, width: int, end_s: float) -> str:
    """Return a table with a line for each sentence: its times in seconds and, where there is room, a bar.

    Args:
        report: What happened.
        title: What stands above the sentences.
        width: How many columns there are.
        end_s: The time at the right end of the bars, above 0.
    """
    # The same for all tables that are to be compared.
    digits = len(f"{end_s:.3f}")
    rows = [_HEAD, *(_times(segment, digits) for segment in report.segments)]
    times_widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    index_width = len(str(len(report.segments)))
    room = width - index_width - 1 - sum(times_widths) - 2 * len(times_widths)
    text_width = max(_LEAST_TEXT, min(_MOST_TEXT, room // 2))
    bar_width = room - text_width - 2
    if bar_width < _LEAST_BAR:
        text_width, bar_width = max(_LEAST_TEXT, room), 0

    scale = f"0 s{f'{end_s:.1f} s'.rjust(bar_width - 3)}"
    bars = [scale, *(_bar(segment, bar_width, end_s) for segment in report.segments)]
    texts = [title, *(segment.text for segment in report.segments)]
    lines: list[str] = []
    for index, (text, times, bar) in enumerate(zip(texts, rows, bars, strict=True)):
        text = fit(text, text_width)  # noqa: PLW2901  # the same text, fitted
        cells = [
            (str(index) if index else "").rjust(index_width)
            + " "
            + text
            + " " * (text_width - columns(text)),
            *(time.rjust(times_width) for time, times_width in zip(times, times_widths, strict=True)),
            *([bar] if bar_width else []),
        ]
        lines.append("  ".join(cells).rstrip())
    if bar_width:
        lines.append(" " * (index_width + 1) + _LEGEND)
    return "\n".join(lines)


def summary(report: Report) -> str:
    """Return what the run comes to, in one line."""
    if report.first_audio_s is None:
        return "no sound"
    count = sum(segment.play_start_s is not None for segment in report.segments)
    parts = [
        f"first audio after {report.first_audio_s:.3f} s",
        f"{count} sentence{'s' if count != 1 else ''}, {report.speech_s:.3f} s of speech",
        "no gap",
    ]
    if report.gaps:
        gaps = ", ".join(f"{gap.length_s:.3f} s before {gap.index + 1}" for gap in report.gaps)
        parts[-1] = f"{len(report.gaps)} gap{'s' if len(report.gaps) != 1 else ''}: {gaps}"
    return " · ".join(parts)


def as_data(report: Report) -> dict[str, object]:
    """Return what happened as JSON says it, times in seconds to the microsecond."""
    return {
        "first_audio_s": _rounded(report.first_audio_s),
        "gaps_s": [_rounded(gap.length_s) for gap in report.gaps],
        "speech_s": _rounded(report.speech_s),
        "text_end_s": _rounded(report.text_end_s),
        "spoken": report.spoken,
        "unspoken": report.unspoken,
        "segments": [
            {
                name: _rounded(value) if name.endswith("_s") else value
                for name, value in asdict(segment).items()
            }
            for segment in report.segments
        ],
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)


def _times(segment: SegmentReport, digits: int) -> tuple[str, str, str, str]:
    def seconds(time_s: float | None) -> str:
        return "" if time_s is None else f"{time_s:{digits}.3f}"

    start, end = seconds(segment.play_start_s), seconds(segment.play_end_s)
    return (
        seconds(segment.text_ready_s),
        seconds(segment.tts_asked_s),
        seconds(segment.first_chunk_s),
        f"{start} – {end}" if start else "",
    )


def _bar(segment: SegmentReport, width: int, end_s: float) -> str:
    """Draw what a sentence went through, as far as it came."""
    cells = [" "] * width
    marks = (
        ("░", segment.text_ready_s, segment.first_chunk_s),
        ("▒", segment.first_chunk_s, segment.play_start_s),
        ("█", segment.play_start_s, segment.play_end_s),
    )
    for mark, start_s, stop_s in marks:
        if start_s is not None and stop_s is not None and stop_s > start_s:
            first = min(width, round(start_s / end_s * width))
            # However short, sound is seen.
            last = max(round(stop_s / end_s * width), first + (mark == "█"))
            cells[first:last] = mark * (min(last, width) - first)
    return "".join(cells)[:width]
