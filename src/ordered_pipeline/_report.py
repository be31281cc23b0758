"""What a stage tells about itself: statistics, interruptions, and the observer's callbacks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    T_contra = TypeVarWithDefault("T_contra", contravariant=True, default=object)
else:
    # The default is for type checkers alone, and what knows it takes a fifth of the package's time to import.
    T_contra = TypeVar("T_contra", contravariant=True)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Interruption(Generic[T]):
    """What an interrupted stage had handed over, and what not.

    `delivered` items, `partial` and `dropped` together are exactly the items that were read from the source.

    Attributes:
        delivered: Items whose results were all handed to the consumer; a skipped item counts once its turn
            has passed.
        partial: `ordered_flat_map` only: the oldest item in flight, if some of its results were handed over.
        partial_results: How many of its results were handed over.
        dropped: Items nothing of which was handed over, in source order.
    """

    delivered: int
    partial: T | None
    partial_results: int
    dropped: tuple[T, ...]


@dataclass(frozen=True, slots=True)
class StageStatistics:
    """What a stage is doing at one instant.

    Attributes:
        admitted: Items read from the source so far.
        running: Transforms running now.
        ready: Items that have ended and wait for their turn.
        delivered: Items handed to the consumer so far; a skipped item counts once its turn has passed.
        waiting_for: Whose turn it is: the consumer's (a result is ready for it), the transform's (of the
            oldest item in flight), the source's, or nothing's (not entered yet, exhausted, interrupted, or
            left).
    """

    admitted: int
    running: int
    ready: int
    delivered: int
    waiting_for: Literal["source", "transform", "consumer", "nothing"]


class StageObserver(Protocol[T_contra]):
    """Callbacks on the life of each item, for timelines and metrics.

    Each is called synchronously, with the item's index from 0, the item, and the time on the event loop's
    clock in seconds. Each item ends with exactly one of `delivered` and `discarded`. The first `Exception`
    that a callback raises comes out of the stage's block as a clean-up error does, and nothing more is
    observed.
    """

    def admitted(self, index: int, item: T_contra, time: float, /) -> None:
        """Note that the item was read from the source."""

    def started(self, index: int, item: T_contra, time: float, /) -> None:
        """Note that the item's transform was started."""

    def settled(self, index: int, item: T_contra, time: float, error: BaseException | None, /) -> None:
        """Note that the item's transform has ended, with *error* if it failed; never after `discarded`."""

    def delivered(self, index: int, item: T_contra, time: float, /) -> None:
        """Note that the last of the item's results, or its error, was handed to the consumer."""

    def discarded(self, index: int, item: T_contra, time: float, /) -> None:
        """Note that the item was dropped by an interruption, or skipped and its turn has passed."""
