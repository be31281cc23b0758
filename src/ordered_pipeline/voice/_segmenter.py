"""The segmenter: text deltas become takes. The source of the stage that speaks, and the reader of the text.

Rules kept here:

1. At most one delta is read before a take is asked for.
2. A sentence that very likely has ended waits for the character after its stop `after_stop_s` at most; other
   text waits for the end of its sentence `flush_s` at most, not counting the time without room.
3. What came before the text's error is spoken; the error follows it.
"""

import inspect
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Iterable
from typing import Self, cast, final

from ordered_pipeline import Stage
from ordered_pipeline._parking import Stint, now, stint
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._room import Room
from ordered_pipeline.voice._segments import SentenceSplitter
from ordered_pipeline.voice._take import Take
from ordered_pipeline.voice._talk import Segment


@final
class Segmenter:
    """Reads the text in one task; an async iterator of takes, which another task iterates and closes.

    It fails with what the text failed with, after what came before that.
    """

    def __init__(
        self,
        *,
        splitter: SentenceSplitter,
        room: Room,
        after_stop_s: float,
        flush_s: float,
        grace_s: float,
        turn: int,
        takes_sentences: bool,
    ) -> None:
        """Say how to read.

        Args:
            splitter: Cuts the text.
            room: Where the takes go, if there is some; `make_room` says that this has changed.
            after_stop_s: As rule 2.
            flush_s: As rule 2.
            grace_s: Clean-up time of the source.
            turn: The turn of all segments.
            takes_sentences: Whether a delta of several words that ends like a sentence is taken for one.
        """
        self._splitter: SentenceSplitter = splitter
        self._room: Room = room
        self._after_stop_s: float = after_stop_s
        self._flush_s: float = flush_s
        self._grace_s: float = grace_s
        self._turn: int = turn
        self._takes_sentences: bool = takes_sentences
        # What iterating does. Closing waits for the source, too: a generator would do that in the midst of a
        # read that is cancelled.
        self._takes: AsyncGenerator[Take, None] = self._give_out()
        self._changed: Bell = Bell()
        self._asked_s: float | None = None
        self._patience: Stint | None = None
        self._reading: Stint | None = None
        self._is_read: bool = False
        self._is_stopped: bool = False
        self._ready: deque[Take] = deque()
        self._count: int = 0
        self._previous_text: str = ""
        # Where each delta that is not wholly given out ends, and when it came.
        self._ends: deque[int] = deque()
        self._arrivals: deque[float] = deque()
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

    def __anext__(self) -> Awaitable[Take]:
        return self._takes.__anext__()

    async def aclose(self) -> None:
        """Read no more, and wait until the text's source is closed.

        Raises:
            Exception: What that failed with.
        """
        self.stop()
        await self._takes.aclose()
        while not self._is_read:
            await self._changed.wait()
        self._raise_error()

    async def _give_out(self) -> AsyncGenerator[Take, None]:
        while not self._is_over:
            # One for take after take: a deadline that moves on is cheap.
            with stint("the text", self._grace_s) as self._patience:
                while (take := await self._next()) is not None:
                    yield take  # noqa: ASYNC119  # who iterates this closes it, in the same task
            if self._patience.is_over:
                self._give(self._splitter.release())
                self._holds = True
        self._raise_error()

    async def _next(self) -> Take | None:
        """Ask for a take, or go on to, and wait for it; return None when no more comes."""
        while self._asked_s is None:
            if self._room.has_room():
                self._asked_s = now()
                self._changed.ring()
            else:
                await self._changed.wait()
        self._be_patient()
        while not self._ready:
            if self._is_over:
                return None
            await self._changed.wait()
        take = self._ready.popleft()
        take.room_s, self._asked_s = self._asked_s, None
        self._be_patient()
        self._room.takes.append(take)
        return take

    @property
    def _is_over(self) -> bool:
        """Whether no more is given out."""
        return not self._ready and (self._is_stopped or self._is_read)

    def stop(self) -> None:
        """Read no more, from this instant: the source is cancelled, and `aclose` waits for its clean-up."""
        self._is_stopped = True
        if self._reading is not None:
            self._reading.end_now()
        self._changed.ring()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    async def read(self, source: AsyncIterable[str] | Iterable[str]) -> None:
        """Read the deltas of *source* while takes are asked for; to be run by a task of its own."""
        try:
            with stint("the text", self._grace_s) as self._reading:
                if not self._is_stopped:
                    await self._read(aiter(_deltas(source)))
        except Exception as error:  # noqa: BLE001  # whatever it is, it comes after the text before it
            self._error = error
        finally:
            self._is_read = True
            if not self._is_stopped:
                self.text_end_s = now()
                self._give(self._splitter.flush())
            self._changed.ring()

    async def _read(self, deltas: AsyncIterator[str]) -> None:
        try:
            async for delta in deltas:
                check_kind("what the source of a reply gives", delta, str, "text", "give deltas of text only")
                # Written is also what nobody asks for any more.
                self._text.append(delta)
                while self._asked_s is None or self._ready:
                    await self._changed.wait()
                self._add(delta)
                # Not for each delta: a wake-up would cost more than all else.
                if self._ready:
                    self._changed.ring()
        finally:
            if (close := getattr(deltas, "aclose", None)) is not None:
                await close()

    def _add(self, delta: str) -> None:
        if not delta:
            return
        arrival_s = now()
        if self.first_delta_s is None:
            self.first_delta_s = arrival_s
        self._received += len(delta)
        self._ends.append(self._received)
        self._arrivals.append(arrival_s)
        self._holds = False
        if texts := self._splitter.push(delta):
            self._give(texts)
        if self._takes_sentences and self._splitter.pending == "ended" and len(delta.split()) > 1:
            self._give(self._splitter.release())
        self._be_patient()

    def _be_patient(self) -> None:
        """Set until when what is held may wait for more; the time in which nobody asks does not count."""
        if self._patience is None:
            return
        deadline_s = math.inf
        if self._asked_s is not None and self._arrivals and not self._holds:
            pending = self._splitter.pending
            if pending == "ended":
                deadline_s = max(self._arrivals[-1], self._asked_s) + self._after_stop_s
            elif pending == "open":
                deadline_s = max(self._arrivals[0], self._asked_s) + self._flush_s
        self._patience.end_at(deadline_s)

    def _give(self, texts: Iterable[str]) -> None:
        for piece in texts:
            text, self._blank = self._blank + piece, ""
            if not text.strip():
                self._blank = text
                continue
            self._given += len(text)
            while self._ends[0] < self._given:
                self._forget_delta()
            last_delta_s = self._arrivals[0]
            if self._ends[0] == self._given:
                self._forget_delta()
            segment = Segment(self._count, text, self._previous_text, self._turn)
            self._ready.append(Take(segment, last_delta_s, now()))
            self._count += 1
            self._previous_text = text

    def _forget_delta(self) -> None:
        self._ends.popleft()
        self._arrivals.popleft()


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
