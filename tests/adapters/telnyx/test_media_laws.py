"""What holds for every turn on a media stream, however the line behaves and whenever it ends."""

from collections.abc import Callable
from dataclasses import dataclass

import anyio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ordered_pipeline.adapters.telnyx import TelnyxStreamClosedError
from ordered_pipeline.testing import (
    LoopName,
    ScriptedTextToSpeech,
    SpeechScript,
    run_in_virtual_time,
)
from ordered_pipeline.voice import HeardText, Timeline, speak
from ordered_pipeline.wire._telnyx_media import Stop
from tests.adapters.telnyx.media_line import PCMU, Line, said_by, stream_on

TEXT = "It is late by now. Please hold the line for a moment! Why not? We open at nine, as on all days."
LATENCIES_S = st.sampled_from([0.0, 0.01, 0.1, 0.3])
# Marks that are lost, late, or come twice.
ECHOES = st.lists(st.sampled_from([(), (0.0,), (0.0, 0.1), (0.4,), (3.0,)]), min_size=1, max_size=8)
LOOPS = st.sampled_from(["asyncio", "trio"])
VOICES = st.builds(
    SpeechScript,
    first_audio_s=st.sampled_from([0.0, 0.2, 0.7]),
    chunk_s=st.sampled_from([0.013, 0.1, 5.0]),
    pace=st.sampled_from([0.0, 0.3]),
)

laws = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class Outcome:
    """How a turn went.

    Attributes:
        heard: What the reply says was heard.
        error: What it failed with.
        over_s: When the stream's block was left.
    """

    heard: HeardText
    timeline: Timeline
    error: Exception | None
    over_s: float


def _outcome(
    line: Line,
    tts: ScriptedTextToSpeech,
    loop: LoopName,
    *,
    interrupt_s: float | None = None,
    at: tuple[float, Callable[[], None]] | None = None,
) -> Outcome:
    """Speak one reply on *line*, interrupted or not; something may happen to the line meanwhile."""

    async def main() -> Outcome:
        error: Exception | None = None
        async with anyio.create_task_group() as tasks, stream_on(line) as stream:
            if at is not None:
                tasks.start_soon(_later, *at)
            reply = speak(TEXT, tts=tts, player=stream)
            try:
                async with reply:
                    if interrupt_s is not None:
                        await anyio.sleep_until(interrupt_s)
                        await reply.interrupt()
                    await reply.finished()
            except TelnyxStreamClosedError as failure:
                error = failure
            heard = await reply.interrupt()
            over_s = anyio.current_time()
            tasks.cancel_scope.cancel()
        return Outcome(heard, reply.timeline, error, over_s)

    return run_in_virtual_time(main, loop=loop)


async def _later(at_s: float, act: Callable[[], None]) -> None:
    await anyio.sleep_until(at_s)
    act()


@laws
@given(LATENCIES_S, st.sampled_from([0.0, 0.06]), ECHOES, VOICES, LOOPS)
def test_a_turn_is_heard_whole_whatever_becomes_of_its_marks(
    latency_s: float, jitter_s: float, echoes: list[tuple[float, ...]], script: SpeechScript, loop: LoopName
) -> None:
    line = Line(latency_s=latency_s, jitter_s=jitter_s, echo=lambda number: echoes[number % len(echoes)])
    tts = ScriptedTextToSpeech(script, audio_format=PCMU)

    outcome = _outcome(line, tts, loop)

    assert outcome.error is None
    assert (outcome.heard.text, outcome.heard.unheard) == (TEXT, "")
    assert {segment.outcome for segment in outcome.timeline.segments} <= {"completed", "presumed"}
    assert max(line.leads) <= 0.24 + 1e-9
    if len(line.stretches) == 1:
        assert line.heard().rstrip(b"\xff") == said_by(tts).rstrip(b"\xff")


@laws
@given(LATENCIES_S, VOICES, st.floats(0.0, 7.0), LOOPS)
def test_after_an_interruption_nothing_sounds_but_what_was_under_way(
    latency_s: float, script: SpeechScript, interrupt_s: float, loop: LoopName
) -> None:
    line = Line(latency_s=latency_s)
    tts = ScriptedTextToSpeech(script, audio_format=PCMU)

    outcome = _outcome(line, tts, loop, interrupt_s=interrupt_s)

    assert outcome.error is None
    assert outcome.over_s <= max(interrupt_s, 7.0 + 2 * latency_s)
    assert TEXT.startswith(outcome.heard.text + outcome.heard.unheard)
    assert tts.running == 0
    if outcome.timeline.interrupted_s is not None and line.stretches:
        assert line.silent_from_s() <= interrupt_s + latency_s + 1e-6


@laws
@given(
    st.tuples(st.sampled_from(["drop", "stop", "stall"]), st.floats(0.0, 7.0)),
    st.none() | st.floats(0.0, 7.0),
    VOICES,
    ECHOES,
    LOOPS,
)
def test_whenever_the_caller_hangs_up_all_ends_at_once_and_the_reply_says_so(
    end: tuple[str, float],
    interrupt_s: float | None,
    script: SpeechScript,
    echoes: list[tuple[float, ...]],
    loop: LoopName,
) -> None:
    how, at_s = end
    line = Line(latency_s=0.03, echo=lambda number: echoes[number % len(echoes)])
    tts = ScriptedTextToSpeech(script, audio_format=PCMU)

    def act() -> None:
        match how:
            case "drop":
                line.drop()
            case "stop":
                line.give(Stop())
            case _:
                line.is_stalled = True

    outcome = _outcome(line, tts, loop, interrupt_s=interrupt_s, at=(at_s, act))

    assert line.is_closed
    assert tts.running == 0
    assert TEXT.startswith(outcome.heard.text + outcome.heard.unheard)
    if outcome.error is None and interrupt_s is None:
        # It was over before, or the voice was still at work when the line had everything.
        assert outcome.heard.unheard == ""
    # A stall is seen once a message was not taken for 5 s; else the end is the end, but for an interruption
    # that had been asked for later than that.
    wait_s = 5.0 if how == "stall" else 0.0
    patience_s = 2.0 + 1.0
    assert outcome.over_s <= max(at_s + wait_s, interrupt_s or 0.0, 7.5) + patience_s
    if how != "stall" and outcome.error is not None and interrupt_s is None:
        assert outcome.over_s <= max(at_s, script.first_audio_s) + 0.05
