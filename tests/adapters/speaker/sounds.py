"""What the tests of speaker and microphone play and say."""

import random
from collections.abc import Mapping

import pytest

from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, Segment
from tests.adapters.sound_server import RATE_HZ

FORMAT = AudioFormat("s16le", RATE_HZ)


def noise(seconds: float, *, rate_hz: int = RATE_HZ) -> bytes:
    """Return sound in which every place is different, and no sample is silent."""
    numbers = random.Random(seconds)  # noqa: S311  # no secret
    return bytes(numbers.randrange(1, 256) for _ in range(2 * round(seconds * rate_hz)))


def clip_of(*data: bytes, is_whole: bool = True) -> Clip:
    """Return a clip of these chunks, with or without its end."""
    clip = Clip(Segment(0, "Hello."), FORMAT, [AudioChunk(piece) for piece in data])
    if is_whole:
        clip.end()
    return clip


def pieces_of(sound: bytes, samples: int) -> list[bytes]:
    """Return *sound* in pieces of so many samples."""
    return [sound[place : place + 2 * samples] for place in range(0, len(sound), 2 * samples)]


def enter(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process use the sound server of *environment*."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
