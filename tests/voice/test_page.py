import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ordered_pipeline.voice import SegmentTimes, Timeline
from ordered_pipeline.voice._page import html_page
from tests.voice.timelines import gapless, reply, segment, sequential

# Elements that end by themselves: those of HTML, and those of SVG that are written so.
VOID = {"meta"}
EVIL = "</script><script>alert(\"1\")</script><img src=x onerror='alert(2)'>&amp;\x00\x1b[31m\u202e\ud800 \"'"


class Reader(HTMLParser):
    """Reads a page, and sees that its elements are nested and none is left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append((self.open[-1] if self.open else "", data))

    def all(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)

    def text(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]


def call() -> Timeline:
    """Return a reply with something of everything."""
    first = replace(segment(0, 1.0, start_s=1.5), silences=((1.25, 0.25),))
    failed = SegmentTimes(
        index=1, text=EVIL, text_ready_s=1.5, tts_asked_s=1.75, failed_s=3.5, outcome="skipped", error=EVIL
    )
    second = replace(segment(2, 2.0, start_s=3.75), ended_s=5.0, silences=((0.0, 0.25),), outcome="cleared")
    sounding = replace(segment(3, 2.5, start_s=5.0), ended_s=None, outcome=None)
    return replace(reply(first, failed, second, sounding), interrupted_s=5.0)


PAGES = [
    gapless().to_html(),
    sequential().to_html(),
    call().to_html(),
    reply().to_html(),
    html_page({}, title=""),
]


@pytest.mark.parametrize("text", PAGES)
def test_a_page_refers_to_nothing_outside_and_runs_nothing(text: str) -> None:
    reader = Reader(text)

    assert {tag for tag, _ in reader.elements}.isdisjoint(
        {"script", "link", "img", "iframe", "a", "base", "form"}
    )
    names = {name for _, attributes in reader.elements for name in attributes}
    assert not {name for name in names if name.startswith("on") or name in {"src", "href", "xlink:href"}}
    assert not re.search(r"url\(|@import|://", text)
    policies = [meta["content"] for meta in reader.all("meta") if "http-equiv" in meta]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_text_is_shown_and_never_read_as_markup() -> None:
    reader = Reader(html_page({EVIL: call()}, title=EVIL))

    shown = EVIL.translate(dict.fromkeys((0x00, 0x1B, 0x202E, 0xD800), "\ufffd"))
    assert reader.text("title")[0] == shown
    assert reader.text("h1") == reader.text("h2") == reader.text("span") == [shown]
    assert reader.text("bdi")[1] == shown


def test_a_page_can_be_written_whatever_was_said() -> None:
    assert call().to_html().encode()


def test_joiners_stay_where_scripts_need_them() -> None:
    text = "می\u200cخواهم 👩\u200d🚀"  # noqa: RUF001  # Persian

    assert Reader(reply(segment(0, 1.0, start_s=1.5, text=text)).to_html()).text("bdi") == [text]


def test_a_page_of_ten_segments_is_small() -> None:
    assert len(gapless(10).to_html().encode()) < 30_000


def test_what_bars_show_stands_in_words_too() -> None:
    timeline = reply(segment(0, 1.0, start_s=1.5), segment(1, 3.25, start_s=3.75))
    reader = Reader(timeline.to_html())

    labels = [svg["aria-label"] for svg in reader.all("svg") if svg.get("role") == "img"]
    assert labels == [
        "Segment 0: heard from 1.500 s to 3.000 s",
        f"Segment 1: heard from 3.750 s to 5.250 s; gap of {timeline.gaps[0]}",
    ]
    assert all("aria-hidden" in svg or svg.get("role") == "img" for svg in reader.all("svg"))
    assert "the voice is waited for: 3.250 – 3.750 s" in reader.text("title")
    assert "0.750 s before segment 1" in reader.text("li")


def test_what_was_not_heard_is_told_as_such() -> None:
    reader = Reader(call().to_html())

    labels = [svg["aria-label"] for svg in reader.all("svg") if svg.get("role") == "img"]
    assert labels[1] == "Segment 1: not heard"
    assert labels[3] == "Segment 3: heard from 5.000 s"
    assert "0.250 s at 2.750 s, in segment 0" in reader.text("li")


def test_all_times_stand_in_a_table() -> None:
    reader = Reader(sequential().to_html())

    values = ["1.500", "1.500", "2.000", "2.000", "3.440", "3.680", "3.880", "5.380", "completed"]
    assert reader.text("td")[9:18] == values
    assert reader.text("th")[:3] == ["segment", "text ready", "voice asked"]


def test_several_timelines_have_one_scale() -> None:
    reader = Reader(html_page({"a": gapless(1), "b": gapless(4)}, title="Comparison"))

    assert reader.text("h2") == ["a", "b"]
    sounds = [bar for bar in reader.all("rect") if bar["class"] == "sound" and bar.get("y")]
    assert {(bar["width"]) for bar in sounds} == {"20.00%"}


@pytest.mark.parametrize(
    ("end_s", "ticks"),
    [
        (0.4, ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s"]),
        (6.0, ["0 s", "1 s", "2 s", "3 s", "4 s", "5 s", "6 s"]),
        (11.0, ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]),
        (100.0, ["0 s", "20 s", "40 s", "60 s", "80 s", "100 s"]),
    ],
)
def test_the_axis_has_round_times(end_s: float, ticks: list[str]) -> None:
    assert Reader(Timeline(origin_s=0.0, interrupted_s=end_s).to_html()).text("text") == ticks


def test_bars_begin_before_the_zero_if_the_reply_did() -> None:
    timeline = replace(gapless(), asked_s=-1.0)

    assert Reader(timeline.to_html()).text("text") == ["0 s", "2 s", "4 s", "6 s"]
