"""What is told of utterances, frame by frame. A frame is a quarter of a second, which floats hold exactly."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.adapters.moonshine._utterances import Step, Utterances

PROBABILITIES = {"-": 0.1, "#": 0.9}
Told = tuple[int, str, float, float, str | None]


def told(frames: str, *, eager_after_s: float = 0.5, partial_every_s: float = math.inf) -> list[Told]:
    """Return what is told of frames of silence and of speech, and after which.

    Each frame is one character; what would be transcribed is told as the characters' places.
    """
    utterances = Utterances(
        frame_s=0.25, eager_after_s=eager_after_s, final_after_s=1.0, partial_every_s=partial_every_s
    )
    steps: list[tuple[int, Step | None]] = [
        (place, utterances.push(bytes([place]), PROBABILITIES[frame])) for place, frame in enumerate(frames)
    ]
    steps.append((len(frames), utterances.finish()))
    return [
        (place, step.kind, step.start_s, step.end_s, None if step.audio is None else span(step.audio))
        for place, step in steps
        if step is not None
    ]


def span(audio: bytes) -> str:
    """Return from where to where audio goes, if nothing of it is missing."""
    assert [*audio] == [*range(audio[0], audio[-1] + 1)]
    return f"{audio[0]}-{audio[-1]}"


def test_a_turn_is_likely_over_after_a_short_pause_and_surely_after_a_long_one() -> None:
    assert told("---##----") == [
        (3, "speech_started", 0.75, 1.0, None),
        (6, "eager_final", 0.75, 1.25, "1-6"),
        (8, "final", 0.75, 1.25, None),
    ]


def test_what_was_said_before_a_pause_is_not_heard_again_after_it() -> None:
    assert told("---##--##----")[1:] == [
        (6, "eager_final", 0.75, 1.25, "1-6"),
        (7, "resumed", 0.75, 2.0, None),
        (10, "eager_final", 0.75, 2.25, "5-10"),
        (12, "final", 0.75, 2.25, None),
    ]


def test_a_pause_that_is_never_likely_to_be_the_end_costs_nothing() -> None:
    assert told("---##--##----", eager_after_s=1.0)[1:] == [(12, "final", 0.75, 2.25, "1-12")]


def test_the_words_so_far_are_told_from_time_to_time() -> None:
    assert told("#######----", partial_every_s=0.75)[1:] == [
        (3, "partial", 0.0, 1.0, "0-3"),
        (6, "partial", 0.0, 1.75, "0-6"),
        (8, "eager_final", 0.0, 1.75, "0-8"),
        (10, "final", 0.0, 1.75, None),
    ]


def test_the_end_of_the_audio_is_the_end_of_the_turn() -> None:
    assert told("##")[1:] == [(2, "final", 0.0, 0.5, "0-1")]
    assert told("##-")[1:] == [(3, "final", 0.0, 0.5, "0-2")]
    assert told("##--")[1:] == [(3, "eager_final", 0.0, 0.5, "0-3"), (4, "final", 0.0, 0.5, None)]


def test_long_speech_is_settled_piece_by_piece() -> None:
    steps = told("#" * 130 + "----")

    assert [(place, kind, audio) for place, kind, _, _, audio in steps] == [
        (0, "speech_started", None),
        (59, "settled", "0-59"),
        (119, "settled", "60-119"),
        (131, "eager_final", "120-131"),
        (133, "final", None),
    ]


@pytest.mark.parametrize("frames", ["", "-", "-" * 200])
def test_silence_is_nothing(frames: str) -> None:
    assert told(frames) == []


@given(st.text("-#", max_size=250))
def test_every_turn_begins_and_ends_and_all_of_its_speech_is_transcribed(frames: str) -> None:
    steps = told(frames, partial_every_s=1.0)

    kinds = [kind for _, kind, *_ in steps]
    assert kinds.count("speech_started") == kinds.count("final")
    state = "silence"
    for kind in kinds:
        assert (
            kind
            in {
                "silence": {"speech_started"},
                "speech": {"partial", "settled", "eager_final", "final"},
                "pause": {"resumed", "final"},
            }[state]
        )
        state = {"eager_final": "pause", "final": "silence"}.get(kind, "speech")
    whole = {"settled", "eager_final", "final"}
    heard = {
        place
        for _, kind, _, _, audio in steps
        if kind in whole and audio is not None
        for place in range(int(audio.split("-")[0]), int(audio.split("-")[1]) + 1)
    }
    assert {place for place, frame in enumerate(frames) if frame == "#"} <= heard
