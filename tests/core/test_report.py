"""What a stage tells about itself, as values."""

from dataclasses import FrozenInstanceError, fields

import pytest

import ordered_pipeline
from ordered_pipeline import Interruption, StageStatistics

INTERRUPTION = Interruption(delivered=2, partial="c", partial_results=1, dropped=("d", "e"))
STATISTICS = StageStatistics(admitted=5, running=1, ready=2, delivered=2, waiting_for="consumer")


@pytest.mark.parametrize("report", [INTERRUPTION, STATISTICS], ids=["interruption", "statistics"])
def test_a_report_cannot_be_changed(report: object) -> None:
    for field in fields(report):  # type: ignore[arg-type]  # both are dataclasses
        with pytest.raises(FrozenInstanceError):
            setattr(report, field.name, None)
    assert not hasattr(report, "__dict__")


def test_reports_are_equal_if_they_say_the_same() -> None:
    assert Interruption(2, "c", 1, ("d", "e")) == INTERRUPTION
    assert Interruption(2, "c", 1, ("e", "d")) != INTERRUPTION
    assert StageStatistics(5, 1, 2, 2, "consumer") == STATISTICS
    assert len({STATISTICS, StageStatistics(5, 1, 2, 2, "consumer")}) == 1


def test_reports_can_be_read() -> None:
    assert (
        repr(INTERRUPTION) == "Interruption(delivered=2, partial='c', partial_results=1, dropped=('d', 'e'))"
    )
    assert repr(STATISTICS) == (
        "StageStatistics(admitted=5, running=1, ready=2, delivered=2, waiting_for='consumer')"
    )


def test_reports_are_known_by_their_public_names() -> None:
    for name in ("Interruption", "StageObserver", "StageStatistics"):
        assert getattr(ordered_pipeline, name).__module__ == "ordered_pipeline"
