"""Requests to a voice: what it gives for one segment goes into a recording; a cancelled one cleans up.

A request tells of its first audio and of its end only: a wake-up for each chunk would cost more than all the
rest of the chunk's way.
"""

import inspect
import math
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Protocol, Self, cast, final, runtime_checkable

import anyio

from ordered_pipeline import Stage, ordered_flat_map
from ordered_pipeline.voice._audio import AudioChunk
from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._recording import Recording
from ordered_pipeline.voice._roles import TextToSpeech
from ordered_pipeline.voice._talk import Segment


@final
class Request:
    """One asking for the audio of a segment; and a second one later, where it is to be hedged.

    Of the two, who answers first goes on. An async context manager: on leaving, what is not done is cancelled
    and its clean-up waited for. One task enters, waits and leaves.
    """

    def __init__(
        self,
        voice: TextToSpeech,
        segment: Segment,
        recording: Recording,
        *,
        asked: Callable[[], None],
        hedge_after_s: float | None,
        grace_s: float,
    ) -> None:
        """Say whom to ask for what.

        Args:
            voice: Whom to ask.
            segment: What to speak.
            recording: Where the audio goes; it was begun.
            asked: Called whenever the voice is asked.
            hedge_after_s: When it is asked a second time if no audio is there; None for never.
            grace_s: Clean-up time of what is cancelled.
        """
        self._voice: TextToSpeech = voice
        self._segment: Segment = segment
        self._recording: Recording = recording
        self._asked: Callable[[], None] = asked
        self._grace_s: float = grace_s
        self._hedge_after_s: float | None = hedge_after_s
        self._hedge_s: float = math.inf
        self._open: AsyncExitStack = AsyncExitStack()
        # All that were asked; of these, who may still answer first, and who has.
        self._stages: list[Stage[Segment, None]] = []
        self._racing: list[Stage[Segment, None]] = []
        self._winner: Stage[Segment, None] | None = None
        self._answer: _Answer | None = None
        self._failures: list[Exception] = []

    async def __aenter__(self) -> Self:
        """Ask."""
        stage = await self._ask()
        if self._hedge_after_s is None:
            self._winner = stage
        else:
            self._hedge_s = anyio.current_time() + self._hedge_after_s
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Cancel what is not done, and wait for its clean-up."""
        # All are cancelled before the clean-up of any is waited for.
        for stage in self._stages:
            stage.interrupt()
        try:
            await self._open.__aexit__(kind, error, traceback)
        finally:
            # Each stage knows this request: what knew each other would stay until garbage is collected.
            self._stages.clear()
            self._racing.clear()
            self._winner = self._answer = None

    async def next(self, until_s: float) -> bool:
        """Wait for news: that the voice answers, and that there is the first audio for the player.

        Args:
            until_s: How long, on the event loop's clock.

        Returns:
            Whether there were news in time.

        Raises:
            StopAsyncIteration: The voice has given all.
            Exception: What the voice failed with.
        """
        if self._winner is not None:
            return await _next(self._winner, until_s)
        if len(self._stages) == 1:
            if await _next(self._stages[0], min(until_s, self._hedge_s)):
                self._winner = self._stages[0]
                return True
            if until_s < self._hedge_s:
                return False
            await self._ask()
        return await self._race(until_s)

    async def _ask(self) -> Stage[Segment, None]:
        # The stage cancels what the voice does as that expects it, and gives it time to clean up.
        stage = ordered_flat_map(self._answered, [self._segment], prefetch=1, buffer=2, grace_s=self._grace_s)
        await self._open.enter_async_context(stage)
        self._stages.append(stage)
        self._racing.append(stage)
        return stage

    def _answered(self, segment: Segment) -> "_Answer":
        self._asked()
        return _Answer(self._voice.synthesize(segment), self._recording, self._is_first)

    def _is_first(self, answer: "_Answer") -> bool:
        self._answer = self._answer or answer
        return self._answer is answer

    async def _race(self, until_s: float) -> bool:
        async def wait(stage: Stage[Segment, None]) -> None:
            try:
                if not await _next(stage, until_s):
                    return
            except Exception as error:  # noqa: BLE001  # it counts if the other one fails as well
                self._failures.append(error)
                self._racing.remove(stage)
                return
            self._winner = stage
            runners.cancel_scope.cancel()

        async with anyio.create_task_group() as runners:
            for stage in self._racing:
                runners.start_soon(wait, stage)
        for stage in self._stages:
            if self._winner is not None and stage is not self._winner:
                # Its clean-up is waited for at the end: here it would cost the caller time.
                stage.interrupt()
        if not self._racing:
            raise self._failures[0]
        return self._winner is not None


async def _next(stage: Stage[Segment, None], until_s: float) -> bool:
    with anyio.CancelScope(deadline=until_s):
        await anext(stage)
        return True
    return False


@runtime_checkable
class _Closable(Protocol):
    def aclose(self) -> Awaitable[object]: ...


@final
class _Answer:
    """What comes of asking once: an async iterator of news, which records the audio as it is iterated."""

    def __init__(
        self,
        chunks: object,
        recording: Recording,
        is_first: Callable[["_Answer"], bool],
    ) -> None:
        if inspect.iscoroutine(chunks):
            chunks.close()
        check_kind("what a voice returns", chunks, AsyncIterable, "an async iterator of chunks")
        self._chunks: AsyncIterator[object] = aiter(cast("AsyncIterable[object]", chunks))
        self._recording: Recording = recording
        self._is_first: Callable[[_Answer], bool] = is_first
        self._is_begun: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> None:
        recording = self._recording
        async for chunk in self._chunks:
            if not self._is_begun and not self._is_first(self):
                break
            if not isinstance(chunk, AudioChunk):
                raise TypeError(
                    f"what a voice gives must be an AudioChunk, got {chunk!r}; wrap bytes in AudioChunk"
                )
            had_sound = recording.has_sound
            await recording.add(chunk)
            if not self._is_begun or recording.has_sound is not had_sound:
                self._is_begun = True
                return
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if isinstance(self._chunks, _Closable):
            await self._chunks.aclose()
