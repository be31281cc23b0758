import signal
from collections.abc import Iterator

import pytest

from tests.adapters.conftest import ahead_of_others, sound_server

__all__ = ["ahead_of_others", "sound_server"]


@pytest.fixture(scope="package", autouse=True)
def heeded_interrupts() -> Iterator[None]:
    """Let the processes that are started here heed Ctrl-C, though these tests may run in the background.

    A shell starts what is to run there with SIGINT ignored, and a process hands that down to its children.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
