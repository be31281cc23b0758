"""Frames between the voice and its processes: bytes in, frames out.

A frame is one byte that names its kind, four bytes with the length of its payload (most significant first),
and the payload.

Rules kept here:

1. To each process one `Kind.SPEAK` at a time, and `Kind.STOP` at any time: it means the last one asked for.
2. From each process first `Kind.READY` or `Kind.FAILED`; then for each `Kind.SPEAK` any number of
   `Kind.AUDIO`, and one `Kind.DONE` or `Kind.FAILED`, stopped or not.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final, final

_HEAD: Final = struct.Struct("!cI")
# More than a book in text, 23 s of audio: whoever announces more writes something else than frames.
LONGEST_PAYLOAD_BYTES: Final = 1 << 20


class FrameError(ValueError):
    """What came in is no frame, or what was to go out does not fit in one."""


class Kind(Enum):
    """What a frame says."""

    SPEAK = b"S"
    STOP = b"X"
    READY = b"R"
    AUDIO = b"A"
    DONE = b"D"
    FAILED = b"F"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame.

    Attributes:
        kind: What it says.
        payload: The text of `Kind.SPEAK`, the reason of `Kind.FAILED` (both UTF-8) or the samples of
            `Kind.AUDIO`.
    """

    kind: Kind
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """Return *frame* as bytes.

    Raises:
        FrameError: Its payload is longer than `LONGEST_PAYLOAD_BYTES`.
    """
    length = len(frame.payload)
    if length > LONGEST_PAYLOAD_BYTES:
        raise FrameError(f"a payload must have at most {LONGEST_PAYLOAD_BYTES} bytes, got {length}")
    return _HEAD.pack(frame.kind.value, length) + frame.payload


@final
class Decoder:
    """Makes frames of bytes that come in, wherever they were cut."""

    def __init__(self) -> None:
        self._pending: bytearray = bytearray()

    def push(self, data: bytes) -> list[Frame]:
        """Take the next bytes and return the frames that they complete.

        Raises:
            FrameError: They are no frames. There is no way on from here.
        """
        self._pending += data
        frames: list[Frame] = []
        start = 0
        while len(self._pending) - start >= _HEAD.size:
            letter, length = _HEAD.unpack_from(self._pending, start)
            end = start + _HEAD.size + length
            try:
                kind = Kind(letter)
            except ValueError:
                raise FrameError(f"a frame must begin with its kind, got {self._seen(start)!r}") from None
            if length > LONGEST_PAYLOAD_BYTES:
                raise FrameError(
                    f"a payload must have at most {LONGEST_PAYLOAD_BYTES} bytes, got {self._seen(start)!r}"
                )
            if len(self._pending) < end:
                break
            frames.append(Frame(kind, bytes(self._pending[start + _HEAD.size : end])))
            start = end
        del self._pending[:start]
        return frames

    def _seen(self, start: int) -> bytes:
        return bytes(self._pending[start : start + 80])
