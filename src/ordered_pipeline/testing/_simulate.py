"""A turn that is played through in virtual time: what would happen, or would have happened."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, final

import anyio
from typing_extensions import override

from ordered_pipeline.testing._language_model import ReplyScript, ScriptedLanguageModel
from ordered_pipeline.testing._player import RecordingPlayer
from ordered_pipeline.testing._text_to_speech import ChooseScript, ScriptedTextToSpeech, SpeechScript
from ordered_pipeline.testing._virtual_time import run_in_virtual_time
from ordered_pipeline.voice import (
    PlayerCapabilities,
    Prefetch,
    SegmentTimes,
    SentenceSplitter,
    SpeechPolicy,
    Timeline,
    speak,
)

# Audio that came bit by bit is taken to have come in chunks of this length, evenly.
_CHUNK_S: Final = 0.1
# A text that was read so soon after there was room for it had been waiting.
_AT_ONCE_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnScript:
    """One turn, as its services would behave; see `simulate`.

    Attributes:
        reply: How the language model writes, from when it is asked.
        speech: How the voice answers each request, or a function that tells it from the segment and from how
            often that segment was asked for before.
        stt_s: Seconds from the end of the caller's speech to the last word of speech-to-text, when the reply
            is asked for; None if times are to count from there.
        capabilities: What the player can do.
        call_s: Seconds from giving the player a clip until it has accepted it.
        start_s: Seconds from then to its first sample, if nothing sounds then.
        is_segmented: Whether each delta of the reply is a segment, rather than text that is still to be cut.
    """

    reply: ReplyScript
    speech: SpeechScript | ChooseScript = SpeechScript()  # noqa: RUF009  # frozen
    stt_s: float | None = None
    capabilities: PlayerCapabilities = PlayerCapabilities()  # noqa: RUF009  # as above
    call_s: float = 0.0
    start_s: float = 0.0
    is_segmented: bool = False

    @classmethod
    def recorded(
        cls,
        timeline: Timeline,
        *,
        capabilities: PlayerCapabilities = PlayerCapabilities(),  # noqa: B008  # frozen
    ) -> "TurnScript":
        """Return the turn that left *timeline*.

        What it takes from there: the segments and when their text was ready; for each how long the voice
        took, or when it had failed; and how long the player took for the first clip. A segment's text is
        taken to have come in one delta, and its audio evenly.

        A full window does not read the language model. A text that was there when there was room again is
        taken to have been written as fast as the texts that were waited for. What nobody knows is left out:
        segments that no voice was asked for, and audio that an interruption cut off.

        Args:
            timeline: What was recorded.
            capabilities: What the player could do.
        """
        segments = [segment for segment in timeline.segments if segment.tts_asked_s is not None]
        scripts = {place: _speech_of(segment) for place, segment in enumerate(segments)}
        ready_s = _text_times(timeline, segments)
        deltas = tuple((at_s, segment.text) for at_s, segment in zip(ready_s, segments, strict=True))
        call_s, start_s = _player_times(segments)
        return cls(
            reply=ReplyScript(deltas=deltas),
            speech=lambda segment, _: scripts[segment.index],
            stt_s=None if timeline.caller_end_s is None else timeline.asked_s,
            capabilities=capabilities,
            call_s=call_s,
            start_s=start_s,
            is_segmented=True,
        )


def simulate(
    turn: TurnScript | Timeline,
    *,
    prefetch: Prefetch = Prefetch(),  # noqa: B008  # frozen
    policy: SpeechPolicy = SpeechPolicy(),  # noqa: B008  # as above
    interrupt_at_s: float | None = None,
) -> Timeline:
    """Play a turn through in virtual time, and return the timeline of its reply.

    It runs an event loop of its own, so call it from plain code, not from a coroutine.

    Args:
        turn: How its services behave, or what was recorded, as by `TurnScript.recorded`.
        prefetch: How much of the reply may be in flight.
        policy: What is tried when the voice fails.
        interrupt_at_s: When the caller interrupts, in seconds from the zero of the timeline; None for never.

    Raises:
        RuntimeError: An event loop runs in this thread.
        Exception: What the reply fails with, as its ``finished`` raises it.
    """
    if _is_inside_a_loop():
        raise RuntimeError(
            "simulate was called while an event loop runs in this thread, but it runs one of its own; "
            "call it from plain code, or by anyio.to_thread.run_sync"
        )
    script = turn if isinstance(turn, TurnScript) else TurnScript.recorded(turn)
    return run_in_virtual_time(_run, script, prefetch, policy, interrupt_at_s)


async def _run(
    turn: TurnScript, prefetch: Prefetch, policy: SpeechPolicy, interrupt_at_s: float | None
) -> Timeline:
    begin_s = anyio.current_time()
    if turn.stt_s is not None:
        await anyio.sleep(turn.stt_s)
    async with speak(
        ScriptedLanguageModel(turn.reply).reply(()),
        tts=ScriptedTextToSpeech(turn.speech),
        player=RecordingPlayer(turn.capabilities, call_s=turn.call_s, start_s=turn.start_s),
        prefetch=prefetch,
        policy=policy,
        splitter=_Segmented() if turn.is_segmented else None,
        caller_end_s=None if turn.stt_s is None else begin_s,
        stt_final_s=None if turn.stt_s is None else anyio.current_time(),
    ) as reply:
        deadline_s = math.inf if interrupt_at_s is None else begin_s + interrupt_at_s
        with anyio.CancelScope(deadline=deadline_s) as patience:
            await reply.finished()
        if patience.cancelled_caught:
            await reply.interrupt()
    return reply.timeline


@final
class _Segmented(SentenceSplitter):
    """A splitter of text that was cut before: each delta is a segment."""

    @override
    def push(self, delta: str) -> list[str]:
        return [delta]

    @override
    def flush(self) -> list[str]:
        return []


def _text_times(timeline: Timeline, segments: Sequence[SegmentTimes]) -> list[float]:
    """Return when the text of each segment was ready, in seconds from when the reply was asked for."""
    s_a_character = _writing_rate(timeline, segments)
    ready_s: list[float] = []
    written_s = timeline.asked_s
    for segment in segments:
        read_s = segment.last_delta_s or 0.0
        if ready_s and _was_waiting(segment):
            written_s = min(read_s, written_s + len(segment.text) * s_a_character)
        else:
            written_s = read_s
        at_s = written_s - timeline.asked_s + (segment.text_ready_s or read_s) - read_s
        ready_s.append(max([at_s, *ready_s[-1:]]))
    return ready_s


def _writing_rate(timeline: Timeline, segments: Sequence[SegmentTimes]) -> float:
    """Return how long the language model wrote on a character of the texts that were waited for."""
    written_s = characters = 0.0
    for before, segment in pairwise(segments):
        if not _was_waiting(segment) and (before is segments[0] or not _was_waiting(before)):
            written_s += (segment.last_delta_s or 0.0) - (before.last_delta_s or 0.0)
            characters += len(segment.text)
    if not characters and segments:
        # All but the first were waiting. If that came in one delta, all the time until then was its writing.
        last_s, first_s = segments[0].last_delta_s or 0.0, timeline.first_delta_s or 0.0
        written_s = last_s - (first_s if last_s > first_s else timeline.asked_s)
        characters = len(segments[0].text)
    return written_s / max(characters, 1)


def _was_waiting(segment: SegmentTimes) -> bool:
    """Tell whether the text was there when there was room for it."""
    return (segment.last_delta_s or 0.0) - (segment.room_s or 0.0) < _AT_ONCE_S


def _speech_of(segment: SegmentTimes) -> SpeechScript:
    """Return how the voice answered; if it failed, all its requests took equally long."""
    assert segment.tts_asked_s is not None  # noqa: S101  # the others were left out
    if segment.first_audio_s is None:
        failed_s = segment.tts_asked_s if segment.failed_s is None else segment.failed_s
        return SpeechScript(
            first_audio_s=(failed_s - segment.tts_asked_s) / max(segment.requests, 1),
            breaks_after_s=0.0,
            error=RuntimeError(segment.error or "nothing came"),
        )
    first_audio_s = segment.first_audio_s - segment.tts_asked_s
    spread_s = (segment.last_audio_s or segment.first_audio_s) - segment.first_audio_s
    if segment.audio_s is None or segment.audio_s <= _CHUNK_S or spread_s <= 0:
        return SpeechScript(first_audio_s=first_audio_s, audio_s=segment.audio_s)
    return SpeechScript(
        first_audio_s=first_audio_s,
        audio_s=segment.audio_s,
        chunk_s=_CHUNK_S,
        pace=spread_s / (segment.audio_s - _CHUNK_S),
    )


def _player_times(segments: Sequence[SegmentTimes]) -> tuple[float, float]:
    """Return how long the player took to accept the first clip that sounded, and then to start."""
    for segment in segments:
        if segment.play_asked_s is not None and segment.started_s is not None:
            accepted_s = segment.accepted_s
            # A streaming player may accept a clip only when it has taken all of it.
            if accepted_s is None or accepted_s > segment.started_s:
                accepted_s = segment.play_asked_s
            return accepted_s - segment.play_asked_s, segment.started_s - accepted_s
    return 0.0, 0.0


def _is_inside_a_loop() -> bool:
    try:
        anyio.current_time()
    except RuntimeError:
        return False
    return True
