"""The room of a reply: its takes, which of them are in flight, and whether another one may be."""

import math
from typing import final

from ordered_pipeline.voice._measures import VoiceMeasures
from ordered_pipeline.voice._policy import Prefetch
from ordered_pipeline.voice._take import Take


@final
class Room:
    """The takes of a reply. One that no voice could speak is in flight until its turn has come.

    Attributes:
        takes: All of them, in order.
    """

    def __init__(self, prefetch: Prefetch, measures: VoiceMeasures) -> None:
        """Begin with no takes.

        Args:
            prefetch: The bounds.
            measures: What the bounds are reckoned with.
        """
        self._prefetch: Prefetch = prefetch
        self._measures: VoiceMeasures = measures
        self.takes: list[Take] = []
        # So many of them are not in flight any more.
        self._left: int = 0

    def has_room(self) -> bool:
        """Return whether no bound is reached; one take has room always."""
        while self._left < len(self.takes) and not self.takes[self._left].is_in_flight:
            self._left += 1
        bounds, takes = self._prefetch, self.takes[self._left :]
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
