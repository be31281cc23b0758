"""The ledger of real replies, held against a player that knows at which instant each sample sounds."""

import math
from dataclasses import dataclass

import pytest

from ordered_pipeline.testing import (
    RecordingPlayer,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedTextToSpeech,
    SpeechScript,
    run_in_virtual_time,
)
from ordered_pipeline.voice import PlayerCapabilities, Prefetch, Segment, SpeechPolicy, Timeline, speak
from ordered_pipeline.voice._gaps import Cause

SENTENCES = (
    "Your parcel left us this morning. ",
    "You will have it by Tuesday. ",
    "Anything else I can do? ",
)
FAST = SpeechScript(first_audio_s=0.25, audio_s=1.5)


def hangs(segment: Segment, _: int) -> SpeechScript:
    return SpeechScript(first_audio_s=math.inf) if segment.index == 1 else FAST


def pauses(segment: Segment, _: int) -> SpeechScript:
    """Let the first sentence break off in the middle, and hang."""
    broken = SpeechScript(first_audio_s=0.25, audio_s=1.5, chunk_s=0.25, breaks_after_s=0.5)
    return broken if segment.index == 0 else FAST


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    cause: Cause
    """Of each gap."""
    silence_s: float
    ready_s: tuple[float, ...] = (0.5, 0.75, 1.0)
    voice: ScriptedTextToSpeech
    player: RecordingPlayer
    prefetch: int = 2
    policy: SpeechPolicy = SpeechPolicy()  # noqa: RUF009  # frozen


def play(case: Case) -> Timeline:
    async def main() -> Timeline:
        script = ReplyScript(deltas=tuple(zip(case.ready_s, SENTENCES, strict=True)))
        async with speak(
            ScriptedLanguageModel(script).reply(()),
            tts=case.voice,
            player=case.player,
            prefetch=Prefetch(case.prefetch),
            policy=case.policy,
        ) as reply:
            await reply.finished()
        return reply.timeline

    return run_in_virtual_time(main)


def cases() -> dict[str, Case]:
    one_clip = PlayerCapabilities(streaming=False, queue_ahead=0)
    return {
        "a slow language model": Case(
            cause="language_model",
            silence_s=1.25 + 1.75,
            ready_s=(0.5, 3.25, 6.5),
            voice=ScriptedTextToSpeech(FAST),
            player=RecordingPlayer(),
        ),
        "a voice that answers late, asked for one sentence at a time": Case(
            cause="tts",
            silence_s=0.5 * 2,
            voice=ScriptedTextToSpeech(SpeechScript(first_audio_s=2.0, audio_s=1.5)),
            player=RecordingPlayer(),
            prefetch=1,
        ),
        "a voice slower than its speech": Case(
            cause="tts",
            silence_s=0.625,
            voice=ScriptedTextToSpeech(SpeechScript(first_audio_s=0.25, audio_s=1.5, chunk_s=0.25, pace=1.5)),
            player=RecordingPlayer(),
            prefetch=3,
        ),
        "a voice that hangs": Case(
            cause="tts",
            silence_s=1.0,
            voice=ScriptedTextToSpeech(hangs),
            player=RecordingPlayer(),
            policy=SpeechPolicy(first_audio_s=2.5, tries=1),
        ),
        "a voice that hangs in the middle": Case(
            cause="tts",
            silence_s=2.25,
            voice=ScriptedTextToSpeech(pauses),
            player=RecordingPlayer(),
            policy=SpeechPolicy(segment_s=3.0),
        ),
        "a player that takes one clip at a time": Case(
            cause="play_call",
            silence_s=0.75 * 2,
            voice=ScriptedTextToSpeech(FAST),
            player=RecordingPlayer(one_clip, call_s=0.5, start_s=0.25),
        ),
        "a player that takes long to start": Case(
            cause="network",
            silence_s=1.75 + 2.25,
            ready_s=(0.5, 3.75, 7.5),
            voice=ScriptedTextToSpeech(FAST),
            player=RecordingPlayer(start_s=1.5),
        ),
    }


@pytest.mark.parametrize("name", cases())
def test_gaps_are_as_long_as_the_silence_that_was_heard_and_have_its_cause(name: str) -> None:
    case = cases()[name]

    timeline = play(case)

    assert {gap.cause for gap in timeline.gaps} == {case.cause}
    assert timeline.silence_s == pytest.approx(case.silence_s, abs=1e-9)
    assert timeline.silence_s == pytest.approx(sum(case.player.gaps()), abs=1e-9)


def test_a_gapless_reply_has_no_gap() -> None:
    player = RecordingPlayer(call_s=0.25, start_s=0.25)
    timeline = play(Case(cause="tts", silence_s=0.0, voice=ScriptedTextToSpeech(FAST), player=player))

    assert (timeline.gaps, player.gaps()) == ((), [])
    assert timeline.first_audio_s == 0.5 + 0.25 + 0.25 + 0.25
