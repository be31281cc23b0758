import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "segments.md"

OURS = ["ours", "ours, language not told"]


def run(*arguments: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / "segments.py"), "--rounds", "1", "--items", "20"]
    return subprocess.run(
        [*command, *arguments], check=True, capture_output=True, text=True, timeout=100
    ).stdout


@pytest.fixture(scope="module")
def printed() -> str:
    return run(*(f"--only={name}" for name in OURS))


@pytest.fixture
def segments(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("segments")


def rows(text: str) -> dict[str, list[str]]:
    lines = re.findall(r"^\| ?(.*?) ?\|$", text, re.MULTILINE)
    return {name: cells for name, *cells in (line.split(" | ") for line in lines)}


def test_the_page_shows_the_scores_and_the_delay_of_ours_that_are_computed(printed: str) -> None:
    shown = rows(PAGE.read_text("utf-8"))

    for name in (*OURS, "of"):
        assert shown[name][:9] == rows(printed)[name][:9]


def test_the_page_shows_every_text_that_ours_cuts_otherwise_than_a_person(printed: str) -> None:
    told = printed[printed.index(" cases in ") :]

    assert told in PAGE.read_text("utf-8")


def test_ours_has_the_best_score_of_all_on_the_page() -> None:
    shown = rows(PAGE.read_text("utf-8").partition("<!-- benchmark")[2])
    others = [
        cells for name, cells in shown.items() if cells and name[:1] != "|" and name not in {*OURS, "of"}
    ]

    assert len(others) == 7
    for column in range(8):
        assert int(shown["ours, language not told"][column]) > max(int(cells[column]) for cells in others)


def test_how_the_text_is_fed_makes_no_difference_to_ours() -> None:
    printed = json.loads(run("--json", *(f"--only={name}" for name in OURS)))

    assert [row["contender"] for row in printed["rows"]] == OURS
    for row in printed["rows"]:
        assert [len(set(scores.values())) for scores in row["right"].values()] == [1, 1]


def test_the_corpus_is_as_large_as_the_page_says(segments: ModuleType) -> None:
    cases = segments.read_cases(segments.CASES.read_text("utf-8"))

    assert len(cases) >= 300
    assert len({case.language for case in cases}) >= 12
    assert sum(case.part == "held-out" for case in cases) >= 60
    assert len({case.text for case in cases}) == len(cases)


def test_who_is_not_installed_is_shown_as_missing(segments: ModuleType) -> None:
    def not_there(_: str) -> None:
        raise ImportError

    cases = [segments.Case("tuned", "en", ("One.", " Two."))]
    row = segments.compete("nobody", not_there, cases, rounds=1, timed=1)

    assert list(segments.table([row], cases))[2] == "| nobody |" + " missing |" * 11
