"""What is read through text and sound is in `test_text` and `test_caller`."""

import os
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.cli._blocks import Blocks


def test_a_file_comes_in_blocks_and_ends_with_none(tmp_path: Path) -> None:
    path = tmp_path / "a"
    data = bytes(range(256)) * 500
    path.write_bytes(data)

    async def main() -> list[bytes]:
        blocks = Blocks(str(path))
        read = [await blocks.read() for _ in range(4)]
        blocks.close()
        return read

    read = anyio.run(main)

    assert b"".join(read) == data
    assert [len(block) for block in read] == [65536, 62464, 0, 0]


def test_a_pipe_comes_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    async def main() -> None:
        writer = os.open(path, os.O_RDWR)
        os.write(writer, b"one")
        blocks = Blocks(str(path))
        assert await blocks.read() == b"one"
        os.write(writer, b"two")
        assert await blocks.read() == b"two"
        blocks.close()
        os.close(writer)

    anyio.run(main)


def test_a_read_that_never_ends_keeps_nobody(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)

    async def main() -> None:
        with anyio.move_on_after(0.05) as scope:
            await Blocks(str(path)).read()
        assert scope.cancelled_caught

    anyio.run(main)
    # The thread still reads; what comes now is for nobody.
    os.write(writer, b"x")
    os.close(writer)


def test_a_file_that_cannot_be_opened_fails_at_the_read(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError):
            await Blocks(str(tmp_path / "nowhere")).read()

    anyio.run(main)
