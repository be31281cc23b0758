"""When each second of the caller's audio came."""

from collections import deque
from typing import Final, final

# Frames whose hour is kept: 80 s in frames of 20 ms. What is older is reckoned from the oldest.
_MOST_FRAMES: Final = 4096


@final
class Hours:
    """Places in the caller's audio, in seconds from its start, as times on the event loop's clock.

    A frame is taken to have sounded just before it came, and not before the one before it had come.
    """

    def __init__(self, begun_s: float) -> None:
        """Begin with no audio; *begun_s* is when the reading of it begins."""
        # Where each frame ends in the audio, and when it came.
        self._frames: deque[tuple[float, float]] = deque([(0.0, begun_s)], maxlen=_MOST_FRAMES)

    def note(self, end_s: float, came_s: float) -> None:
        """Note that the audio up to *end_s* has come at *came_s*."""
        self._frames.append((end_s, came_s))

    def time_of(self, place_s: float) -> float:
        """Return when the audio at *place_s* sounded; what has not come is taken to come just now."""
        later_end_s, later_came_s = self._frames[-1]
        if place_s >= later_end_s:
            return later_came_s
        for end_s, came_s in reversed(self._frames):
            if end_s <= place_s:
                return max(came_s, later_came_s - (later_end_s - place_s))
            later_end_s, later_came_s = end_s, came_s
        return later_came_s - (later_end_s - place_s)
