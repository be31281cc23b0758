"""One line on the terminal that tells what is going on. Silent where there is no terminal."""

from typing import TextIO

from ordered_pipeline.cli._columns import fit, terminal_width


class Progress:
    """A line that replaces itself."""

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
