"""The frames: what a device records in pieces of any size, cut to one length, waits to be taken.

Rules kept here:

1. Every sample is in one frame, and the frames are in order. When too many wait, the oldest gives way.
2. One thread puts, one thread takes, and neither waits for the other. Each counter has one writer: frames are
   numbered where they are put, and what is missing between two numbers is counted where they are taken.
"""

from collections import deque
from dataclasses import dataclass
from typing import final

from ordered_pipeline.voice import AudioFormat


@dataclass(frozen=True, slots=True)
class Frame:
    """A short piece of audio.

    Attributes:
        index: How many were recorded before it.
        begun_s: When its first sample was recorded.
        data: Its samples.
    """

    index: int
    begun_s: float
    data: bytes


@final
class Frames:
    """Frames that wait to be taken."""

    def __init__(self, audio_format: AudioFormat, *, samples: int, most: int) -> None:
        """Begin with none.

        Args:
            audio_format: The format of what is put.
            samples: How many samples of each channel a frame has; at least 1.
            most: How many frames may wait; at least 1.
        """
        self._format: AudioFormat = audio_format
        self._size_bytes: int = samples * audio_format.step_bytes
        self._waiting: deque[Frame] = deque(maxlen=most)
        self._rest: bytes = b""
        self._put: int = 0
        self._passed: int = 0
        self._dropped: int = 0

    @property
    def dropped(self) -> int:
        """How many frames gave way before the one that was taken last."""
        return self._dropped

    def put(self, data: bytes | bytearray, now_s: float) -> None:
        """Append *data*, whose last sample was recorded at *now_s*."""
        sound = self._rest + data
        whole = len(sound) - len(sound) % self._size_bytes
        for place in range(0, whole, self._size_bytes):
            begun_s = now_s - self._format.duration_s(len(sound) - place)
            self._waiting.append(Frame(self._put, begun_s, sound[place : place + self._size_bytes]))
            self._put += 1
        self._rest = sound[whole:]

    def take(self) -> Frame | None:
        """Return the oldest frame that waits; None if none does."""
        try:
            frame = self._waiting.popleft()
        except IndexError:
            return None
        self._dropped += frame.index - self._passed
        self._passed = frame.index + 1
        return frame
