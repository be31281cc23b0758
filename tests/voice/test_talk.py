import dataclasses

import pytest

from ordered_pipeline.voice import HeardText, Message, Segment, Transcript, VoiceActivity


def test_a_segment_needs_its_place_and_its_text_only() -> None:
    assert Segment(0, "It is late.") == Segment(0, "It is late.", previous_text="", turn=0)


def test_a_transcript_may_have_no_times() -> None:
    assert Transcript("", "speech_started") == Transcript("", "speech_started", start_s=None, end_s=None)


@pytest.mark.parametrize(
    "value",
    [
        Segment(0, "It is late."),
        Transcript("It is", "partial"),
        VoiceActivity("started", 0.3),
        Message("user", "It is late."),
        HeardText("It is", " late.", "marks", 0.0),
    ],
)
def test_what_was_said_is_never_changed(
    value: Segment | Transcript | VoiceActivity | Message | HeardText,
) -> None:
    name = dataclasses.fields(value)[0].name

    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, name, "other")
    assert not hasattr(value, "__dict__")
    assert hash(value) == hash(dataclasses.replace(value))
