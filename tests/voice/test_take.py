from ordered_pipeline.voice import PlaybackResult, Segment, SegmentTimes
from ordered_pipeline.voice._take import Take


def test_a_new_take_knows_its_text_and_when_that_came() -> None:
    take = Take(Segment(3, "It is late."), last_delta_s=10.25, text_ready_s=10.5)

    assert take.played_s is None
    assert take.times(10.0) == SegmentTimes(index=3, text="It is late.", last_delta_s=0.25, text_ready_s=0.5)


def test_times_count_from_the_zero_of_the_timeline() -> None:
    take = Take(
        Segment(0, "It is late."),
        last_delta_s=2.0,
        text_ready_s=2.0,
        tts_asked_s=2.25,
        first_audio_s=2.5,
        last_audio_s=3.0,
        play_asked_s=2.5,
        accepted_s=2.75,
        started_s=3.0,
        acknowledged_s=4.5,
        audio_s=1.5,
        requests=1,
        result=PlaybackResult("completed", 1.25),
        error=ValueError("once"),
    )

    times = take.times(2.0)

    assert (times.tts_asked_s, times.first_audio_s, times.last_audio_s) == (0.25, 0.5, 1.0)
    assert (times.play_asked_s, times.accepted_s, times.started_s) == (0.5, 0.75, 1.0)
    assert (times.ended_s, times.acknowledged_s, times.played_s) == (2.25, 2.5, 1.25)
    assert (times.outcome, times.error) == ("completed", "ValueError: once")


def test_a_take_that_no_voice_could_speak_is_skipped() -> None:
    take = Take(Segment(0, "It is late."), last_delta_s=0.0, text_ready_s=0.0, is_skipped=True)

    assert take.times(0.0).outcome == "skipped"
