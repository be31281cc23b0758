"""The playout: what waits to be heard, in order, and which sample of it sounds where.

Rules kept here:

1. Blocks sound in the order in which they were filled, with nothing between two that were there in time.
2. Whoever takes always gets as many samples as it asked for: what is missing is silence, and it is counted.
3. After silence, sound begins once `lead` samples wait, or the first of them has waited that long: a piece
   that comes a moment before the next one would otherwise be cut off from it by the rest of one request.
4. One thread puts, one thread takes, and neither waits for the other. Each counter has one writer.
"""

from collections import deque
from dataclasses import dataclass, field

from ordered_pipeline.voice._audio import AudioFormat


@dataclass(eq=False, slots=True)
class Block:
    """Audio that belongs together: one clip's. Positions count all samples that were taken, silence included.

    Attributes:
        samples: How much was put so far, in samples per channel.
        is_whole: Whether all of it was put.
        spans: From where to where it sounds, as far as it was taken: one span, or more if it ran dry.
    """

    samples: int = 0
    is_whole: bool = False
    spans: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    @property
    def start(self) -> int | None:
        """The position of its first sample; None while nothing of it was taken."""
        return self.spans[0][0] if self.spans else None

    @property
    def end(self) -> int | None:
        """The position behind its last sample; None while not all of it was taken, or there is none."""
        if not self.is_whole or not self.spans or self.sounded(self.spans[-1][1]) < self.samples:
            return None
        return self.spans[-1][1]

    def sounded(self, position: int) -> int:
        """Return how many of its samples stand before *position*."""
        return sum(max(0, min(end, position) - start) for start, end in tuple(self.spans))


class Playout:
    """Audio that waits for a device which asks for so many samples at a time.

    Positions are in samples per channel, counted from the first that was ever taken.
    """

    def __init__(self, audio_format: AudioFormat, *, lead_s: float) -> None:
        """Make an empty playout.

        Args:
            audio_format: The format of everything put and taken.
            lead_s: How much audio is to wait before sound begins after silence, in seconds.
        """
        self._format: AudioFormat = audio_format
        self._step_bytes: int = audio_format.step_bytes
        self._lead: int = round(lead_s * audio_format.sample_rate_hz)
        self._pieces: deque[tuple[Block, memoryview]] = deque()
        self._put: int = 0
        self._moved: int = 0
        self._taken: int = 0
        self._sound_end: int = 0
        self._underruns: int = 0
        self._offset: int = 0
        self._waited: int = 0
        self._silent: bool = True

    @property
    def queued(self) -> int:
        """Samples that wait to be taken."""
        return self._put - self._moved

    @property
    def taken(self) -> int:
        """Samples taken so far, silence included."""
        return self._taken

    @property
    def sound_end(self) -> int:
        """The position behind the last sample taken that was no silence."""
        return self._sound_end

    @property
    def underruns(self) -> int:
        """How often silence came into a block, because the rest of it was not there in time."""
        return self._underruns

    def put(self, block: Block, data: bytes) -> None:
        """Append *data*, as a part of *block*.

        Raises:
            ValueError: *data* ends inside a sample.
        """
        samples = self._format.samples_per_channel(len(data))
        if samples:
            block.samples += samples
            self._pieces.append((block, memoryview(data)))
            self._put += samples

    def take(self, samples: int) -> bytes:
        """Return the next *samples* samples: audio where there is some, else silence."""
        parts: list[memoryview | bytes] = []
        missing = samples if self._holds_back(samples) else self._move(samples, parts)
        if missing:
            parts.append(bytes(missing * self._step_bytes))
            self._silent = True
        self._taken += samples
        return b"".join(parts)

    def _holds_back(self, samples: int) -> bool:
        if self.queued <= 0:
            return True
        if self._silent:
            if max(self.queued, self._waited) < self._lead:
                self._waited += samples
                return True
            self._silent = False
            self._waited = 0
        return False

    def _move(self, samples: int, parts: list[memoryview | bytes]) -> int:
        """Move up to *samples* samples into *parts* and return how many are missing."""
        missing = samples
        while missing and self._pieces:
            block, data = self._pieces[0]
            count = min(missing, len(data) // self._step_bytes - self._offset)
            parts.append(data[self._offset * self._step_bytes : (self._offset + count) * self._step_bytes])
            self._place(block, self._taken + samples - missing, count)
            missing -= count
            self._moved += count
            self._offset += count
            if self._offset * self._step_bytes == len(data):
                self._pieces.popleft()
                self._offset = 0
        return missing

    def _place(self, block: Block, position: int, count: int) -> None:
        if block.spans and block.spans[-1][1] == position:
            block.spans[-1] = (block.spans[-1][0], position + count)
        else:
            self._underruns += bool(block.spans)
            block.spans.append((position, position + count))
        self._sound_end = position + count
