"""The window against a model of it: any order of steps a stage may take, every bound and count checked."""

import gc
import math
import weakref
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ordered_pipeline import Interruption, StageStatistics
from ordered_pipeline._window import Entry, Window
from tests.core.support import Failure, laws


@dataclass(slots=True)
class Item:
    """What the model knows of an item in flight."""

    entry: Entry[str, str]
    started: bool = False
    ended: bool = False
    skipped: bool = False
    held: list[str] = field(default_factory=list)
    handed: int = 0
    error: Exception | None = None

    @property
    def has_something(self) -> bool:
        return bool(self.held) or self.error is not None


class WindowModel(RuleBasedStateMachine):
    """A window, and next to it plain lists of what it should hold."""

    @initialize(
        prefetch=st.integers(1, 4) | st.just(math.inf),
        concurrency=st.integers(1, 4) | st.just(math.inf),
        buffer=st.integers(1, 3),
        items=st.integers(0, 8),
        close_after=st.integers(0, 12),
    )
    def open(self, prefetch: float, concurrency: float, buffer: int, items: int, close_after: int) -> None:
        self.prefetch, self.concurrency, self.buffer = prefetch, concurrency, buffer
        # So that not every run is a short one, the source's end and the closing come when much has happened.
        self.items, self.close_after = items, close_after
        self.left: list[tuple[int, bool]] = []
        self.window: Window[str, str] = Window(
            prefetch,
            concurrency,
            buffer=buffer,
            left=lambda entry: self.left.append((entry.index, entry.skipped)),
        )
        self.in_flight: list[Item] = []
        self.dropped: list[Item] = []
        self.admitted = 0
        self.gone: list[tuple[int, bool]] = []
        self.source_ended = False
        self.source_error: Exception | None = None
        self.interruption: Interruption[str] | None = None

    def running(self) -> list[Item]:
        return [item for item in self.in_flight + self.dropped if item.started and not item.ended]

    def queued(self) -> list[Item]:
        return [item for item in self.in_flight if not item.started]

    def sweep(self) -> None:
        while self.in_flight and self.in_flight[0].ended and not self.in_flight[0].has_something:
            item = self.in_flight.pop(0)
            self.gone.append((item.entry.index, item.skipped))

    def with_buffer_room(self) -> list[Item]:
        return [item for item in self.running() if len(item.held) < self.buffer]

    @precondition(lambda self: not self.source_ended and not self.interruption)
    @precondition(lambda self: len(self.in_flight) < self.prefetch)
    @rule()
    def admit(self) -> None:
        entry = self.window.admit(f"item {self.admitted}", copy_context())

        assert (entry.index, entry.item) == (self.admitted, f"item {self.admitted}")
        self.in_flight.append(Item(entry))
        self.admitted += 1

    @rule()
    def start(self) -> None:
        entry = self.window.start()

        if self.queued() and len(self.running()) < self.concurrency:
            item = self.queued()[0]
            assert entry is item.entry
            item.started = True
        else:
            assert entry is None

    @precondition(lambda self: bool(self.with_buffer_room()))
    @rule(data=st.data())
    def put(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(self.with_buffer_room()))
        result = f"result {item.handed + len(item.held)} of {item.entry.index}"

        self.window.put(item.entry, result)

        item.held.append(result)

    @precondition(lambda self: bool(self.running()))
    @rule(data=st.data(), way=st.sampled_from(("well", "failed", "skipped")))
    def settle(self, data: st.DataObject, way: str) -> None:
        item = data.draw(st.sampled_from(self.running()))
        error = Failure(item.entry.index) if way == "failed" else None

        self.window.settle(item.entry, error, skipped=way == "skipped")

        item.ended, item.error, item.skipped = True, error, way == "skipped"
        self.sweep()

    @precondition(lambda self: not self.source_ended and not self.interruption)
    @precondition(lambda self: self.admitted >= self.items)
    @rule(error=st.none() | st.builds(Failure))
    def end_source(self, error: Failure | None) -> None:
        self.window.end_source(error)

        self.source_ended, self.source_error = True, error

    @precondition(lambda self: self.is_ready())
    @rule()
    def take(self) -> None:
        if not self.in_flight:
            error, self.source_error = self.source_error, None
            with pytest.raises(Failure) as raised:
                self.window.take()
            assert raised.value is error
        elif (head := self.in_flight[0]).held:
            assert self.window.take() == head.held.pop(0)
            head.handed += 1
        else:
            error, head.error = head.error, None
            with pytest.raises(Failure) as raised:
                self.window.take()
            assert raised.value is error
        self.sweep()

    @precondition(lambda self: len(self.gone) + len(self.in_flight) >= self.close_after)
    @rule()
    def close(self) -> None:
        dropped = self.window.close()

        assert list(dropped) == [item.entry for item in self.in_flight]
        if self.interruption is None:
            partial = [item for item in self.in_flight if item.handed]
            self.interruption = Interruption(
                delivered=len(self.gone),
                partial=partial[0].entry.item if partial else None,
                partial_results=partial[0].handed if partial else 0,
                dropped=tuple(item.entry.item for item in self.in_flight if not item.handed),
            )
            self.dropped = self.in_flight
            self.in_flight = []

    def is_ready(self) -> bool:
        if self.interruption is not None:
            return False
        if self.in_flight:
            return self.in_flight[0].has_something
        return self.source_error is not None

    def is_over(self) -> bool:
        return self.interruption is not None or (
            self.source_ended and self.source_error is None and not self.in_flight
        )

    @invariant()
    def the_bounds_hold(self) -> None:
        assert len(self.in_flight) <= self.prefetch
        assert len(self.running()) <= self.concurrency

    @invariant()
    def the_window_answers_as_the_model_does(self) -> None:
        window = self.window
        assert window.closed is (self.interruption is not None)
        assert window.has_room is (len(self.in_flight) < self.prefetch)
        assert window.is_busy is bool(self.running() or self.queued())
        assert window.is_ready is self.is_ready()
        assert window.is_over is self.is_over()
        assert window.head is (self.in_flight[0].entry if self.in_flight else None)
        assert window.interruption == self.interruption
        for item in self.in_flight + self.dropped:
            entry = item.entry
            assert window.has_buffer_room(entry) is (len(item.held) < self.buffer)
            assert (entry.started, entry.ended, entry.skipped) == (item.started, item.ended, item.skipped)
            assert (list(entry.results), entry.handed, entry.error) == (item.held, item.handed, item.error)

    @invariant()
    def what_left_was_told_in_order(self) -> None:
        assert self.left == self.gone
        assert [index for index, _ in self.left] == list(range(len(self.left)))

    @invariant()
    def the_statistics_are_those_of_the_model(self) -> None:
        assert self.window.statistics() == StageStatistics(
            admitted=self.admitted,
            running=len(self.running()),
            ready=sum(item.ended for item in self.in_flight),
            delivered=len(self.gone),
            waiting_for=self.waiting_for(),
        )

    def waiting_for(self) -> Literal["source", "transform", "consumer", "nothing"]:
        if self.is_over():
            return "nothing"
        if self.is_ready():
            return "consumer"
        return "transform" if self.in_flight else "source"


