"""Frames that may come out of order, back in order."""

from typing import Generic, TypeVar, final

_Item = TypeVar("_Item")


@final
class Reorder(Generic[_Item]):
    """Puts numbered frames in order, and waits for none for ever.

    A frame that is missing is given up when more than *wait* later ones have come. What comes twice, or after
    it was given up, is dropped. Each track has numbers, and wants a `Reorder`, of its own.

    Args:
        wait: How many later frames to hold back for a missing one; with 0 the late are just dropped.

    Raises:
        ValueError: *wait* is negative.
    """

    def __init__(self, wait: int = 3) -> None:
        if wait < 0:
            raise ValueError(f"wait must be at least 0, got {wait!r}")
        self._wait: int = wait
        self._next: int = 1
        self._begun: bool = False  # whether a frame was given out
        self._held: dict[int, _Item] = {}

    def push(self, number: int, item: _Item) -> list[_Item]:
        """Take a frame and return those whose turn it is, in order."""
        if number == self._next and not self._held:
            # As almost always.
            self._next += 1
            self._begun = True
            return [item]
        if number < self._next and not self._begun:
            self._next = number  # the first frame has not always number 1
        if number >= self._next:
            self._held.setdefault(number, item)
        if len(self._held) > self._wait and self._next not in self._held:
            self._next = min(self._held)
        return self._ready()

    def flush(self) -> list[_Item]:
        """Return what is held back, in order; nothing is waited for any more."""
        held = sorted(self._held.items())
        if held:
            self._next = held[-1][0] + 1
            self._begun = True
        self._held.clear()
        return [item for _, item in held]

    def _ready(self) -> list[_Item]:
        ready: list[_Item] = []
        while self._next in self._held:
            ready.append(self._held.pop(self._next))
            self._next += 1
        self._begun = self._begun or bool(ready)
        return ready
