"""What is told of a conversation: each turn when it is over, each failure when it is noticed."""

import sys
from typing import Final, final

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._terminal import Progress, show, tell, terminal_width
from ordered_pipeline.voice import Message, ServiceFailure, Turn, html_page

_LISTENING: Final = "listening; Ctrl-C ends it"
# By role: who it is, and the status if nothing worse comes.
_SERVICES: Final = {
    "stt": ("speech-to-text", Exit.NO_EARS),
    "vad": ("the voice activity detector", Exit.NO_EARS),
    "llm": ("the language model", Exit.NO_MIND),
    "tts": ("the voice", Exit.NO_VOICE),
    "player": ("the speaker", Exit.NO_DEVICE),
}


@final
class Log:
    """Tells of a conversation while it goes on.

    Attributes:
        turns: Those that are over.
        history: That of the conversation, once it has ended.
        status: The one of the first thing that went wrong, or of the interruption.
    """

    def __init__(self, progress: Progress) -> None:
        """Tell standard output and standard error, in turns with *progress*."""
        self.turns: list[Turn] = []
        self.history: tuple[Message, ...] = ()
        self.status: Exit = Exit.DONE
        self._progress: Progress = progress

    @property
    def has_words(self) -> bool:
        """Whether the caller said anything."""
        return any(turn.said for turn in self.turns)

    def listen(self) -> None:
        """Tell that the caller may speak."""
        self._progress.show(_LISTENING)

    def add(self, event: Turn | ServiceFailure) -> None:
        """Tell what has happened.

        Raises:
            Failure: It was one of the command's own, and nothing goes on.
        """
        if isinstance(event, ServiceFailure):
            if isinstance(event.error, Failure):
                raise event.error
            name, status = _SERVICES[event.role]
            self.complain(f"{name} failed: {str(event.error) or repr(event.error)}", status)
        else:
            self.turns.append(event)
            self._progress.clear()
            shown = show(turn_text(event, width=terminal_width(sys.stdout)))
            self.status = self.status or shown
        self.listen()

    def interrupt(self) -> None:
        """Tell that the conversation was ended, and what was heard of the answer that nobody has told yet."""
        self.complain("interrupted", Exit.INTERRUPTED)
        self.status = Exit.INTERRUPTED
        heard = [message.content for message in self.history if message.role == "assistant"]
        if len(heard) > sum(bool(turn.heard.text.strip()) for turn in self.turns):
            tell(_line("heard", heard[-1]))

    def complain(self, line: str, status: Exit) -> None:
        """Tell what went wrong."""
        self._progress.clear()
        tell(f"ordered-pipeline: {line}")
        self.status = self.status or status

    def page(self) -> str:
        """Return a page with all turns."""
        timelines = {turn_name(turn): turn.timeline for turn in self.turns}
        return html_page(timelines, title="ordered-pipeline talk")


def turn_text(turn: Turn, *, width: int) -> str:
    """Return what was said and heard in *turn*, and its waterfall."""
    told = {"caller": turn.said, "heard": turn.heard.text, "unheard": turn.heard.unheard}
    lines = [_line(name, text) for name, text in told.items() if text.strip()]
    return "\n".join([*lines, turn.timeline.waterfall(width=width, title=f"turn {turn.index}"), ""])


def turn_name(turn: Turn) -> str:
    """Return a name for *turn* that no other one has."""
    return f"Turn {turn.index}: {' '.join(turn.said.split()) or 'the greeting'}"


def _line(name: str, text: str) -> str:
    return f"{name + ':':9}{' '.join(text.split())}"
