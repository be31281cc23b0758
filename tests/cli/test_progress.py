import io

import pytest

from ordered_pipeline.cli._progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "12")


def test_each_line_takes_the_place_of_the_last() -> None:
    terminal = Terminal()
    progress = Progress(terminal)

    progress.show("one")
    progress.show("one")
    progress.show("two, and too long")
    progress.clear()
    progress.clear()

    assert terminal.getvalue() == "\rone\x1b[K\rtwo, and t…\x1b[K\r\x1b[K"


def test_where_there_is_no_terminal_it_is_silent() -> None:
    file = io.StringIO()

    for stream in (file, None):
        progress = Progress(stream)
        progress.show("one")
        progress.clear()

    assert file.getvalue() == ""
