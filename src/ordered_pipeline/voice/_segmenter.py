"""The segmenter: text deltas become takes. The source of the stage that speaks, and the reader of the text.

Rules kept here:

1. Text is read only while a take is asked for, and at most one delta ahead.
2. A sentence that very likely has ended waits for the character after its stop `after_stop_s` at most; other
   text waits for the end of its sentence `flush_s` at most, not counting the time without room.
3. What came before the text's error is spoken; the error follows it.
"""

import inspect
import math
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from typing import Self, cast, final

import anyio

from ordered_pipeline import Stage, ordered_map
from ordered_pipeline._parking import Stint, stint
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._segments import SentenceSplitter
from ordered_pipeline.voice._take import Take
from ordered_pipeline.voice._talk import Segment


@final
class Segmenter:
    """An async iterator of takes, to be iterated and closed by one task."""

    def __init__(
        self,
        source: AsyncIterable[str] | Iterable[str],
        *,
        splitter: SentenceSplitter,
        has_room: Callable[[], bool],
        admit: Callable[[Take], None],
        after_stop_s: float,
        flush_s: float,
        grace_s: float,
        turn: int,
        takes_sentences: bool,
    ) -> None:
        """Say what to read, and how.

        Args:
            source: The text deltas.
            splitter: Cuts them.
            has_room: Whether another take may be given out; `make_room` says that this has changed.
            admit: Told of each take before it is given out.
            after_stop_s: As rule 2.
            flush_s: As rule 2.
            grace_s: Clean-up time of the source.
            turn: The turn of all segments.
            takes_sentences: Whether a delta of several words that ends like a sentence is taken for one.
        """
        # The stage reads in its feeding task, closes the source with its clean-up, and tells of takes only: a
        # wake-up for each delta would cost more than all else.
        self._signs: Stage[None, None] = ordered_map(
            _pass,
            self._read(_deltas(source)),
            prefetch=1,
            grace_s=grace_s,
        )
        self._splitter: SentenceSplitter = splitter
        self._has_room: Callable[[], bool] = has_room
        self._admit: Callable[[Take], None] = admit
        self._after_stop_s: float = after_stop_s
        self._flush_s: float = flush_s
        self._grace_s: float = grace_s
        self._turn: int = turn
        self._takes_sentences: bool = takes_sentences
        self._changed: Bell = Bell()
        self._asked_s: float | None = None
        self._patience: Stint | None = None
        self._is_entered: bool = False
        self._is_stopped: bool = False
        self._ready: deque[Take] = deque()
        self._count: int = 0
        self._previous_text: str = ""
        # Where each delta that is not wholly given out ends, and when it came.
        self._arrivals: deque[tuple[int, float]] = deque()
        self._received: int = 0
        self._given: int = 0
        # Whether what is held was released in vain, and waits for more whatever happens.
        self._holds: bool = False
        # White space that goes before the next segment.
        self._blank: str = ""
        self._error: Exception | None = None
        self._text: list[str] = []
        self.first_delta_s: float | None = None
        self.text_end_s: float | None = None

    @property
    def text(self) -> str:
        """All that has come so far."""
        return "".join(self._text)

    def make_room(self) -> None:
        """Look again whether there is room."""
        self._changed.ring()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Take:
        while not self._has_room():
            await self._changed.wait()
        if not self._is_entered:
            self._is_entered = True
            await self._signs.__aenter__()
        asked_s = self._asked_s = anyio.current_time()
        self._changed.ring()
        try:
            while not self._ready:
                if self._error is not None:
                    raise self._error
                if self._is_stopped or self.text_end_s is not None:
                    raise StopAsyncIteration
                await self._wait()
        finally:
            self._asked_s = None
        take = self._ready.popleft()
        take.room_s = asked_s
        self._admit(take)
        return take

    def stop(self) -> None:
        """Read no more, from this instant: the source is cancelled, and `aclose` waits for its clean-up."""
        self._is_stopped = True
        if self._is_entered:
            self._signs.interrupt()

    async def aclose(self) -> None:
        """Read no more: the source is cancelled and closed."""
        if self._is_entered:
            await self._signs.__aexit__(None, None, None)

    async def _wait(self) -> None:
        """Wait until there are takes, or until what is held must go out."""
        try:
            with stint("the text", self._grace_s) as self._patience:
                self._patience.end_at(self._deadline())
                try:
                    await anext(self._signs)
                except StopAsyncIteration:
                    if not self._is_stopped:
                        self._end()
            if self._patience.is_over:
                self._give(self._splitter.release())
                self._holds = True
        except Exception as error:  # noqa: BLE001  # whatever it is, it comes after the text before it
            self._error = error
            self._end()
        finally:
            self._patience = None

    async def _read(self, source: AsyncIterable[str]) -> AsyncIterator[None]:
        """Read the text while takes are asked for; give a sign when there are some."""
        deltas = aiter(source)
        try:
            async for delta in deltas:
                check_kind("what the source of a reply gives", delta, str, "text", "give deltas of text only")
                # Written is also what nobody asks for any more.
                self._text.append(delta)
                while self._asked_s is None:
                    await self._changed.wait()
                self._add(delta)
                if self._ready:
                    # The stage iterates and closes this in one task.
                    yield
        finally:
            if (close := getattr(deltas, "aclose", None)) is not None:
                await close()

    def _add(self, delta: str) -> None:
        if not delta:
            return
        now = anyio.current_time()
        if self.first_delta_s is None:
            self.first_delta_s = now
        self._received += len(delta)
        self._arrivals.append((self._received, now))
        self._holds = False
        if texts := self._splitter.push(delta):
            self._give(texts)
        if self._takes_sentences and self._splitter.pending == "ended" and len(delta.split()) > 1:
            self._give(self._splitter.release())
        if self._patience is not None:
            self._patience.end_at(self._deadline())

    def _end(self) -> None:
        self.text_end_s = anyio.current_time()
        self._give(self._splitter.flush())

    def _deadline(self) -> float:
        """Return until when what is held may wait for more; the time in which nobody asks does not count."""
        if self._asked_s is None or self._holds or not self._arrivals:
            return math.inf
        pending = self._splitter.pending
        if pending == "nothing":
            return math.inf
        if pending == "ended":
            return max(self._arrivals[-1][1], self._asked_s) + self._after_stop_s
        return max(self._arrivals[0][1], self._asked_s) + self._flush_s

    def _give(self, texts: Iterable[str]) -> None:
        for piece in texts:
            text, self._blank = self._blank + piece, ""
            if not text.strip():
                self._blank = text
                continue
            self._given += len(text)
            while self._arrivals[0][0] < self._given:
                self._arrivals.popleft()
            last_delta_s = self._arrivals[0][1]
            if self._arrivals[0][0] == self._given:
                self._arrivals.popleft()
            segment = Segment(self._count, text, self._previous_text, self._turn)
            self._ready.append(Take(segment, last_delta_s, anyio.current_time()))
            self._count += 1
            self._previous_text = text


async def _pass(_: None) -> None:
    """Let a sign pass."""


def _deltas(source: AsyncIterable[str] | Iterable[str]) -> AsyncIterable[str]:
    if isinstance(source, Stage):
        return _results(cast("Stage[object, str]", source))
    return source if isinstance(source, AsyncIterable) else _one_by_one(source)


async def _results(stage: Stage[object, str]) -> AsyncIterator[str]:
    async with stage:
        async for text in stage:
            yield text  # noqa: ASYNC119  # who iterates this closes it, in the same task


async def _one_by_one(texts: Iterable[str]) -> AsyncIterator[str]:
    steps = iter(texts)
    try:
        for text in steps:
            yield text
    finally:
        # Of these only generators wait for it: closing a file that somebody passed would be taking it away.
        if inspect.isgenerator(steps):
            steps.close()
