"""Requests to a voice: the chunks of one segment, bounded in time, and cancelled with their clean-up."""

import math
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol, final

import anyio
from anyio.abc import TaskGroup

from ordered_pipeline import Stage, ordered_flat_map
from ordered_pipeline.voice._audio import AudioChunk
from ordered_pipeline.voice._policy import SpeechPolicy
from ordered_pipeline.voice._roles import TextToSpeech
from ordered_pipeline.voice._talk import Segment

# Chunks that come in one go are taken in one go.
_CHUNKS_AHEAD: Final = 16


class Request(Protocol):
    """One asking for the chunks of a segment. One task opens it, takes the chunks, and closes it."""

    async def open(self) -> None:
        """Ask."""
        ...

    async def next(self) -> AudioChunk:
        """Return the next chunk; a cancelled call loses nothing.

        Raises:
            StopAsyncIteration: There is none.
            TimeoutError: The first took too long.
            Exception: What the voice failed with.
        """
        ...

    def interrupt(self) -> None:
        """Cancel it: `next` gives no more, and the clean-up begins."""
        ...

    async def close(self) -> None:
        """Cancel what is not done, and wait for its clean-up."""
        ...


def request_for(
    voice: TextToSpeech,
    segment: Segment,
    *,
    policy: SpeechPolicy,
    asked: Callable[[], None],
    tasks: TaskGroup,
    grace_s: float,
) -> Request:
    """Return a request to *voice*, hedged by a second one if the policy says so.

    Args:
        voice: Whom to ask.
        segment: What to speak.
        policy: Its `first_audio_s` and `hedge_after_s` are heeded.
        asked: Called whenever the voice is asked.
        tasks: Where the requests of a hedge run.
        grace_s: Clean-up time of a request that is cancelled.
    """

    def ask(segment: Segment) -> AsyncIterator[AudioChunk]:
        asked()
        return voice.synthesize(segment)

    def chunks() -> Stage[Segment, AudioChunk]:
        return ordered_flat_map(
            ask,
            [segment],
            prefetch=1,
            buffer=_CHUNKS_AHEAD,
            timeout_s=None if policy.first_audio_s == math.inf else policy.first_audio_s,
            grace_s=grace_s,
        )

    if policy.hedge_after_s is None:
        return _Single(chunks())
    return _Hedged(_Detached(chunks(), tasks), _Detached(chunks(), tasks), hedge_after_s=policy.hedge_after_s)


@final
class _Single:
    """A request that lives in the task which takes its chunks."""

    def __init__(self, chunks: Stage[Segment, AudioChunk]) -> None:
        self._chunks: Stage[Segment, AudioChunk] = chunks

    async def open(self) -> None:
        await self._chunks.__aenter__()

    async def next(self) -> AudioChunk:
        return await anext(self._chunks)

    def interrupt(self) -> None:
        self._chunks.interrupt()

    async def close(self) -> None:
        await self._chunks.__aexit__(None, None, None)


@final
class _Detached:
    """A request that lives in a task of its own: two of them can begin and end in any order."""

    def __init__(self, chunks: Stage[Segment, AudioChunk], tasks: TaskGroup) -> None:
        self._chunks: Stage[Segment, AudioChunk] = chunks
        self._tasks: TaskGroup = tasks
        self._send, self._receive = anyio.create_memory_object_stream[AudioChunk](0)
        self._error: Exception | None = None
        self._ended: anyio.Event | None = None

    async def open(self) -> None:
        self._ended = anyio.Event()
        self._tasks.start_soon(self._run, self._ended)

    async def _run(self, ended: anyio.Event) -> None:
        try:
            async with self._chunks as chunks:
                async for chunk in chunks:
                    await self._send.send(chunk)
        except anyio.BrokenResourceError:
            pass  # nobody takes chunks any more
        except Exception as error:  # noqa: BLE001  # it comes out of `next`
            self._error = error
        finally:
            self._send.close()
            ended.set()

    async def next(self) -> AudioChunk:
        try:
            return await self._receive.receive()
        except anyio.EndOfStream:
            if self._error is not None:
                raise self._error from None
            raise StopAsyncIteration from None

    def interrupt(self) -> None:
        self._chunks.interrupt()

    def let_go(self) -> None:
        """Cancel it, and take no more of it."""
        self._receive.close()
        self.interrupt()

    async def close(self) -> None:
        self.let_go()
        if self._ended is None:
            self._send.close()
            return
        with anyio.CancelScope(shield=True):
            await self._ended.wait()


@final
class _Hedged:
    """Two requests for the same audio, the second some time after the first: who answers first, goes on."""

    def __init__(self, first: _Detached, second: _Detached, *, hedge_after_s: float) -> None:
        self._first: _Detached = first
        self._second: _Detached = second
        self._hedge_after_s: float = hedge_after_s
        self._winner: _Detached | None = None
        self._failures: list[Exception] = []

    async def open(self) -> None:
        await self._first.open()

    async def next(self) -> AudioChunk:
        if self._winner is not None:
            return await self._winner.next()
        with anyio.move_on_after(self._hedge_after_s):
            chunk = await self._first.next()
            self._winner = self._first
            return chunk
        await self._second.open()
        return await self._race()

    async def _race(self) -> AudioChunk:
        answers: list[AudioChunk] = []

        async def take(request: _Detached) -> None:
            try:
                chunk = await request.next()
            except Exception as error:  # noqa: BLE001  # it counts if the other one fails as well
                self._failures.append(error)
                return
            if not answers:
                answers.append(chunk)
                self._winner = request
            runners.cancel_scope.cancel()

        async with anyio.create_task_group() as runners:
            runners.start_soon(take, self._first)
            runners.start_soon(take, self._second)
        if self._winner is None:
            raise self._failures[0]
        # Its clean-up is waited for at the end: here it would cost the caller time.
        (self._second if self._winner is self._first else self._first).let_go()
        return answers[0]

    def interrupt(self) -> None:
        self._first.interrupt()
        self._second.interrupt()

    async def close(self) -> None:
        # Both are cancelled before the clean-up of either is waited for.
        self._first.let_go()
        self._second.let_go()
        await self._first.close()
        await self._second.close()
