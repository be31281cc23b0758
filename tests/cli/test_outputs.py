import os
import resource
import wave
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._outputs import Listener, WavFile
from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.voice import AudioFormat

FORMAT = AudioFormat("s16le", 10)


def sound_in(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


def test_a_listener_hears_what_was_there_in_time_without_a_gap() -> None:
    async def main() -> None:
        listener = Listener(FORMAT)
        assert listener.started_s is None
        await anyio.sleep(1)
        first = await listener.write(bytes(2 * 20))
        await anyio.sleep(1.5)
        second = await listener.write(bytes(2 * 10))
        await listener.drain()
        listener.stop()

        assert listener.started_s == 1.0
        assert (first.first_sample, first.samples) == (0, 20)
        assert (second.first_sample, second.samples) == (20, 10)
        assert listener.heard_samples() == 30

    run_in_virtual_time(main)


def test_a_listener_waits_for_what_comes_late() -> None:
    async def main() -> None:
        listener = Listener(FORMAT)
        await listener.write(bytes(2 * 10))
        await anyio.sleep(1.5)

        assert (await listener.write(bytes(2))).first_sample == 15

    run_in_virtual_time(main)


def test_a_file_is_valid_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    with WavFile(str(path), FORMAT) as file:
        file.write(b"\1\2")
        assert sound_in(path) == b"\1\2"
        file.write(b"\3\4\5\6")
        assert sound_in(path) == b"\1\2\3\4\5\6"

    assert path.stat().st_size == 44 + 6


def test_what_was_in_the_file_stays_until_there_is_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"x" * 1000)

    with WavFile(str(path), FORMAT):
        pass
    assert path.read_bytes() == b"x" * 1000

    with WavFile(str(path), FORMAT) as file:
        file.write(b"\1\2")
    assert path.stat().st_size == 44 + 2
    assert sound_in(path) == b"\1\2"


def test_no_file_is_left_for_sound_that_did_not_come(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    with WavFile(str(path), FORMAT):
        assert path.exists()

    assert not path.exists()


@pytest.fixture
def little_room() -> Iterator[None]:
    """Let no file grow beyond 100 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
def test_a_full_disk_leaves_a_valid_file_of_what_fitted(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    with (
        pytest.raises(Failure, match=r"^'.*a.wav' cannot be written: File too large$") as raised,
        WavFile(str(path), AudioFormat("s16le", 10, 3)) as file,
    ):
        file.write(bytes(range(1, 49)))
        file.write(bytes(range(49, 97)))

    assert raised.value.status == Exit.UNWRITABLE
    # 56 bytes fitted behind the header, which are nine whole samples of three channels.
    assert sound_in(path) == bytes(range(1, 55))


def test_a_device_without_room_is_told_and_stays(tmp_path: Path) -> None:
    link = tmp_path / "full"
    link.symlink_to("/dev/full")

    with (
        pytest.raises(Failure, match="cannot be written: No space left on device"),
        WavFile(str(link), FORMAT) as file,
    ):
        file.write(b"\1\2")

    assert link.exists()


def test_a_file_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"^'.*nowhere.a.wav' cannot be written: No such file or directory$"):
        WavFile(str(tmp_path / "nowhere" / "a.wav"), FORMAT)
    with pytest.raises(Failure, match="cannot be written: Is a directory"):
        WavFile(str(tmp_path), FORMAT)


def test_a_pipe_is_no_file_that_stays_valid(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(Failure, match="cannot be written: "), WavFile(str(path), FORMAT) as file:
        file.write(b"\1\2")

    os.close(reader)
    assert path.exists()


def test_more_than_a_wav_file_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordered_pipeline.cli._outputs.MAX_DATA_BYTES", 3)
    path = tmp_path / "a.wav"

    with pytest.raises(Failure, match=r"a WAV file holds 4 GiB$"), WavFile(str(path), FORMAT) as file:
        file.write(b"\1\2")
        file.write(b"\3\4")

    assert sound_in(path) == b"\1\2"
