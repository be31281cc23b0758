"""What the tests of processes share."""

import os
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
    pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return {pid for pid in pids if _parent(pid) == os.getpid()}


def _parent(pid: int) -> int | None:
    """Return who has started a process, or None if it is gone."""
    try:
        return int(_fields(pid)[1])
    except (FileNotFoundError, ProcessLookupError):
        return None


def _fields(pid: int) -> list[str]:
    """Return what is told of a process after its name, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text("ascii", errors="replace").rpartition(")")[2].split()


def cpu_s(pid: int) -> float:
    """Return how much a process has worked."""
    fields = _fields(pid)
    return (int(fields[11]) + int(fields[12])) / 100
