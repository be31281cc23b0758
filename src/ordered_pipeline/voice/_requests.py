"""Requests to a voice: it is asked for the audio of a segment once, or a second time when it is slow."""

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Self, cast, final

import anyio

from ordered_pipeline import Stage, ordered_flat_map
from ordered_pipeline.voice._audio import AudioChunk
from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._roles import TextToSpeech
from ordered_pipeline.voice._talk import Segment


def request(voice: TextToSpeech, segment: Segment) -> AsyncIterator[AudioChunk]:
    """Ask *voice* for the audio of *segment*. Who iterates the answer closes it.

    Raises:
        TypeError: What the voice returns is no async iterator.
    """
    chunks: object = voice.synthesize(segment)
    if inspect.iscoroutine(chunks):
        chunks.close()
    check_kind("what a voice returns", chunks, AsyncIterable, "an async iterator of chunks")
    return aiter(cast("AsyncIterable[AudioChunk]", chunks))


@final
class HedgedRequest:
    """The audio of a segment, for which a second request is made when the first is slow.

    Who answers first goes on. If the first has failed by then, there is no second request; if both fail, the
    first failure counts. One task iterates and closes this.
    """

    def __init__(
        self, ask: Callable[[], AsyncIterator[AudioChunk]], *, after_s: float, grace_s: float
    ) -> None:
        """Say how to ask.

        Args:
            ask: Makes a request.
            after_s: When the second request is made if no audio is there.
            grace_s: Clean-up time of a request that is cancelled.
        """
        self._ask: Callable[[], AsyncIterator[AudioChunk]] = ask
        self._after_s: float = after_s
        self._grace_s: float = grace_s
        self._open: AsyncExitStack = AsyncExitStack()
        self._requests: list[Stage[None, AudioChunk]] = []
        self._winner: Stage[None, AudioChunk] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioChunk:
        if self._winner is not None:
            return await anext(self._winner)
        first = await self._request()
        with anyio.move_on_after(self._after_s):
            chunk = await anext(first)
            self._winner = first
            return chunk
        await self._request()
        return await self._race()

    async def aclose(self) -> None:
        """Cancel the requests, and wait for their clean-up."""
        # Both are cancelled before the clean-up of either is waited for.
        for one in self._requests:
            one.interrupt()
        await self._open.aclose()

    async def _request(self) -> Stage[None, AudioChunk]:
        # In a task of its own, which a stage cancels as the voice expects it, and gives time to clean up.
        one = ordered_flat_map(lambda _: self._ask(), [None], prefetch=1, grace_s=self._grace_s)
        await self._open.enter_async_context(one)
        self._requests.append(one)
        return one

    async def _race(self) -> AudioChunk:
        answers: list[AudioChunk] = []
        failures: list[Exception] = []

        async def wait(one: Stage[None, AudioChunk]) -> None:
            try:
                chunk = await anext(one)
            except Exception as error:  # noqa: BLE001  # it counts if the other one fails as well
                failures.append(error)
                return
            if self._winner is None:
                self._winner = one
                answers.append(chunk)
            runners.cancel_scope.cancel()

        async with anyio.create_task_group() as runners:
            for one in self._requests:
                runners.start_soon(wait, one)
        if not answers:
            raise failures[0]
        for one in self._requests:
            if one is not self._winner:
                # Its clean-up is waited for at the end: here it would cost the caller time.
                one.interrupt()
        return answers[0]
