"""Standard input needs a process of its own; `test_say` has it."""

import os
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._text import open_text


def read(text: str | None = None, file: str | None = None) -> list[str]:
    """Return what came, or raise what came instead; with what came before in its notes."""

    async def main() -> list[str]:
        deltas: list[str] = []
        try:
            async for delta in await open_text(text, file):
                deltas.append(delta)  # noqa: PERF401  # kept when it fails
        except Failure as failure:
            failure.add_note("".join(deltas))
            raise
        return deltas

    return anyio.run(main)


def test_an_argument_is_one_delta() -> None:
    assert read(text="Hello. Größe 😀.") == ["Hello. Größe 😀."]


def test_a_file_comes_in_blocks_that_cut_no_character(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    text = "é€😀" * 20_000
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())

    deltas = read(file=str(path))

    assert len(deltas) > 1
    assert "".join(deltas) == text


def test_text_is_there_before_the_rest_is_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    async def main() -> None:
        # Opened to read as well, so that nobody waits for the other end.
        writer = os.open(path, os.O_RDWR)
        os.write(writer, b"  \n")
        os.write(writer, "Größe".encode()[:3])
        deltas = await open_text(None, str(path))
        os.write(writer, "Größe".encode()[3:])
        text = await anext(deltas)
        while text != "  \nGröße":
            text += await anext(deltas)
        await deltas.aclose()
        os.close(writer)

    anyio.run(main)


def test_a_read_that_never_ends_keeps_nobody(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)

    async def main() -> None:
        with anyio.move_on_after(0.05) as scope:
            await open_text(None, str(path))
        assert scope.cancelled_caught

    anyio.run(main)
    # The thread still reads; what comes now is for nobody.
    os.write(writer, b"x")
    os.close(writer)


@pytest.mark.parametrize(
    ("data", "told", "before"),
    [
        (b"Hello. \xff", r"is not UTF-8 text \(byte 7\)", "Hello. "),
        ("Größe".encode() + b"\xc3", r"is not UTF-8 text \(byte 7\)", "Größe"),
        (b"\xe2\x82", r"is not UTF-8 text \(byte 0\)", ""),
        (b"Hello.\0", r"is not UTF-8 text \(byte 6\)", "Hello."),
        (b"x" * 65535 + b"\xc3\xc3", r"is not UTF-8 text \(byte 65535\)", "x" * 65535),
        ("Hello.".encode("utf-16"), r"is not UTF-8 text \(byte 0\)", ""),
    ],
)
def test_bytes_that_are_no_text_are_told_after_the_text_before(
    tmp_path: Path, data: bytes, told: str, before: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)

    with pytest.raises(Failure, match=told) as raised:
        read(file=str(path))

    assert raised.value.status == Exit.NOT_TEXT
    assert raised.value.__notes__ == [before]


def test_an_argument_that_is_no_text_is_told() -> None:
    with pytest.raises(Failure, match=r"^TEXT is not UTF-8 text \(character 1\)$") as raised:
        read(text="a\udcff")

    assert raised.value.status == Exit.NOT_TEXT


@pytest.mark.parametrize(("name", "why"), [("nowhere", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, why: str) -> None:
    path = str(tmp_path / name)

    with pytest.raises(Failure) as raised:
        read(file=path)

    assert str(raised.value) == f"{path!r} cannot be read: {why}"
    assert raised.value.status == Exit.UNREADABLE


@pytest.mark.parametrize(("text", "why"), [("", "empty"), (" \n", "blank")])
def test_no_text_is_told(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text)

    with pytest.raises(Failure, match=rf"^there is no text: TEXT is {why}$") as raised:
        read(text=text)
    with pytest.raises(Failure, match=rf"^there is no text: '.*a.txt' is {why}$"):
        read(file=str(path))

    assert raised.value.status == Exit.NOTHING
