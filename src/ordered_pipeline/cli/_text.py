"""Text as it comes: from the command line, a file, or a pipe that is still being written."""

import asyncio
import codecs
import os
import queue
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from ordered_pipeline.cli._failures import Exit, Failure

_BLOCK_BYTES: Final = 65536


async def open_text(text: str | None, file: str | None) -> AsyncGenerator[str, None]:
    """Wait for the beginning of *text*, else of *file*, else of standard input, and return all of it.

    Raises:
        Failure: There is none, it cannot be read, or it is no text. If that shows later, the iterator raises.
    """
    if text is not None:
        name, deltas = "TEXT", _given(text)
    elif file is not None:
        name, deltas = repr(file), _decoded(_Blocks(file), repr(file))
    elif sys.stdin is None or sys.stdin.isatty():  # None: the process was started with it closed
        raise Failure(Exit.NO_TEXT, "there is no text; give TEXT or --file FILE, or write into a pipe")
    else:
        name, deltas = "standard input", _decoded(_Blocks(None), "standard input")
    # Before any device is opened: what is wrong with the text is told wherever it is told.
    beginning = ""
    async for delta in deltas:
        beginning += delta
        if beginning.strip():
            return _joined(beginning, deltas)
    raise Failure(Exit.NO_TEXT, f"there is no text: {name} is {'blank' if beginning else 'empty'}")


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


async def _decoded(blocks: "_Blocks", name: str) -> AsyncGenerator[str, None]:
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


class _Blocks:
    """Blocks of bytes from a file or from standard input, each read when it is asked for.

    A read may take for ever, and nothing breaks it off. So it is done in a thread that nobody waits for.
    """

    def __init__(self, path: str | None) -> None:
        self._path: str | None = path
        self._asked: queue.SimpleQueue[asyncio.Future[bytes] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def read(self) -> bytes:
        """Return what is there, as soon as anything is; no bytes at the end.

        Raises:
            OSError: The file cannot be opened or read.
        """
        block: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._asked.put(block)
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="text", daemon=True)
            self._thread.start()
        return await block

    def close(self) -> None:
        """Read no more. A read that waits goes on waiting."""
        self._asked.put(None)

    def _serve(self) -> None:
        descriptor = 0 if self._path is None else -1
        while (future := self._asked.get()) is not None:
            block, error = b"", None
            try:
                if descriptor < 0 and self._path is not None:
                    descriptor = os.open(self._path, os.O_RDONLY)
                block = os.read(descriptor, _BLOCK_BYTES)
            except OSError as failed:
                error = failed
            # The loop may have ended while the read waited.
            with suppress(RuntimeError):
                future.get_loop().call_soon_threadsafe(_settle, future, block, error)
        if descriptor > 0:
            os.close(descriptor)


def _settle(future: asyncio.Future[bytes], block: bytes, error: OSError | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(block)
    else:
        future.set_exception(error)
