"""The roles of a voice bot's services, as structural protocols: an adapter inherits from nothing here."""

import math
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ordered_pipeline.voice._audio import AudioChunk, AudioFormat
from ordered_pipeline.voice._clip import Clip
from ordered_pipeline.voice._talk import Message, Segment, Transcript, VoiceActivity


class LanguageModel(Protocol):
    """Writes replies."""

    def reply(self, messages: Sequence[Message], /) -> AsyncIterator[str]:
        """Return the reply to *messages* as text deltas; ``aclose``, where there is one, cancels it."""
        ...


class TextToSpeech(Protocol):
    """Speaks segments."""

    @property
    def format(self) -> AudioFormat:
        """The format of all chunks."""
        ...

    def synthesize(self, segment: Segment, /) -> AsyncIterator[AudioChunk]:
        """Return the audio of *segment*; work starts on the first ``__anext__``, ``aclose`` cancels it."""
        ...


class SpeechToText(Protocol):
    """Writes down what the caller says."""

    def transcribe(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[Transcript]:
        """Return what is said in *audio*, while it comes."""
        ...


class VoiceActivityDetector(Protocol):
    """Notices when the caller speaks, sooner than speech-to-text knows what is said."""

    def detect(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[VoiceActivity]:
        """Return when somebody speaks in *audio* and when nobody does any more, by turns, while it comes."""
        ...


@dataclass(frozen=True, slots=True)
class PlayerCapabilities:
    """What a player can do.

    Attributes:
        formats: The formats that it takes, the preferred one first; empty if it takes any.
        streaming: Whether it plays a clip whose end is not there yet.
        queue_ahead: How many clips it takes beyond the one that sounds; 0 if it takes the next one only when
            the last is over, `math.inf` for no limit.
        acknowledges: How it knows that a clip was heard: ``"marks"``: by the word of the other end;
            ``"clock"``: by its own clock; ``"nothing"``: it does not, its results are presumed.
        position_error_s: How far from the truth its positions may be, in seconds.
        plays_in_call: Whether taking a clip and playing it is one call, as with a plain function: what passes
            until it sounds is then put down to the call.
    """

    formats: tuple[AudioFormat, ...] = ()
    streaming: bool = True
    queue_ahead: float = math.inf
    acknowledges: Literal["marks", "clock", "nothing"] = "clock"
    position_error_s: float = 0.0
    plays_in_call: bool = False


@dataclass(frozen=True, slots=True)
class PlaybackResult:
    """How the playing of a clip ended.

    Attributes:
        outcome: ``"completed"``: heard to its end; ``"cleared"``; ``"failed"``; ``"presumed"``: should have
            been heard by now, but nobody said so.
        played_s: How much of it was heard, in seconds, as well as the player knows.
    """

    outcome: Literal["completed", "cleared", "failed", "presumed"]
    played_s: float


class Playback(Protocol):
    """One clip in a player. Its methods may be awaited by several tasks, and again."""

    async def started(self) -> float:
        """Return when its first sample sounds, on the event loop's clock; waits until it does.

        A clip that ends without any sound never starts; what waits here is then to be cancelled.
        """
        ...

    async def finished(self) -> PlaybackResult:
        """Return how it ended; waits until it has."""
        ...

    def position_s(self) -> float | None:
        """Return how much of it has sounded by now, in seconds; None if that is not known."""
        ...


class Player(Protocol):
    """Plays clips, one after another."""

    @property
    def capabilities(self) -> PlayerCapabilities:
        """What it can do."""
        ...

    async def play(self, clip: Clip, /) -> Playback:
        """Take *clip*, to be played after all others; returns when it is accepted, not when it was heard."""
        ...

    async def clear(self) -> None:
        """Be silent now: drop the clip that sounds and all that wait."""
        ...
