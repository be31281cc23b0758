"""The take: what a reply knows about one of its segments while it is on its way."""

import math
from dataclasses import dataclass

from ordered_pipeline.voice._audio import Word
from ordered_pipeline.voice._clip import Clip
from ordered_pipeline.voice._roles import Playback, PlaybackResult
from ordered_pipeline.voice._segment_times import SegmentTimes
from ordered_pipeline.voice._talk import Segment


@dataclass(eq=False, slots=True)
class Take:
    """One segment, from its text to its sound. Times are on the event loop's clock.

    Attributes:
        segment: The segment.
        last_delta_s: When the last of its text came.
        text_ready_s: When the splitter gave it out.
        room_s: When there was room for it, and its text was asked for.
        is_handed_over: Whether some of its audio was given to the player: then no other request may follow.
        is_made: Whether the voice has given all of it.
        is_over: Whether nothing more of it is to come, made or not.
        is_skipped: Whether no voice could speak it.
        is_filler: Whether its audio says something else, because no voice could speak it.
        audio_s: How much of it was made, in seconds.
        playback: Its playback, from when the player has accepted it until it is over.
        result: How that ended.
        clip: Its audio, as soon as there is some, from the newest request; that of an earlier one is dropped.
        is_cut: Whether the player was not given all of that, because the reply was interrupted.
        position_s: How far it had been played when the reply was interrupted.
        over_by_s: How long its end is waited for.
        doubt_s: How much more of it may have sounded than the player told.
    """

    segment: Segment
    last_delta_s: float
    text_ready_s: float
    room_s: float | None = None
    tts_asked_s: float | None = None
    first_audio_s: float | None = None
    failed_s: float | None = None
    last_audio_s: float | None = None
    play_asked_s: float | None = None
    accepted_s: float | None = None
    started_s: float | None = None
    acknowledged_s: float | None = None
    requests: int = 0
    voice: int = 0
    is_handed_over: bool = False
    is_made: bool = False
    is_over: bool = False
    is_skipped: bool = False
    is_filler: bool = False
    audio_s: float | None = None
    words: tuple[Word, ...] = ()
    silences: tuple[tuple[float, float], ...] = ()
    error: Exception | None = None
    playback: Playback | None = None
    result: PlaybackResult | None = None
    clip: Clip | None = None
    is_cut: bool = False
    position_s: float | None = None
    over_by_s: float = math.inf
    doubt_s: float = 0.0

    @property
    def is_in_flight(self) -> bool:
        """Whether it is not wholly handed over, nor skipped."""
        return not (self.is_over and (self.is_handed_over or self.is_skipped))

    @property
    def played_s(self) -> float | None:
        """How much of it has been heard; None if that is not known."""
        if self.result is not None:
            return self.result.played_s
        return None if self.playback is None else self.playback.position_s()

    def times(self, origin_s: float) -> SegmentTimes:
        """Return what is known by now, as times from *origin_s*."""
        played_s = self.played_s
        ended_s = None
        if self.result is not None and self.started_s is not None:
            ended_s = self.started_s + self.result.played_s
        return SegmentTimes(
            index=self.segment.index,
            text=self.segment.text,
            room_s=_since(origin_s, self.room_s),
            last_delta_s=self.last_delta_s - origin_s,
            text_ready_s=self.text_ready_s - origin_s,
            tts_asked_s=_since(origin_s, self.tts_asked_s),
            first_audio_s=_since(origin_s, self.first_audio_s),
            failed_s=_since(origin_s, self.failed_s),
            last_audio_s=_since(origin_s, self.last_audio_s),
            play_asked_s=_since(origin_s, self.play_asked_s),
            accepted_s=_since(origin_s, self.accepted_s),
            started_s=_since(origin_s, self.started_s),
            ended_s=_since(origin_s, ended_s),
            acknowledged_s=_since(origin_s, self.acknowledged_s),
            audio_s=self.audio_s,
            played_s=played_s,
            outcome="skipped" if self.is_skipped else None if self.result is None else self.result.outcome,
            error=None if self.error is None else f"{type(self.error).__name__}: {self.error}",
            requests=self.requests,
            voice=self.voice,
            words=tuple(self.words),
            silences=self.silences,
        )


def _since(origin_s: float, time_s: float | None) -> float | None:
    return None if time_s is None else time_s - origin_s
