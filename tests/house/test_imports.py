"""What a fresh interpreter loads, and how long that takes."""

import json
import subprocess
import sys

import pytest

BUDGET_S = 0.060

SCRIPT = """
import json, sys, time
before = set(sys.modules)
start = time.process_time()
import ordered_pipeline
seconds = time.process_time() - start
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""


def import_in_a_fresh_interpreter() -> tuple[float, list[str]]:
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True, timeout=60
    )
    seconds, modules = json.loads(answer.stdout)
    return seconds, modules


def test_importing_the_package_loads_the_core_alone() -> None:
    _, modules = import_in_a_fresh_interpreter()

    ours = {name.split(".")[1] for name in modules if name.startswith("ordered_pipeline.")}
    assert ours == {"_errors", "_maps", "_parking", "_report", "_source", "_stage", "_window"}
    assert {"asyncio", "trio", "espeakng_loader", "miniaudio"}.isdisjoint(modules)


def test_importing_the_package_is_quick() -> None:
    # CPU time, which other load touches little; the least of many tries, so one within the budget settles it.
    tries = (import_in_a_fresh_interpreter()[0] for _ in range(30))

    assert any(seconds <= BUDGET_S for seconds in tries)


@pytest.mark.parametrize("module", ["adapters.telnyx", "testing.telnyx"])
@pytest.mark.parametrize("package", ["cryptography", "httpx"])
def test_without_its_packages_what_is_for_telnyx_says_what_to_install(module: str, package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; import ordered_pipeline.{module}"

    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert ran.stderr.splitlines()[-1].endswith("not installed; pip install 'ordered-pipeline[telnyx]'")
