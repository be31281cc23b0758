"""Timelines to test with, as a reply would have left them."""

from dataclasses import replace

from ordered_pipeline.voice import SegmentTimes, Timeline

SENTENCES = (
    "Your parcel left Kraków this morning.",
    " It should be with you by Tuesday.",
    " Shall I send you a message when it is there?",
)


def segment(
    index: int,
    ready_s: float,
    *,
    start_s: float,
    text: str | None = None,
    tts_s: float = 0.5,
    audio_s: float = 1.5,
) -> SegmentTimes:
    """Return the life of a segment that nothing held up: each stamp as soon as it could be."""
    return SegmentTimes(
        index=index,
        text=SENTENCES[index % 3] if text is None else text,
        room_s=0.0,
        last_delta_s=ready_s,
        text_ready_s=ready_s,
        tts_asked_s=ready_s,
        first_audio_s=ready_s + tts_s,
        last_audio_s=ready_s + tts_s,
        play_asked_s=ready_s + tts_s,
        accepted_s=ready_s + tts_s,
        started_s=start_s,
        ended_s=start_s + audio_s,
        acknowledged_s=start_s + audio_s,
        audio_s=audio_s,
        played_s=audio_s,
        outcome="completed",
        requests=1,
    )


def reply(*segments: SegmentTimes) -> Timeline:
    """Return the timeline of a reply to a caller who was waiting from 0 s on."""
    return Timeline(
        origin_s=100.0,
        turn=3,
        caller_end_s=0.0,
        stt_final_s=0.125,
        asked_s=0.25,
        first_delta_s=0.5,
        text_end_s=max((times.text_ready_s or 0.0 for times in segments), default=None),
        segments=segments,
    )


def gapless(segments: int = 3) -> Timeline:
    """Return the timeline of a reply without a gap: three sentences of 1.5 s, ready 0.5 s apart."""
    return reply(*(segment(i, 1.0 + i / 2, start_s=1.5 + 1.5 * i) for i in range(segments)))


def sequential() -> Timeline:
    """Return the timeline of a player that takes a clip at a time: 240 ms a call, 200 ms until it sounds."""
    start_s = 1.5
    segments: list[SegmentTimes] = []
    for index in range(3):
        times = segment(index, 1.0 + index / 2, start_s=start_s + 0.44)
        segments.append(replace(times, play_asked_s=start_s, accepted_s=start_s + 0.24))
        start_s += 0.44 + 1.5
    return reply(*segments)
