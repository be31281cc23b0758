import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "telnyx-media.md"

SHOWN = re.compile(r"<!-- benchmark: telnyx_gaps.py -->\n(?P<text>.*?)<!-- end -->", re.DOTALL)


def gaps(*arguments: str) -> str:
    command = [sys.executable, "-W", "error", str(ROOT / "benchmarks" / "telnyx_gaps.py"), *arguments]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100)
    assert ran.stderr == ""
    return ran.stdout


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str | None], dict[str, Any]]:
    return {(row["bot"], row["prepared"]): row for row in json.loads(gaps("--json"))}


@pytest.mark.parametrize(
    ("bot", "prepared", "gaps_ms", "silent_ms"),
    [
        # A webhook, a command, the start of a file.
        ("one by one", "on_enqueue", [60 + 240 + 200] * 2, None),
        ("one by one", "on_head", [60 + 240 + 200] * 2, None),
        # A barge-in takes one command, or one message.
        ("queued ahead", "on_enqueue", [], 240),
        ("queued ahead", "on_head", [200] * 2, 240),
        ("media stream", None, [], 20),
    ],
)
def test_silence_is_what_the_way_of_playing_costs(
    rows: dict[tuple[str, str | None], dict[str, Any]],
    bot: str,
    prepared: str | None,
    gaps_ms: list[int],
    silent_ms: int | None,
) -> None:
    row = rows[bot, prepared]

    assert row["gaps_ms"] == gaps_ms
    assert row["silent_ms"] == silent_ms
    assert row["samples"] == 3 * 12_000


def test_the_page_shows_what_is_printed() -> None:
    found = SHOWN.search(PAGE.read_text("utf-8"))

    assert found is not None
    assert found["text"] == gaps()
