"""Processes side by side, and the calls that they serve in the order in which those began.

Rules kept here:

1. Each process has a task that keeps it and gives it one call after another. One that is not ready after a
   call is replaced at once, before the next call is there.
2. What goes wrong with a call is told to that call alone. That there is no process is told to the call that
   finds none, after one more try: nothing is tried again and again with nobody waiting.
3. A call whose process ends without a word of it is given to one more. The process may have ended before it
   took the text, and no event loop can be asked for that: it hears of ends some time after they happen.
4. A process is ahead of whoever listens, by a bounded number of chunks: so it is soon free for the next call.
5. A call that nobody listens to any more is stopped in its process, and the process stays.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, final

import anyio

from ordered_pipeline.adapters.piper._child import (
    PATIENCE_S,
    Child,
    PiperError,
    ProcessEndedError,
    start_child,
)
from ordered_pipeline.voice import AudioChunk

if TYPE_CHECKING:
    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

# 30 s, which is more than a sentence, and 1.3 MB.
_CHUNKS_AHEAD: Final = 300


@final
class Pool:
    """Processes of one voice: an async context manager. Leaving its block ends them, and calls that run."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        processes: int,
        env: Mapping[str, str] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Say what is to run; nothing does before the block is entered.

        Args:
            command: What each process runs.
            processes: How many there are.
            env: Their environment; None for that of this process.
            patience_s: How long one may say nothing while it is waited for, in seconds.
        """
        self._command: Sequence[str] = command
        self._processes: int = processes
        self._env: Mapping[str, str] | None = env
        self._patience_s: float = patience_s
        # All that have begun and not ended, and those of them that no process has taken yet.
        self._calls: set[Call] = set()
        self._line: deque[Call] = deque()
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Wait for the first process; the others follow in the background.

        Raises:
            PiperError: It did not start, or could not load the voice.
        """
        # It alone: so it is there soonest, and if it fails there is no other to end.
        first = await self._start()
        self._in_line: anyio.Semaphore = anyio.Semaphore(0)
        self._tasks = await anyio.create_task_group().__aenter__()
        for child in (first, *[None] * (self._processes - 1)):
            self._tasks.start_soon(self._keep, child)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End all calls and all processes."""
        tasks, self._tasks = self._tasks, None
        assert tasks is not None  # noqa: S101  # __aenter__ came first
        tasks.cancel_scope.cancel()
        for call in tuple(self._calls):
            left = RuntimeError("the block of the voice was left while it spoke; take all chunks inside it")
            self._end(call, left)
            call.drop()
        self._line.clear()
        # Not told of the block's own error, which the group would wrap.
        await tasks.__aexit__(None, None, None)

    def call(self, text: str) -> "Call":
        """Return the audio of *text*: an iterator, which starts on its first ``__anext__``."""
        return Call(self._begin, text)

    def _begin(self, call: "Call") -> None:
        if self._tasks is None:
            raise RuntimeError("the voice was used outside its 'async with' block; synthesize inside it")
        self._calls.add(call)
        self._line.append(call)
        self._in_line.release()

    def _put_first(self, call: "Call") -> None:
        self._line.appendleft(call)
        self._in_line.release()

    def _end(self, call: "Call", error: Exception | None = None) -> None:
        self._calls.discard(call)
        call.end(error)

    async def _next(self) -> "Call":
        """Return the next call that somebody listens to."""
        while True:
            await self._in_line.acquire()
            call = self._line.popleft()
            if not call.is_dropped:
                return call
            self._end(call)

    async def _start(self) -> Child:
        return await start_child(self._command, env=self._env, patience_s=self._patience_s)

    async def _keep(self, child: Child | None) -> None:
        """Keep a process, and give it calls."""
        while True:
            if child is None:
                child = await self._start_again()
            try:
                while child.is_ready:
                    await self._serve(child, await self._next())
            finally:
                await child.aclose()
            child = None

    async def _start_again(self) -> Child:
        call: Call | None = None
        while True:
            try:
                child = await self._start()
            except PiperError as error:
                if call is not None:
                    self._end(call, error)
                call = await self._next()
            else:
                if call is not None:
                    self._put_first(call)
                return child

    async def _serve(self, child: Child, call: "Call") -> None:
        is_begun = False
        try:
            await child.speak(call.text)
            with call.listening():
                while (data := await child.audio()) is not None:
                    is_begun = True
                    await call.put(AudioChunk(data))
            await child.stop()
        except ProcessEndedError as error:
            if is_begun or call.is_second_try:
                self._end(call, error)
            else:
                call.is_second_try = True
                self._put_first(call)
        except PiperError as error:
            self._end(call, error)
        else:
            self._end(call)


@final
class Call:
    """The chunks of one text."""

    def __init__(self, begin: "Callable[[Call], None]", text: str) -> None:
        self._begin = begin
        self.text: str = text
        self.is_second_try: bool = False
        self.is_dropped: bool = False
        self._is_closed: bool = False
        self._listening: anyio.CancelScope = anyio.CancelScope()
        self._error: Exception | None = None
        self._chunks: MemoryObjectReceiveStream[AudioChunk] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioChunk:
        if self._is_closed:
            raise StopAsyncIteration
        if self._chunks is None:
            self._begin(self)
            self._made: MemoryObjectSendStream[AudioChunk]
            self._made, self._chunks = anyio.create_memory_object_stream[AudioChunk](_CHUNKS_AHEAD)
        try:
            return await self._chunks.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._chunks.close()
            if self._error is not None:
                raise self._error from None
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Listen no more: the voice stops within milliseconds, or does not begin."""
        self._is_closed = True
        self.drop()

    def listening(self) -> anyio.CancelScope:
        """Return a scope that is cancelled when nobody listens any more."""
        self._listening = anyio.CancelScope()
        if self.is_dropped:
            self._listening.cancel()
        return self._listening

    async def put(self, chunk: AudioChunk) -> None:
        """Hand over *chunk*; waits while there are too many."""
        await self._made.send(chunk)

    def end(self, error: Exception | None) -> None:
        """End the iteration after the chunks that are there, with the first *error* that was told."""
        self._error = self._error or error
        self._made.close()

    def drop(self) -> None:
        """Give up the chunks that are there, and those to come."""
        self.is_dropped = True
        self._listening.cancel()
        if self._chunks is not None:
            self._chunks.close()
