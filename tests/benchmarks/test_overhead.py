import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

# With two rounds, how many figures a contender has in each column.
EVERY_TABLE = {
    ("An item, the transform suspends once", "prefetch 1"): 2,
    ("An item, the transform suspends once", "prefetch 3"): 2,
    ("An item, the transform does not suspend", "prefetch 1"): 2,
    ("An item, the transform does not suspend", "prefetch 3"): 2,
    ("Start and stop", "over 0 items"): 2,
    ("Start and stop", "over 0 items, time"): 2,
    ("Start and stop", "over 1 items"): 2,
    ("Start and stop", "over 1 items, time"): 2,
    ("Peak memory", "200 items"): 1,
}


def overhead(*arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / "overhead.py"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=200).stdout


def cells_of(*arguments: str) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(overhead("--json", *arguments))["cells"]
    return cells


@pytest.mark.parametrize(
    ("loop", "peers"),
    [
        ("asyncio", {"gather", "anyio.amap", "aiostream", "streamable", "aiometer"}),
        ("trio", {"anyio.amap", "aiometer"}),
    ],
)
def test_whoever_runs_on_a_loop_gives_the_right_results_in_every_table(loop: str, peers: set[str]) -> None:
    cells = cells_of("--loop", loop, "--items", "40", "--rounds", "2", "--prefetch", "1", "--prefetch", "3")

    assert [cell for cell in cells if not cell["right"]] == []
    for contender in {cell["contender"] for cell in cells}:
        measured = {
            (cell["table"], cell["column"]): len(cell["figures"])
            for cell in cells
            if cell["contender"] == contender and cell["figures"]
        }
        assert measured == (EVERY_TABLE if contender in {"floor", "ours", *peers} else {})


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_each_step_of_the_laws_gives_the_right_results(loop: str) -> None:
    cells = cells_of("--laws", "--loop", loop, "--items", "40", "--rounds", "1")

    assert [cell for cell in cells if not cell["right"]] == []


def test_the_tables_have_a_row_for_each_contender() -> None:
    printed = overhead("--only=floor,gather", "--loop=uvloop", "--items=40", "--rounds=1", "--prefetch=2")

    rows = [line.split(" | ")[0] for line in printed.splitlines() if line.startswith("|")]
    assert rows == ["|", "|---|---:|", "| floor", "| gather"] * 2 + [
        *["|", "|---|---:|---:|---:|---:|", "| floor", "| gather"],
        *["|", "|---|---:|", "| floor", "| gather"],
    ]


def test_results_out_of_order_are_called_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    overhead = importlib.import_module("overhead")

    async def backwards(transform: Any, source: Any, _: int, consume: Any) -> None:
        for item in [item async for item in source][::-1]:
            consume(await transform(item))

    contest = overhead.Contest("asyncio", 2, 5, {"backwards": backwards})
    cells = contest.hold("table", "column", overhead.item(overhead.straight, 1, 5))

    assert [str(cell) for cell in cells] == ["WRONG"]


# Far above what a quiet machine shows, and the best of five rounds counts: this is to catch an item
# that costs twice as much, not a busy neighbour. A process of its own: coverage would slow the stage alone.
@pytest.mark.parametrize(("loop", "budget"), [("asyncio", 2.0), ("trio", 1.6)])
def test_the_stage_keeps_within_its_budget(loop: str, budget: float) -> None:
    cells = cells_of("--only=floor,ours", f"--loop={loop}", "--items=4000", "--rounds=5", "--prefetch=16")

    best = [min(c["ratios"]) for c in cells if c["contender"] == "ours" and c["column"] == "prefetch 16"]
    assert len(best) == 2
    assert max(best) <= budget
