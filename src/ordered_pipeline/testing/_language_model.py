"""A language model that writes what its script says, at the instants it says."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, final

from ordered_pipeline.testing._stream import Plan, RequestLog, ScriptedStream, ServiceRequest
from ordered_pipeline.voice import Message

# A word with the white space before it, as most language models give it, or white space at the end.
_WORD = re.compile(r"\s*\S+|\s+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyScript:
    """How a scripted language model writes one reply. Times are in seconds from the first ``__anext__``.

    Attributes:
        deltas: When each piece of text is there, and the piece; in the order of time.
        end_s: When the reply ends or fails; `math.inf` if it hangs, None for with the last delta.
        error: What it fails with at its end.
        cleanup_s: How long it takes to be cancelled or closed.
    """

    deltas: tuple[tuple[float, str], ...] = ()
    end_s: float | None = None
    error: Exception | None = None
    cleanup_s: float = 0.0

    def __post_init__(self) -> None:
        last_s = 0.0
        for at_s, _ in self.deltas:
            if not at_s >= last_s:
                raise ValueError(f"deltas must be in the order of time, got {at_s!r} after {last_s!r}")
            last_s = at_s
        if self.end_s is not None and not self.end_s >= last_s:
            raise ValueError(f"end_s must not be before the last delta at {last_s!r}, got {self.end_s!r}")

    @classmethod
    def word_by_word(
        cls,
        text: str,
        *,
        first_s: float = 0.0,
        gap_s: float = 0.0,
        error: Exception | None = None,
    ) -> Self:
        """Return a script that writes *text* one word a delta, at equal distances.

        Args:
            text: The reply. The white space before a word comes with the word.
            first_s: When the first word is there.
            gap_s: Seconds from each word to the next.
            error: What the reply fails with after its last word.
        """
        words = _WORD.findall(text)
        return cls(
            deltas=tuple((first_s + gap_s * place, word) for place, word in enumerate(words)), error=error
        )


@dataclass(slots=True, kw_only=True)
class ReplyRequest(ServiceRequest):
    """One request to a `ScriptedLanguageModel`.

    Attributes:
        messages: What it was asked.
    """

    messages: tuple[Message, ...]


@final
class ScriptedLanguageModel:
    """A language model for tests: its n-th request is answered by its n-th script.

    Attributes:
        requests: What was asked and what became of it, oldest first. A reply that was never iterated is not
            among them.
    """

    def __init__(self, *scripts: ReplyScript | str) -> None:
        """Make one from its *scripts*, at least one; the last of them serves all further requests.

        A text stands for a reply that is there at once.

        Raises:
            ValueError: There is no script.
        """
        if not scripts:
            raise ValueError("scripts must be at least one, got none")
        self._scripts: tuple[ReplyScript, ...] = tuple(
            ReplyScript(deltas=((0.0, script),)) if isinstance(script, str) else script for script in scripts
        )
        self._log: RequestLog[ReplyRequest] = RequestLog()
        self.requests: list[ReplyRequest] = self._log.requests

    @property
    def running(self) -> int:
        """How many replies are being written now."""
        return self._log.running

    @property
    def most_running(self) -> int:
        """The most replies that were being written at once."""
        return self._log.most_running

    def reply(self, messages: Sequence[Message], /) -> ScriptedStream[str, ReplyRequest]:
        """Return a reply to *messages*: an async iterator of text deltas, with ``aclose``."""
        asked = tuple(messages)

        def begin() -> tuple[Plan[str], ReplyRequest]:
            script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
            end_s = script.end_s
            if end_s is None:
                end_s = script.deltas[-1][0] if script.deltas else 0.0
            plan = Plan(items=script.deltas, end_s=end_s, error=script.error, cleanup_s=script.cleanup_s)
            return plan, ReplyRequest(messages=asked)

        return ScriptedStream(begin, self._log)
