"""What can go wrong, and the exit status that says which."""

from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """Exit statuses. 2 is argparse's; 130 and 141 are a shell's for one that SIGINT or SIGPIPE ended."""

    DONE = 0
    USAGE = 2
    NOTHING = 3
    UNREADABLE = 4
    NOT_TEXT = 5
    NO_DEVICE = 6
    UNWRITABLE = 7
    NO_EXTRA = 8
    NO_VOICE = 9
    NO_WAV = 10
    NO_EARS = 11
    NO_MIND = 12
    INTERRUPTED = 130
    BROKEN_PIPE = 141


_ANYWHERE: Final[dict[Exit, str]] = {
    Exit.USAGE: "wrong arguments",
    Exit.UNREADABLE: "unreadable file",
    Exit.NO_DEVICE: "no sound device",
    Exit.UNWRITABLE: "output cannot be written",
    Exit.NO_EXTRA: "an extra is not installed",
    Exit.NO_VOICE: "the voice failed",
    Exit.INTERRUPTED: "interrupted",
    Exit.BROKEN_PIPE: "nobody reads the report",
}
_ALONE: Final[dict[str, dict[Exit, str]]] = {
    "say": {Exit.DONE: "all was spoken", Exit.NOTHING: "no text", Exit.NOT_TEXT: "not UTF-8 text"},
    "talk": {
        Exit.DONE: "the conversation is over",
        Exit.NOTHING: "nobody spoke",
        Exit.NO_WAV: "not a WAV file that can be heard",
        Exit.NO_EARS: "the ears failed",
        Exit.NO_MIND: "the language model failed",
    },
}
# By command, in the order of the statuses.
MEANINGS: Final[dict[str, dict[Exit, str]]] = {
    command: dict(sorted({**_ANYWHERE, **alone}.items())) for command, alone in _ALONE.items()
}


class Failure(Exception):  # noqa: N818  # not an error of ours: the command says it and ends
    """Ends the command with one line for the user and a status for the caller."""

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status: Exit = status
