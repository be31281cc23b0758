"""The ledger: where the time to the first audio went, and what every silence was caused by.

Rules kept here:

1. A stretch of time is cut at the stamps of what it waited for, in the order in which a segment passes them.
   A stamp outside the stretch counts as its nearest end, one that is before an earlier one as that one. So
   the parts add up to the stretch, and none is negative.
2. A segment waits for all before it: what those cost that were not heard comes first.
3. What is not stamped costs nothing: its time goes to the stamp after it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Final, Literal, NamedTuple, TypeAlias

from typing_extensions import override

from ordered_pipeline.voice._segment_times import SegmentTimes

Cause: TypeAlias = Literal[
    "stt",
    "program",
    "first_delta",
    "language_model",
    "segmenter",
    "prefetch",
    "tts",
    "play_call",
    "network",
    "voice_silence",
]
_Steps: TypeAlias = Iterable[tuple[Cause, float | None]]

# What is shorter is not heard, and clocks differ by as much.
_LEAST_GAP_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stretch of time, and what it was waited for."""

    cause: Cause
    length_s: float

    @override
    def __str__(self) -> str:
        return f"{self.cause.replace('_', ' ')} {self.length_s:.3f} s"


@dataclass(frozen=True, slots=True)
class Gap:
    """Silence inside a reply.

    Attributes:
        start_s: When it began, in seconds from the zero of the timeline.
        length_s: How long it was.
        after: The index of the segment that was heard before it.
        before: The index of the segment that was heard after it; the same as *after* for silence inside a
            segment.
        parts: What it was waited for; their lengths add up to its own.
    """

    start_s: float
    length_s: float
    after: int
    before: int
    parts: tuple[Part, ...]

    @property
    def end_s(self) -> float:
        """When it was over."""
        return self.start_s + self.length_s

    @property
    def cause(self) -> Cause:
        """What most of it was waited for."""
        return max(self.parts, key=lambda part: part.length_s).cause

    @override
    def __str__(self) -> str:
        place = f"before segment {self.before}" if self.before != self.after else f"in segment {self.after}"
        return f"{self.length_s:.3f} s {place}: {told(self.parts)}"


def told(parts: Iterable[Part]) -> str:
    """Return *parts* as a sum, for people: what would be shown as 0.000 s is left out."""
    return " + ".join(str(part) for part in parts if round(part.length_s, 3))


class _Sound(NamedTuple):
    """A segment that was heard, at its place in the timeline."""

    place: int
    times: SegmentTimes
    start_s: float
    end_s: float | None


def first_audio_parts(
    segments: Sequence[SegmentTimes],
    *,
    caller_end_s: float | None,
    stt_final_s: float | None,
    asked_s: float,
    first_delta_s: float | None,
) -> tuple[Part, ...]:
    """Return what the time to the first audio was spent on, in order; nothing if there was none."""
    sounds = _sounds(segments)
    if not sounds:
        return ()
    start_s = asked_s if caller_end_s is None else caller_end_s
    begin: _Steps = [
        ("stt", stt_final_s),
        ("stt" if stt_final_s is None else "program", asked_s),
        ("first_delta", first_delta_s),
    ]
    way = _way(segments[: sounds[0].place + 1], streams=_streams(segments))
    return _parts(start_s, sounds[0].start_s, chain(begin, way))


def gaps(segments: Sequence[SegmentTimes]) -> tuple[Gap, ...]:
    """Return the silences in which the next audio was not there yet, oldest first.

    Where a voice was slower than its speech, the clip ran dry somewhere inside; that silence is told as if it
    were in one piece, at the clip's end.
    """
    streams = _streams(segments)
    sounds = _sounds(segments)
    found: list[Gap] = []
    for before, after in pairwise(sounds):
        if before.end_s is None or after.start_s - before.end_s < _LEAST_GAP_S:
            continue
        way = _way(segments[before.place + 1 : after.place + 1], streams=streams)
        own: _Steps = [("tts", _own_end_s(before, after.times))]
        parts = _parts(before.end_s, after.start_s, chain(own, way))
        length_s = after.start_s - before.end_s
        found.append(Gap(before.end_s, length_s, before.times.index, after.times.index, parts))
    if sounds:
        found += _dry_end(sounds[-1])
    return tuple(found)


def voice_silences(segments: Sequence[SegmentTimes]) -> tuple[Gap, ...]:
    """Return the silences in what was heard of the voice's own audio, oldest first.

    One at the end of a clip and one at the beginning of the next are one, unless there is a gap between them.
    """
    found: list[Gap] = []
    for _, times, sound_start_s, sound_end_s in _sounds(segments):
        if sound_end_s is None:
            continue
        for offset_s, length_s in times.silences:
            start_s, after = sound_start_s + offset_s, times.index
            stop_s = min(start_s + length_s, sound_end_s)
            if found and offset_s == 0 and abs(start_s - found[-1].end_s) < _LEAST_GAP_S:
                tail = found.pop()
                start_s, after = tail.start_s, tail.after
            if stop_s > start_s:
                part = Part("voice_silence", stop_s - start_s)
                found.append(Gap(start_s, stop_s - start_s, after, times.index, (part,)))
    return tuple(found)


