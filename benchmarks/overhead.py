"""What the stage costs: CPU time an item, as a ratio to the shortest window one writes by hand.

How it measures:

1. CPU time of this process (`time.process_time`), so that other load on the machine counts little. The event
   loop's own start and stop are outside. The garbage collector is on, and has just run.
2. The contenders take turns, round after round (A B C, A B C, ...). A ratio is taken between two runs of one
   round. A cell shows the ratios' median, least and greatest; the floor's own shows its median time.
3. Each run's results are compared with what they must be, order included: one difference, and the cell says
   WRONG.
4. Peak memory is what `tracemalloc` counts above the start, once, in a child process for each contender, for
   five times the items. The results are dropped as they come.

Run it: ``python benchmarks/overhead.py``, some minutes. In seconds:
``python benchmarks/overhead.py --items 5000 --rounds 3 --only floor,ours,gather``.
"""

import argparse
import asyncio
import gc
import json
import multiprocessing
import platform
import sys
import time
import tracemalloc
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from operator import sub, truediv
from statistics import median
from typing import Any, Final, TypeAlias

import anyio
import trio
from _contenders import CONTENDERS, Factory, Run, Source, Transform
from _windows import LAWS

# What one run gives: its figure, and whether its results were right.
Measured: TypeAlias = tuple[float, bool]
Measure: TypeAlias = Callable[[Run], Coroutine[Any, Any, Measured]]

EAGER: Final = ["asyncio-eager"] if sys.version_info >= (3, 12) else []
LOOPS: Final = ["asyncio", *EAGER, "uvloop", "trio"]
PREFETCH: Final = (1, 4, 16, 64)


@dataclass(frozen=True, slots=True)
class Cell:
    """One contender in one column of a table: a figure a round, and its ratio to the floor's there."""

    table: str
    contender: str
    column: str
    unit: str
    figures: tuple[float, ...] = ()
    ratios: tuple[float, ...] = ()
    right: bool = True

    def __str__(self) -> str:
        if not self.right:
            return "WRONG"
        if not self.figures:
            return "-"
        if not self.ratios or self.contender == "floor":
            return f"{median(self.figures):,.{0 if self.unit == 'KiB' else 2}f} {self.unit}"
        return f"{median(self.ratios):.2f} ({min(self.ratios):.2f}-{max(self.ratios):.2f})"


@dataclass(frozen=True, slots=True)
class Contest:
    """Who takes turns, how often, over how many items, on which event loop; `None` is one who cannot."""

    loop: str
    rounds: int
    items: int
    runs: Mapping[str, Run | None]

    def hold(self, table: str, column: str, measure: Measure) -> list[Cell]:
        """Return a cell for each contender: microseconds, and their ratios to the floor's."""
        figures: dict[str, list[float]] = {name: [] for name in self.runs}
        right = dict.fromkeys(self.runs, True)
        for _ in range(self.rounds):
            for name, run in self.runs.items():
                if run is not None:
                    figure, as_expected = on_loop(self.loop, measure, run)
                    figures[name].append(figure)
                    right[name] &= as_expected
        cells: list[Cell] = []
        for name, mine in figures.items():
            ratios = tuple(map(truediv, mine, figures.get("floor", ())))
            cells.append(Cell(table, name, column, "µs", tuple(mine), ratios, right[name]))
        return cells


def on_loop(loop: str, measure: Measure, run: Run) -> Measured:
    """Run one measurement on a new event loop."""
    if loop == "trio":
        return trio.run(measure, run)
    factory = {"asyncio": asyncio.new_event_loop, "asyncio-eager": eager_loop, "uvloop": uvloop_loop}[loop]
    return anyio.run(measure, run, backend="asyncio", backend_options={"loop_factory": factory})


def eager_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


def uvloop_loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415  # only this choice needs it

    return uvloop.new_event_loop()


def runs_of(factories: Mapping[str, Factory], loop: str) -> dict[str, Run | None]:
    """Return what to measure by name: `None` for what is not installed or does not run on *loop*."""
    runs: dict[str, Run | None] = {}
    for name, factory in factories.items():
        try:
            runs[name] = factory(on_trio=loop == "trio")
        except ImportError:
            runs[name] = None
    return runs


async def integers(count: int) -> Source:
    for item in range(count):
        yield item


async def straight(item: int) -> int:
    return item + 1


async def suspending_on_asyncio(item: int) -> int:
    await asyncio.sleep(0)
    return item + 1


async def suspending_on_trio(item: int) -> int:
    await trio.lowlevel.checkpoint()
    return item + 1


def suspending(loop: str) -> Transform:
    """Return the transform that suspends once, in the event loop's own way."""
    return suspending_on_trio if loop == "trio" else suspending_on_asyncio


def blocks(transform: Transform, prefetch: int, items: int, count: int = 1) -> Measure:
    """Return what measures *count* runs over *items* items each: microseconds of CPU a run."""
    expected = list(range(1, items + 1)) * count

    async def measure(run: Run) -> Measured:
        results: list[int] = []
        gc.collect()
        start = time.process_time()
        for _ in range(count):
            await run(transform, integers(items), prefetch, results.append)
        return (time.process_time() - start) / count * 1e6, results == expected

    return measure


