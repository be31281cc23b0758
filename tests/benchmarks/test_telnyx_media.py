import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
PAGE = ROOT / "docs" / "explanation" / "telnyx-media.md"

# It takes a quiet machine and an environment for Pipecat: what is on the page was printed by hand.
SHOWN = re.compile(r"<!-- by hand: telnyx_media.py -->\n(.*?)<!-- end -->", re.DOTALL)


@pytest.fixture(scope="module")
def quick() -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARKS / "telnyx_media.py"), "--quick", "--json"]
    command += ["--only", "line", "ours", "ours, converted"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    figures: dict[str, Any] = json.loads(printed)
    return figures


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("telnyx_media")


def test_it_shows_what_a_stream_costs_and_how_late_it_is(quick: dict[str, Any]) -> None:
    assert list(quick) == ["line", "ours", "ours, converted"]
    assert set(quick["ours"]) == {"share", "late_ms", "latest_ms", "ahead_s"}


def test_no_more_than_the_lead_is_ahead(quick: dict[str, Any]) -> None:
    # The lead, two frames that are sent at its end, and what lateness adds to it.
    assert 0.2 < quick["ours"]["ahead_s"] < 0.25 + quick["ours"]["latest_ms"] / 1000


def test_the_page_shows_two_hundred_calls_and_a_row_for_each_contender(benchmark: ModuleType) -> None:
    found = SHOWN.search(PAGE.read_text("utf-8"))

    assert found is not None
    figures = {name: benchmark.Figures(0.0, 0.0, 0.0, 0.0) for name in benchmark.CONTENDERS}
    figures |= {"pipecat": benchmark.Figures(0.0, None, None, 0.0)}
    version = benchmark.PIPECAT.requirements[0].removeprefix("pipecat-ai==")
    printed = f"200 calls\n\n{benchmark.table(figures)}\n".replace("pipecat", f"pipecat {version}")
    assert without_figures(found[1]) == without_figures(printed)


def without_figures(text: str) -> str:
    return re.sub(r"(?<=\| )[\d.]+(?=%| ms| s)", "#", text)