TestTheWindowDoesAsTheModelDoes = WindowModel.TestCase
TestTheWindowDoesAsTheModelDoes.settings = settings(
    laws, max_examples=4 * laws.max_examples, stateful_step_count=40
)


def test_a_window_holds_one_result_of_each_entry_if_not_told_otherwise() -> None:
    window: Window[str, str] = Window(1, 1)
    entry = window.admit("item", copy_context())
    window.start()

    assert window.has_buffer_room(entry)
    window.put(entry, "result")
    assert not window.has_buffer_room(entry)


def test_an_entry_carries_its_item_and_the_context_of_its_reading() -> None:
    context = copy_context()

    entry = Window[str, str](1, 1).admit("item", context)

    assert (entry.index, entry.item, entry.context is context) == (0, "item", True)


def test_an_entry_that_settles_has_neither_failed_nor_been_skipped_if_not_told_otherwise() -> None:
    window: Window[str, str] = Window(1, 1)
    entry = window.admit("item", copy_context())
    window.start()

    window.settle(entry)

    assert (entry.ended, entry.skipped, entry.error) == (True, False, None)
    assert window.statistics() == StageStatistics(1, 0, 0, 1, "source")


def test_closing_tells_a_head_that_was_begun_from_what_is_dropped_whole() -> None:
    window: Window[str, str] = Window(3, 3, buffer=2)
    first, second, third = (window.admit(item, copy_context()) for item in ("first", "second", "third"))
    for entry in (first, second, third):
        assert window.start() is entry
        window.put(entry, f"{entry.item} a")
    window.settle(first)
    window.put(second, "second b")
    assert [window.take(), window.take()] == ["first a", "second a"]

    assert window.close() == (second, third)

    interruption = Interruption(delivered=1, partial="second", partial_results=1, dropped=("third",))
    assert window.interruption == interruption
    assert window.close() == ()
    assert window.interruption == interruption


def test_closing_drops_an_error_of_the_source_s_and_one_that_comes_later_is_raised() -> None:
    window: Window[str, int] = Window(3, 2)
    window.end_source(LookupError("before"))
    later = LookupError("later")

    window.close()
    assert not window.is_ready
    window.end_source(later)
    window.close()

    assert window.is_ready
    with pytest.raises(LookupError) as caught:
        window.take()
    assert caught.value is later
    assert not window.is_ready
    assert window.is_over


def test_a_source_that_ends_has_not_failed_if_not_told_otherwise() -> None:
    window: Window[str, str] = Window(1, 1)

    window.end_source()

    assert (window.is_ready, window.is_over) == (False, True)


def test_entries_leave_though_nobody_is_to_be_told() -> None:
    window: Window[str, str] = Window(1, 1)
    entry = window.admit("item", copy_context())
    window.start()
    window.put(entry, "result")
    window.settle(entry)

    assert window.take() == "result"
    assert window.has_room


@pytest.mark.parametrize("whose", ["head", "source"])
def test_an_error_that_was_raised_is_kept_alive_by_nothing(whose: str) -> None:
    window: Window[str, str] = Window(1, 1)
    gone: list[weakref.ref[Failure]] = []

    def fail() -> None:
        error = Failure()
        gone.append(weakref.ref(error))
        if whose == "head":
            entry = window.admit("item", copy_context())
            window.start()
            window.settle(entry, error)
        else:
            window.end_source(error)

    fail()
    gc.disable()
    try:
        with suppress(Failure):
            window.take()
        assert gone[0]() is None
    finally:
        gc.enable()
