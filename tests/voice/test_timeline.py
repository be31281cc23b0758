import json
from dataclasses import replace

import pytest

from ordered_pipeline.voice import SegmentTimes, Timeline, Word
from ordered_pipeline.voice._timeline import TimelineCheckError
from tests.voice.timelines import gapless, reply, segment, sequential

FIRST = (
    "stt 0.125 s + program 0.125 s + first delta 0.250 s + language model 0.500 s + tts 0.500 s + "
    "play call 0.240 s + network 0.200 s"
)


def test_a_check_passes_where_nothing_is_broken() -> None:
    gapless().check()
    gapless().check(first_audio_s=1.5, gap_s=0.0)
    # To the microsecond: sums of floats may be above what they stand for.
    assert max(gap.length_s for gap in sequential().gaps) > 0.44
    sequential().check(gap_s=0.44)


def test_a_check_tells_every_broken_limit_by_what_and_why() -> None:
    with pytest.raises(AssertionError) as caught:
        sequential().check(first_audio_s=1.5, gap_s=0.4)

    assert caught.type is TimelineCheckError
    assert str(caught.value).splitlines() == [
        f"first_audio_s must be at most 1.5, got 1.940 s: {FIRST}",
        "gap_s must be at most 0.4, got 0.440 s before segment 1: play call 0.240 s + network 0.200 s",
        "gap_s must be at most 0.4, got 0.440 s before segment 2: play call 0.240 s + network 0.200 s",
    ]


def test_a_reply_that_was_not_heard_breaks_every_limit_of_the_first_audio() -> None:
    with pytest.raises(TimelineCheckError, match=r"^first_audio_s must be at most 9, but nothing was heard$"):
        reply().check(first_audio_s=9)


def test_silence_of_the_voice_breaks_no_limit() -> None:
    reply(replace(segment(0, 1.0, start_s=1.5), silences=((0.0, 1.0),))).check(gap_s=0.0)


def test_a_timeline_goes_through_json_and_back() -> None:
    times = replace(
        segment(0, 1 / 3, start_s=0.1 + 0.2, text="日本 \ud800\x00"),
        words=(Word("日本", 0.0, 0.5),),
        silences=((0.0, 0.1),),
        error="OSError: no",
    )
    timeline = replace(reply(times, SegmentTimes(index=1, text="")), interrupted_s=2.0)

    assert Timeline.from_dict(timeline.as_dict()) == timeline
    assert Timeline.from_dict(json.loads(timeline.to_json())) == timeline


def test_its_dict_has_what_follows_from_it_as_well() -> None:
    data = sequential().as_dict()

    assert data["first_audio_s"] == 1.94
    assert data["first_audio_parts"] == pytest.approx(
        {
            "stt": 0.125,
            "program": 0.125,
            "first_delta": 0.25,
            "language_model": 0.5,
            "tts": 0.5,
            "play_call": 0.24,
            "network": 0.2,
        }
    )
    assert json.loads(
        json.dumps(reply(segment(0, 1.0, start_s=1.5), segment(1, 3.25, start_s=3.75)).as_dict())
    )["gaps"] == [
        {
            "start_s": 3.0,
            "length_s": 0.75,
            "after": 0,
            "before": 1,
            "cause": "tts",
            "parts": {"language_model": 0.25, "tts": 0.5},
        }
    ]
    assert (data["voice_silences"], data["characters_wasted"]) == ([], 0)
    assert data["silence_s"] == pytest.approx(0.88)


def test_its_span_has_all_that_happened() -> None:
    assert reply().span_s == (0.0, 0.5)
    assert replace(gapless(), interrupted_s=7.0).span_s == (0.0, 7.0)
    assert replace(gapless(), asked_s=-0.5).span_s == (-0.5, 6.0)
    assert reply(replace(segment(0, 1.0, start_s=1.5), last_audio_s=3.25, acknowledged_s=3.5)).span_s == (
        0.0,
        3.5,
    )


def test_as_text_it_is_its_waterfall() -> None:
    assert str(sequential()) == sequential().waterfall(width=100)
