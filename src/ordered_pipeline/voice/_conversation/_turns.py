"""Turn-taking as a pure state machine: what is heard goes in, what is to be done comes out.

Rules kept here:

1. There is one reply at a time. Whoever runs the machine and is told to stop it does so, and then calls
   `over` before anything else.
2. The history has what the caller said as soon as he has ended his turn, and what he heard as soon as the
   reply is over. Messages of one party in a row are joined.
3. A speculative reply leaves no trace in the history unless it is confirmed.
4. A message of the caller of whose answer nothing was heard is unanswered. What he says next continues it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, NamedTuple, TypeAlias

from ordered_pipeline.voice._talk import Message

# What speech-to-text adds to the same words when it is sure of them.
_PUNCTUATION: Final = ".,;:!?'\"()[]-…“”„‘’«»–—¡¿、。，．！？：；「」『』।؟،؛"  # noqa: RUF001  # as they are


TranscriptKind: TypeAlias = Literal["speech_started", "partial", "eager_final", "resumed", "final"]
VoiceActivityKind: TypeAlias = Literal["started", "stopped"]


@dataclass(frozen=True, slots=True)
class Said:
    """What speech-to-text tells of the caller; times are on the event loop's clock.

    Attributes:
        kind: As of a `Transcript`.
        text: The words.
        at_s: When it was told.
        end_s: When the words ended, where that is known.
    """

    kind: TranscriptKind
    text: str
    at_s: float
    end_s: float | None = None


@dataclass(frozen=True, slots=True)
class Noticed:
    """What a voice activity detector tells of the caller.

    Attributes:
        kind: As of a `VoiceActivity`.
        at_s: When that was, on the event loop's clock.
    """

    kind: VoiceActivityKind
    at_s: float


@dataclass(frozen=True, slots=True)
class Question:
    """What a reply answers; times are on the event loop's clock.

    Attributes:
        said: The caller's message.
        messages: The history, that message included.
        caller_end_s: When his words ended, where that is known.
        stt_final_s: When speech-to-text was sure of them; None for a speculative reply.
    """

    said: str
    messages: tuple[Message, ...]
    caller_end_s: float | None
    stt_final_s: float | None


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin a reply, to be heard or, if it is speculative, to be prepared only."""

    question: Question
    is_speculative: bool


@dataclass(frozen=True, slots=True)
class Confirm:
    """Let the speculative reply be heard: the caller's words were as guessed."""

    said: str
    stt_final_s: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Interrupt the reply that is under way."""


Action: TypeAlias = Begin | Confirm | Stop


@dataclass(frozen=True, slots=True)
class Floor:
    """Who holds the floor.

    Attributes:
        history: What was said and heard.
        reply: What reply there is.
        guess: What a speculative reply answers.
        pending: What was said while there was a reply, to be heeded when that is over.
        last: The newest words that ended a turn, or were likely to.
        is_doubted: Whether a reply was stopped because of voice activity, and speech-to-text has told nothing
            of it yet.
    """

    history: tuple[Message, ...] = ()
    reply: Literal["none", "speculative", "under way"] = "none"
    guess: str = ""
    pending: Said | None = None
    last: Said | None = None
    is_doubted: bool = False

    @property
    def is_unanswered(self) -> bool:
        """Whether the last word is the caller's."""
        return bool(self.history) and self.history[-1].role == "user"


class Step(NamedTuple):
    """Where things stand, and what is to be done."""

    floor: Floor
    action: Action | None = None


def hear(floor: Floor, said: Said, *, may_stop: bool) -> Step:
    """Heed what speech-to-text tells.

    Args:
        floor: Where things stand.
        said: What it tells.
        may_stop: Whether the caller may stop the reply that is under way. A speculative one he always may.
    """
    words = said.text.strip()
    if said.kind in {"partial", "eager_final"} and not words:
        return Step(floor)
    floor = replace(floor, is_doubted=False)
    is_as_guessed = floor.reply == "speculative" and words != "" and same_words(words, floor.guess)
    if is_as_guessed and said.kind != "resumed":
        return _confirmed(floor, said, words) if said.kind == "final" else Step(floor)
    if said.kind == "final":
        return _ended(floor, said, words, may_stop=may_stop)
    if said.kind == "eager_final" and floor.reply == "none":
        return _guessed(floor, said, words)
    floor, action = _stopped(floor, may_stop=may_stop)
    is_pending = said.kind == "eager_final" and action is not None
    return Step(replace(floor, pending=said) if is_pending else floor, action)


