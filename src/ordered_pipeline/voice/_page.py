"""The timeline to look at: one HTML file that loads nothing.

Rules kept here:

1. All text goes through `_safe`: a reply says what it likes, and the page shows it.
2. Bars are SVG with places in percent, so they are drawn in any width and their text is not distorted.
3. What a bar shows also stands in words: as its label, and in the table below.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from ordered_pipeline.voice._gaps import Gap, Part
from ordered_pipeline.voice._segment_times import SegmentTimes

if TYPE_CHECKING:
    from ordered_pipeline.voice._timeline import Timeline

# Whatever a reply might smuggle in: the browser loads nothing and runs nothing.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
# Joiners format words in Persian and Hindi, and emoji; what else only formats could turn the line around.
_JOINERS: Final = {"\N{ZERO WIDTH JOINER}", "\N{ZERO WIDTH NON-JOINER}"}
_MOST_TICKS: Final = 6

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--dim:#57606a;--line:#d0d7de;--card:#f6f8fa;
--wait:#8c959f;--stt:#6e7781;--program:#57606a;--llm:#2f6fde;--seg:#7aa7f0;--tts:#d1700f;--call:#8250df;
--net:#0f8a8a;--turn:#b9d8c2;--sound:#1f883d;--gap:#d1242f}
@media(prefers-color-scheme:dark){:root{--bg:#0f1318;--fg:#e6edf3;--dim:#9aa5b1;--line:#343c46;--card:#181e25;
--wait:#6e7781;--stt:#9aa5b1;--program:#7d8894;--llm:#5b9bff;--seg:#375f9e;--tts:#e8934a;--call:#b28cff;
--net:#38b5b5;--turn:#2c5237;--sound:#4cc46a;--gap:#ff6b6b}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:75rem;padding:1rem;background:var(--bg);color:var(--fg);
font:1rem/1.45 system-ui,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
h1{font-size:1.4rem;margin:0 0 1rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}
h3{font-size:1rem;margin:1.4rem 0 .4rem}
ul,ol,dl{list-style:none;margin:0;padding:0}
.facts{display:flex;flex-wrap:wrap;gap:.5rem}
.facts div{background:var(--card);border:1px solid var(--line);border-radius:.5rem;padding:.4rem .8rem}
dt{color:var(--dim);font-size:.85rem}dd{margin:0;font-size:1.15rem;font-weight:600}
svg{display:block;width:100%;height:1.75rem}
.axis{height:1.1rem;font-size:.75rem;fill:var(--dim)}
.tick{stroke:var(--line)}
.parts{height:1.1rem;border-radius:.25rem;max-width:100%}
.key{display:flex;flex-wrap:wrap;gap:.15rem 1rem;color:var(--dim);font-size:.85rem;margin:.3rem 0}
.key svg{display:inline-block;width:.8rem;height:.8rem;outline:1px solid var(--line);margin-right:.35rem;
border-radius:.15rem;vertical-align:-.08rem}
.rows li{display:grid;grid-template-columns:18rem 1fr;gap:0 1rem;align-items:center;
border-top:1px solid var(--line);padding:.2rem 0}
.rows p{margin:0;font-size:.9rem;line-height:1.35;padding:.15rem 0}
.rows b{color:var(--dim);margin-right:.4rem}.note{color:var(--dim);font-size:.85rem}.bad{color:var(--gap)}
table{border-collapse:collapse;width:100%;font-size:.85rem}
th,td{text-align:right;padding:.25rem .4rem;border-top:1px solid var(--line);font-weight:400}
thead th{color:var(--dim);vertical-align:bottom;border:0}
.wait{fill:var(--wait)}.turn{fill:var(--turn)}.sound{fill:var(--sound)}.quiet{fill:var(--bg)}
.cut{fill:var(--gap);stroke:var(--gap);stroke-width:1.5}
.gap{fill:var(--gap);fill-opacity:.25;stroke:var(--gap);stroke-width:1.5;stroke-dasharray:3 2}
.stt{fill:var(--stt)}.program{fill:var(--program)}.first_delta,.language_model{fill:var(--llm)}
.first_delta{fill-opacity:.6}.segmenter{fill:var(--seg)}.prefetch{fill:var(--wait)}.tts{fill:var(--tts)}
.play_call{fill:var(--call)}.network{fill:var(--net)}
@media(max-width:46rem){.rows li{display:block}.rows li:first-child p{display:none}
thead{display:none}tr{display:grid;grid-template-columns:1fr 1fr;gap:0 1rem;border-top:1px solid var(--line);
padding:.4rem 0}th,td{display:flex;justify-content:space-between;border:0;padding:.1rem 0}
th::before,td::before{content:attr(data-is);color:var(--dim)}}
"""
_LEGEND: Final = (
    ("prefetch", "text waits for the voice"),
    ("tts", "the voice is waited for"),
    ("turn", "audio waits for its turn"),
    ("play_call", "the player is called"),
    ("sound", "sound"),
    ("quiet", "silence in the voice's audio"),
    ("gap", "gap"),
    ("cut", "the interruption"),
)
_COLUMNS: Final = (
    "segment",
    "text ready",
    "voice asked",
    "first audio",
    "last audio",
    "player asked",
    "accepted",
    "started",
    "ended",
    "outcome",
)


