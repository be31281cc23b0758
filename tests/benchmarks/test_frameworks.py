import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

# Its environments take a package index and a gigabyte: what is on the page was printed by hand.
SHOWN = re.compile(r"<!-- by hand: frameworks.py -->\n(.*?)<!-- end -->", re.DOTALL)
PAGE = ROOT / "docs" / "explanation" / "comparison.md"


@pytest.fixture
def frameworks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("frameworks")


def test_a_row_shows_the_median_of_its_rounds(frameworks: ModuleType) -> None:
    shown = dict.fromkeys(frameworks.ONE_COLUMNS, (3.0, 1.0, 2.0))
    crowded = dict.fromkeys(frameworks.CROWD_COLUMNS, (4.0, 5.0, 66.0))

    table = frameworks.markdown(
        [
            frameworks.Row("Three sentences", "one 1.0", shown),
            frameworks.Row(frameworks.CROWD, "one 1.0", crowded),
        ]
    )

    assert [line for line in table.splitlines() if line.startswith("| one")] == [
        "| one 1.0 | 2 ms | 2 ms | 2 | 2 ms | 2 |",
        "| one 1.0 | 5.0 ms | 5.0 ms | 5.0 ms | 5.0 ms |",
    ]


def test_the_page_shows_a_row_for_each_contender_in_each_scenario(frameworks: ModuleType) -> None:
    found = SHOWN.search(PAGE.read_text("utf-8"))

    assert found is not None
    assert re.findall(r"^\*\*(.+)\*\*$", found[1], re.MULTILINE) == list(frameworks.SCENARIOS)
    names = [name.split()[0] for name in re.findall(r"^\| ([\w-].*?) \|", found[1], re.MULTILINE)]
    assert names == [*frameworks.CONTENDERS] * len(frameworks.SCENARIOS)


def test_whoever_speaks_has_a_module(frameworks: ModuleType) -> None:
    for contender in frameworks.CONTENDERS.values():
        assert (ROOT / "benchmarks" / f"{contender.module}.py").exists()
