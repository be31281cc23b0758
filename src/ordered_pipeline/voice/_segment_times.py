"""The life of one segment, as data: what a timeline is made of."""

from dataclasses import dataclass
from typing import Literal

from ordered_pipeline.voice._audio import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTimes:
    """The life of one segment; None for what has not happened.

    Times are in seconds from the zero of the timeline.

    Attributes:
        index: Its place in the reply, from 0.
        text: Its text.
        room_s: When there was room for it, and its text was asked for.
        last_delta_s: When the last of its text came from the language model.
        text_ready_s: When the splitter gave it out.
        tts_asked_s: When the voice was asked first.
        first_audio_s: When the first audio was there that was kept.
        failed_s: When the last voice had failed, if none could speak it.
        last_audio_s: When the last of it was there.
        play_asked_s: When the player was given the clip.
        accepted_s: When the player had accepted it.
        started_s: When its first sample sounded.
        ended_s: When its last sample had sounded, or sound was cut off.
        acknowledged_s: When the player said how it ended.
        audio_s: How much audio of it was made and kept, in seconds; None if that cannot be told, in a
            container's format.
        played_s: How much of it was heard.
        outcome: How its playing ended, as in `PlaybackResult`; ``"skipped"`` if no voice could speak it or
            it had nothing to say; None while it is on its way, or if it was interrupted before the player
            had it.
        error: What the voice failed with at last, as text, if it failed.
        requests: How often a voice was asked.
        voice: Which voice spoke: 0 for the reply's own, then the fallbacks.
        words: The voice's word times.
        silences: Where the audio itself is silent for 100 ms or more: start and length, from its first
            sample, in seconds.
    """

    index: int
    text: str
    room_s: float | None = None
    last_delta_s: float | None = None
    text_ready_s: float | None = None
    tts_asked_s: float | None = None
    first_audio_s: float | None = None
    failed_s: float | None = None
    last_audio_s: float | None = None
    play_asked_s: float | None = None
    accepted_s: float | None = None
    started_s: float | None = None
    ended_s: float | None = None
    acknowledged_s: float | None = None
    audio_s: float | None = None
    played_s: float | None = None
    outcome: Literal["completed", "cleared", "failed", "presumed", "skipped"] | None = None
    error: str | None = None
    requests: int = 0
    voice: int = 0
    words: tuple[Word, ...] = ()
    silences: tuple[tuple[float, float], ...] = ()
