"""Simulated turns: stated ones to the instant, recorded ones as they were, and as they would have been."""

import json
import math

import pytest

from ordered_pipeline.testing import ReplyScript, SpeechScript, TurnScript, simulate
from ordered_pipeline.voice import (
    PlayerCapabilities,
    Prefetch,
    Segment,
    SegmentTimes,
    SpeechPolicy,
    Timeline,
)
from tests.conftest import Run

# Of 32 characters each.
SENTENCES = (
    "Thank you for calling us today. ",
    "Your parcel left the house now. ",
    "It will come to you on Tuesday. ",
)
# A sentence each 0.75 s, and a voice that is slower than its speech.
TURN = TurnScript(
    reply=ReplyScript(deltas=tuple((0.75 * (place + 1), text) for place, text in enumerate(SENTENCES))),
    speech=SpeechScript(first_audio_s=2.0, audio_s=1.5),
    stt_s=0.125,
    call_s=0.25,
    start_s=0.25,
    is_segmented=True,
)


def gaps(timeline: Timeline) -> list[float]:
    return [gap.length_s for gap in timeline.gaps]


def started(timeline: Timeline) -> list[float | None]:
    return [segment.started_s for segment in timeline.segments]


def test_a_stated_turn_has_its_times() -> None:
    timeline = simulate(TURN, prefetch=Prefetch(segments=3))

    assert (timeline.caller_end_s, timeline.stt_final_s, timeline.asked_s) == (0.0, 0.125, 0.125)
    assert [segment.tts_asked_s for segment in timeline.segments] == [0.875, 1.625, 2.375]
    assert [segment.first_audio_s for segment in timeline.segments] == [2.875, 3.625, 4.375]
    assert started(timeline) == [3.375, 4.875, 6.375]
    assert timeline.text_end_s == 2.375
    assert gaps(timeline) == []


def test_one_at_a_time_leaves_gaps() -> None:
    timeline = simulate(TURN, prefetch=Prefetch(segments=1))

    assert started(timeline) == [3.375, 5.375, 7.375]
    assert gaps(timeline) == [0.5, 0.5]


def test_text_is_cut_as_in_a_reply_unless_it_is_segmented() -> None:
    reply = ReplyScript.word_by_word("This is the first one. This is the second one.", gap_s=0.125)

    timeline = simulate(TurnScript(reply=reply))

    assert [segment.text for segment in timeline.segments] == [
        "This is the first one.",
        " This is the second one.",
    ]
    assert timeline.caller_end_s is None
    # The stop came with the fifth word and was waited on for 30 ms.
    assert timeline.first_audio_s == 0.525


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("queue_ahead", [0, math.inf])
def test_a_recorded_turn_is_as_it_was(*, streaming: bool, queue_ahead: float) -> None:
    capabilities = PlayerCapabilities(streaming=streaming, queue_ahead=queue_ahead)
    script = TurnScript(
        reply=TURN.reply,
        speech=SpeechScript(first_audio_s=0.5, audio_s=1.5),
        capabilities=capabilities,
        call_s=0.25,
        start_s=0.125,
        is_segmented=True,
    )
    timeline = simulate(script)

    again = TurnScript.recorded(timeline, capabilities=capabilities)

    assert simulate(again) == timeline


@pytest.mark.parametrize("segments", [1, 2, 3])
def test_what_another_prefetch_would_have_done(segments: int) -> None:
    recorded = simulate(TURN, prefetch=Prefetch(segments=1))
    read = Timeline.from_dict(json.loads(recorded.to_json()))

    would_have = simulate(read, prefetch=Prefetch(segments=segments))

    truth = simulate(TURN, prefetch=Prefetch(segments=segments))
    assert would_have.segments == truth.segments
    assert would_have.gaps == truth.gaps