def html_page(timelines: "Mapping[str, Timeline]", *, title: str) -> str:
    """Return an HTML page with all *timelines* under their names, drawn to the same scale.

    The page loads nothing and runs nothing.
    """
    spans = [timeline.span_s for timeline in timelines.values()]
    begin_s = min((begin_s for begin_s, _ in spans), default=0.0)
    scale = _Scale(begin_s, max((end_s for _, end_s in spans), default=0.0))
    sections = "".join(_section(name, timeline, scale) for name, timeline in timelines.items())
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{_safe(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{_safe(title)}</h1>{sections}</main></body></html>\n"
    )


class _Scale:
    """Where times stand, in percent of a bar."""

    def __init__(self, begin_s: float, end_s: float) -> None:
        self._begin_s: float = begin_s
        self._length_s: float = max(end_s - begin_s, 0.001)
        power = 10.0 ** math.floor(math.log10(self._length_s / _MOST_TICKS))
        step_s = next(power * step for step in (1, 2, 5, 10) if self._length_s <= power * step * _MOST_TICKS)
        first, last = math.ceil(begin_s / step_s), math.floor(end_s / step_s)
        ticks_s = [tick * step_s for tick in range(first, last + 1)]
        self.grid: str = "".join(self.line("tick", tick_s) for tick_s in ticks_s)
        self.axis: str = "".join(
            f'<text x="{self.place(tick_s)}" dx="3" y="12">{tick_s:g} s</text>' for tick_s in ticks_s
        )

    def place(self, time_s: float) -> str:
        return f"{(time_s - self._begin_s) / self._length_s * 100:.2f}%"

    def line(self, kind: str, time_s: float | None) -> str:
        """Return a line across a bar's height; nothing for no time."""
        if time_s is None:
            return ""
        x = self.place(time_s)
        return f'<line class="{kind}" x1="{x}" x2="{x}" y2="100%"/>'

    def bar(self, kind: str, start_s: float | None, stop_s: float | None, *, y: int, height: int) -> str:
        """Return a bar that tells its name when it is pointed at; nothing for a stretch without length."""
        if start_s is None or stop_s is None or stop_s <= start_s:
            return ""
        width = f"{(stop_s - start_s) / self._length_s * 100:.2f}%"
        name = dict(_LEGEND)[kind]
        return (
            f'<rect class="{kind}" x="{self.place(start_s)}" y="{y}" width="{width}" height="{height}">'
            f"<title>{name}: {start_s:.3f} – {stop_s:.3f} s</title></rect>"
        )


def _safe(text: str) -> str:
    """Return *text* as HTML, what does not print replaced."""
    return escape("".join(" " if char.isspace() else char if _shows(char) else "\ufffd" for char in text))


def _shows(char: str) -> bool:
    return char.isprintable() or char in _JOINERS


def _section(name: str, timeline: "Timeline", scale: _Scale) -> str:
    rows = "".join(_row(times, timeline, scale) for times in timeline.segments)
    cells = "".join(map(_table_row, timeline.segments))
    head = "".join(f'<th scope="col">{column}</th>' for column in _COLUMNS)
    return (
        f"<section><h2>{_safe(name)}</h2>"
        f'<dl class="facts">{_facts(timeline)}</dl>'
        f"<h3>Until the first audio</h3>{_parts(timeline.first_audio_parts)}"
        f'<h3>Segments</h3><ol class="rows"><li><p class="note">Seconds from the zero</p>'
        f'<svg class="axis" aria-hidden="true">{scale.axis}</svg></li>{rows}</ol>'
        f'<ul class="key">{_KEY}</ul>'
        f"<h3>Gaps</h3>{_gaps(timeline)}"
        f"<h3>Times, in seconds</h3><table><thead><tr>{head}</tr></thead><tbody>{cells}</tbody></table>"
        "</section>"
    )


def _facts(timeline: "Timeline") -> str:
    first_s, gaps = timeline.first_audio_s, timeline.gaps
    facts = {
        "first audio after": "no sound" if first_s is None else f"{first_s:.3f} s",
        "gaps": f"{len(gaps)}, {timeline.silence_s:.3f} s in all" if gaps else "none",
        "characters wasted": str(timeline.characters_wasted),
    }
    if timeline.interrupted_s is not None:
        facts["interrupted at"] = f"{timeline.interrupted_s:.3f} s"
    return "".join(f"<div><dt>{fact}</dt><dd>{value}</dd></div>" for fact, value in facts.items())


def _parts(parts: Sequence[Part]) -> str:
    """Return a bar with the parts of a stretch of time, and its key."""
    # As in the text, what would be shown as 0.000 s is left out.
    parts = [part for part in parts if round(part.length_s, 3)]
    whole_s = sum(part.length_s for part in parts)
    bars: list[str] = []
    now_s = 0.0
    for part in parts:
        x, width = (f"{time_s / whole_s * 100:.2f}%" for time_s in (now_s, part.length_s))
        bars.append(f'<rect class="{part.cause}" x="{x}" width="{width}" height="100%"/>')
        now_s += part.length_s
    if not bars:
        return '<p class="note">Nothing to tell.</p>'
    return f'<svg class="parts" aria-hidden="true">{"".join(bars)}</svg><ul class="key">{_key(parts)}</ul>'


def _key(parts: Iterable[Part]) -> str:
    return "".join(_swatch(part.cause, str(part)) for part in parts)


def _swatch(kind: str, text: str) -> str:
    rect = f'<rect class="{kind}" width="100%" height="100%"/>'
    return f'<li><svg aria-hidden="true">{rect}</svg>{text}</li>'


_KEY: Final = "".join(_swatch(kind, text) for kind, text in _LEGEND)


def _row(times: SegmentTimes, timeline: "Timeline", scale: _Scale) -> str:
    gaps = [gap for gap in timeline.gaps if gap.before == times.index]
    answered_s = times.failed_s if times.first_audio_s is None else times.first_audio_s
    bars = [
        scale.bar("prefetch", times.text_ready_s, times.tts_asked_s, y=6, height=10),
        scale.bar("tts", times.tts_asked_s, answered_s, y=6, height=10),
        scale.bar("turn", times.first_audio_s, times.started_s, y=6, height=10),
        scale.bar("play_call", times.play_asked_s, times.accepted_s, y=18, height=5),
        scale.bar("sound", times.started_s, times.ended_s, y=3, height=16),
        *(
            scale.bar("quiet", one.start_s, one.end_s, y=3, height=16)
            for one in timeline.voice_silences
            if times.index in {one.after, one.before}
        ),
        *(scale.bar("gap", gap.start_s, gap.end_s, y=3, height=16) for gap in gaps),
        scale.line("cut", timeline.interrupted_s),
    ]
    note = f' <span class="bad">{_safe(times.error)}</span>' if times.error is not None else ""
    return (
        f"<li><p><b>{times.index}</b><bdi>{_safe(times.text.strip())}</bdi>{note}</p>"
        f'<svg role="img" aria-label="{_label(times, gaps)}">{scale.grid}{"".join(bars)}</svg></li>'
    )


def _label(times: SegmentTimes, gaps: Sequence[Gap]) -> str:
    if times.started_s is None:
        return f"Segment {times.index}: not heard"
    heard = f"Segment {times.index}: heard from {times.started_s:.3f} s"
    heard += "" if times.ended_s is None else f" to {times.ended_s:.3f} s"
    return "; ".join([heard, *(f"gap of {gap}" for gap in gaps)])


def _gaps(timeline: "Timeline") -> str:
    gaps = "".join(
        f'<li>{gap.length_s:.3f} s {_place(gap)}<ul class="key">{_key(gap.parts)}</ul></li>'
        for gap in timeline.gaps
    )
    silences = "".join(
        f"<li>{silence.length_s:.3f} s at {silence.start_s:.3f} s, {_place(silence)}</li>"
        for silence in timeline.voice_silences
    )
    told = f"<ul>{gaps}</ul>" if gaps else '<p class="note">None.</p>'
    return f"{told}<h3>Silences in the voice's audio</h3><ul>{silences}</ul>" if silences else told


def _place(gap: Gap) -> str:
    return f"in segment {gap.after}" if gap.after == gap.before else f"before segment {gap.before}"


def _table_row(times: SegmentTimes) -> str:
    stamps = (
        times.text_ready_s,
        times.tts_asked_s,
        times.first_audio_s,
        times.last_audio_s,
        times.play_asked_s,
        times.accepted_s,
        times.started_s,
        times.ended_s,
    )
    values = [*("" if time_s is None else f"{time_s:.3f}" for time_s in stamps), times.outcome or ""]
    cells = "".join(
        f'<td data-is="{column}">{value}</td>' for column, value in zip(_COLUMNS[1:], values, strict=True)
    )
    return f'<tr><th scope="row" data-is="{_COLUMNS[0]}">{times.index}</th>{cells}</tr>'
