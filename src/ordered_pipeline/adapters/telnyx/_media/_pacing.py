"""Pacing: clips become whole frames, each with the instant from which it may be sent. Nothing waits here.

Rules kept here:

1. Frames that follow one another in time are a stretch: frame n of it plays at its start plus n frames. Two
   and two of them are due together, one lead before the first of them plays: to be woken costs more than to
   send. A stretch starts when something is there after all has been played.
2. A frame is always full. One clip's last bytes and the next one's first share it.
3. What is left at the end of a clip, if nothing follows, is filled up with silence as late as can be: when
   half of the lead is left. Inside a clip what does not fill a frame waits for more.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from ordered_pipeline.voice import AudioFormat

# The packets of a telephone line (RFC 3551, section 4.2), and the least that Telnyx takes.
FRAME_S: Final = 0.02
# How silence is written down; in 16 bit samples 0.
_SILENCE: Final = {"mulaw": b"\xff", "alaw": b"\xd5"}


@dataclass(eq=False, slots=True)
class Sound:
    """What is known of one clip's audio.

    Attributes:
        length_s: How long what was put so far sounds, in seconds.
        spans: From when to when it sounds, as far as it was sent: one span, or more if the audio came late.
    """

    length_s: float = 0.0
    spans: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def played_s(self, now_s: float) -> float:
        """Return how much of it has sounded by *now_s*, in seconds."""
        return sum(max(0.0, min(end_s, now_s) - start_s) for start_s, end_s in self.spans)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is to be sent at once.

    Attributes:
        data: A whole frame, or nothing.
        ended: The sounds that end in it, or before it; oldest first.
    """

    data: bytes
    ended: tuple[Sound, ...]


@dataclass(slots=True)
class _Piece:
    """Audio of a sound that waits; without any, the sound's end."""

    sound: Sound
    data: bytes
    offset: int = 0


class Pacing:
    """Audio that waits to be sent. Instants are the caller's: all on one clock.

    Attributes:
        end_s: When all that was sent has been played.
    """

    def __init__(self, audio_format: AudioFormat, *, lead_s: float) -> None:
        """Begin with nothing.

        Args:
            audio_format: Of all audio; samples, of which a frame holds a whole number.
            lead_s: How long before it plays a frame is sent, in seconds.
        """
        self._format: AudioFormat = audio_format
        self._lead_s: float = lead_s
        self._byte_rate: int = audio_format.sample_rate_hz * audio_format.step_bytes
        self._frame_bytes: int = round(FRAME_S * audio_format.sample_rate_hz) * audio_format.step_bytes
        # Spans less than half a sample apart are one: that is the rounding of sums.
        self._seam_s: float = 0.5 / audio_format.sample_rate_hz
        self._silence: bytes = _SILENCE.get(audio_format.encoding, b"\0")
        self._pieces: deque[_Piece] = deque()
        self._bytes: int = 0
        # The ends that wait among the pieces.
        self._ends: int = 0
        self._start_s: float = -math.inf
        self._frames: int = 0
        self.end_s: float = -math.inf
        # When the next frame plays, or the one with which it is due.
        self._pair_s: float = -math.inf

    @property
    def queued_s(self) -> float:
        """How long what waits will sound, in seconds."""
        return self._bytes / self._byte_rate

    def put(self, sound: Sound, data: bytes) -> None:
        """Append *data* to *sound*.

        Raises:
            ValueError: *data* ends inside a sample.
        """
        sound.length_s += self._format.duration_s(len(data))
        if data:
            self._pieces.append(_Piece(sound, data))
            self._bytes += len(data)

    def end(self, sound: Sound) -> None:
        """Say that no more of *sound* comes."""
        self._pieces.append(_Piece(sound, b""))
        self._ends += 1

    def due_s(self) -> float:
        """Return from when on `take` gives something; `math.inf` if more must come first."""
        if self._pieces and not self._pieces[0].data:
            return -math.inf
        if self._bytes >= self._frame_bytes:
            return self._pair_s - self._lead_s
        return self.end_s - self._lead_s / 2 if self._ends else math.inf

    def take(self, now_s: float) -> Frame | None:
        """Return what is to be sent at *now_s*, if anything is."""
        if now_s < self.due_s():
            return None
        ended: list[Sound] = []
        self._pass_ends(ended)
        data = b"" if ended else self._frame(now_s, ended)
        return Frame(data, tuple(ended))

    def drop(self) -> None:
        """Forget all that waits, and that anything is still to be played."""
        self._pieces.clear()
        self._bytes = 0
        self._ends = 0
        self.end_s = self._pair_s = -math.inf

    def _frame(self, now_s: float, ended: list[Sound]) -> bytes:
        """Return a frame, filled up if need be; it plays behind what was sent, or from now."""
        if self.end_s < now_s:
            self._start_s = self.end_s = self._pair_s = now_s
            self._frames = 0
        parts: list[bytes] = []
        filled = 0
        while filled < self._frame_bytes and self._pieces:
            piece = self._pieces[0]
            part = piece.data[piece.offset : piece.offset + self._frame_bytes - filled]
            parts.append(part)
            piece.offset += len(part)
            self._place(piece.sound, filled, len(part))
            filled += len(part)
            if piece.offset == len(piece.data):
                self._pieces.popleft()
                self._pass_ends(ended)
        self._bytes -= filled
        self._frames += 1
        # From the start, not from the frame before: sums drift.
        self.end_s = self._start_s + self._frames * FRAME_S
        if self._frames % 2 == 0:
            self._pair_s = self.end_s
        return b"".join(parts) + self._silence * (self._frame_bytes - filled)

    def _pass_ends(self, ended: list[Sound]) -> None:
        """Move the ends that are next to *ended*."""
        while self._pieces and not self._pieces[0].data:
            ended.append(self._pieces.popleft().sound)
            self._ends -= 1

    def _place(self, sound: Sound, offset: int, count: int) -> None:
        start_s = self.end_s + offset / self._byte_rate
        end_s = start_s + count / self._byte_rate
        spans = sound.spans
        if spans and start_s - spans[-1][1] < self._seam_s:
            spans[-1] = (spans[-1][0], end_s)
        else:
            spans.append((start_s, end_s))
