"""How well text is cut into sentences while it comes, next to the splitters that voice frameworks use.

How it measures:

1. The corpus is `_segment_cases.txt`: texts cut by hand. A case is right if all of its sentences are, and
   no other; white space is not compared. The held-out part was written before our rules were.
2. Each text is fed in four ways: character by character, by three characters, by words, and whole. Nobody is
   told when to give out what is held, except by the end of the text.
3. The delay is how many characters after the last one of a sentence must have come until it is given out,
   fed character by character: the mean over all sentences but the last of each text that the contender found.
4. Time is CPU time for each character of the corpus, fed character by character and by words: the least of
   the rounds.

Run it: ``python benchmarks/segments.py``, in an environment with the dependency group ``segments-bench``. Who
is not installed is shown as missing.
"""

import argparse
import gc
import json
import math
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import accumulate
from pathlib import Path
from statistics import mean
from typing import Final

from _splitters import CONTENDERS, Factory, Split, sentences_alone

CASES: Final = Path(__file__).with_name("_segment_cases.txt")
PARTS: Final = ("tuned", "held-out")
FEEDINGS: Final = ("characters", "by 3", "words", "whole")
PACKAGES: Final = {
    "Pipecat (sentencex)": ("pipecat-ai", "sentencex"),
    "LiveKit (blingfire)": ("livekit-agents", "livekit-blingfire"),
    "openai-agents": ("openai-agents",),
    "stream2sentence": ("stream2sentence",),
    "sentence-stream": ("sentence-stream",),
    "pysbd": ("pysbd",),
}


@dataclass(frozen=True, slots=True)
class Case:
    """A text, and the sentences that a person cut it into."""

    part: str
    language: str
    sentences: tuple[str, ...]

    @property
    def text(self) -> str:
        return "".join(self.sentences)


@dataclass(slots=True)
class Row:
    """What one contender made of the corpus; nothing of it if it is not installed."""

    contender: str
    missing: bool = False
    right: dict[str, dict[str, int]] = field(default_factory=dict)
    delay_characters: float = math.nan
    character_us: dict[str, float] = field(default_factory=dict)
    wrong: list[list[str]] = field(default_factory=list)


def read_cases(text: str) -> list[Case]:
    cases: list[Case] = []
    part = language = ""
    for line in text.splitlines():
        if section := re.fullmatch(r"\[([a-z-]+) ([a-z]+)\]", line):
            part, language = section.groups()
        elif line and not line.startswith("//"):
            plain = line.replace("\\n", "\n").replace("\\xa0", "\xa0")
            cases.append(Case(part, language, tuple(plain.split("¦"))))
    return cases


def deltas_of(text: str, feeding: str) -> Sequence[str]:
    if feeding == "words":
        return re.findall(r"\s*\S+|\s+\Z", text)
    size = {"characters": 1, "by 3": 3, "whole": len(text)}[feeding]
    return [text[start : start + size] for start in range(0, len(text), size)]


def bare(text: str) -> str:
    return "".join(text.split())


def is_right(case: Case, sentences: Iterable[str]) -> bool:
    return [found for found in map(bare, sentences) if found] == [*map(bare, case.sentences)]


def delays(split: Split, case: Case) -> Iterator[int]:
    """Yield how many characters too late each sentence but the last came, of those that came."""
    read = 0

    def characters() -> Iterator[str]:
        nonlocal read
        for read, character in enumerate(case.text, 1):  # noqa: B007  # read by who asks how far it is
            yield character

    ends = list(accumulate(len(sentence) for sentence in case.sentences))[:-1]
    # By how many characters that are no white space stand before it: who strips is found as well.
    end_of = {len(bare(case.text[:end])): len(case.text[:end].rstrip()) for end in ends}
    given = 0
    for sentence in split(characters()):
        given += len(bare(sentence))
        if given in end_of:
            yield read - end_of[given]


