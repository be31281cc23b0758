"""What may be committed, whatever it is about."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = subprocess.run(
    ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
).stdout.split("\0")[:-1]

# Paths of one machine, and of whoever sits at it.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:home|root|work|Users)/\w")


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_plain_text_that_names_no_machine(name: str) -> None:
    text = (ROOT / name).read_bytes().decode("utf-8")

    assert not MACHINE_PATH.search(text)
    assert "\r" not in text
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    assert text == "" or (text.endswith("\n") and not text.endswith("\n\n"))


def test_no_lock_file_is_committed() -> None:
    assert [name for name in FILES if name.endswith(".lock")] == []


def test_the_readme_shows_the_test_command_that_is_run_on_every_change() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")

    commands = re.findall(r"^\(?(pip install .* && nox)\b", script, re.MULTILINE)

    assert len(commands) == 1
    assert commands[0] in (ROOT / "README.md").read_text("utf-8")
