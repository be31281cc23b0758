"""The stage: source, concurrent transform, results in order. The only core module that waits.

Who does what:

1. One feeding task reads the source whenever the window has room. When it is told to stop, it alone cleans
   up, in this order: the read ends, the transforms are cancelled and awaited, the source is closed.
2. Each transform runs on its own and settles its entry, which starts what is queued and wakes whom it
   concerns.
3. The consumer does not wait between waking and taking, so a cancelled `__anext__` loses nothing.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import AbstractContextManager
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from types import CoroutineType, TracebackType
from typing import Any, Generic, Literal, Self, TypeVar, cast, final

import anyio

from ordered_pipeline import _errors
from ordered_pipeline._parking import Crew, Spot, muster
from ordered_pipeline._report import Interruption, StageObserver, StageStatistics
from ordered_pipeline._source import Close, Read, close_nothing, open_source
from ordered_pipeline._window import Entry, Window

T = TypeVar("T")
R = TypeVar("R")


@final
class Stage(Generic[T, R]):
    """Results of a concurrent transform, in the order of their items.

    An async context manager and an async iterator, made by `ordered_map`, `ordered_flat_map` and `in_order`.
    Enter it once, and iterate inside the block, in one task at a time::

        async with ordered_map(transform, source, prefetch=3) as results:
            async for result in results:
                await consume(result)

    The stage works from entering on, up to its bounds, whether or not anybody asks for results. However the
    block is left, before the next statement runs reading has stopped, transforms in flight have been
    cancelled and awaited, and the source is closed. A stage may be the source of another stage, which enters
    and closes it.
    """

    def __init__(
        self,
        transform: Callable[[T], object],
        source: AsyncIterable[T] | Iterable[T],
        *,
        prefetch: float,
        concurrency: float,
        on_error: Literal["raise", "return", "skip"],
        timeout_s: float | None,
        grace_s: float,
        observer: StageObserver[T] | None,
        buffer: int | None = None,
        given: bool = False,
    ) -> None:
        """Use `ordered_map`, `ordered_flat_map` or `in_order` instead."""
        self._transform: Callable[[T], Any] = transform
        self._source: AsyncIterable[T] | Iterable[T] = source
        self._on_error: Literal["raise", "return", "skip"] = on_error
        self._timeout_s: float | None = timeout_s
        self._grace_s: float = grace_s
        self._observer: StageObserver[T] | None = observer
        self._flat: bool = buffer is not None
        # Whether the items are awaitables that may run already, and must come to an end even if the block is
        # left at once.
        self._given: bool = given
        self._given_all: bool = given and not isinstance(source, AsyncIterable)
        # Most items admitted without letting others run.
        self._burst: float = prefetch
        self._window: Window[T, R] = Window(
            prefetch, concurrency, buffer=buffer or 1, left=None if observer is None else self._tell_left
        )
        self._dropped: tuple[Entry[T, R], ...] = ()
        self._errors: tuple[BaseException, ...] = ()
        # Which waits are under way, and which steps; attributes and not a state each, for several are true at
        # once.
        self._reading: bool = False
        self._starting: bool = False
        self._cancelling: bool = False
        self._parked: bool = False
        self._asking: bool = False
        self._may_ask: bool = False
        self._left: bool = False
        self._entered: bool = False

    async def __aenter__(self) -> Self:
        """Start to read the source, in a task of its own.

        Raises:
            RuntimeError: The stage was entered before, or no event loop is running.
        """
        if self._entered:
            raise RuntimeError(
                "the stage was entered twice, but its source can be read once; make another stage"
            )
        self._crew: Crew = muster(self._timeout_s, self._grace_s)
        self._threshold: Awaitable[None] | None = self._crew.threshold
        self._results: Spot = self._crew.spot()
        self._feeder: Spot = self._crew.spot()
        self._entered = self._may_ask = True
        await self._crew.open(self._feed())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop reading, cancel and await the transforms in flight, close the source.

        Raises:
            RuntimeError: The stage was not entered.
            BaseException: What failed in cleaning up; a group if that is more than one. If the block itself
                failed, its exception comes out, and these are to be found at the end of its chain of
                contexts.
        """
        if not self._entered:
            raise RuntimeError("the stage was left before it was entered; use 'async with'")
        self._left, self._may_ask = True, False
        self.interrupt()
        await self._crew.join()
        try:
            await self._crew.pass_on(failing=error is not None or bool(self._errors))
        except BaseException as cancellation:
            self._add_errors_to(cancellation)
            raise
        if error is not None:
            self._add_errors_to(error)
        elif self._errors:
            raise _errors.joined(self._errors)

    def _add_errors_to(self, error: BaseException) -> None:
        if self._errors:
            _errors.attach(error, _errors.joined(self._errors))

    def __aiter__(self) -> Self:
        """Return the stage itself."""
        return self

    async def __anext__(self) -> R:
        """Return the next result as soon as it is there; a cancelled call loses nothing and repeats nothing.

        Raises:
            StopAsyncIteration: All results were handed over, or the stage was interrupted.
            Exception: What the item whose turn it is failed with; iteration may go on with the next item. Or
                what the source failed with; then nothing follows.
            TimeoutError: The item took longer than ``timeout_s``.
            RuntimeError: The stage was not entered; or a transform or the source raised something that would
                have ended the iteration or passed for a cancellation.
            anyio.ClosedResourceError: The block has ended.
            anyio.BusyResourceError: Another task waits for the next result.
        """
        window = self._window
        if not self._may_ask:
            self._refuse()
        while not window.is_ready:
            if window.is_over:
                raise StopAsyncIteration
            self._may_ask, self._asking = False, True
            try:
                await self._results.wait()
            finally:
                self._may_ask, self._asking = not self._left, False
        try:
            return window.take()
        finally:
            if self._parked and window.has_room:
                self._wake_feeder()
            if self._flat and window.head is not None:
                self._wake_producer(window.head)

    def _refuse(self) -> None:
        if not self._entered:
            raise RuntimeError(
                "the results were iterated before the stage was entered; use 'async with' first"
            )
        if self._left:
            raise anyio.ClosedResourceError(
                "the results were iterated after their 'async with' block ended; iterate them inside it"
            )
        raise anyio.BusyResourceError("iterating")

    def interrupt(self) -> Interruption[T]:
        """End the iteration now; callable from any task of the same event loop, any number of times.

        From this instant nothing more is handed over, read or started, and an `__anext__` that waits ends the
        iteration. What is in flight is cancelled; leaving the block waits for it.

        Returns:
            What was handed over and what not, as it was at the first interruption or when the block was left.
        """
        window = self._window
        if window.interruption is None:
            self._drop()
            if self._entered:
                self._wake_consumer()
                self._wake_feeder()
                if self._reading:
                    self._crew.stop_reading()
        assert window.interruption is not None  # noqa: S101  # close() has set it
        return window.interruption

    def statistics(self) -> StageStatistics:
        """Return what the stage is doing at this instant."""
        statistics = self._window.statistics()
        return statistics if self._entered else replace(statistics, waiting_for="nothing")

    async def for_each(self, consume: Callable[[R], Awaitable[object]]) -> int:
        """Enter the stage, await *consume* with each result in turn, and leave.

        Args:
            consume: Called with one result at a time.

        Returns:
            How many results there were.

        Raises:
            Exception: Whatever iterating raises, or *consume*.
        """
        count = 0
        async with self:
            async for result in self:
                await consume(result)
                count += 1
        return count

    async def collect(self) -> list[R]:
        """Enter the stage, gather all results, and leave.

        Returns:
            The results, in order.

        Raises:
            Exception: Whatever iterating raises.
        """
        async with self:
            return [result async for result in self]

    async def _feed(self) -> None:
        """Be the feeding task, from the first read until the source is closed."""
        window, crew = self._window, self._crew
        close: Close = close_nothing
        error: BaseException | None = None
        await crew.begin()
        try:
            read, close = await _open(self._source)
            await self._read(read)
        except BaseException as failure:  # noqa: BLE001  # whatever it is, it is raised in its position
            error = failure
        if not window.closed:
            window.end_source(_errors.told(error, "the source", self._crew.cancelled))
            self._wake_consumer()
        else:
            self._note(error)
        del error
        struck = await crew.reading_stopped()
        while window.is_busy and not window.closed:
            crew.give_back(struck)
            struck = await self._park_feeder()
        if window.closed:
            await self._cancel_all()
        if close is not close_nothing:
            try:
                await crew.close(close)
            except BaseException as failure:  # noqa: BLE001  # it comes out when the block is left
                self._note(failure)

    async def _read(self, read: Read[T]) -> None:
        """Admit item after item while there is room."""
        window = self._window
        rested = 0
        while self._given_all or not window.closed:
            if not window.has_room:
                struck = await self._park_feeder()
                if not window.closed:
                    self._crew.give_back(struck)
                rested = window.admitted
                continue
            if window.admitted - rested > self._burst:
                # Items that are skipped at once leave room at once: such a source would never let others run.
                await self._crew.breathe()
                rested = window.admitted
                continue
            self._reading = True
            try:
                item = await read()
            except StopAsyncIteration:
                return
            finally:
                self._reading = False
            if window.closed and not self._given:
                return
            entry = window.admit(item, copy_context())
            if self._observer is not None:
                self._tell("admitted", entry)
            self._start()

    def _park_feeder(self) -> Awaitable[BaseException | None]:
        self._parked = True
        return self._feeder.wait_shielded(self._watch)

    def _watch(self) -> AbstractContextManager[None]:
        return self._crew.watch(self._desert)

    def _desert(self) -> None:
        """Interrupt what nobody will leave; whoever should iterate on all the same is told."""
        if not self._window.closed:
            self.interrupt()
            self._window.end_source(
                RuntimeError(
                    "the stage was cancelled after the task that entered it had ended; "
                    "enter it in the task that iterates it"
                )
            )

    def _wake_consumer(self) -> None:
        self._asking = False
        self._results.wake()

    def _wake_feeder(self) -> None:
        self._parked = False
        self._feeder.wake()

    async def _cancel_all(self) -> None:
        if self._given:
            # Let what was given be awaited, so that it is cancelled and comes to its end.
            await self._crew.breathe()
        self._drop()
        running = [entry for entry in self._dropped if entry.started and not entry.ended]
        for entry in running:
            self._wake_producer(entry)
        self._cancelling = True
        self._crew.cancel(running)
        while self._window.is_busy:
            await self._park_feeder()

    def _drop(self) -> None:
        dropped = self._window.close()
        self._dropped += dropped
        for entry in dropped:
            self._tell("discarded", entry)
            if entry.ended:
                self._note_exit(entry.error)

    def _start(self) -> None:
        """Start what may be started. Not re-entrant: a transform that ends at once settles in here."""
        window, crew = self._window, self._crew
        self._starting = True
        try:
            while window.queue and (entry := window.start()) is not None:
                if self._observer is not None:
                    self._tell("started", entry)
                crew.launch(entry, self._run_flat(entry) if self._flat else self._run_map(entry))
        finally:
            self._starting = False

    async def _run_map(self, entry: Entry[T, R]) -> None:
        error: BaseException | None = None
        try:
            if self._threshold is not None:
                await self._threshold
            # What is given to in_order runs already: only awaited can it be cancelled and come to its end.
            if self._given or not self._window.closed:
                awaitable: Awaitable[R] = self._transform(entry.item)
                kind: type = type(awaitable)
                if kind is not CoroutineType:
                    _errors.check_awaitable("transform", awaitable)
                entry.results.append(await awaitable)
        except BaseException as failure:  # noqa: BLE001  # whatever it is, it is raised in its position
            error = failure
            self._own(entry, failure)
        # Not in the except clause: a transform that is started from here must not get this error as its
        # context.
        self._settle(entry, error)
        del error

    async def _run_flat(self, entry: Entry[T, R]) -> None:
        error: BaseException | None = None
        try:
            if self._threshold is not None:
                await self._threshold
            if not self._window.closed:
                await self._pour(entry)
        except BaseException as failure:  # noqa: BLE001  # as in _run_map
            error = failure
        self._settle(entry, error)
        del error

    async def _pour(self, entry: Entry[T, R]) -> None:
        """Read the sub-stream of *entry* while there is room for its results, and close it."""
        window, crew = self._window, self._crew
        stream = self._transform(entry.item)
        _errors.check_async_iterable("transform", stream)
        read, close = await _open(stream)
        try:
            while not window.closed:
                if not window.has_buffer_room(entry):
                    entry.room = entry.room or crew.spot()
                    struck = await entry.room.wait_shielded()
                    if not window.closed:
                        crew.give_back(struck)
                    continue
                try:
                    result = await read()
                except StopAsyncIteration:
                    # Ended before its time was over, however long it takes to close.
                    crew.in_time(entry)
                    return
                except BaseException as failure:
                    self._own(entry, failure)
                    raise
                if not crew.in_time(entry):
                    return
                window.put(entry, result)
                if self._asking and window.is_ready:
                    self._wake_consumer()
        finally:
            entry.closing = True
            await close()

    def _own(self, entry: Entry[T, R], error: BaseException) -> None:
        """Tell the item's own error, which goes where the item goes, from one of cleaning up."""
        if not self._cancelling:
            entry.error = error

    @staticmethod
    def _wake_producer(entry: Entry[T, R]) -> None:
        if entry.room is not None:
            entry.room.wake()

    def _settle(self, entry: Entry[T, R], error: BaseException | None) -> None:
        """Note that *entry* has ended, and let all go on that waited for it."""
        window = self._window
        in_time = entry.timer is None or self._crew.ended(entry)
        if window.closed:
            if error is entry.error:
                self._note_exit(error)
            else:
                self._note(error)
            window.settle(entry)
        elif error is None and in_time and self._observer is None:
            window.settle(entry)
        else:
            self._settle_openly(entry, error, in_time=in_time)
        if window.queue and not self._starting:
            self._start()
        if self._asking and (window.is_ready or window.is_over):
            self._wake_consumer()
        if self._parked and window.has_room:
            self._wake_feeder()

    def _settle_openly(self, entry: Entry[T, R], error: BaseException | None, *, in_time: bool) -> None:
        """Note that *entry* has ended, as the policy and the observer have it."""
        window, culprit = self._window, f"the transform of item {entry.index}"
        if in_time:
            error = _errors.told(error, culprit, self._crew.cancelled)
        else:
            what = "gave no result" if self._flat else "did not end"
            late = TimeoutError(f"{culprit} {what} within timeout_s={self._timeout_s!r}")
            late.__cause__ = error
            error = late
            # What came after all came too late.
            entry.results.clear()
        self._tell("settled", entry, error)
        if self._on_error == "raise" or not isinstance(error, Exception):
            window.settle(entry, error)
        elif self._on_error == "skip":
            window.settle(entry, skipped=True)
        else:
            window.put(entry, cast("R", error))
            window.settle(entry)

    def _note_exit(self, error: BaseException | None) -> None:
        """Keep what an item that is not handed over failed with, if it is Ctrl-C or the like."""
        if not isinstance(error, Exception):
            self._note(error)

    def _note(self, error: BaseException | None) -> None:
        """Keep what went wrong in cleaning up, until the block is left."""
        # Closing a generator that holds a task group across its yield brings its GeneratorExit back in a
        # group.
        error = _errors.without(error, (self._crew.cancelled, GeneratorExit))
        if error is not None:
            self._errors += (error,)

    def _tell(
        self,
        event: Literal["admitted", "started", "settled", "delivered", "discarded"],
        entry: Entry[T, R],
        *more: BaseException | None,
    ) -> None:
        if self._observer is None:
            return
        try:
            getattr(self._observer, event)(entry.index, entry.item, self._crew.now(), *more)
        except Exception as error:  # noqa: BLE001  # an observer must not change what it observes
            self._observer = None
            self._errors += (error,)

    def _tell_left(self, entry: Entry[T, R]) -> None:
        self._tell("discarded" if entry.skipped else "delivered", entry)


async def _open(source: AsyncIterable[T] | Iterable[T]) -> tuple[Read[T], Close]:
    if isinstance(source, Stage):
        stage = cast("Stage[Any, T]", source)
        await stage.__aenter__()
        return stage.__anext__, partial(stage.__aexit__, None, None, None)
    return open_source(source)
