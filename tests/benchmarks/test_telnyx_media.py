import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def quick() -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARKS / "telnyx_media.py"), "--quick", "--json"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    figures: dict[str, Any] = json.loads(printed)
    return figures


def test_it_shows_what_a_stream_costs_and_how_late_it_is(quick: dict[str, Any]) -> None:
    assert list(quick)[:2] == ["line", "ours"]
    assert set(quick["ours"]) == {"share", "late_ms", "latest_ms", "ahead_s"}


def test_no_more_than_the_lead_is_ahead(quick: dict[str, Any]) -> None:
    # The lead, the frame that begins at its end, and what lateness adds to it.
    assert 0.2 < quick["ours"]["ahead_s"] < 0.25 + quick["ours"]["latest_ms"] / 1000
