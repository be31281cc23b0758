"""What the terminal is told: the report, lines on standard error, and a line of progress."""

import os
import sys
from typing import Final, TextIO

from ordered_pipeline.cli._failures import Exit
from ordered_pipeline.voice._columns import fit

_DEFAULT_WIDTH: Final = 100
# For output that has no such characters.
_PLAIN: Final = str.maketrans("░▒█…–·▶", ".-#~-|>")


def terminal_width(stream: TextIO | None) -> int:
    """Return how many columns *stream*'s terminal has, unless COLUMNS says; 100 where nothing does."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    if stream is None or not stream.isatty():
        return _DEFAULT_WIDTH
    return os.get_terminal_size(stream.fileno()).columns or _DEFAULT_WIDTH


def in_encoding(text: str, encoding: str | None) -> str:
    """Return *text* as *encoding* can say it, with plain characters for bars where it must be."""
    encoding = encoding or "ascii"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)
    return text


def tell(line: str) -> None:
    """Write *line* to standard error."""
    # None: the process was started with it closed.
    if sys.stderr is not None:
        print(in_encoding(line, sys.stderr.encoding), file=sys.stderr)  # noqa: T201  # a command prints


def show(report: str) -> Exit:
    """Write *report* to standard output; what goes wrong with that is told, and returned."""
    if sys.stdout is None:  # as above
        return Exit.DONE
    try:
        print(in_encoding(report, sys.stdout.encoding), flush=True)  # noqa: T201  # a command prints
    except OSError as error:
        # What could not be written is still in the buffer, and would fail again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return Exit.BROKEN_PIPE
        tell(f"ordered-pipeline: the report cannot be written: {error.strerror}")
        return Exit.UNWRITABLE
    return Exit.DONE


class Progress:
    """A line that replaces itself and tells what is going on. Silent where there is no terminal."""

    def __init__(self, stream: TextIO | None) -> None:
        """Use *stream* if it is a terminal."""
        self._stream: TextIO | None = stream if stream is not None and stream.isatty() else None
        self._shown: str = ""

    def show(self, line: str) -> None:
        """Show *line* in the place of the last one."""
        if self._stream is None:
            return
        # One column less than there are: a full line would wrap.
        line = fit(line, terminal_width(self._stream) - 1)
        if line != self._shown:
            self._stream.write(f"\r{line}\x1b[K")
            self._stream.flush()
            self._shown = line

    def clear(self) -> None:
        """Leave an empty line."""
        if self._stream is not None and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._shown = ""
