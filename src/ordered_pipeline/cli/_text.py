"""Text as it comes: from the command line, a file, or a pipe that is still being written."""

import codecs
import sys
from collections.abc import AsyncGenerator

from ordered_pipeline.cli._blocks import Blocks
from ordered_pipeline.cli._failures import Exit, Failure


async def open_text(text: str | None, file: str | None) -> AsyncGenerator[str, None]:
    """Wait for the beginning of *text*, else of *file*, else of standard input, and return all of it.

    Raises:
        Failure: There is none, it cannot be read, or it is no text. If that shows later, the iterator raises.
    """
    if text is not None:
        name, deltas = "TEXT", _given(text)
    elif file is not None:
        name, deltas = repr(file), _decoded(Blocks(file), repr(file))
    elif sys.stdin is None or sys.stdin.isatty():  # None: the process was started with it closed
        raise Failure(Exit.NOTHING, "there is no text; give TEXT or --file FILE, or write into a pipe")
    else:
        name, deltas = "standard input", _decoded(Blocks(None), "standard input")
    # Before any device is opened: what is wrong with the text is told wherever it is told.
    beginning = ""
    async for delta in deltas:
        beginning += delta
        if beginning.strip():
            return _joined(beginning, deltas)
    raise Failure(Exit.NOTHING, f"there is no text: {name} is {'blank' if beginning else 'empty'}")


async def _joined(beginning: str, rest: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    try:
        yield beginning
        async for text in rest:
            yield text
    finally:
        await rest.aclose()


async def _given(text: str) -> AsyncGenerator[str, None]:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Failure(Exit.NOT_TEXT, f"TEXT is not UTF-8 text (character {error.start})") from error
    yield text


async def _decoded(blocks: Blocks, name: str) -> AsyncGenerator[str, None]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    place = 0
    try:
        while True:
            try:
                block = await blocks.read()
            except OSError as error:
                raise Failure(Exit.UNREADABLE, f"{name} cannot be read: {error.strerror}") from error
            nul = block.find(b"\0")
            bad = place + nul if nul >= 0 else None
            kept = len(decoder.getstate()[0])
            try:
                delta = decoder.decode(block if bad is None else block[:nul], final=not block)
            except UnicodeDecodeError as error:
                delta = error.object[: error.start].decode("utf-8-sig")
                bad = place - kept + error.start
            if delta:
                yield delta
            if bad is not None:
                raise Failure(Exit.NOT_TEXT, f"{name} is not UTF-8 text (byte {bad})")
            if not block:
                return
            place += len(block)
    finally:
        blocks.close()
