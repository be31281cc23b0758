"""The life of one segment, before any of it."""

from dataclasses import fields

from ordered_pipeline.voice import SegmentTimes


def test_of_a_segment_that_was_only_written_nothing_else_has_happened() -> None:
    times = SegmentTimes(index=0, text="It is late.")

    told = {field.name: getattr(times, field.name) for field in fields(times)}
    assert {name: value for name, value in told.items() if value not in (None, 0, ())} == {
        "text": "It is late."
    }
    assert all(told[name] is None for name in told if name.endswith("_s"))
