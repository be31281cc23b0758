"""Audio values: bytes never travel without the format that gives them a length in seconds."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How audio bytes are to be read.

    Attributes:
        encoding: ``"s16le"``: signed 16 bit integers, low byte first, channels interleaved.
        sample_rate_hz: Samples a second, of each channel.
        channels: How many channels.
    """

    encoding: Literal["s16le"]
    sample_rate_hz: int
    channels: int = 1

    @property
    def step_bytes(self) -> int:
        """Bytes from one sample of a channel to the next of the same channel."""
        return 2 * self.channels

    def samples_per_channel(self, nbytes: int) -> int:
        """Return how many samples of each channel *nbytes* hold.

        Raises:
            ValueError: *nbytes* is negative or ends inside a sample.
        """
        samples, rest = divmod(nbytes, self.step_bytes)
        if rest or nbytes < 0:
            raise ValueError(
                f"nbytes must be a multiple of {self.step_bytes} and not negative, got {nbytes!r}"
            )
        return samples

    def duration_s(self, nbytes: int) -> float:
        """Return how long *nbytes* of this audio sound, in seconds.

        Raises:
            ValueError: *nbytes* is negative or ends inside a sample.
        """
        return self.samples_per_channel(nbytes) / self.sample_rate_hz


@dataclass(frozen=True, slots=True)
class Word:
    """A word and when it sounds, in seconds from the start of its segment."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of a segment's audio.

    Attributes:
        data: Whole samples, in the format its maker states.
        words: The words that end in this chunk, where the voice tells; oldest first.
    """

    data: bytes
    words: tuple[Word, ...] = ()
