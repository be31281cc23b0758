import pytest

from ordered_pipeline.voice._columns import columns, fit


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
        ("e\u0301te\u0301s", 3, "e\u0301t…"),
        ("हिन्दी", 5, "हिन्दी"),
        ("Hello", 1, "…"),
        ("Hello", 0, ""),
        ("a\x1b[31mb", 20, "a\ufffd[31mb"),
        ("a\u202eb\u200dc\ud800", 20, "abc\ufffd"),
    ],
)
def test_text_is_fitted_into_columns(text: str, width: int, expected: str) -> None:
    assert fit(text, width) == expected
    assert columns(expected) <= width
