"""What a scripted service hands out: items at stated instants, and a record of how that went.

Rules kept here:

1. Nothing happens before the first ``__anext__``; the script's seconds count from there.
2. An item that is due is given at once: a service goes on while nobody reads it, so a slow reader delays
   nothing.
3. Whatever was begun ends once: at its end, by its error, cancelled inside ``__anext__``, or closed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, Self, TypeAlias, TypeVar, final

import anyio

T_co = TypeVar("T_co", covariant=True)
RequestT = TypeVar("RequestT", bound="ServiceRequest")

Outcome: TypeAlias = Literal["completed", "failed", "cancelled", "closed"]


async def sleep_until(deadline_s: float) -> None:
    """Sleep until the clock shows at least *deadline_s*; return at once if it does."""
    # Again and again: now + (deadline - now) may be rounded to just before the deadline.
    while (left_s := deadline_s - anyio.current_time()) > 0:  # noqa: ASYNC110  # it waits for the clock alone
        await anyio.sleep(left_s)


@dataclass(slots=True, kw_only=True)
class ServiceRequest:
    """What became of one request to a scripted service. Instants are on the event loop's clock.

    Attributes:
        asked_s: When it was begun, by the first ``__anext__``.
        first_s: When its first item was given; None before that.
        last_s: When its last item so far was given.
        ended_s: When it was over, clean-up included; None while it runs.
        outcome: ``"completed"``, ``"failed"`` by its script's error, ``"cancelled"`` while it was waited for,
            or ``"closed"`` by ``aclose``; None while it runs.
    """

    asked_s: float = field(default_factory=anyio.current_time)
    first_s: float | None = None
    last_s: float | None = None
    ended_s: float | None = None
    outcome: Outcome | None = None

    def told(self) -> None:
        """Note that an item is given now."""
        self.last_s = anyio.current_time()
        if self.first_s is None:
            self.first_s = self.last_s


@final
class RequestLog(Generic[RequestT]):
    """The requests of a service, oldest first, and how many ran at once."""

    def __init__(self) -> None:
        self.requests: list[RequestT] = []
        self.running: int = 0
        self.most_running: int = 0

    def begin(self, request: RequestT) -> None:
        self.requests.append(request)
        self.running += 1
        self.most_running = max(self.most_running, self.running)

    def end(self, request: RequestT, outcome: Outcome) -> None:
        request.ended_s = anyio.current_time()
        request.outcome = outcome
        self.running -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[T_co]):
    """What a stream gives, in seconds from its first ``__anext__``.

    Attributes:
        items: Instants and items, in order.
        end_s: When it ends or fails; `math.inf` if it hangs.
        error: What it fails with; None if it just ends.
        cleanup_s: How long it takes to be cancelled or closed.
    """

    items: Sequence[tuple[float, T_co]]
    end_s: float
    error: Exception | None
    cleanup_s: float


@final
class ScriptedStream(Generic[T_co, RequestT]):
    """The answer to one request: an async iterator with ``aclose``."""

    def __init__(self, begin: Callable[[], tuple[Plan[T_co], RequestT]], log: RequestLog[RequestT]) -> None:
        self._begin: Final = begin
        self._log: Final = log
        self._begun: tuple[Plan[T_co], RequestT] | None = None
        self._given: int = 0
        self._is_over: bool = False
        self._is_waiting: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        """Return the next item when it is due.

        Raises:
            StopAsyncIteration: There is none left, or the stream was closed or cancelled.
            RuntimeError: Another task waits here.
        """
        self._refuse_company()
        if self._is_over:
            raise StopAsyncIteration
        if self._begun is None:
            self._begun = self._begin()
            self._log.begin(self._begun[1])
        plan, request = self._begun
        is_last = self._given == len(plan.items)
        due_s = plan.end_s if is_last else plan.items[self._given][0]
        self._is_waiting = True
        try:
            await (anyio.sleep_forever() if due_s == math.inf else sleep_until(request.asked_s + due_s))
        except BaseException:  # cancelled: the loops differ in what they raise for that
            await self._clean_up("cancelled")
            raise
        finally:
            self._is_waiting = False
        if is_last:
            self._is_over = True
            self._log.end(request, "failed" if plan.error else "completed")
            raise plan.error or StopAsyncIteration
        item = plan.items[self._given][1]
        self._given += 1
        request.told()
        return item

    async def aclose(self) -> None:
        """Cancel what is left, with the script's clean-up; the second time nothing happens.

        Raises:
            RuntimeError: Another task waits for an item. Async generators refuse that too.
        """
        self._refuse_company()
        if not self._is_over:
            await self._clean_up("closed")

    def _refuse_company(self) -> None:
        if self._is_waiting:
            raise RuntimeError("a stream was used by two tasks at once; close it where it is iterated")

    async def _clean_up(self, outcome: Outcome) -> None:
        self._is_over = True
        if self._begun is None:
            return
        plan, request = self._begun
        try:
            if plan.cleanup_s:
                # Shielded, as clean-up that waits has to be; a native cancellation of asyncio still cuts it.
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(plan.cleanup_s)
        finally:
            self._log.end(request, outcome)
