from collections.abc import Iterator

import pytest

from tests.adapters.sound_server import SoundServer, running_sound_server


@pytest.fixture(scope="session")
def sound_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    with running_sound_server(tmp_path_factory.mktemp("sound")) as server:
        yield server