def item(transform: Transform, prefetch: int, items: int) -> Measure:
    """Return what measures one run over *items* items: microseconds of CPU an item."""
    block = blocks(transform, prefetch, items)

    async def measure(run: Run) -> Measured:
        figure, right = await block(run)
        return figure / items, right

    return measure


def peak_memory(factory: Factory, loop: str, items: int) -> Measured:
    """Return the most KiB held above the start while one contender runs; for a process of its own."""
    total = 0

    def add(result: int) -> None:
        nonlocal total
        total += result

    async def measure(run: Run) -> Measured:
        # What the first run loads stays: it is no part of a run's memory.
        await run(suspending(loop), integers(100), 16, lambda _: None)
        gc.collect()
        tracemalloc.start()
        await run(suspending(loop), integers(items), 16, add)
        return tracemalloc.get_traced_memory()[1] / 1024, total == items * (items + 1) // 2

    run = factory(on_trio=loop == "trio")
    assert run is not None
    return on_loop(loop, measure, run)


def price_of_an_item(contest: Contest, prefetches: Sequence[int]) -> Iterator[Cell]:
    for name, transform in {"suspends once": suspending(contest.loop), "does not suspend": straight}.items():
        for prefetch in prefetches:
            measure = item(transform, prefetch, contest.items)
            yield from contest.hold(f"An item, the transform {name}", f"prefetch {prefetch}", measure)


def price_of_a_block(contest: Contest) -> Iterator[Cell]:
    """Yield what a whole block costs, in time as well: the floor over no items costs next to nothing."""
    for items in (0, 1):
        measure = blocks(suspending(contest.loop), 16, items, max(1, contest.items // 20))
        for cell in contest.hold("Start and stop", f"over {items} items", measure):
            yield cell
            yield replace(cell, column=f"over {items} items, time", ratios=())


def price_in_memory(contest: Contest) -> Iterator[Cell]:
    items = 5 * contest.items
    for name, run in contest.runs.items():
        cell = Cell("Peak memory", name, f"{items:,} items", "KiB")
        if run is not None:
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
                figure, right = child.submit(peak_memory, CONTENDERS[name], contest.loop, items).result()
            cell = replace(cell, figures=(figure,), right=right)
        yield cell


def price_of_laws(contest: Contest) -> Iterator[Cell]:
    """Yield each step's ratio to the floor, and what it adds to the step before it."""
    for name, transform in {"suspends once": suspending(contest.loop), "does not suspend": straight}.items():
        cells = contest.hold("Law by law, prefetch 16", name, item(transform, 16, contest.items))
        yield from cells
        before: tuple[float, ...] = ()
        for cell in cells:
            added = tuple(map(sub, cell.figures, before))
            yield replace(cell, column=f"{name}, added", figures=added, ratios=())
            before = cell.figures or before


def markdown(cells: list[Cell]) -> str:
    """Return the tables: a row a contender, a column each of what was varied."""
    lines: list[str] = []
    for table in dict.fromkeys(cell.table for cell in cells):
        rows: dict[str, dict[str, Cell]] = {}
        for cell in cells:
            if cell.table == table:
                rows.setdefault(cell.contender, {})[cell.column] = cell
        columns = list(next(iter(rows.values())))
        lines += ["", f"**{table}**", "", f"| | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
        lines += [f"| {name} | {' | '.join(map(str, row.values()))} |" for name, row in rows.items()]
    return "\n".join(lines)


def arguments_of(command: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--items", type=int, default=20_000, help="items a run (%(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds (%(default)s)")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio", help="event loop (%(default)s)")
    parser.add_argument("--prefetch", type=int, action="append", help="may be repeated (1, 4, 16 and 64)")
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders (%(default)s)")
    parser.add_argument("--laws", action="store_true", help="measure what each law costs instead")
    parser.add_argument("--json", action="store_true", help="print every figure as JSON instead of tables")
    arguments = parser.parse_args(command)
    unknown = set(arguments.only.split(",")) - set(CONTENDERS)
    if unknown:
        parser.error(f"--only must name some of {', '.join(CONTENDERS)}, got {', '.join(sorted(unknown))}")
    return arguments


def main() -> None:
    arguments = arguments_of(sys.argv[1:])
    factories = LAWS if arguments.laws else {name: CONTENDERS[name] for name in arguments.only.split(",")}
    contest = Contest(arguments.loop, arguments.rounds, arguments.items, runs_of(factories, arguments.loop))
    cells: list[Cell] = []
    if arguments.laws:
        cells += price_of_laws(contest)
    else:
        cells += price_of_an_item(contest, arguments.prefetch or PREFETCH)
        cells += price_of_a_block(contest)
        cells += price_in_memory(contest)

    python = platform.python_version()
    if arguments.json:
        print(json.dumps({"python": python, "loop": contest.loop, "cells": [*map(asdict, cells)]}))
    else:
        print(f"Python {python}, {contest.loop}, {contest.items:,} items, {contest.rounds} rounds")
        print(markdown(cells))
    sys.exit(not all(cell.right for cell in cells))


if __name__ == "__main__":
    main()