def compete(contender: str, factory: Factory, cases: Sequence[Case], *, rounds: int, timed: int) -> Row:
    try:
        splits = {case.language: factory(case.language) for case in cases}
    except ImportError:
        return Row(contender, missing=True)
    row = Row(contender, right={part: dict.fromkeys(FEEDINGS, 0) for part in PARTS})
    for case in cases:
        split = splits[case.language]
        found = {feeding: list(split(deltas_of(case.text, feeding))) for feeding in FEEDINGS}
        for feeding, sentences in found.items():
            row.right[case.part][feeding] += is_right(case, sentences)
        if not is_right(case, found["characters"]):
            row.wrong.append(found["characters"])
    row.delay_characters = mean(late for case in cases for late in delays(splits[case.language], case))
    for feeding in ("characters", "words"):
        fed = [(splits[case.language], deltas_of(case.text, feeding)) for case in cases[:timed]]
        gc.collect()
        spent = min(cpu_time(fed) for _ in range(rounds))
        row.character_us[feeding] = spent / sum(len(case.text) for case in cases[:timed]) * 1e6
    return row


def cpu_time(fed: Sequence[tuple[Split, Sequence[str]]]) -> float:
    start = time.process_time()
    for split, deltas in fed:
        for _ in split(deltas):
            pass
    return time.process_time() - start


@dataclass(frozen=True, slots=True)
class Early:
    """How often `pending` says "ended" right after the last character of a sentence, and inside one."""

    sentences: int
    told: int
    inside: int


def early(cases: Sequence[Case]) -> Early:
    """Count what `pending` says of sentences, fed character by character, the last of each text left out."""
    sentences = told = inside = 0
    for case in cases:
        ends = {len(case.text[:end].rstrip()) for end in accumulate(map(len, case.sentences))}
        splitter = sentences_alone(case.language)
        last = max(ends)
        sentences += len(ends) - 1
        for position, character in enumerate(case.text, 1):
            splitter.push(character)
            if splitter.pending == "ended" and not character.isspace() and position != last:
                told += position in ends
                # Before the rest of a run of stops and closers, nobody can know.
                inside += position not in ends and case.text[position].isspace()
    return Early(sentences, told, inside)


def table(rows: Sequence[Row], cases: Sequence[Case]) -> Iterator[str]:
    sizes = {part: sum(case.part == part for case in cases) for part in PARTS}
    heads = [f"{part}, {feeding}" for part in PARTS for feeding in FEEDINGS]
    yield "| | " + " | ".join([*heads, "delay", "µs, characters", "µs, words"]) + " |"
    yield "|---|" + "---:|" * (len(heads) + 3)
    for row in rows:
        cells = ["missing"] * (len(heads) + 3)
        if not row.missing:
            cells = [str(row.right[part][feeding]) for part in PARTS for feeding in FEEDINGS]
            cells += [f"{row.delay_characters:.1f}", *(f"{us:.2f}" for us in row.character_us.values())]
        yield f"| {row.contender} | " + " | ".join(cells) + " |"
    yield "| of | " + " | ".join(str(sizes[part]) for part in PARTS for _ in FEEDINGS) + " | | | |"


def languages(cases: Sequence[Case], row: Row) -> Iterator[str]:
    yield f"{len(cases)} cases in {len({case.language for case in cases})} languages."
    found = early(cases)
    yield ""
    yield (
        f'Of {found.sentences} sentences before the last of a text, ours says "ended" of {found.told} '
        f"as soon as the last character is there, and {found.inside} times inside a sentence."
    )
    if row.wrong:
        yield ""
        yield f"What ours cuts otherwise than a person, {len(row.wrong)} texts, a `¦` at each cut it makes:"
        yield ""
        yield "```text"
        for sentences in row.wrong:
            yield "¦".join(sentences).replace("\n", "\\n").replace("\xa0", "\\xa0")
        yield "```"


def versions() -> str:
    found: list[str] = []
    for package in sorted({package for packages in PACKAGES.values() for package in packages}):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} missing")
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print data, not tables")
    parser.add_argument("--only", metavar="NAME", action="append", help="measure this contender alone")
    parser.add_argument("--rounds", type=int, default=5, help="how often time is measured")
    parser.add_argument(
        "--items", type=int, default=10_000, help="how many cases time is measured with, at most"
    )
    options = parser.parse_args()

    cases = read_cases(CASES.read_text("utf-8"))
    rows = [
        compete(name, factory, cases, rounds=options.rounds, timed=options.items)
        for name, factory in CONTENDERS.items()
        if not options.only or name in options.only
    ]
    if options.json:
        print(json.dumps({"rows": [asdict(row) for row in rows], "early": asdict(early(cases))}))
        return
    print(versions())
    print()
    print("\n".join(table(rows, cases)))
    print()
    mine = next((row for row in rows if row.contender == "ours"), None)
    if mine:
        print("\n".join(languages(cases, mine)))


if __name__ == "__main__":
    main()
