"""One clip in a recording player: which samples of it sound when, and how it ends.

Rules kept here:

1. When a sample sounds is known as soon as it is taken: instants are computed, no task runs, and whoever asks
   waits for them.
2. Sound without a gap is one stretch: its samples are counted from its first, so no instant drifts.
"""

import math
from dataclasses import dataclass, replace
from typing import Final, Literal, final

import anyio

from ordered_pipeline.voice import AudioFormat, Clip, PlaybackResult, Segment

# Instants reached by different sums differ by their rounding: less than this is no time at all.
NOTHING_S: Final = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipFault:
    """What goes wrong with one clip in a `RecordingPlayer`.

    Attributes:
        refused: What ``play`` raises instead of accepting the clip.
        dies_after_s: After how much of its sound it breaks off as failed, in seconds; None if it does not.
            The rest of the clip is not taken.
        is_acknowledged: Whether the player ever learns that it was heard; if not, ``finished`` waits until
            the player is cleared.
    """

    refused: Exception | None = None
    dies_after_s: float | None = None
    is_acknowledged: bool = True


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound without a gap, all from one clip.

    Attributes:
        segment: What the clip speaks.
        format: How to read the audio.
        start_s: When its first sample sounds, on the event loop's clock.
        data: Its samples.
    """

    segment: Segment
    format: AudioFormat
    start_s: float
    data: bytes

    @property
    def end_s(self) -> float:
        """When its last sample is over."""
        return self.start_s + self.format.duration_s(len(self.data))

    def until(self, instant_s: float) -> "Sound":
        """Return the whole samples of it that are over at *instant_s*."""
        if instant_s >= self.end_s:
            return self
        samples = math.floor((instant_s - self.start_s + NOTHING_S) * self.format.sample_rate_hz)
        return replace(self, data=self.data[: max(samples, 0) * self.format.step_bytes])


@dataclass(slots=True)
class _Stretch:
    start_s: float
    data: bytearray


@final
class RecordedPlayback:
    """One clip in a `RecordingPlayer`.

    Attributes:
        segment: What the clip speaks.
        end_s: When its sound is over; `math.inf` while that is not known.
    """

    def __init__(self, clip: Clip, fault: ClipFault, position_off_s: float, *, is_blind: bool) -> None:
        """Make the playback of a clip nothing of which was taken."""
        self.segment: Segment = clip.segment
        self.end_s: float = math.inf
        self._format: Final = clip.format
        self._off_s: Final = position_off_s
        self._is_blind: Final = is_blind
        self._is_acknowledged: Final = fault.is_acknowledged
        self._room_bytes: float = math.inf
        if fault.dies_after_s is not None:
            self._room_bytes = self._samples(fault.dies_after_s) * self._format.step_bytes
        self._stretches: list[_Stretch] = []
        self._outcome: Literal["completed", "cleared", "failed", "presumed"] = (
            "presumed" if is_blind else "completed"
        )
        self._cleared: Final = anyio.Event()

    @property
    def sounds(self) -> list[Sound]:
        """What sounds of it, in one stretch or, if it ran dry in between, in several."""
        return [
            Sound(self.segment, self._format, stretch.start_s, bytes(stretch.data))
            for stretch in self._stretches
        ]

    async def started(self) -> float:
        """Return when its first sample sounds; waits until it does, for ever if none does."""
        if self._stretches:
            with anyio.CancelScope(deadline=self._stretches[0].start_s):
                await self._cleared.wait()
        if not self._stretches:
            await anyio.sleep_forever()
        return self._stretches[0].start_s

    async def finished(self) -> PlaybackResult:
        """Return how it ended; waits until it has."""
        with anyio.CancelScope(deadline=self._known_s()):
            await self._cleared.wait()
        is_whole = self._outcome in {"completed", "presumed"}
        return PlaybackResult(self._outcome, self._played_s(math.inf) if is_whole else self._reported_s())

    def position_s(self) -> float | None:
        """Return how much of it has sounded by now, as far off as the player was told to be."""
        return None if self._is_blind else self._reported_s()

    def is_over(self) -> bool:
        """Tell whether it is known how it ended."""
        return self._cleared.is_set() or anyio.current_time() >= self._known_s()

    def take(self, data: bytes, start_s: float) -> bool:
        """Let *data* sound at *start_s*, in a stretch with what is there if that ends then.

        Returns:
            Whether there is more to take; not if the clip has died, or was cleared.

        Raises:
            ValueError: *data* ends inside a sample.
        """
        self._format.duration_s(len(data))
        if self._cleared.is_set():
            # In the instant of the clearing the call that brings the data may have been awake already.
            return False
        has_room = len(data) <= self._room_bytes
        kept = data if has_room else data[: int(self._room_bytes)]
        self._room_bytes -= len(kept)
        if kept and self._stretches and start_s <= self.ready_s():
            self._stretches[-1].data += kept
        elif kept:
            self._stretches.append(_Stretch(start_s, bytearray(kept)))
        if not has_room:
            self._outcome = "failed"
        return has_room

    def ready_s(self) -> float:
        """Return when all that was taken has sounded; before anything was, ``-math.inf``."""
        if not self._stretches:
            return -math.inf
        last = self._stretches[-1]
        return last.start_s + self._format.duration_s(len(last.data))

    def settle(self, end_s: float) -> None:
        """Say that no more is taken; *end_s* is when its sound is over. The first word on that counts."""
        if self.end_s == math.inf:
            self.end_s = end_s

    def clear(self) -> None:
        """Be silent from now on."""
        now_s = anyio.current_time()
        for stretch in self._stretches:
            # Rounded down to whole samples, but for the rounding of the clock.
            del stretch.data[self._samples(now_s - stretch.start_s) * self._format.step_bytes :]
        self._stretches = [stretch for stretch in self._stretches if stretch.data]
        self.end_s = min(self.end_s, now_s)
        self._outcome = "cleared"
        self._cleared.set()

    def _samples(self, length_s: float) -> int:
        return math.floor((max(length_s, 0.0) + NOTHING_S) * self._format.sample_rate_hz)

    def _known_s(self) -> float:
        return self.end_s if self._is_acknowledged else math.inf

    def _reported_s(self) -> float:
        return max(0.0, self._played_s(anyio.current_time()) + self._off_s)

    def _played_s(self, by_s: float) -> float:
        return sum(
            min(max(by_s - stretch.start_s, 0.0), self._format.duration_s(len(stretch.data)))
            for stretch in self._stretches
        )
