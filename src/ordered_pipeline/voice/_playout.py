"""The playout: what waits to be heard, in order, and which sample of it sounded when.

Rules kept here:

1. Blocks sound in the order in which they were put, whole, with nothing between two that were there in time.
2. Whoever takes always gets as many samples as it asked for: what is missing is silence, and it is counted.
3. After silence, sound begins once `lead` samples wait, or the first of them has waited that long: a block
   that comes a moment before the next one would otherwise be cut off from it by the rest of one request.
4. One thread puts, one thread takes, and neither waits for the other. Each counter has one writer.
"""

from collections import deque
from dataclasses import dataclass

from ordered_pipeline.voice._audio import AudioFormat


@dataclass(eq=False, slots=True)
class Block:
    """Audio that was put into a playout.

    Attributes:
        samples: Its length, in samples per channel.
        first_sample: Its place in all that was taken, silence included; ``None`` while nothing of it has been
            taken.
    """

    samples: int
    first_sample: int | None = None


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
        self._step_bytes: int = audio_format.step_bytes
        self._format: AudioFormat = audio_format
        self._lead: int = round(lead_s * audio_format.sample_rate_hz)
        self._blocks: deque[tuple[Block, memoryview]] = deque()
        self._put: int = 0
        self._moved: int = 0
        self._taken: int = 0
        self._offset: int = 0
        self._waited: int = 0
        self._silent: bool = True
        self._finished: bool = False
        self._cleared: bool = False

    @property
    def queued(self) -> int:
        """Samples that wait to be taken."""
        return self._put - self._moved

    @property
    def taken(self) -> int:
        """Samples taken so far, silence included."""
        return self._taken

    def put(self, data: bytes) -> Block:
        """Append *data* and return the block that will tell where it sounded.

        Raises:
            ValueError: *data* ends inside a sample.
        """
        block = Block(self._format.samples_per_channel(len(data)))
        if block.samples:
            self._blocks.append((block, memoryview(data)))
            self._put += block.samples
        return block

    def finish(self) -> None:
        """Say that no more comes: what waits sounds without a lead. A later `put` still counts."""
        self._finished = True

    def clear(self) -> None:
        """From now on give silence only, whatever waits."""
        self._cleared = True

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
        if self._cleared or not self.queued:
            return True
        if self._silent:
            if not self._finished and max(self.queued, self._waited) < self._lead:
                self._waited += samples
                return True
            self._silent = False
            self._waited = 0
        return False

    def _move(self, samples: int, parts: list[memoryview | bytes]) -> int:
        """Move up to *samples* samples into *parts* and return how many are missing."""
        missing = samples
        while missing and self._blocks:
            block, data = self._blocks[0]
            if block.first_sample is None:
                block.first_sample = self._taken + samples - missing
            piece = min(missing, block.samples - self._offset)
            parts.append(data[self._offset * self._step_bytes : (self._offset + piece) * self._step_bytes])
            missing -= piece
            self._moved += piece
            self._offset += piece
            if self._offset == block.samples:
                self._blocks.popleft()
                self._offset = 0
        return missing
