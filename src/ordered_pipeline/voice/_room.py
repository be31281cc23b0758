"""The room of a reply: which takes are in flight, and whether another one may be."""

import math
from collections import deque
from typing import final

from ordered_pipeline.voice._measures import VoiceMeasures
from ordered_pipeline.voice._policy import Prefetch
from ordered_pipeline.voice._take import Take


@final
class Room:
    """The takes that are in flight; one that no voice could speak is, until its turn has come."""

    def __init__(self, prefetch: Prefetch, measures: VoiceMeasures) -> None:
        """Begin with no takes.

        Args:
            prefetch: The bounds.
            measures: What the bounds are reckoned with.
        """
        self._prefetch: Prefetch = prefetch
        self._measures: VoiceMeasures = measures
        self._takes: deque[Take] = deque()

    def admit(self, take: Take) -> None:
        """Note that *take* was read."""
        self._takes.append(take)

    def has_room(self) -> bool:
        """Return whether no bound is reached; one take has room always."""
        bounds, takes = self._prefetch, self._takes
        while takes and not takes[0].is_in_flight:
            takes.popleft()
        if not takes:
            return True
        if len(takes) >= self._measures.depth(bounds):
            return False
        if bounds.characters < math.inf and sum(map(_characters, takes)) >= bounds.characters:
            return False
        return not (bounds.audio_s < math.inf and sum(map(self._sounding_s, takes)) >= bounds.audio_s)

    def _sounding_s(self, take: Take) -> float:
        """Return how long *take* sounds: what is made of it, or more if more is to be expected."""
        made_s = take.audio_s or 0.0
        if take.is_made:
            return made_s
        return max(made_s, len(take.segment.text) * self._measures.s_a_character)


def _characters(take: Take) -> int:
    return len(take.segment.text)
