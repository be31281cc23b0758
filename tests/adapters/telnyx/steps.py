"""Something happens between two steps of the event loop: at each of them in turn."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from itertools import count
from typing import Any

import trio
from typing_extensions import override

from tests.core.probes import on_trio


@dataclass
class Steps:
    """Counts the steps that all tasks and callbacks take, and calls *action* after the nth."""

    nth: int
    action: Callable[[], object]
    count: int = 0
    error: Exception | None = None

    @property
    def acted(self) -> bool:
        return self.count >= self.nth

    def took_one(self) -> None:
        self.count += 1
        if self.count == self.nth:
            try:
                self.action()
            except Exception as error:  # noqa: BLE001  # a loop would only log it
                self.error = error


class _Instrument(trio.abc.Instrument):
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    @override
    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._steps.took_one()


@contextmanager
def acting(nth: int, action: Callable[[], object]) -> Iterator[Steps]:
    """Call *action* after the nth step that the running loop takes inside the block."""
    steps = Steps(nth, action)
    if on_trio():
        instrument = _Instrument(steps)
        trio.lowlevel.add_instrument(instrument)
        try:
            yield steps
        finally:
            trio.lowlevel.remove_instrument(instrument)
    else:
        loop: Any = asyncio.get_running_loop()
        plain = loop.call_soon

        def call_soon(
            callback: Callable[..., object], *args: object, context: Context | None = None
        ) -> asyncio.Handle:
            def step() -> None:
                callback(*args)
                steps.took_one()

            handle: asyncio.Handle = plain(step, context=context)
            return handle

        loop.call_soon = call_soon
        try:
            yield steps
        finally:
            del loop.call_soon
    if steps.error is not None:
        raise steps.error


def until_spared(attempt: Callable[[int], bool]) -> int:
    """Attempt with 1, 2, 3, ... until one is over before; return how many were not."""
    return next(nth for nth in count(1) if not attempt(nth)) - 1
