"""What a user decides about a reply: how much is prepared ahead, and what happens when a voice fails."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

from ordered_pipeline.voice._misuse import check_count, check_kind, check_positive, check_voice
from ordered_pipeline.voice._roles import TextToSpeech


@dataclass(frozen=True, slots=True)
class Prefetch:
    """How much of a reply may be in flight: read from its source and not yet handed to the player.

    All bounds hold at once; none is exceeded by more than what was admitted last. A full window stops reading
    the language model.

    Attributes:
        segments: Most segments, so most segments at the voice at a time; at least 1. With `auto` the least.
        audio_s: Most seconds of audio. What a segment will give is reckoned from those before it.
        characters: Most characters of text.
        segments_at_most: Where `auto` ends; equal to *segments* for a fixed depth.

    Raises:
        TypeError: A bound is no number.
        ValueError: A bound is not positive, or *segments* is no whole number.
    """

    segments: int = 2
    audio_s: float = math.inf
    characters: float = math.inf
    segments_at_most: int | None = None

    AUTO_LEAST: ClassVar[int] = 2
    AUTO_MOST: ClassVar[int] = 6

    def __post_init__(self) -> None:
        check_count("segments", self.segments, "use segments=1 to synthesise one after another")
        check_positive("audio_s", self.audio_s, "leave it out for no limit")
        check_positive("characters", self.characters, "leave it out for no limit")
        if self.segments_at_most is not None:
            check_count("segments_at_most", self.segments_at_most, "leave it out for a fixed depth")
            if self.segments_at_most < self.segments:
                raise ValueError(
                    f"segments_at_most must be at least segments={self.segments}, "
                    f"got {self.segments_at_most!r}"
                )

    @classmethod
    def auto(
        cls,
        *,
        least: int = AUTO_LEAST,
        most: int = AUTO_MOST,
        audio_s: float = math.inf,
        characters: float = math.inf,
    ) -> Self:
        """Return a depth that follows the voice: ``1 + ceil(p95 of its first-audio time / audio a segment)``.

        The times are those that this voice object has taken so far, in all replies of the process.

        Args:
            least: Fewest segments, and how many it is before anything was measured.
            most: Most segments.
            audio_s: As the attribute.
            characters: As the attribute.

        Raises:
            TypeError: A bound is no number.
            ValueError: A bound is not positive, or *least* is above *most*.
        """
        return cls(least, audio_s, characters, most)


@dataclass(frozen=True, slots=True)
class SpeechPolicy:
    """What is tried when a voice fails or is slow, and what happens when nothing helps.

    A segment is tried again, hedged and handed to a fallback voice only while nothing of it was handed to the
    player.

    Attributes:
        first_audio_s: How long a voice may take to the first audio of a segment, in seconds above 0.
        segment_s: How long it may take to the end of the segment, from asking on, in seconds above 0.
            Whenever it has had to wait for the player, the time begins anew.
        tries: How often each voice is asked, at least 1.
        hedge_after_s: When no audio is there after so many seconds, the same voice is asked a second time;
            the first answer wins and the other request is cancelled. None for never.
        fallback: The voices that are asked in turn when the first has failed. Their formats may differ.
        on_failure: What follows when all have failed: ``"skip"``: the next segment; ``"stop"``: nothing more
            is spoken, and the error comes out of the reply; ``"filler"``: *filler* is spoken instead.
        filler: What is spoken in the place of a segment that failed. If it fails too, it is skipped.
        speaks_rest: Whether the rest of a segment is asked for again when the voice fails in the middle,
            after a part of it was handed over. What was handed over is reckoned by word times, or by the
            speaking rate, so words near the border may be heard twice or not at all.

    Raises:
        TypeError: A value has the wrong type.
        ValueError: A value is out of range, or ``"filler"`` is asked for and there is none.
    """

    first_audio_s: float = 5.0
    segment_s: float = 30.0
    tries: int = 2
    hedge_after_s: float | None = None
    fallback: tuple[TextToSpeech, ...] = ()
    on_failure: Literal["skip", "stop", "filler"] = "skip"
    filler: str = ""
    speaks_rest: bool = False

    def __post_init__(self) -> None:
        check_positive("first_audio_s", self.first_audio_s, "use math.inf for no limit")
        check_positive("segment_s", self.segment_s, "use math.inf for no limit")
        check_count("tries", self.tries, "use tries=1 to ask each voice once")
        if self.hedge_after_s is not None:
            check_positive("hedge_after_s", self.hedge_after_s, "leave it out for one request at a time")
        check_kind("fallback", self.fallback, Sequence, "a tuple of voices", "write (voice,) for one")
        for voice in self.fallback:
            check_voice("fallback", voice)
        if self.on_failure not in {"skip", "stop", "filler"}:
            raise ValueError(f"on_failure must be 'skip', 'stop' or 'filler', got {self.on_failure!r}")
        if self.on_failure == "filler" and not self.filler.strip():
            raise ValueError(
                f"filler must be what is to be spoken, got {self.filler!r}; use on_failure='skip' for silence"
            )
