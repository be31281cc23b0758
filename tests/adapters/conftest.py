import os
from collections.abc import Iterator

import pytest

from tests.adapters.sound_server import SoundServer, run_ahead, running_sound_server


@pytest.fixture(scope="session")
def sound_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    with running_sound_server(tmp_path_factory.mktemp("sound")) as server:
        yield server


@pytest.fixture
def ahead_of_others() -> Iterator[None]:
    """Let a test run before all others, where it may, as its sound server and its recorder do.

    What plays or hears to the sample must not be held up for longer than its buffer lasts. How it is on a
    machine whose threads are is up to the machine.
    """
    run_ahead(0)
    yield
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
