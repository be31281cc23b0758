"""What the tests of processes share."""

import sys
from pathlib import Path

# The interpreter alone: it is there in 20 ms.
_PYTHON = (sys.executable, "-I", "-S")
_SCRIPT = str(Path(__file__).with_name("scripted_process.py"))


def scripted(*arguments: str) -> tuple[str, ...]:
    """Return the command of a scripted process."""
    return (*_PYTHON, _SCRIPT, *(arguments or ("ready",)))


def is_gone(pid: int) -> bool:
    """Tell whether a process of this one has ended and was waited for."""
    return not Path(f"/proc/{pid}").exists()


def children() -> set[int]:
    """Return the processes that this one has started and not waited for."""
    tasks = Path("/proc/self/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text("ascii").split()}


def cpu_s(pid: int) -> float:
    """Return how much a process has worked."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
