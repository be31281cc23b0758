"""A whole conversation on a simulated call: the media stream is its player, and its caller's audio."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordered_pipeline.adapters.telnyx import (
    CallControl,
    MediaStream,
    StreamingStart,
    TelnyxStreamClosedError,
)
from ordered_pipeline.testing import (
    LoopName,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    SpeechScript,
    run_in_virtual_time,
)
from ordered_pipeline.testing.telnyx import MemorySocket, SimulatedCall, TelnyxSimulator, TelnyxTiming
from ordered_pipeline.voice import Message, ServiceFailure, Transcript, Turn, converse
from tests.adapters.telnyx.media_line import PCMU, TOKEN
from tests.adapters.telnyx.steps import acting, until_spared
from tests.conftest import LOOPS, Run
from tests.core.probes import strictly

GREETING = "It is late by now. Please hold the line for a moment! We are open at nine."
REPLY = "Your parcel comes by ten. Is there anything else?"
LATENCY_S = 0.03
# By the caller's audio: he barges in, is answered, and asks again.
SAID = [
    (2.5, Transcript("", "speech_started")),
    (3.5, Transcript("When does it come?", "final")),
    (9.0, Transcript("Thank you.", "final")),
]


@dataclass
class Talk:
    """A call, and how the conversation on it went."""

    call: SimulatedCall | None = None
    events: list[Turn | ServiceFailure] = field(default_factory=list[Turn | ServiceFailure])
    history: tuple[Message, ...] = ()
    requests: list[int] = field(default_factory=list[int])

    @property
    def turns(self) -> list[Turn]:
        return [event for event in self.events if isinstance(event, Turn)]


async def talk_until(
    act: Callable[[SimulatedCall], object],
    *,
    nth: int = sys.maxsize,
    at_s: float | None = None,
    said: list[tuple[float, Transcript]] = SAID,
    reply: ReplyScript = ReplyScript.word_by_word(REPLY, first_s=0.2, gap_s=0.05),  # noqa: B008  # frozen
    speech: SpeechScript = SpeechScript(first_audio_s=0.3, chunk_s=0.1),  # noqa: B008  # as above
) -> Talk:
    """Talk on a call until its caller has left; *act* is called at an instant or after so many steps."""
    talk, over = Talk(), anyio.Event()
    stt = ScriptedSpeechToText(said, audio_format=PCMU)
    llm = ScriptedLanguageModel(reply)
    tts = ScriptedTextToSpeech(speech, audio_format=PCMU)

    async def media(socket: MemorySocket) -> None:
        try:
            async with anyio.create_task_group() as tasks:
                if at_s is not None:
                    tasks.start_soon(_later, at_s, act, call)
                with acting(nth, lambda: act(call)):
                    await take(socket)
                tasks.cancel_scope.cancel()
        finally:
            over.set()

    async def take(socket: MemorySocket) -> None:
        try:
            async with MediaStream(socket, auth_token=TOKEN) as stream:
                conversation = converse(
                    stream.caller_audio(),
                    audio_format=PCMU,
                    stt=stt,
                    llm=llm,
                    tts=tts,
                    player=stream,
                    greeting=GREETING,
                )
                async with conversation:
                    talk.events.extend([event async for event in conversation])
                talk.history = conversation.history
        except TelnyxStreamClosedError:
            pass  # before it had begun

    timing = TelnyxTiming(media_latency_s=LATENCY_S)
    async with (
        TelnyxSimulator(media=media, timing=timing) as telnyx,
        httpx.AsyncClient(transport=telnyx.transport()) as client,
    ):
        call = talk.call = telnyx.incoming_call(is_answered=True)
        command = StreamingStart(
            stream_url="wss://bot.test",
            stream_auth_token=TOKEN,
            stream_bidirectional_mode="rtp",
            stream_bidirectional_codec="PCMU",
        )
        await CallControl(client, api_key=telnyx.api_key).send(call.call_control_id, command)
        await over.wait()
    talk.requests = [stt.running, llm.running, tts.running]
    return talk


async def _later(at_s: float, act: Callable[[SimulatedCall], object], call: SimulatedCall) -> None:
    await anyio.sleep_until(at_s)
    act(call)


def hang_up(call: SimulatedCall) -> None:
    call.hang_up()


def break_off(call: SimulatedCall) -> None:
    if call.stream is not None:
        call.stream.break_off(1006)


def test_a_caller_barges_in_is_answered_and_the_history_has_what_was_heard(run: Run) -> None:
    async def main() -> Talk:
        return await talk_until(hang_up, at_s=15.0)

    talk = run(main)

    greeting, answer, end = talk.turns
    assert talk.events == talk.turns
    assert (greeting.said, answer.said, end.said) == ("", "When does it come?", "Thank you.")
    assert (answer.heard.text, answer.heard.unheard) == (REPLY, "")
    assert (end.heard.text, end.error) == (REPLY, None)
    assert greeting.heard.text + greeting.heard.unheard in GREETING
    assert talk.history == (
        Message("assistant", greeting.heard.text.rstrip()),
        Message("user", "When does it come?"),
        Message("assistant", REPLY),
        Message("user", "Thank you."),
        Message("assistant", REPLY),
    )


def test_a_barge_in_is_silence_within_40_ms_of_the_word_of_speech_to_text(run: Run) -> None:
    async def main() -> Talk:
        return await talk_until(hang_up, at_s=15.0)

    talk = run(main)

    assert talk.call is not None
    sounds = talk.call.timeline.sounds
    assert len(sounds) == 3
    # The stream opens at 0.29; what the caller says takes its way, as what silences the line does.
    told_s = 0.29 + 2.5 + LATENCY_S
    assert told_s <= sounds[0].end_s <= told_s + 0.04 + 0.02
    # What the caller has heard: a sixteenth of a second is a character.
    heard = talk.turns[0].heard
    assert abs(len(heard.text) / 16 - sounds[0].duration_s) <= heard.error_s + 1 / 16 * len("moment! ")


@pytest.mark.parametrize("run", ["asyncio", "trio"], indirect=True)
@pytest.mark.parametrize("act", [hang_up, break_off])
def test_at_whatever_step_of_a_conversation_the_caller_leaves_nothing_is_left(
    run: Run, act: Callable[[SimulatedCall], object]
) -> None:
    # Short, for it is done hundreds of times: a greeting, a barge-in, and an answer.
    said = [(0.06, Transcript("", "speech_started")), (0.08, Transcript("When?", "final"))]
    reply = ReplyScript(deltas=((0.01, "By ten."),))
    speech = SpeechScript(first_audio_s=0.01, audio_s=0.06)

    async def main(nth: int) -> Talk:
        with anyio.fail_after(20.0):
            # By then all was said.
            return await talk_until(act, nth=nth, at_s=1.0, said=said, reply=reply, speech=speech)

    def attempt(nth: int) -> bool:
        talk = strictly(run, main, nth)
        assert talk.requests == [0, 0, 0]
        errors = [turn.error for turn in talk.turns if turn.error is not None]
        assert all(isinstance(error, TelnyxStreamClosedError) for error in errors)
        # The last one is told that he has left, if there was anything left to be told.
        return len(talk.turns) < 2 or talk.turns[1].error is not None

    assert until_spared(attempt) > 200


@settings(max_examples=40)
@given(st.sampled_from(LOOPS), st.sampled_from([hang_up, break_off]), st.floats(0.0, 14.0))
def test_at_whatever_instant_the_caller_leaves_the_conversation_ends_and_says_so(
    loop: LoopName, act: Callable[[SimulatedCall], object], at_s: float
) -> None:
    ended_s = 0.0

    async def main() -> Talk:
        nonlocal ended_s
        with anyio.fail_after(40.0):
            talk = await talk_until(act, at_s=at_s)
        ended_s = anyio.current_time()
        return talk

    talk = run_in_virtual_time(main, loop=loop)

    assert talk.requests == [0, 0, 0]
    # What was said and not yet answered still is, as far as a stream that is over lets it: the words of
    # speech-to-text come at once with the end of the audio, the first sentence and its voice take 0.8 s.
    assert ended_s <= max(at_s, 0.29) + 3.0
    errors = [turn.error for turn in talk.turns if turn.error is not None]
    assert all(isinstance(error, TelnyxStreamClosedError) for error in errors)
    assert all(GREETING.startswith(turn.heard.text) for turn in talk.turns[:1])
    # No reply that was cut off says that all is well; but what he said last interrupts those before.
    assert all(turn.error is not None or turn.heard.unheard == "" for turn in talk.turns[-1:])