def notice(floor: Floor, noticed: Noticed, *, may_stop: bool) -> Step:
    """Heed what a voice activity detector tells; *may_stop* as for `hear`."""
    if noticed.kind == "started":
        if floor.last is not None and floor.last.end_s is not None and noticed.at_s < floor.last.end_s:
            # The words that are answered: the detector was slower than speech-to-text.
            return Step(floor)
        was_under_way = floor.reply == "under way"
        floor, action = _stopped(floor, may_stop=may_stop)
        return Step(floor if action is None else replace(floor, is_doubted=was_under_way), action)
    if not floor.is_doubted:
        return Step(floor)
    floor = replace(floor, is_doubted=False)
    # A cough, for all that speech-to-text has told. If it was more, the reply is stopped once again.
    if floor.reply == "none" and floor.is_unanswered and floor.last is not None:
        return _answered(floor, floor.last)
    return Step(floor)


def over(floor: Floor, heard: str) -> Step:
    """Heed that there is no reply any more, of which *heard* was heard."""
    pending = floor.pending
    floor = replace(
        floor, history=joined(floor.history, "assistant", heard), reply="none", guess="", pending=None
    )
    return Step(floor) if pending is None else hear(floor, pending, may_stop=True)


def hang_up(floor: Floor) -> Step:
    """Heed that the caller says nothing more."""
    return Step(floor, Stop() if floor.reply == "speculative" else None)


def joined(history: Sequence[Message], role: Literal["user", "assistant"], text: str) -> tuple[Message, ...]:
    """Return *history* with *text* at its end, in one message with what the same party said just before."""
    text = text.strip()
    if not text:
        return tuple(history)
    if history and history[-1].role == role:
        return (*history[:-1], Message(role, f"{history[-1].content} {text}"))
    return (*history, Message(role, text))


def same_words(one: str, other: str) -> bool:
    """Tell whether two texts have the same words, whatever their capitals and their punctuation are."""
    return _words(one) == _words(other)


def _words(text: str) -> list[str]:
    words = (word.strip(_PUNCTUATION) for word in text.casefold().split())
    return [word for word in words if word]


def _stopped(floor: Floor, *, may_stop: bool) -> Step:
    """Stop what may be stopped: the caller speaks."""
    is_stopped = floor.reply == "speculative" or (floor.reply == "under way" and may_stop)
    return Step(floor, Stop() if is_stopped else None)


def _guessed(floor: Floor, said: Said, words: str) -> Step:
    messages = joined(floor.history, "user", words)
    question = Question(messages[-1].content, messages, said.end_s, None)
    return Step(
        replace(floor, reply="speculative", guess=words, last=said), Begin(question, is_speculative=True)
    )


def _confirmed(floor: Floor, said: Said, words: str) -> Step:
    history = joined(floor.history, "user", words)
    floor = replace(floor, history=history, reply="under way", guess="", last=said)
    return Step(floor, Confirm(history[-1].content, said.at_s))


def _ended(floor: Floor, said: Said, words: str, *, may_stop: bool) -> Step:
    """Heed that the caller has ended his turn, and not with the words that were guessed."""
    if floor.reply == "none":
        floor = replace(floor, history=joined(floor.history, "user", words), last=said)
        # Without words it was noise, but it may have stopped a reply of which nothing had been heard.
        return _answered(floor, said) if floor.is_unanswered else Step(floor)
    if not words and floor.reply == "under way":
        return Step(floor)
    if floor.pending is not None:
        said = replace(said, text=f"{floor.pending.text} {words}")
    return _stopped(replace(floor, pending=said), may_stop=may_stop)


def _answered(floor: Floor, said: Said) -> Step:
    question = Question(floor.history[-1].content, floor.history, said.end_s, said.at_s)
    return Step(replace(floor, reply="under way"), Begin(question, is_speculative=False))
