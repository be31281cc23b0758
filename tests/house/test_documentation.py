"""The pages do what they say: their Python runs, their tables are what the benchmarks print."""

import ast
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sybil import Example
from sybil.document import Document
from sybil.parsers.myst import CodeBlockParser, SkipParser

from ordered_pipeline.testing import run_in_virtual_time

ROOT = Path(__file__).parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in sorted(
        [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
    )
    if "_build" not in path.parts
}

# A benchmark's tables stand between the command that prints them and an end:
# <!-- benchmark: overhead.py --loop trio --> ... <!-- end -->
# With "some of" before it, some of the rows and columns stand there, of a benchmark in virtual time.
BENCHMARK = re.compile(
    r"<!-- (?P<part>some of )?benchmark: (?P<command>.+?) -->\n(?P<text>.*?)<!-- end -->", re.DOTALL
)
NUMBER = re.compile(r"\d[\d.,]*")
# What makes a benchmark short; the others run in virtual time and are short as they are.
SHORT = {
    "comparison.py": ("--items", "100", "--rounds", "1"),
    "concurrency.py": ("--quick",),
    "overhead.py": ("--items", "100", "--rounds", "1"),
    "segments.py": ("--items", "100", "--rounds", "1"),
}


def run_block(example: Example) -> None:
    """Run a code block in its page's namespace, and what it awaits, in virtual time."""
    run(example, example.parsed)


def run_change(example: Example) -> None:
    """Run what stands before a change and what stands after it."""
    lines = example.parsed.splitlines()
    for side in "-+":
        run(example, "\n".join(line[1:] if line[:1] in {"", " ", side} else "" for line in lines))


def run(example: Example, text: str) -> None:
    source = "\n" * (example.line + example.parsed.line_offset) + text
    code = compile(source, example.path, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        run_in_virtual_time(lambda: eval(code, example.namespace))  # noqa: S307  # our own pages
    else:
        exec(code, example.namespace)  # noqa: S102  # our own pages


@pytest.mark.parametrize("page", PAGES)
def test_the_python_on_a_page_runs_from_top_to_bottom_and_prints_what_is_shown(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def compare(example: Example) -> None:
        printed = capsys.readouterr().out.strip("\n")
        if printed:
            # What the reader need not see was printed before.
            assert printed[-len(example.parsed.strip("\n")) :] == example.parsed.strip("\n")

    blocks = {"python": run_block, "diff": run_change, "text": compare}
    parsers = [CodeBlockParser(language, evaluate) for language, evaluate in blocks.items()]

    for example in Document.parse(str(PAGES[page]), *parsers, SkipParser()):
        example.evaluate()


def tables(text: str) -> Iterator[list[list[str]]]:
    """Yield the cells of each Markdown table, row by row, those of its head first."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines())
        yield [head, *rows]


def shapes(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the columns and the row names of each table, numbers in them left out."""
    for head, *rows in tables(text):
        yield [NUMBER.sub("#", name) for name in head], [NUMBER.sub("#", row[0]) for row in rows]


def cells(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield each cell of the tables, behind the names of its row and its column."""
    for head, *rows in tables(text):
        for name, *row in rows:
            yield from ((name, column, cell) for column, cell in zip(head[1:], row, strict=True))


def shown(*, parts: bool) -> Iterator[tuple[str, str, str]]:
    """Yield page, command and text of each benchmark that is shown, in part or as a whole."""
    for page, path in PAGES.items():
        for found in BENCHMARK.finditer(path.read_text("utf-8")):
            if bool(found["part"]) == parts:
                yield page, found["command"], found["text"]


def printed(command: str) -> str:
    script, *arguments = shlex.split(command)
    return subprocess.run(
        [sys.executable, ROOT / "benchmarks" / script, *arguments, *SHORT.get(script, ())],
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    ).stdout


@pytest.mark.parametrize(("page", "command", "text"), list(shown(parts=False)))
def test_a_table_has_the_rows_and_columns_that_its_benchmark_prints(
    page: str, command: str, text: str
) -> None:
    expected = list(shapes(printed(command)))

    assert list(shapes(text)), page
    assert [shape for shape in shapes(text) if shape not in expected] == []


@pytest.mark.parametrize(("page", "command", "text"), list(shown(parts=True)))
def test_a_part_of_a_table_has_the_numbers_that_its_benchmark_prints(
    page: str, command: str, text: str
) -> None:
    assert list(cells(text)), page
    assert {*cells(text)} <= {*cells(printed(command))}
