"""Blocks of bytes from a file, a pipe or standard input, without waiting for one in the event loop."""

import asyncio
import os
import queue
import threading
from contextlib import suppress
from typing import Final

_BLOCK_BYTES: Final = 65536


class Blocks:
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
            self._thread = threading.Thread(target=self._serve, name="input", daemon=True)
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
