"""What is said and heard, as text: segments, transcripts, messages, and how much of a reply was heard."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of reply text that is sent to text-to-speech at once.

    Attributes:
        index: Its place in the reply, from 0.
        text: What is to be spoken, white space at its ends included.
        previous_text: The text of the segment before it, for voices that carry their intonation on.
        turn: Which turn of a conversation it belongs to.
    """

    index: int
    text: str
    previous_text: str = ""
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Transcript:
    """What speech-to-text tells of the caller.

    Attributes:
        text: The words; empty where *kind* has none.
        kind: ``"speech_started"``; ``"partial"``: may still change; ``"eager_final"``: very likely the end of
            the turn, taken back by ``"resumed"``; ``"final"``: the turn is over.
        start_s: When the words began, in seconds from the start of the audio, where that is known.
        end_s: When they ended.
    """

    text: str
    kind: Literal["speech_started", "partial", "eager_final", "resumed", "final"]
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """What a voice activity detector tells of the caller.

    Attributes:
        kind: ``"started"``: somebody speaks; ``"stopped"``: nobody does any more.
        at_s: When that was, in seconds from the start of the audio.
    """

    kind: Literal["started", "stopped"]
    at_s: float


@dataclass(frozen=True, slots=True)
class Message:
    """One entry of a conversation's history, as language models take it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class HeardText:
    """What of a reply was heard; *text* and *unheard* joined are everything that was generated.

    Attributes:
        text: What was heard, up to the last whole word.
        unheard: The rest.
        method: How the border was found, by its weakest part: ``"marks"``: the player's word that clips were
            over; ``"words"``: the voice's word times; ``"rate"``: characters, spread evenly over the audio.
        error_s: How far from the truth the border may be, in seconds of speech.
    """

    text: str
    unheard: str
    method: Literal["marks", "words", "rate"]
    error_s: float
