import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import TypedDict

import pytest

from ordered_pipeline.voice import SegmentTimes, Timeline
from ordered_pipeline.voice._trace import chrome_trace
from tests.voice.timelines import gapless, reply, segment, sequential


class Event(TypedDict, total=False):
    """An event as Perfetto reads it; what it has besides is given by its phase."""

    name: str
    ph: str
    pid: int
    tid: int
    ts: int
    dur: int
    s: str
    args: dict[str, object]


KEYS = {
    "M": {"name", "ph", "pid", "tid", "args"},
    "X": {"name", "ph", "pid", "tid", "ts", "dur", "args"},
    "i": {"name", "ph", "pid", "tid", "ts", "s", "args"},
}


def events_of(text: str) -> list[Event]:
    """Return the events of a trace, each seen to have what its phase demands."""
    trace = json.loads(text)
    assert set(trace) == {"traceEvents", "displayTimeUnit"}
    events: list[Event] = trace["traceEvents"]
    for event in events:
        assert set(event) == KEYS[event["ph"]]
        assert type(event.get("ts", 0)) is int
        assert type(event.get("dur", 1)) is int
        assert event.get("dur", 1) > 0
        assert event.get("s", "t") == "t"
    return events


def named(events: list[Event], what: str) -> dict[tuple[int, int], object]:
    return {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["name"] == what}


def threads(text: str) -> Iterator[tuple[object, list[tuple[str, int, int]]]]:
    """Yield each thread's name and what happened in it, with its time and length in microseconds."""
    events = events_of(text)
    for place, name in named(events, "thread_name").items():
        yield (
            name,
            [
                (event["name"], event["ts"], event.get("dur", 0))
                for event in events
                if event["ph"] != "M" and (event["pid"], event["tid"]) == place
            ],
        )


def test_a_reply_is_a_process_with_a_thread_for_each_who_had_a_part_in_it() -> None:
    timeline = replace(
        reply(segment(0, 1.0, start_s=1.5), segment(1, 3.25, start_s=3.75)), origin_s=0.0, interrupted_s=6.0
    )

    assert list(threads(timeline.to_chrome_trace())) == [
        (
            "caller",
            [("speech-to-text", 0, 125_000), ("reply asked for", 250_000, 0), ("interrupted", 6_000_000, 0)],
        ),
        (
            "LLM",
            [
                ("first delta", 250_000, 250_000),
                ("text 0", 500_000, 500_000),
                ("text 1", 1_000_000, 2_250_000),
            ],
        ),
        ("TTS", [("speech 0", 1_000_000, 500_000), ("speech 1", 3_250_000, 500_000)]),
        ("player: calls", [("play 0", 1_500_000, 0), ("play 1", 3_750_000, 0)]),
        (
            "player: sound",
            [
                ("sound 0", 1_500_000, 1_500_000),
                ("sound 1", 3_750_000, 1_500_000),
                ("gap 0.750 s before segment 1: language model 0.250 s + tts 0.500 s", 3_000_000, 0),
            ],
        ),
    ]


def test_voices_that_are_at_work_at_a_time_have_a_thread_each() -> None:
    slow = reply(*(segment(i, 1.0 + i / 2, start_s=2.0 + 1.5 * i, tts_s=1.0) for i in range(4)))

    names = Counter(name for name, _ in threads(slow.to_chrome_trace()))
    assert names == {"caller": 1, "LLM": 1, "TTS": 2, "player: calls": 1, "player: sound": 1}


def untidy() -> Timeline:
    """Return a timeline whose player tells of ends late, with a segment of which nothing came."""
    first = segment(0, 1.0, start_s=1.5, audio_s=1.75)
    failed = SegmentTimes(
        index=2, text="?", tts_asked_s=2.0, failed_s=4.0, outcome="skipped", error="OSError: "
    )
    return reply(first, segment(1, 1.5, start_s=3.0), failed, SegmentTimes(index=3, text="not yet"))


@pytest.mark.parametrize("timeline", [gapless(9), sequential(), untidy(), Timeline(origin_s=0.0)])
def test_no_two_slices_of_a_thread_overlap(timeline: Timeline) -> None:
    for _, slices in threads(timeline.to_chrome_trace()):
        lasting = sorted((start, start + length) for _, start, length in slices if length)
        assert all(before[1] <= after[0] for before, after in pairwise(lasting))


def test_silence_of_the_voice_is_marked_as_such() -> None:
    timeline = reply(replace(segment(0, 1.0, start_s=1.5), silences=((0.5, 0.25),)))

    *_, (_, sound) = threads(timeline.to_chrome_trace())
    assert sound[-1] == ("voice silence 0.250 s in segment 0: voice silence 0.250 s", 102_000_000, 0)


def test_replies_of_one_conversation_are_processes_in_its_time() -> None:
    text = chrome_trace({"first": gapless(), "second": replace(gapless(), origin_s=200.0)})

    assert named(events_of(text), "process_name") == {(1, 0): "first", (2, 0): "second"}
    starts = [slices[0][1] for name, slices in threads(text) if name == "caller"]
    assert starts == [100_000_000, 200_000_000]


def test_a_language_model_that_had_begun_before_the_reply_took_no_time() -> None:
    early = replace(gapless(), first_delta_s=0.125)

    assert dict(threads(early.to_chrome_trace()))["LLM"][0] == ("first delta", 100_250_000, 0)
