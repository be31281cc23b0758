"""What a test leaves behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.adapters.sound_server import wait_until


def threads() -> set[str]:
    """Return this process's threads, those of native libraries included."""
    return {path.name for path in Path("/proc/self/task").iterdir()}


@contextmanager
def nothing_new(there: Callable[[], set[str]]) -> Iterator[None]:
    """Check that all that came inside the block goes soon after it. What was there before may go as well."""
    before = there()
    yield
    wait_until(lambda: there() <= before)
