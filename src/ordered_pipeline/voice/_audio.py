"""Audio values: bytes never travel without the format that gives them a length in seconds."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Encoding: TypeAlias = Literal["s16le", "mulaw", "alaw", "wav", "mp3"]

# Bytes of one sample of one channel. The containers hold headers, and in MP3 no bytes for a sample.
_SAMPLE_BYTES: Final[dict[str, int]] = {"s16le": 2, "mulaw": 1, "alaw": 1}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """How audio bytes are to be read.

    Attributes:
        encoding: ``"s16le"``: signed 16 bit integers, low byte first, channels interleaved; ``"mulaw"`` and
            ``"alaw"``: one byte a sample, G.711; ``"wav"`` and ``"mp3"``: whole files.
        sample_rate_hz: Samples a second, of each channel; at least 1.
        channels: How many channels; at least 1.

    Raises:
        ValueError: A value is none of these.
    """

    encoding: Encoding
    sample_rate_hz: int
    channels: int = 1

    def __post_init__(self) -> None:
        if self.encoding not in get_args(Encoding):
            names = ", ".join(map(repr, get_args(Encoding)))
            raise ValueError(f"encoding must be one of {names}, got {self.encoding!r}")
        for name, value in (("sample_rate_hz", self.sample_rate_hz), ("channels", self.channels)):
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")

    @property
    def is_container(self) -> bool:
        """Whether the bytes are whole files, whose length in seconds their size does not tell."""
        return self.encoding not in _SAMPLE_BYTES

    @property
    def step_bytes(self) -> int:
        """Bytes from one sample of a channel to the next of the same channel.

        Raises:
            ValueError: The encoding is a container.
        """
        if self.is_container:
            raise ValueError(f"the size of {self.encoding} files does not tell how long they sound")
        return _SAMPLE_BYTES[self.encoding] * self.channels

    def samples_per_channel(self, nbytes: int) -> int:
        """Return how many samples of each channel *nbytes* hold.

        Raises:
            ValueError: *nbytes* is negative or ends inside a sample, or the encoding is a container.
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
            ValueError: *nbytes* is negative or ends inside a sample, or the encoding is a container.
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
