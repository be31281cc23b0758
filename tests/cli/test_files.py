import os
import resource
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._files import OutputFile, WavFile
from ordered_pipeline.voice import AudioFormat

FORMAT = AudioFormat("s16le", 10)


def sound_in(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


def test_a_wav_file_is_valid_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    with OutputFile(str(path)) as file:
        wav = WavFile(file, FORMAT)
        wav.write(b"\1\2")
        assert sound_in(path) == b"\1\2"
        wav.write(b"\3\4\5\6")
        assert sound_in(path) == b"\1\2\3\4\5\6"

    assert path.stat().st_size == 44 + 6


def test_what_was_in_a_file_stays_until_something_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 1000)

    with OutputFile(str(path)):
        pass
    assert path.read_bytes() == b"x" * 1000

    with OutputFile(str(path)) as file:
        file.write(b"12")
        file.write(b"34")
        file.write_over(b"5")
    assert path.read_bytes() == b"5234"


def test_no_file_is_left_for_what_did_not_come(tmp_path: Path) -> None:
    path = tmp_path / "a"

    with OutputFile(str(path)):
        assert path.exists()

    assert not path.exists()


@contextmanager
def little_room() -> Iterator[None]:
    """Let no file grow beyond 100 bytes; no longer than needed, for pytest may be writing to one as well."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_a_valid_wav_file_of_what_fitted(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    with (
        little_room(),
        pytest.raises(Failure, match=r"^'.*a.wav' cannot be written: File too large$") as raised,
        OutputFile(str(path)) as file,
    ):
        wav = WavFile(file, AudioFormat("s16le", 10, 3))
        wav.write(bytes(range(1, 49)))
        wav.write(bytes(range(49, 97)))

    assert raised.value.status == Exit.UNWRITABLE
    # 56 bytes fitted behind the header, which are nine whole samples of three channels.
    assert sound_in(path) == bytes(range(1, 55))


def test_a_device_without_room_is_told_and_stays(tmp_path: Path) -> None:
    link = tmp_path / "full"
    link.symlink_to("/dev/full")

    with (
        pytest.raises(Failure, match="cannot be written: No space left on device"),
        OutputFile(str(link)) as file,
    ):
        file.write(b"12")

    assert link.exists()


def test_a_file_that_cannot_be_opened_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(Failure, match=r"^'.*nowhere.a' cannot be written: No such file or directory$"):
        OutputFile(str(tmp_path / "nowhere" / "a"))
    with pytest.raises(Failure, match="cannot be written: Is a directory"):
        OutputFile(str(tmp_path))


def test_a_pipe_is_no_wav_file_that_stays_valid(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    with pytest.raises(Failure, match="cannot be written: "), OutputFile(str(path)) as file:
        WavFile(file, FORMAT).write(b"\1\2")

    os.close(reader)
    assert path.exists()


def test_more_than_a_wav_file_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordered_pipeline.cli._files.MAX_DATA_BYTES", 3)
    path = tmp_path / "a.wav"

    with pytest.raises(Failure, match=r"a WAV file holds 4 GiB$"), OutputFile(str(path)) as file:
        wav = WavFile(file, FORMAT)
        wav.write(b"\1\2")
        wav.write(b"\3\4")

    assert sound_in(path) == b"\1\2"
