import io
import os
import pty

import pytest

from ordered_pipeline.cli._terminal import Progress, in_encoding, terminal_width


def test_what_is_no_terminal_has_a_hundred_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)

    assert terminal_width(io.StringIO()) == 100
    assert terminal_width(None) == 100


def test_columns_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")

    assert terminal_width(io.StringIO()) == 72


def test_a_terminal_that_does_not_know_its_width_has_a_hundred_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    leader, follower = pty.openpty()

    with open(leader), open(follower, "w") as terminal:  # noqa: PTH123  # descriptors have no path
        assert terminal.isatty()
        assert os.get_terminal_size(terminal.fileno()).columns == 0
        assert terminal_width(terminal) == 100


def test_output_that_has_no_blocks_gets_plain_characters() -> None:
    assert in_encoding("░▒█ 你 é", "latin-1") == ".-# ? é"
    assert in_encoding("░▒█ é", "utf-8") == "░▒█ é"
    assert in_encoding("a – b", "ascii") == "a - b"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_each_line_of_progress_takes_the_place_of_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "12")
    terminal = Terminal()
    progress = Progress(terminal)

    progress.show("one")
    progress.show("one")
    progress.show("two, and too long")
    progress.clear()
    progress.clear()

    assert terminal.getvalue() == "\rone\x1b[K\rtwo, and t…\x1b[K\r\x1b[K"


def test_where_there_is_no_terminal_progress_is_silent() -> None:
    file = io.StringIO()

    for stream in (file, None):
        progress = Progress(stream)
        progress.show("one")
        progress.clear()

    assert file.getvalue() == ""
