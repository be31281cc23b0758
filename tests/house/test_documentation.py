"""The pages do what they say: their Python runs, their tables are of the shape that the benchmarks print."""

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
BENCHMARK = re.compile(r"<!-- benchmark: (?P<command>.+?) -->\n(?P<text>.*?)<!-- end -->", re.DOTALL)
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
    source = "\n" * (example.line + example.parsed.line_offset) + example.parsed
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

    parsers = CodeBlockParser("python", run_block), CodeBlockParser("text", compare), SkipParser()

    for example in Document.parse(str(PAGES[page]), *parsers):
        example.evaluate()


def shapes(text: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the columns and the row names of each Markdown table, numbers in them left out."""
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        head, _, *rows = (
            [NUMBER.sub("#", cell.strip()) for cell in line.split("|")[1:-1]] for line in table.splitlines()
        )
        yield head, [row[0] for row in rows]


def commands() -> Iterator[tuple[str, str, str]]:
    for page, path in PAGES.items():
        for found in BENCHMARK.finditer(path.read_text("utf-8")):
            yield page, found["command"], found["text"]


@pytest.mark.parametrize(("page", "command", "text"), list(commands()))
def test_a_table_has_the_rows_and_columns_that_its_benchmark_prints(
    page: str, command: str, text: str
) -> None:
    script, *arguments = shlex.split(command)

    printed = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / script, *arguments, *SHORT.get(script, ())],
        check=True,
        capture_output=True,
        text=True,
        timeout=240,
    ).stdout

    shown = list(shapes(text))
    assert shown, page
    assert [shape for shape in shown if shape not in shapes(printed)] == []
