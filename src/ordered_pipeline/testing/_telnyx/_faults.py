"""What can go wrong, by rule: which requests, webhooks or marks, and what becomes of them."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Generic, Literal, Protocol, TypeVar, final


class _Rule(Protocol):
    @property
    def nth(self) -> int | None: ...
    @property
    def probability(self) -> float: ...
    @property
    def subject(self) -> str | None: ...


RuleT = TypeVar("RuleT", bound=_Rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestFault:
    """What becomes of a command.

    ``RestFault(is_reset=True, is_applied=True)`` is the reply that is lost: the command took effect.

    Attributes:
        action: Which commands, such as ``"playback_start"``; all of them if not given.
        nth: Which of those alone, from 1; each of them if not given.
        probability: How likely it then is, 0 to 1.
        status: The status of the reply, in place of the true one: a page of a gateway, or with 429 or a
            `code` what Telnyx would send.
        code: The error's code, such as ``"90018"``.
        retry_after_s: The reply's ``Retry-After``.
        reset_s: The reply's ``x-ratelimit-reset``.
        is_reset: The connection breaks instead of a reply.
        is_applied: Whether the command takes effect; if not given, not with a `status`, `code` or `is_reset`.
        hang_s: How much later the reply comes.
        body_s: How long the body of the reply takes to come.
    """

    action: str | None = None
    nth: int | None = None
    probability: float = 1.0
    status: int | None = None
    code: str | None = None
    retry_after_s: float | None = None
    reset_s: float | None = None
    is_reset: bool = False
    is_applied: bool | None = None
    hang_s: float = 0.0
    body_s: float = 0.0

    @property
    def subject(self) -> str | None:
        """What it is about; None for everything."""
        return self.action

    @property
    def applies(self) -> bool:
        """Whether the command takes effect."""
        if self.is_applied is None:
            return self.status is None and self.code is None and not self.is_reset
        return self.is_applied


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookFault:
    """What becomes of a webhook.

    Attributes:
        event_type: Which webhooks, such as ``"call.playback.started"``; all of them if not given.
        nth: Which of those alone, from 1; each of them if not given.
        probability: How likely it then is, 0 to 1.
        copies: How often it comes besides, at the same time.
        delay_s: How much later it comes.
        behind: It comes just after the next webhook of this event and call; never if there is none.
        batch_s: It comes at the next multiple of so many seconds, together with others that do.
        is_dropped: It does not come.
        forged: What is wrong with it: a ``"signature"`` by another key, a ``"timestamp"`` that is 301 seconds
            old, or a ``"body"`` that was changed after it was signed.
        unknown_event: It comes as an event that nobody knows.
    """

    event_type: str | None = None
    nth: int | None = None
    probability: float = 1.0
    copies: int = 0
    delay_s: float = 0.0
    behind: str | None = None
    batch_s: float | None = None
    is_dropped: bool = False
    forged: Literal["signature", "timestamp", "body"] | None = None
    unknown_event: bool = False

    @property
    def subject(self) -> str | None:
        """What it is about; None for everything."""
        return self.event_type


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkFault:
    """What becomes of a mark that a media stream is to return.

    Attributes:
        nth: Which mark alone, from 1; each if not given.
        probability: How likely it then is, 0 to 1.
        is_swallowed: It does not come back.
        delay_s: How much later it comes.
        copies: How often it comes besides.
    """

    nth: int | None = None
    probability: float = 1.0
    is_swallowed: bool = False
    delay_s: float = 0.0
    copies: int = 0

    @property
    def subject(self) -> None:
        """What it is about; None, for that is every mark."""
        return


@final
class Rules(Generic[RuleT]):
    """Finds out which rules meet a thing. Equal seeds find the same."""

    def __init__(self, seed: str) -> None:
        """Begin without rules."""
        self._random: Random = Random(seed)  # noqa: S311  # no secret: it is to be the same each time
        self._rules: list[RuleT] = []
        self._seen: Counter[int] = Counter()

    def add(self, rule: RuleT) -> None:
        """Heed *rule* from now on."""
        self._rules.append(rule)

    def met_by(self, name: str) -> list[RuleT]:
        """Return the rules that a thing of this name meets, oldest first."""
        return [rule for index, rule in enumerate(self._rules) if self._is_met(index, rule, name)]

    def _is_met(self, index: int, rule: RuleT, name: str) -> bool:
        if rule.subject not in {None, name}:
            return False
        self._seen[index] += 1
        is_it = rule.nth is None or rule.nth == self._seen[index]
        # Drawn in any case, so that one rule's number does not change what others draw.
        return (self._random.random() < rule.probability) and is_it
