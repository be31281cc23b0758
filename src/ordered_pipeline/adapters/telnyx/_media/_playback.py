"""One clip in a media stream: when it sounds by our clock, and how it ended."""

import math
from typing import Final, Literal, final

import anyio

from ordered_pipeline.adapters.telnyx._media._pacing import Sound
from ordered_pipeline.voice import Clip, PlaybackResult


@final
class StreamPlayback:
    """One clip in a media stream.

    Attributes:
        clip: What is played.
        mark: The name of the mark behind it.
        sound: Where it stands in the stream.
        expected_s: When it should be over; `math.inf` while its mark was not sent.
    """

    def __init__(self, clip: Clip, mark: str) -> None:
        """Make the playback of a clip nothing of which was sent."""
        self.clip: Final = clip
        self.mark: Final = mark
        self.sound: Final = Sound()
        self.expected_s: float = math.inf
        self._result: PlaybackResult | None = None
        self._error: Exception | None = None
        self._begun: Final = anyio.Event()
        self._over: Final = anyio.Event()

    @property
    def is_over(self) -> bool:
        """Whether it is known how it ended."""
        return self._result is not None

    def begin(self) -> None:
        """Say that something of it was sent."""
        self._begun.set()

    def complete(self, outcome: Literal["completed", "presumed"]) -> None:
        """Say that all of it was heard. As with the others, only the first word on its end counts."""
        self._settle(PlaybackResult(outcome, self.sound.length_s))

    def clear(self) -> None:
        """Say that nothing more of it is heard."""
        self._settle(PlaybackResult("cleared", self.position_s()))

    def fail(self, error: Exception) -> None:
        """Say why nothing more of it is heard."""
        if self._result is None:
            self._error = error
        self._settle(PlaybackResult("failed", self.position_s()))

    async def started(self) -> float:
        """Return when its first sample sounds; waits until it does, for ever if it was cleared before.

        Raises:
            TelnyxStreamClosedError: The stream has ended before.
            ValueError: A chunk before any sound ended inside a sample.
        """
        await self._begun.wait()
        if self.sound.spans:
            with anyio.CancelScope(deadline=self.sound.spans[0][0]):
                await self._over.wait()
        if self._result is not None and self._result.played_s <= 0:
            if self._error is not None:
                raise self._error
            await anyio.sleep_forever()
        return self.sound.spans[0][0]

    async def finished(self) -> PlaybackResult:
        """Return how it ended; waits until it has.

        Raises:
            TelnyxStreamClosedError: The stream has ended before.
            ValueError: A chunk ended inside a sample.
        """
        await self._over.wait()
        assert self._result is not None  # noqa: S101  # it is over
        if self._error is not None:
            raise self._error
        return self._result

    def position_s(self) -> float:
        """Return how much of it has sounded by now, in seconds: what was sent, as far as there was time."""
        if self._result is not None:
            return self._result.played_s
        return self.sound.played_s(anyio.current_time())

    def _settle(self, result: PlaybackResult) -> None:
        self._result = self._result or result
        self._begun.set()
        self._over.set()
