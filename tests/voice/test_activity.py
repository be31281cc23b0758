import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.voice import VoiceActivity
from ordered_pipeline.voice._activity import SpeechGate, SpeechRules

# A frame is a quarter of a second, which floats hold exactly: speech takes two frames, silence three.
RULES = SpeechRules(threshold=0.5, release_threshold=0.25, min_speech_s=0.5, min_silence_s=0.75)
PROBABILITIES = {"-": 0.1, "~": 0.3, "#": 0.9}


def told(frames: str, rules: SpeechRules = RULES) -> list[tuple[int, str, float]]:
    """Return, of frames of silence, of neither, and of speech, after which one of them what was told."""
    gate = SpeechGate(rules, frame_s=0.25)
    events = [(index, gate.push(PROBABILITIES[frame])) for index, frame in enumerate(frames)]
    events.append((len(frames), gate.finish()))
    return [(index, event.kind, event.at_s) for index, event in events if event is not None]


def test_speech_is_told_when_it_is_certain_and_with_the_time_when_it_began() -> None:
    assert told("--###---") == [(3, "started", 0.5), (7, "stopped", 1.25)]


def test_speech_that_is_too_short_is_never_told() -> None:
    assert told("--#--#--#-") == []


def test_a_pause_that_is_too_short_is_no_end() -> None:
    assert told("##--##--##---") == [(1, "started", 0.0), (12, "stopped", 2.5)]


def test_what_is_neither_changes_nothing() -> None:
    assert told("~~#~~~-~~~") == [(3, "started", 0.5), (8, "stopped", 1.5)]
    assert told("#-#~~") == [(3, "started", 0.5), (5, "stopped", 1.25)]


def test_without_a_least_length_the_first_frame_decides() -> None:
    rules = SpeechRules(threshold=0.5, release_threshold=0.5, min_speech_s=0.0, min_silence_s=0.0)

    assert told("-#-", rules) == [(1, "started", 0.25), (2, "stopped", 0.5)]


def test_the_end_of_the_audio_ends_speech_where_the_silence_began() -> None:
    assert told("##") == [(1, "started", 0.0), (2, "stopped", 0.5)]
    assert told("##-") == [(1, "started", 0.0), (3, "stopped", 0.5)]


def test_the_end_of_the_audio_makes_no_speech_of_what_was_too_short() -> None:
    assert told("-#") == []


def test_the_time_goes_with_the_frames() -> None:
    gate = SpeechGate(RULES, frame_s=0.25)

    gate.push(0.1)
    gate.push(0.1)

    assert gate.now_s == 0.5


@given(st.text("-~#", max_size=40))
def test_starts_and_ends_alternate_and_none_is_told_before_it_is_due(frames: str) -> None:
    events = told(frames)

    assert [kind for _, kind, _ in events] == ["started", "stopped"] * (len(events) // 2)
    times = [at_s for _, _, at_s in events]
    assert times == sorted(times)
    for index, kind, at_s in events:
        first = round(at_s / 0.25)
        heard = frames[first : index + 1]
        if index < len(frames):
            assert len(heard) == (2 if kind == "started" else 3)
        assert not heard or heard[0] == ("#" if kind == "started" else "-")
        assert ("-" if kind == "started" else "#") not in heard


@pytest.mark.parametrize(
    ("threshold", "release_threshold", "message"),
    [
        (0.0, 0.5, "threshold must be above 0 and at most 1, got 0.0"),
        (1.5, 0.5, "threshold must be above 0 and at most 1, got 1.5"),
        (math.nan, 0.5, "threshold must be above 0 and at most 1, got nan"),
        (0.5, 0.0, r"release_threshold must be above 0 and at most threshold \(0.5\), got 0.0"),
        (0.5, 0.6, r"release_threshold must be above 0 and at most threshold \(0.5\), got 0.6"),
    ],
)
def test_thresholds_out_of_range_are_refused(
    threshold: float, release_threshold: float, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        SpeechRules(
            threshold=threshold, release_threshold=release_threshold, min_speech_s=0.0, min_silence_s=0.0
        )


@pytest.mark.parametrize("name", ["min_speech_s", "min_silence_s"])
@pytest.mark.parametrize("value", [-0.1, math.nan])
def test_times_out_of_range_are_refused(name: str, value: float) -> None:
    times = {"min_speech_s": 0.0, "min_silence_s": 0.0, name: value}

    with pytest.raises(ValueError, match=f"^{name} must be at least 0, got {value!r}$"):
        SpeechRules(threshold=0.5, release_threshold=0.5, **times)


def test_what_is_told_is_voice_activity() -> None:
    gate = SpeechGate(RULES, frame_s=0.25)

    assert gate.push(0.9) is None
    assert gate.push(0.9) == VoiceActivity("started", 0.0)
