import io
import os
import pty

import pytest

from ordered_pipeline.cli._columns import columns, fit, terminal_width


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("Hello there.", 12, "Hello there."),
        ("Hello there.", 11, "Hello ther…"),
        ("Hello there.", 7, "Hello…"),
        ("\n Hello\t there.\n", 20, "Hello there."),
        ("你好世界", 8, "你好世界"),
        ("你好世界", 7, "你好世…"),
        ("e\u0301te\u0301", 3, "e\u0301te\u0301"),
        ("Hello", 1, "…"),
        ("Hello", 0, ""),
        ("a\x1b[31mb", 20, "a�[31mb"),
    ],
)
def test_text_is_fitted_into_columns(text: str, width: int, expected: str) -> None:
    assert fit(text, width) == expected
    assert columns(expected) <= width


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
