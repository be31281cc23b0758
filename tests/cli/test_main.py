import subprocess
import sys
from importlib.metadata import version

import pytest

from ordered_pipeline.__main__ import main


def test_the_package_runs_as_a_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "ordered_pipeline", "--version"], capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout) == (0, f"ordered-pipeline {version('ordered-pipeline')}\n")


def test_the_status_is_returned(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["say", ""]) == 3

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "ordered-pipeline: there is no text: TEXT is empty\n")


def test_the_core_is_loaded_without_the_command() -> None:
    code = (
        "import sys, ordered_pipeline; print([m for m in sys.modules if m.startswith('ordered_pipeline.')])"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"cli", "voice", "wire", "adapters", "__main__"} & {
        name.split(".")[1]
        for name in eval(result.stdout)  # noqa: S307  # our own output
    }
