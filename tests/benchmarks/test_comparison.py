import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SHOWN = re.compile(r"<!-- benchmark: comparison.py -->\n(.*?)<!-- end -->", re.DOTALL)
PAGES = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if SHOWN.search(path.read_text("utf-8"))
]


@pytest.fixture(scope="module")
def printed() -> list[str]:
    """The table's lines; without those below, which name the versions."""
    command = [sys.executable, "-W", "error", str(ROOT / "benchmarks" / "comparison.py")]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert ran.stderr == ""
    return [line for line in ran.stdout.splitlines() if line.startswith("|")]


def test_the_stage_passes_every_check(printed: list[str]) -> None:
    cells = [line.split(" | ")[1] for line in printed[2:]]

    assert len(cells) == 10
    assert set(cells) == {"yes"}


def test_no_check_is_passed_by_everyone_but_the_one_of_order(printed: list[str]) -> None:
    assert [line for line in printed[2:] if "no" not in line.strip("| ").split(" | ")] == [
        "| results in the order of the source | yes | yes | yes | yes | yes |"
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_table_that_is_printed(page: Path, printed: list[str]) -> None:
    for shown in SHOWN.findall(page.read_text("utf-8")):
        assert [line for line in shown.splitlines() if line.startswith("|")] == printed
