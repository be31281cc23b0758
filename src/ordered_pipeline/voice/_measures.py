"""What was measured of a voice so far: how late its audio comes, and how fast it speaks."""

import math
from collections import deque
from typing import Final
from weakref import WeakKeyDictionary

from ordered_pipeline.voice._policy import Prefetch
from ordered_pipeline.voice._roles import TextToSpeech

# Old values are forgotten: a provider's day changes.
_MOST_VALUES: Final = 200
# Until something was measured: 15 characters a second, about 150 words a minute.
_USUAL_S_A_CHARACTER: Final = 1 / 15


class VoiceMeasures:
    """What a voice took, over all replies of the process."""

    def __init__(self) -> None:
        self._first_audio_s: deque[float] = deque(maxlen=_MOST_VALUES)
        self._segments: deque[tuple[int, float]] = deque(maxlen=_MOST_VALUES)
        self._characters: int = 0
        self._audio_s: float = 0.0

    def add_first_audio(self, seconds: float) -> None:
        """Note how long it took from asking to the first audio of a segment."""
        self._first_audio_s.append(seconds)

    def add_segment(self, characters: int, audio_s: float) -> None:
        """Note how long a whole segment sounds."""
        if len(self._segments) == _MOST_VALUES:
            gone = self._segments[0]
            self._characters -= gone[0]
            self._audio_s -= gone[1]
        self._segments.append((characters, audio_s))
        self._characters += characters
        self._audio_s += audio_s

    @property
    def s_a_character(self) -> float:
        """How long a character sounds, in seconds; a usual value before anything was measured."""
        return self._audio_s / self._characters if self._audio_s > 0 else _USUAL_S_A_CHARACTER

    def depth(self, prefetch: Prefetch) -> int:
        """Return how many segments *prefetch* allows in flight, for this voice as it is now."""
        most = prefetch.segments_at_most
        if most is None or not self._first_audio_s or not self._audio_s > 0:
            return prefetch.segments
        late_s = sorted(self._first_audio_s)[math.ceil(0.95 * len(self._first_audio_s)) - 1]
        wanted = 1 + math.ceil(late_s / (self._audio_s / len(self._segments)))
        return min(max(wanted, prefetch.segments), most)


_of_voices: Final[WeakKeyDictionary[TextToSpeech, VoiceMeasures]] = WeakKeyDictionary()


def measures_of(voice: TextToSpeech) -> VoiceMeasures:
    """Return what was measured of *voice*; nothing yet if its object can be no key of a weak dictionary."""
    try:
        measures = _of_voices.get(voice)
        if measures is None:
            measures = _of_voices[voice] = VoiceMeasures()
    except TypeError:
        return VoiceMeasures()
    return measures