def characters_wasted(segments: Sequence[SegmentTimes]) -> int:
    """Return how many characters a voice was asked for that were not heard.

    A segment that was cut off counts by the share of its audio that was heard.
    """
    whole = [times for times in segments if _is_whole(times)]
    audio_s = sum(times.audio_s or 0.0 for times in whole)
    s_a_character = audio_s / sum(len(times.text) for times in whole) if audio_s else None
    return sum(
        len(times.text) - _heard_characters(times, s_a_character)
        for times in segments
        if times.tts_asked_s is not None
    )


def _sounds(segments: Sequence[SegmentTimes]) -> list[_Sound]:
    return [
        _Sound(place, times, times.started_s, times.ended_s)
        for place, times in enumerate(segments)
        if times.started_s is not None
    ]


def _streams(segments: Sequence[SegmentTimes]) -> bool:
    """Tell whether the player takes clips whose end is not there yet: it was given one at least once."""
    return any(
        times.play_asked_s is not None
        and (times.last_audio_s is None or times.play_asked_s < times.last_audio_s)
        for times in segments
    )


def _way(segments: Sequence[SegmentTimes], *, streams: bool) -> Iterator[tuple[Cause, float | None]]:
    """Yield what was waited for until the last of *segments* sounded; the others were not heard."""
    for times in segments:
        yield "prefetch", times.room_s
        yield "language_model", times.last_delta_s
        yield "segmenter", times.text_ready_s
        yield "prefetch", times.tts_asked_s
        yield "tts", times.first_audio_s
        if times.started_s is None:
            yield "tts", times.failed_s
        if not streams:
            yield "tts", times.last_audio_s
        yield "play_call", times.play_asked_s
        yield "play_call", times.accepted_s
        yield "network", times.acknowledged_s if times.started_s is None else times.started_s


def _parts(start_s: float, stop_s: float, steps: _Steps) -> tuple[Part, ...]:
    """Cut the time from *start_s* to *stop_s*; what has the same cause becomes one part."""
    lengths: dict[Cause, float] = {}
    now_s = start_s
    for cause, until_s in steps:
        if until_s is not None and min(until_s, stop_s) > now_s:
            lengths[cause] = lengths.get(cause, 0.0) + min(until_s, stop_s) - now_s
            now_s = min(until_s, stop_s)
    return tuple(Part(cause, length_s) for cause, length_s in lengths.items())


def _was_heard_out(times: SegmentTimes) -> bool:
    return times.outcome in {"completed", "presumed"} and times.error is None


def _own_end_s(sound: _Sound, after: SegmentTimes | None) -> float | None:
    """Return until when silence after *sound* is its own voice's doing; None if that was in time.

    The end of a clip is reckoned from its start and the length of its audio. One that ran dry in between
    ended later, and just the player can tell when.
    """
    times = sound.times
    if sound.end_s is None or times.last_audio_s is None or times.outcome not in {"completed", "presumed"}:
        return None
    told_s = times.last_audio_s if times.acknowledged_s is None else times.acknowledged_s
    # What waits in the player follows at once: the clip before it must have lasted longer.
    is_waited_for = after is not None and after.accepted_s is not None and after.accepted_s < told_s
    ran_dry = times.last_audio_s > (sound.start_s if is_waited_for else sound.end_s)
    return max(told_s, times.last_audio_s) if ran_dry else None


def _dry_end(last: _Sound) -> Iterator[Gap]:
    """Yield the silence inside the last clip, if it ran dry."""
    stop_s = _own_end_s(last, None)
    if last.end_s is None or stop_s is None or last.times.error is not None:
        return
    length_s = stop_s - last.end_s
    if length_s >= _LEAST_GAP_S:
        yield Gap(last.end_s, length_s, last.times.index, last.times.index, (Part("tts", length_s),))


def _is_whole(times: SegmentTimes) -> bool:
    """Tell whether the audio of the whole text was made."""
    return bool(times.text and times.audio_s) and times.last_audio_s is not None and times.error is None


def _heard_characters(times: SegmentTimes, s_a_character: float | None) -> int:
    length = len(times.text)
    if _was_heard_out(times):
        return length
    audio_s = times.audio_s
    if s_a_character is not None and not _is_whole(times):
        audio_s = length * s_a_character
    if not times.played_s or not audio_s:
        return 0
    return min(length, int(length * times.played_s / audio_s))
