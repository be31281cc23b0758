"""What a conversation tells."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ordered_pipeline.voice._talk import HeardText
from ordered_pipeline.voice._timeline import Timeline

Role: TypeAlias = Literal["stt", "vad", "llm", "tts", "player"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A reply that is over: spoken, interrupted or failed.

    Attributes:
        index: Which turn it was, from 0; the greeting counts.
        said: The caller's message that it answers, all that he has said since he last heard an answer; empty
            for the greeting.
        heard: What of it was heard; of the apology, if that was spoken in its place.
        timeline: What happened in it, or in the apology. Its zero is the end of the caller's speech, where
            speech-to-text tells that.
        error: What it failed with; None if it did not, or if only some of its segments did, as *timeline*
            tells.
    """

    index: int
    said: str
    heard: HeardText
    timeline: Timeline
    error: Exception | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFailure:
    """A service failed, and the conversation goes on.

    Attributes:
        role: Which one.
        error: What it failed with.
        at_s: When that was noticed, on the event loop's clock.
    """

    role: Role
    error: Exception
    at_s: float
