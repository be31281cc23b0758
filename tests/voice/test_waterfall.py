from dataclasses import replace

import pytest

from ordered_pipeline.voice import SegmentTimes, Timeline
from ordered_pipeline.voice._columns import columns
from tests.voice.timelines import gapless, reply, segment, sequential


def call() -> Timeline:
    """Return a reply with something of everything, interrupted at 5 s."""
    first = replace(segment(0, 1.0, start_s=1.5), silences=((1.0, 0.25),))
    failed = SegmentTimes(
        index=1,
        text=" Nobody can say this.",
        text_ready_s=1.5,
        tts_asked_s=1.5,
        failed_s=3.5,
        outcome="skipped",
        error="TimeoutError: 2 s\nwere\x07 not enough",
    )
    cut = replace(
        segment(2, 2.0, start_s=3.75, text="今日は良い天気ですね、散歩に行きましょう。"),
        ended_s=5.0,
        played_s=1.25,
        outcome="cleared",
        play_asked_s=3.5,
    )
    waiting = replace(segment(3, 2.5, start_s=0.0), started_s=None, ended_s=None, played_s=None, outcome=None)
    return replace(reply(first, failed, cut, waiting), interrupted_s=5.0)


def test_a_waterfall_has_a_line_for_each_segment_and_tells_what_the_caller_waited_for() -> None:
    assert call().waterfall(width=90, title="turn 3").splitlines() == [
        "  turn 3                       text    tts  audio          sound  0 s                5.0 s",
        "0 Your parcel left Kraków t…  1.000  1.000  1.500  1.500 – 3.000       ░░███████",
        "1 Nobody can say this.        1.500  1.500                               ░░░░░░░░░░",
        "2 今日は良い天気ですね、散…   2.000  2.000  2.500  3.750 – 5.000            ░░▒▒····██████",
        "3 Your parcel left Kraków t…  2.500  2.500  3.000                             ░░",
        "  ░ text waits for audio   ▒ audio waits for its turn   █ sound   · gap",
        "first audio after 1.500 s: stt 0.125 s + program 0.125 s + first delta 0.250 s + language",
        "  model 0.500 s + tts 0.500 s",
        "gap of 0.750 s before segment 2: tts 0.500 s + network 0.250 s",
        "silence of 0.250 s in segment 0: voice silence 0.250 s",
        "segment 1 skipped: TimeoutError: 2 s were\ufffd not enough",
        "interrupted at 5.000 s",
        "62 characters wasted: a voice was asked for them, and they were not heard",
    ]


def test_no_gap_is_told_as_well() -> None:
    assert gapless().waterfall().splitlines()[-1] == "no gap"


def test_a_reply_without_sound_is_told_as_such() -> None:
    assert reply().waterfall().splitlines()[-1] == "no sound"


def test_where_there_is_no_room_there_are_no_bars() -> None:
    assert sequential().waterfall(width=56).splitlines()[:2] == [
        "                       text    tts  audio          sound",
        "0 Your parcel left…   1.000  1.000  1.500  1.940 – 3.440",
    ]


@pytest.mark.parametrize("width", range(40, 200))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for timeline in (call(), gapless(12)):
        lines = timeline.waterfall(width=width).splitlines()

        assert max(map(columns, lines)) <= max(width, 60)


def test_a_sound_that_is_shorter_than_a_column_is_seen() -> None:
    timeline = reply(segment(0, 1.0, start_s=1.5), segment(1, 1.0, start_s=3.0, audio_s=0.001))

    assert timeline.waterfall().splitlines()[2].endswith("3.000 – 3.001            ░░░░▒▒▒▒▒▒▒▒▒▒▒▒▒▒█")


def test_a_segment_may_have_a_gap_before_it_and_one_inside() -> None:
    dry = replace(segment(1, 1.5, start_s=4.0), last_audio_s=5.75, acknowledged_s=6.0)

    assert reply(segment(0, 1.0, start_s=1.5), dry).waterfall().splitlines()[2].endswith("▒▒·····████████··")


def test_timelines_to_be_compared_have_the_same_ends() -> None:
    heads = [timeline.waterfall(end_s=12.0).splitlines()[0] for timeline in (gapless(), sequential())]

    assert heads[0] == heads[1]
    assert heads[0].endswith("12.0 s")


def test_bars_begin_where_the_reply_began_if_that_was_before_the_zero() -> None:
    assert "-0.5 s" in replace(gapless(), asked_s=-0.5).waterfall().splitlines()[0]
