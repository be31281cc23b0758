"""What a reply costs when many calls are in one process, and how late its sound is: in real time.

How it measures:

1. A reply of ten sentences of eight words, a word each 100 ms; the voice takes 400 ms to its first audio, and
   1.5 s of audio follow, in one piece or in frames of 20 ms, four times as fast as they sound. Calls begin at
   random instants within 1.5 s.
2. The contenders take turns, round after round, each run in a process of its own. `services` only takes what
   the language model and the voice give, `bare` is a loop by hand, `ours` is `speak`. All have the same
   services, `bare` and `ours` the same player.
3. CPU time is that of the whole process, divided by the calls, the services' own included. A ratio is taken
   between two runs of one round. A cell shows the median of the rounds.
4. Late is how much later a sentence begins to sound than the same code has it in virtual time, where nothing
   takes time but what the services state. Silence is what the caller hears between sentences, and is 0 there.
5. Memory is how much the process grew at most, audio that is kept included, divided by the calls.

Run it: ``python benchmarks/concurrency.py``, on a quiet machine, a quarter of an hour. In seconds, with short
replies: ``python benchmarks/concurrency.py --quick``.
"""

import argparse
import asyncio
import json
import multiprocessing
import platform
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from statistics import median
from typing import Final

import _bare
import _ours
from _crowd import Figures, Speak, alone, crowd
from _line import LineVoice
from _services import Call, Script

from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.voice import Segment

COST: Final = ("CPU time a reply", "to the bare loop's")
COLUMNS: Final = (*COST, "late, p95", "at most", "silence a call", "memory a reply")

WHOLE: Final = Script(sentences=10)
FRAMES: Final = replace(WHOLE, chunk_s=0.02, chunk_every_s=0.005)


async def take_services(call: Call) -> None:
    """Take what the services of a call give, sentence by sentence at once, and do nothing else."""
    voice = LineVoice(call)

    async def fetch(segment: Segment) -> None:
        async for chunk in voice.synthesize(segment):
            call.line.put(chunk.data)

    async with asyncio.TaskGroup() as tasks:
        sentence = ""
        async for delta in call.deltas():
            sentence += delta
            if delta.endswith("."):
                tasks.create_task(fetch(Segment(0, sentence)))
                sentence = ""


CONTENDERS: Final[dict[str, Speak]] = {"services": take_services, "bare": _bare.speak, "ours": _ours.speak}


@dataclass(frozen=True, slots=True)
class Contest:
    """One table: so many calls, with such services."""

    title: str
    calls: int
    script: Script

    def hold(self, rounds: int) -> dict[str, list[Figures]]:
        """Let the contenders take turns; return what each showed, round by round."""
        shown: dict[str, list[Figures]] = {name: [] for name in CONTENDERS}
        for _ in range(rounds):
            for name, figures in shown.items():
                with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
                    figures.append(child.submit(measure, name, self.calls, self.script).result())
        return shown


def measure(name: str, calls: int, script: Script) -> Figures:
    """Return what a contender shows; for a process of its own."""
    speak = CONTENDERS[name]
    expected = run_in_virtual_time(alone, speak, script)
    return asyncio.run(crowd(speak, script, calls, expected))


def contests(*, quick: bool) -> list[Contest]:
    """Return the tables; quick ones have replies that are over soon."""
    sizes = (
        ("a sentence at a time", WHOLE, (100, 400, 1000)),
        ("20 ms at a time", FRAMES, (100, 400)),
    )
    if quick:
        return [
            Contest(
                f"4 calls, {name}", 4, replace(script, sentences=3, word_s=0.01, tts_s=0.04, audio_s=0.15)
            )
            for name, script, _ in sizes
        ]
    return [
        Contest(f"{calls:,} calls, {name}", calls, script) for name, script, many in sizes for calls in many
    ]


def rows(shown: dict[str, list[Figures]]) -> Iterator[list[str]]:
    """Yield the cells of each contender."""
    for name, figures in shown.items():
        ratios = [mine.cpu_ms / bare.cpu_ms for mine, bare in zip(figures, shown["bare"], strict=True)]
        ratio = f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        # What only takes the services is in no order, and nobody hears it.
        times = ["-"] * 3
        if name != "services":
            times = [f"{middle(figures, time):.1f} ms" for time in ("late_ms", "latest_ms", "silence_ms")]
            if not all(each.is_right for each in figures):
                times = ["WRONG"] * 3
        cpu, memory = f"{middle(figures, 'cpu_ms'):.1f} ms", f"{middle(figures, 'memory_kib'):,.0f} KiB"
        yield [name, cpu, "1" if name == "bare" else ratio, *times, memory]


def middle(figures: Sequence[Figures], name: str) -> float:
    return float(median(map(attrgetter(name), figures)))


def markdown(title: str, shown: dict[str, list[Figures]]) -> str:
    lines = [f"**{title}**", "", f"| | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows(shown))])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument("--only", type=int, action="append", help="only with so many calls; may be repeated")
    parser.add_argument("--quick", action="store_true", help="four calls with short replies")
    parser.add_argument("--json", action="store_true", help="print every figure as JSON instead of tables")
    arguments = parser.parse_args()

    held = {
        contest.title: contest.hold(arguments.rounds)
        for contest in contests(quick=arguments.quick)
        if not arguments.only or contest.calls in arguments.only
    }
    if arguments.json:
        tables = {
            title: {name: [*map(asdict, figures)] for name, figures in shown.items()}
            for title, shown in held.items()
        }
        print(json.dumps({"python": platform.python_version(), "tables": tables}))
    else:
        print(f"Python {platform.python_version()}, asyncio, {arguments.rounds} rounds\n")
        print("\n\n".join(markdown(title, shown) for title, shown in held.items()))
    sys.exit(not all(each.is_right for shown in held.values() for each in shown["ours"] + shown["bare"]))


if __name__ == "__main__":
    main()
