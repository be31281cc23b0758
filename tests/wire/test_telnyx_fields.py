import pytest

from ordered_pipeline.wire._telnyx_fields import (
    TelnyxMessageError,
    child,
    dump_object,
    dump_received,
    elements,
    flag,
    from_base64,
    integer,
    load_object,
    present,
    required_child,
    required_text,
    shown,
    text,
    to_base64,
)


def test_an_object_is_read_from_text_and_from_bytes() -> None:
    assert load_object('{"a":"ü"}') == {"a": "ü"}
    assert load_object('{"a":"ü"}'.encode()) == {"a": "ü"}


@pytest.mark.parametrize(
    "message",
    [
        "{",
        "[{}]",
        "NaN",
        b"\xff\xfe{}",
        pytest.param("[" * 100_000, id="deep"),
        pytest.param('{"a":' + "9" * 5000 + "}", id="more digits than Python reads"),
    ],
)
def test_what_is_no_object_is_refused_in_few_words(message: str | bytes) -> None:
    with pytest.raises(TelnyxMessageError, match=r"^a message must be (JSON|a JSON object), got ") as caught:
        load_object(message)

    assert len(str(caught.value)) < 100


def test_what_is_written_is_compact_and_ascii() -> None:
    assert dump_object({"a": ["ü", 1], "b": None}) == '{"a":["\\u00fc",1],"b":null}'


def test_what_is_nested_too_deeply_to_be_written_is_refused() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(TelnyxMessageError, match=r"^a message must not be nested thousands deep$"):
        dump_received(deep)
    assert dump_received([deep[:0]]) == "[[]]"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", "a"), ("", ""), (7, "7"), (4.5, "4.5"), (True, None), (None, None), ([], None), ({}, None)],
)
def test_a_string_may_be_written_as_a_number(value: object, expected: str | None) -> None:
    assert text({"name": value}, "name") == expected


@pytest.mark.parametrize(("value", "expected"), [(7, 7), ("8", 8), ("-9", -9), (0, 0)])
def test_a_number_may_be_written_as_a_string(value: object, expected: int) -> None:
    assert integer({"name": value}, "name") == expected


@pytest.mark.parametrize("value", ["", "0x1", "7.5", None, True, 8.0, [7]])
def test_what_is_no_whole_number_is_none(value: object) -> None:
    assert integer({"name": value}, "name") is None


def test_a_number_of_more_digits_than_python_reads_is_none() -> None:
    assert integer({"name": "9" * 5000}, "name") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), ("true", True), ("FALSE", False), ("yes", None), (1, None), (None, None)],
)
def test_a_truth_value_may_be_written_as_a_string(value: object, expected: object) -> None:
    assert flag({"name": value}, "name") is expected


@pytest.mark.parametrize("parent", [{}, {"name": None}, {"name": "text"}, {"name": 7}])
def test_what_is_not_there_is_nothing(parent: dict[str, object]) -> None:
    assert child(parent, "name") == {}
    assert elements(parent, "name") == []


def test_what_is_there_is_given() -> None:
    assert child({"name": {"a": 1}}, "name") == {"a": 1}
    assert elements({"name": [1, "a"]}, "name") == [1, "a"]
    assert required_child({"name": {}}, "name", "data.name") == {}
    assert required_text({"name": 7}, "name", "data.name") == "7"


def test_what_is_required_is_missed_by_its_path() -> None:
    with pytest.raises(TelnyxMessageError, match=r"^data\.name must be a string, got \[\]$"):
        required_text({"name": []}, "name", "data.name")
    with pytest.raises(TelnyxMessageError, match=r"^a message must have an object data\.name, got None$"):
        required_child({}, "name", "data.name")


@pytest.mark.parametrize("data", [b"", b"\0", b"order 66", bytes(range(256))])
def test_base64_is_read_as_it_was_written(data: bytes) -> None:
    assert from_base64(to_base64(data)) == data


@pytest.mark.parametrize(
    "data", [None, "A", "AA", "AA=", "AA==AA==", " AA==", "AA==\n", "_-8=", "ü", "\ud800"]
)
def test_what_is_no_base64_is_none(data: str | None) -> None:
    assert from_base64(data) is None


def test_what_is_none_is_left_out() -> None:
    assert present(a=None, b=0, c="", d=False) == {"b": 0, "c": "", "d": False}


def test_a_long_value_is_shown_in_short() -> None:
    assert shown("a" * 1000) == "'aaaaaaaaaaaa...aaaaaaaaaaaaa'"