def test_text_that_was_waited_for_tells_how_fast_the_rest_was_written() -> None:
    # Two segments were waited for, the first delta came late: a second for 10 characters.
    recorded = Timeline(
        origin_s=0.0,
        first_delta_s=4.0,
        segments=(
            recorded_segment(0, room_s=0.0, last_delta_s=5.0),
            recorded_segment(1, room_s=5.0, last_delta_s=6.0),
            recorded_segment(2, room_s=9.0, last_delta_s=9.0),
            recorded_segment(3, room_s=10.0, last_delta_s=10.0),
            recorded_segment(4, room_s=11.0, last_delta_s=11.5),
        ),
    )

    deltas = TurnScript.recorded(recorded).reply.deltas

    assert [at_s for at_s, _ in deltas] == [5.0, 6.0, 7.0, 8.0, 11.5]


def recorded_segment(index: int, *, room_s: float, last_delta_s: float) -> SegmentTimes:
    return SegmentTimes(
        index=index,
        text="10 letters",
        room_s=room_s,
        last_delta_s=last_delta_s,
        text_ready_s=last_delta_s,
        tts_asked_s=last_delta_s,
        first_audio_s=last_delta_s + 1.0,
        last_audio_s=last_delta_s + 1.0,
    )


def test_audio_that_came_bit_by_bit_comes_evenly() -> None:
    recorded = simulate(
        TurnScript(
            reply=ReplyScript(deltas=((0.0, "Hello there."),)),
            speech=SpeechScript(first_audio_s=0.5, audio_s=2.0, chunk_s=0.5, pace=1.0),
            is_segmented=True,
        )
    )

    again = simulate(recorded).segments[0]

    assert (again.first_audio_s, again.last_audio_s) == (0.5, 2.0)
    assert (again.audio_s, again.started_s) == (2.0, 0.5)
    assert gaps(recorded) == []


def failing(segment: Segment, _: int) -> SpeechScript:
    if segment.index == 1:
        return SpeechScript(first_audio_s=0.25, breaks_after_s=0.0, error=ConnectionError("gone"))
    return SpeechScript(first_audio_s=0.5, audio_s=1.0)


def test_a_segment_that_failed_fails_as_late() -> None:
    turn = TurnScript(reply=TURN.reply, speech=failing, is_segmented=True)
    recorded = simulate(turn, policy=SpeechPolicy(tries=3))

    again = simulate(recorded, policy=SpeechPolicy(tries=3))

    assert [segment.outcome for segment in again.segments] == ["completed", "skipped", "completed"]
    assert again.segments[1].failed_s == recorded.segments[1].failed_s == 2.25
    assert again.segments[1].error == "RuntimeError: ConnectionError: gone"
    assert started(again) == started(recorded)


def test_a_turn_can_be_interrupted() -> None:
    timeline = simulate(TURN, interrupt_at_s=4.0)

    assert timeline.interrupted_s == 4.0
    assert timeline.segments[0].outcome == "cleared"
    assert timeline.segments[0].played_s == 0.625
    # All that was asked for but 13 of the first 32 characters.
    assert timeline.characters_wasted == 83


def test_an_interruption_after_the_end_is_none() -> None:
    assert simulate(TURN, interrupt_at_s=60.0) == simulate(TURN)


def test_what_no_voice_was_asked_for_is_left_out() -> None:
    recorded = simulate(TURN, prefetch=Prefetch(segments=1), interrupt_at_s=3.5)

    again = simulate(recorded)

    assert [segment.text for segment in again.segments] == list(SENTENCES[:2])


def test_a_turn_without_a_word_stays_silent() -> None:
    timeline = simulate(Timeline(origin_s=0.0))

    assert timeline.segments == ()


def test_what_the_language_model_fails_with_comes_out() -> None:
    error = ConnectionError("gone")
    reply = ReplyScript(deltas=((0.0, "Hello there. "),), error=error)

    with pytest.raises(ConnectionError) as caught:
        simulate(TurnScript(reply=reply))

    assert caught.value is error


def test_it_is_refused_where_an_event_loop_runs(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match=r"^simulate was called while an event loop runs"):
            simulate(TURN)

    run(main)
