"""The promises of a voice activity detector."""

from collections.abc import Sequence
from contextlib import aclosing
from typing import Final, get_args, get_type_hints

from ordered_pipeline.testing._checks._broken import (
    ContractBroken,
    closing,
    expect_closing,
    expect_lazy,
    expect_stream,
    expect_type,
    within,
)
from ordered_pipeline.testing._checks._speech_to_text import paced
from ordered_pipeline.voice import VoiceActivity, VoiceActivityDetector

_CALL: Final = "detect"
_KINDS: Final = get_args(get_type_hints(VoiceActivity)["kind"])


async def check_vad(
    vad: VoiceActivityDetector,
    audio: Sequence[bytes],
    *,
    frame_s: float = 0.02,
    within_s: float = 5.0,
    close_s: float = 5.0,
) -> None:
    """Check that a detector keeps the promises of `~ordered_pipeline.voice.VoiceActivityDetector`.

    It listens three times. It tells starts and stops by turns, in order, within the audio; the last word is
    that nobody speaks; it ends when the audio ends, and can be closed in the middle, after which it listens
    again.

    Args:
        vad: The detector. Nobody else uses it meanwhile.
        audio: Frames in which somebody speaks, and stops.
        frame_s: How long a frame lasts: they come at that pace, in seconds.
        within_s: How long it may take after the audio has ended, in seconds.
        close_s: How long it may take to be closed, in seconds.

    Raises:
        ContractBroken: It does not keep one of them.
        Exception: What it fails with.
    """
    async with aclosing(paced(audio, frame_s)) as frames:
        expect_stream(expect_lazy(_CALL, lambda: vad.detect(frames)), _CALL)
    audio_s = frame_s * len(audio)
    await _check_activities(vad, audio, frame_s, audio_s + within_s)
    async with aclosing(paced(audio, frame_s)) as frames, closing(vad.detect(frames)) as begun:
        with within(audio_s + within_s, f"{_CALL} must notice that somebody speaks"):
            await anext(begun)
        await expect_closing(begun, _CALL, close_s)
    await _check_activities(vad, audio, frame_s, audio_s + within_s)


async def _check_activities(
    vad: VoiceActivityDetector, audio: Sequence[bytes], frame_s: float, limit_s: float
) -> None:
    told: list[VoiceActivity] = []
    async with aclosing(paced(audio, frame_s)) as frames, closing(vad.detect(frames)) as activities:
        with within(limit_s, f"{_CALL} must end when the audio has ended,"):
            async for activity in activities:
                expect_type(activity, VoiceActivity, "each activity")
                _check_activity(activity, told, frame_s * len(audio))
                told.append(activity)
    if not told:
        raise ContractBroken(f"{_CALL} must notice that somebody speaks, but told nothing")
    if told[-1].kind != "stopped":
        raise ContractBroken(f"the last activity must be 'stopped', got {told[-1]!r}")


def _check_activity(activity: VoiceActivity, before: Sequence[VoiceActivity], audio_s: float) -> None:
    if activity.kind not in _KINDS:
        raise ContractBroken(f"kind must be one of {_KINDS!r}, got {activity.kind!r}")
    expected = "stopped" if before and before[-1].kind == "started" else "started"
    if activity.kind != expected:
        raise ContractBroken(f"'started' and 'stopped' must come by turns, got {[*before, activity]!r}")
    since_s = before[-1].at_s if before else 0.0
    if not since_s <= activity.at_s <= audio_s:
        raise ContractBroken(
            f"an activity must be within the audio, after the one before it, got {activity!r}"
        )
