"""The laws of the ledger, over drawn stamps: multiples of 1/8 s, so that sums are exact."""

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.voice import SegmentTimes, Timeline

STEPS = st.integers(0, 24).map(lambda eighths: eighths / 8)
SHORT = st.sampled_from((0.0, 0.0, 0.125, 0.5, 1.0))


@st.composite
def segments(draw: st.DrawFn, index: int, free_s: float) -> SegmentTimes:
    """Draw a segment that sounds after *free_s*, or fails; half of them have their stamps in order."""
    times = draw(st.lists(STEPS, min_size=8, max_size=8))
    if draw(st.booleans()):
        times.sort()
    stamps = iter([time_s if draw(st.integers(0, 9)) else None for time_s in times])
    segment = SegmentTimes(
        index=index,
        text="x",
        room_s=next(stamps),
        last_delta_s=next(stamps),
        text_ready_s=next(stamps),
        tts_asked_s=next(stamps),
        first_audio_s=next(stamps),
        last_audio_s=next(stamps),
        play_asked_s=next(stamps),
        accepted_s=next(stamps),
    )
    if not draw(st.integers(0, 3)):
        return replace(segment, failed_s=draw(STEPS), outcome="skipped")
    start_s = free_s + draw(SHORT)
    return replace(segment, started_s=start_s, ended_s=start_s + draw(SHORT), outcome="completed")


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Draw a reply, each sound after the one before it."""
    drawn: list[SegmentTimes] = []
    free_s = draw(STEPS)
    for index in range(draw(st.integers(0, 5))):
        drawn.append(draw(segments(index, free_s)))
        free_s = drawn[-1].ended_s or free_s
    return Timeline(
        origin_s=0.0,
        caller_end_s=draw(st.none() | STEPS),
        stt_final_s=draw(st.none() | STEPS),
        asked_s=draw(STEPS),
        first_delta_s=draw(st.none() | STEPS),
        segments=tuple(drawn),
    )


@given(timelines())
def test_the_parts_of_a_gap_add_up_to_it_and_none_is_nothing(timeline: Timeline) -> None:
    for gap in timeline.gaps:
        assert sum(part.length_s for part in gap.parts) == gap.length_s
        assert all(part.length_s > 0 for part in gap.parts)


@given(timelines())
def test_every_silence_between_two_sounds_is_listed_once(timeline: Timeline) -> None:
    heard = [
        (times.index, times.started_s, times.ended_s)
        for times in timeline.segments
        if times.started_s is not None and times.ended_s is not None
    ]

    assert [(gap.after, gap.before, gap.length_s) for gap in timeline.gaps if gap.after != gap.before] == [
        (before, after, start_s - end_s)
        for (before, _, end_s), (after, start_s, _) in pairwise(heard)
        if start_s > end_s
    ]


@given(timelines())
def test_a_cause_is_named_once_and_the_largest_is_the_cause(timeline: Timeline) -> None:
    for gap in timeline.gaps:
        lengths = {part.cause: part.length_s for part in gap.parts}
        assert len(lengths) == len(gap.parts)
        assert lengths[gap.cause] == max(lengths.values())


@given(timelines())
def test_the_parts_of_the_first_audio_add_up_to_it(timeline: Timeline) -> None:
    assert sum(part.length_s for part in timeline.first_audio_parts) == (timeline.first_audio_s or 0.0)
    assert all(part.length_s > 0 for part in timeline.first_audio_parts)


@given(timelines())
def test_what_was_written_is_read_back(timeline: Timeline) -> None:
    assert Timeline.from_dict(timeline.as_dict()) == timeline
