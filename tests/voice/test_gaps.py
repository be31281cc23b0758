from dataclasses import replace

import pytest

from ordered_pipeline.voice import SegmentTimes, Timeline
from ordered_pipeline.voice._gaps import Cause
from tests.voice.timelines import gapless, reply, segment, sequential

# What is heard before a gap from 3 s on.
FIRST = segment(0, 1.0, start_s=1.5)


def parts_of(timeline: Timeline) -> list[dict[Cause, float]]:
    return [{part.cause: part.length_s for part in gap.parts} for gap in timeline.gaps]


# Ready in time, it sounds from 5 s on.
LATE = segment(1, 1.5, start_s=5.0)


# Each has one stamp after another at its earliest, and one that is late.
CAUSES: dict[Cause, SegmentTimes] = {
    "language_model": segment(1, 4.5, start_s=5.0),
    "segmenter": replace(segment(1, 4.5, start_s=5.0), last_delta_s=2.0),
    "prefetch": replace(segment(1, 4.5, start_s=5.0), last_delta_s=2.0, text_ready_s=2.0),
    "tts": replace(segment(1, 4.5, start_s=5.0), last_delta_s=2.0, text_ready_s=2.0, tts_asked_s=2.5),
    "play_call": replace(LATE, play_asked_s=4.75, accepted_s=5.0),
    "network": replace(LATE, play_asked_s=3.0, accepted_s=3.25),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_the_cause_of_a_gap_is_what_was_late(cause: Cause) -> None:
    timeline = reply(FIRST, CAUSES[cause])

    (gap,) = timeline.gaps
    assert (gap.start_s, gap.length_s, gap.end_s) == (3.0, 2.0, 5.0)
    assert (gap.after, gap.before, gap.cause) == (0, 1, cause)
    assert sum(part.length_s for part in gap.parts) == 2.0


def test_a_gap_may_have_a_part_of_each_cause() -> None:
    times = replace(
        segment(1, 0.0, start_s=5.0),
        room_s=3.125,
        last_delta_s=3.25,
        text_ready_s=3.5,
        tts_asked_s=3.75,
        first_audio_s=4.5,
        last_audio_s=4.5,
        play_asked_s=4.5,
        accepted_s=4.625,
    )

    assert parts_of(reply(FIRST, times)) == [
        {
            "prefetch": 0.375,
            "language_model": 0.125,
            "segmenter": 0.25,
            "tts": 0.75,
            "play_call": 0.125,
            "network": 0.375,
        }
    ]


def test_text_that_was_not_read_because_the_window_was_full_waits_for_room_not_for_the_language_model() -> (
    None
):
    times = replace(segment(1, 4.0, start_s=5.0), room_s=3.75)

    assert parts_of(reply(FIRST, times)) == [
        {"prefetch": 0.75, "language_model": 0.25, "tts": 0.5, "network": 0.5}
    ]


def test_what_was_cut_out_of_earlier_text_waits_for_room_only() -> None:
    times = replace(segment(1, 1.0, start_s=5.0), room_s=4.0, tts_asked_s=4.0, first_audio_s=5.0)

    assert parts_of(reply(FIRST, times)) == [{"prefetch": 1.0, "tts": 1.0}]


def test_a_player_that_takes_one_clip_at_a_time_is_the_cause_of_its_gaps() -> None:
    timeline = sequential()

    assert [round(gap.length_s, 6) for gap in timeline.gaps] == [0.44, 0.44]
    assert [gap.cause for gap in timeline.gaps] == ["play_call", "play_call"]
    assert [str(gap) for gap in timeline.gaps] == [
        "0.440 s before segment 1: play call 0.240 s + network 0.200 s",
        "0.440 s before segment 2: play call 0.240 s + network 0.200 s",
    ]


def test_a_player_of_whole_clips_waits_for_the_voice_until_the_last_audio() -> None:
    whole = replace(LATE, first_audio_s=2.0, last_audio_s=4.5, play_asked_s=4.5, accepted_s=4.5)

    assert parts_of(reply(FIRST, whole)) == [{"tts": 1.5, "network": 0.5}]


def test_a_streaming_player_does_not() -> None:
    streamed = replace(FIRST, last_audio_s=2.0)
    busy = replace(LATE, first_audio_s=2.0, last_audio_s=4.25, play_asked_s=4.5, accepted_s=4.5)

    assert parts_of(reply(streamed, busy)) == [{"play_call": 1.5, "network": 0.5}]


def test_a_segment_that_was_given_up_is_the_cause_of_the_gap_in_its_place() -> None:
    hung = SegmentTimes(
        index=1,
        text="Hm.",
        text_ready_s=1.5,
        tts_asked_s=1.5,
        failed_s=4.75,
        outcome="skipped",
        error="OSError: ",
    )
    after = replace(segment(2, 2.0, start_s=5.0), play_asked_s=4.75, accepted_s=4.75)

    (gap,) = reply(FIRST, hung, after).gaps
    assert (gap.after, gap.before, gap.cause) == (0, 2, "tts")
    assert [str(part) for part in gap.parts] == ["tts 1.750 s", "network 0.250 s"]


def test_a_clip_that_its_player_dropped_is_the_cause_of_the_gap_in_its_place() -> None:
    dropped = replace(segment(1, 1.5, start_s=0.0), started_s=None, acknowledged_s=4.5, outcome="failed")
    after = replace(segment(2, 2.0, start_s=5.0), play_asked_s=4.75, accepted_s=5.0)

    assert parts_of(reply(FIRST, dropped, after)) == [{"network": 1.5, "play_call": 0.5}]


def test_a_voice_that_is_slower_than_its_speech_is_the_cause_of_the_gap_after_it() -> None:
    slow = replace(FIRST, last_audio_s=4.0, acknowledged_s=4.25)

    assert parts_of(reply(slow, replace(LATE, play_asked_s=4.25, accepted_s=4.5))) == [
        {"tts": 1.25, "play_call": 0.25, "network": 0.5}
    ]


def test_so_is_a_voice_that_paused_for_too_long_while_the_next_clip_was_waiting_in_the_player() -> None:
    paused = replace(FIRST, last_audio_s=2.5, acknowledged_s=5.0)

    assert parts_of(reply(paused, LATE)) == [{"tts": 2.0}]


def test_a_player_that_tells_late_of_the_end_of_a_clip_and_takes_one_at_a_time_is_the_cause_itself() -> None:
    told_late = replace(FIRST, last_audio_s=2.5, acknowledged_s=4.5)

    assert parts_of(reply(told_late, replace(LATE, play_asked_s=4.5, accepted_s=4.5))) == [
        {"play_call": 1.5, "network": 0.5}
    ]


def test_a_player_that_tells_late_of_a_clip_that_was_there_in_time_is_not_held_up_by_the_voice() -> None:
    told_late = replace(FIRST, acknowledged_s=4.5)

    assert parts_of(reply(told_late, LATE)) == [{"network": 2.0}]


def test_a_clip_that_was_cut_off_waits_for_nothing() -> None:
    cut = replace(FIRST, last_audio_s=4.0, outcome="cleared")
    after = replace(LATE, play_asked_s=4.0, accepted_s=4.0)

    assert reply(cut).gaps == ()
    assert parts_of(reply(cut, after)) == [{"play_call": 1.0, "network": 1.0}]


def test_the_last_clip_may_run_dry_too() -> None:
    (gap,) = reply(replace(FIRST, last_audio_s=3.25, acknowledged_s=None)).gaps

    assert (gap.start_s, gap.after, gap.before) == (3.0, 0, 0)
    assert str(gap) == "0.250 s in segment 0: tts 0.250 s"
    # What was in time when it came sounds on.
    assert reply(replace(FIRST, last_audio_s=3.25, acknowledged_s=3.5)).silence_s == 0.5
    assert reply(replace(FIRST, last_audio_s=3.0005)).gaps == ()


def test_after_a_last_clip_that_failed_in_the_middle_there_is_no_gap() -> None:
    assert reply(replace(FIRST, last_audio_s=8.0, acknowledged_s=8.0, error="TimeoutError: ")).gaps == ()


@pytest.mark.parametrize("start_s", [2.5, 3.0, 3.0005])
def test_what_nobody_hears_is_no_gap(start_s: float) -> None:
    assert reply(FIRST, segment(1, 1.5, start_s=start_s)).gaps == ()


def test_there_is_no_gap_after_a_clip_that_still_sounds() -> None:
    sounding = replace(FIRST, ended_s=None, played_s=1.0, outcome=None)

    assert reply(sounding, SegmentTimes(index=1, text="", text_ready_s=2.0)).gaps == ()


def test_the_time_to_the_first_audio_has_parts_that_add_up() -> None:
    timeline = sequential()

    assert [str(part) for part in timeline.first_audio_parts] == [
        "stt 0.125 s",
        "program 0.125 s",
        "first delta 0.250 s",
        "language model 0.500 s",
        "tts 0.500 s",
        "play call 0.240 s",
        "network 0.200 s",
    ]
    assert timeline.first_audio_s == 1.94


def test_without_a_stamp_for_the_transcript_it_lasted_until_the_reply_was_begun() -> None:
    timeline = replace(gapless(), stt_final_s=None)

    assert timeline.first_audio_parts[0].cause == "stt"
    assert timeline.first_audio_parts[0].length_s == 0.25


def test_without_the_end_of_the_callers_speech_the_reply_itself_is_measured() -> None:
    timeline = replace(gapless(), caller_end_s=None, stt_final_s=None)

    assert timeline.first_audio_s == 1.25
    assert [part.cause for part in timeline.first_audio_parts] == ["first_delta", "language_model", "tts"]


def test_a_reply_that_sounds_before_the_caller_has_ended_took_no_time() -> None:
    timeline = replace(gapless(), caller_end_s=2.0)

    assert timeline.first_audio_s == 0.0
    assert timeline.first_audio_parts == ()


def test_where_nothing_sounded_there_is_no_first_audio() -> None:
    timeline = reply(SegmentTimes(index=0, text="Hm.", tts_asked_s=1.0, failed_s=2.0, outcome="skipped"))

    assert (timeline.first_audio_s, timeline.first_audio_parts, timeline.gaps) == (None, (), ())


def test_a_skipped_beginning_counts_for_the_first_audio() -> None:
    hung = SegmentTimes(
        index=0, text="Hm.", text_ready_s=1.0, tts_asked_s=1.0, failed_s=3.5, outcome="skipped"
    )
    parts = reply(hung, replace(segment(1, 1.5, start_s=4.0), play_asked_s=3.5)).first_audio_parts

    assert [str(part) for part in parts][-2:] == ["tts 2.500 s", "network 0.500 s"]


def test_silence_of_the_voice_has_a_place_of_its_own_and_is_no_gap() -> None:
    quiet = replace(FIRST, silences=((0.0, 0.25), (0.5, 0.125)))

    timeline = reply(quiet)
    assert [(gap.start_s, gap.length_s, gap.cause) for gap in timeline.voice_silences] == [
        (1.5, 0.25, "voice_silence"),
        (2.0, 0.125, "voice_silence"),
    ]
    assert timeline.gaps == ()


def test_silence_at_the_end_of_a_clip_and_at_the_beginning_of_the_next_is_one() -> None:
    tail = replace(FIRST, silences=((1.25, 0.25),))
    lead = replace(segment(1, 1.5, start_s=3.0), silences=((0.0, 0.5), (1.0, 0.125)))

    first, second = reply(tail, lead).voice_silences
    assert (first.start_s, first.length_s, first.after, first.before) == (2.75, 0.75, 0, 1)
    assert (second.start_s, second.after, second.before) == (4.0, 1, 1)


def test_a_gap_between_them_parts_them() -> None:
    tail = replace(FIRST, silences=((1.25, 0.25),))
    lead = replace(segment(1, 1.5, start_s=4.0), silences=((0.0, 0.5),))

    timeline = reply(tail, lead)
    assert [(one.start_s, one.length_s) for one in timeline.voice_silences] == [(2.75, 0.25), (4.0, 0.5)]
    assert timeline.silence_s == 1.0


def test_only_silence_that_was_reached_counts() -> None:
    cut = replace(FIRST, ended_s=2.0, silences=((0.25, 0.5), (1.0, 0.25)), outcome="cleared")
    sounding = replace(segment(1, 1.5, start_s=3.0), ended_s=None, silences=((0.0, 0.5),))

    assert [(one.start_s, one.length_s) for one in reply(cut, sounding).voice_silences] == [(1.75, 0.25)]


def test_characters_are_wasted_that_a_voice_was_asked_for_and_nobody_heard() -> None:
    heard = segment(0, 1.0, start_s=1.5, text="x" * 30)
    cut = replace(segment(1, 1.5, start_s=3.0, text="y" * 40), played_s=0.375, outcome="cleared")
    made = replace(segment(2, 2.0, start_s=0.0, text="z" * 50), started_s=None, played_s=None, outcome=None)
    unread = SegmentTimes(index=3, text="never asked for")

    assert reply(heard).characters_wasted == 0
    assert reply(heard, cut, made, unread).characters_wasted == 30 + 50


def test_a_clip_that_was_not_made_to_its_end_goes_by_the_rate_of_the_others() -> None:
    heard = segment(0, 1.0, start_s=1.5, text="x" * 30)
    cut = replace(
        segment(1, 1.5, start_s=3.0, text="y" * 40, audio_s=0.5),
        last_audio_s=None,
        played_s=0.5,
        outcome="cleared",
    )

    assert reply(heard, cut).characters_wasted == 30
    # Alone, what was made is taken for all.
    assert reply(cut).characters_wasted == 0


def test_a_clip_that_failed_in_the_middle_is_not_heard_to_its_end() -> None:
    heard = segment(0, 1.0, start_s=1.5, text="x" * 30)
    broken = replace(
        segment(1, 1.5, start_s=3.0, text="y" * 40), audio_s=0.5, played_s=0.5, error="OSError: gone"
    )

    assert reply(heard, broken).characters_wasted == 30


def test_empty_text_wastes_nothing() -> None:
    empty = replace(segment(0, 1.0, start_s=1.5, text=""), outcome="cleared")

    assert reply(empty).characters_wasted == 0
