"""Each example runs as a reader would run it, and ends with the line that the table of examples shows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

# A row: in the first cell a link to the script, in the last cell, as code, the last line that it prints.
ROW = re.compile(r"^\| *\[.*?\]\((?P<script>[^)]+\.py)\).*\| *`(?P<last>[^|]+)` *\|$", re.MULTILINE)

TABLE = {row["script"]: row["last"] for row in ROW.finditer((EXAMPLES / "README.md").read_text("utf-8"))}


def test_the_table_names_every_example() -> None:
    assert sorted(TABLE) == sorted(path.name for path in EXAMPLES.glob("[0-9]*.py"))


@pytest.mark.parametrize("script", TABLE)
def test_an_example_ends_with_the_line_in_the_table(script: str) -> None:
    command = [sys.executable, "-W", "error", script]
    ran = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == TABLE[script]


def test_the_telephone_bot_is_heard_without_a_gap_and_can_be_interrupted() -> None:
    command = [sys.executable, "-W", "error", "telnyx_call.py"]
    ran = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, timeout=110, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert re.fullmatch(
        r"On the line there were 2 stretches of sound without a gap: \d\.\d\d s, \d\.\d\d s\.?",
        ran.stdout.splitlines()[-1],
    )
