"""The media stream on the simulated Telnyx: what is heard on the call, to the sample."""

import math
import sys
from collections.abc import Awaitable, Callable

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordered_pipeline.adapters.telnyx import (
    CallControl,
    MediaStream,
    StreamEvent,
    StreamingStart,
    TelnyxStreamClosedError,
)
from ordered_pipeline.testing import LoopName, ScriptedTextToSpeech, SpeechScript, run_in_virtual_time
from ordered_pipeline.testing.telnyx import (
    MarkFault,
    MemorySocket,
    SimulatedCall,
    TelnyxReadings,
    TelnyxSimulator,
    TelnyxTiming,
)
from ordered_pipeline.voice import AudioFormat, HeardText, Prefetch, speak
from ordered_pipeline.wire._telnyx_media import Dtmf, StreamError
from tests.adapters.telnyx.media_line import PCMU, TOKEN, clip_of, noise, said_by
from tests.adapters.telnyx.steps import acting, until_spared
from tests.conftest import LOOPS, Run
from tests.core.probes import strictly

TEXT = "It is late by now. Please hold the line for a moment! We are open at nine."
TIMING = TelnyxTiming(media_latency_s=0.03, jitter_buffer_s=0.06)
L16 = AudioFormat("s16le", 16000)
Bot = Callable[[MediaStream, TelnyxSimulator, SimulatedCall], Awaitable[None]]


async def call_with(
    bot: Bot,
    *,
    audio_format: AudioFormat = PCMU,
    readings: TelnyxReadings = TelnyxReadings(),  # noqa: B008  # frozen
    marks: MarkFault | None = None,
) -> SimulatedCall:
    """Have *bot* talk on the media stream of one answered call, and return the call."""

    async def serve(socket: MemorySocket, telnyx: TelnyxSimulator, call: SimulatedCall) -> None:
        async with MediaStream(
            socket, auth_token=TOKEN, audio_format=audio_format, l16_byteorder=readings.l16_byteorder
        ) as stream:
            await bot(stream, telnyx, call)

    return await call_to(serve, audio_format=audio_format, readings=readings, marks=marks)


async def call_to(
    serve: Callable[[MemorySocket, TelnyxSimulator, SimulatedCall], Awaitable[None]],
    *,
    audio_format: AudioFormat = PCMU,
    readings: TelnyxReadings = TelnyxReadings(),  # noqa: B008  # as above
    marks: MarkFault | None = None,
) -> SimulatedCall:
    """Have the media stream of one answered call served, and return the call."""
    over = anyio.Event()

    async def media(socket: MemorySocket) -> None:
        try:
            await serve(socket, telnyx, call)
        finally:
            over.set()

    async with TelnyxSimulator(media=media, timing=TIMING, readings=readings) as telnyx:
        call = telnyx.incoming_call(is_answered=True)
        if marks is not None:
            telnyx.fault(marks)
        async with httpx.AsyncClient(transport=telnyx.transport()) as client:
            command = StreamingStart(
                stream_url="wss://bot.test",
                stream_auth_token=TOKEN,
                stream_bidirectional_mode="rtp",
                stream_bidirectional_codec="L16" if audio_format == L16 else "PCMU",
                stream_bidirectional_sampling_rate=16000 if audio_format == L16 else 8000,
            )
            await CallControl(client, api_key=telnyx.api_key).send(call.call_control_id, command)
        await over.wait()
    return call


def voice(audio_format: AudioFormat = PCMU) -> ScriptedTextToSpeech:
    return ScriptedTextToSpeech(SpeechScript(first_audio_s=0.4, chunk_s=0.031), audio_format=audio_format)


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_a_reply_is_heard_to_the_sample_without_a_gap(run: Run, byteorder: str) -> None:
    readings = TelnyxReadings(l16_byteorder=byteorder, short_chunks="refused")  # type: ignore[arg-type]
    for audio_format in (PCMU, L16):
        tts = voice(audio_format)

        async def bot(stream: MediaStream, _: TelnyxSimulator, __: SimulatedCall) -> None:
            async with speak(TEXT, tts=tts, player=stream) as reply:  # noqa: B023  # run at once
                await reply.finished()

        call = run(lambda: call_with(bot, audio_format=audio_format, readings=readings))  # noqa: B023  # as above

        heard = call.timeline.data()
        assert call.timeline.gaps() == []
        assert call.stream is not None
        assert call.stream.underruns == 0
        assert heard.startswith(said_by(tts))
        assert set(heard[len(said_by(tts)) :]) <= {0xFF if audio_format == PCMU else 0}


def test_a_voice_that_has_later_sentences_ready_first_is_heard_in_order(run: Run) -> None:
    tts = ScriptedTextToSpeech(
        lambda segment, _: SpeechScript(first_audio_s=2.0 - 0.9 * segment.index), audio_format=PCMU
    )

    async def bot(stream: MediaStream, _: TelnyxSimulator, __: SimulatedCall) -> None:
        async with speak(TEXT, tts=tts, player=stream, prefetch=Prefetch(segments=3)) as reply:
            await reply.finished()

    call = run(lambda: call_with(bot))

    assert tts.most_running == 3
    assert call.timeline.data().startswith(said_by(tts))


@settings(max_examples=100)
@given(st.sampled_from(LOOPS), st.floats(0.0, 6.0))
def test_a_barge_in_at_any_instant_is_silence_within_40_ms(loop: LoopName, after_s: float) -> None:
    async def bot(stream: MediaStream, _: TelnyxSimulator, call: SimulatedCall) -> None:
        async with speak(TEXT, tts=voice(), player=stream) as reply:
            await anyio.sleep(after_s)
            instant_s = anyio.current_time()
            heard = await reply.interrupt()
            await anyio.sleep(1.0)
        assert max((sound.end_s for sound in call.timeline.sounds), default=0.0) <= instant_s + 0.04
        assert TEXT.startswith(heard.text + heard.unheard)

    async def main() -> None:
        await call_with(bot)

    run_in_virtual_time(main, loop=loop)


async def interrupted_by_the_caller(nth: int) -> bool:
    """Speak until the caller speaks, after so many steps of the loop; return whether it came to that."""
    tts = ScriptedTextToSpeech(SpeechScript(first_audio_s=0.01, audio_s=0.12), audio_format=PCMU)
    later, spoken = noise(0.1), anyio.Event()

    async def bot(stream: MediaStream, _: TelnyxSimulator, call: SimulatedCall) -> None:
        silent_s = math.inf
        with acting(nth, spoken.set):
            async with speak(TEXT, tts=tts, player=stream) as reply, anyio.create_task_group() as tasks:

                async def interrupt() -> None:
                    nonlocal silent_s
                    await spoken.wait()
                    silent_s = anyio.current_time() + 0.04
                    heard = await reply.interrupt()
                    assert TEXT.startswith(heard.text + heard.unheard)

                tasks.start_soon(interrupt)
                await reply.finished()
                if not spoken.is_set():
                    tasks.cancel_scope.cancel()
        # What is under way arrives.
        await anyio.sleep(0.03)
        assert all(sound.end_s <= silent_s for sound in call.timeline.sounds)
        before = call.timeline.data()
        await (await stream.play(clip_of(later))).finished()
        assert call.timeline.data() == before + later

    with anyio.fail_after(20.0):
        await call_with(bot)
    assert tts.running == 0
    return spoken.is_set()


@pytest.mark.parametrize("run", ["asyncio", "trio"], indirect=True)
def test_a_barge_in_at_any_step_of_a_turn_is_silence_and_nothing_of_it_is_heard_later(run: Run) -> None:
    assert until_spared(lambda nth: strictly(run, interrupted_by_the_caller, nth)) > 200


async def left_by_the_caller(
    how: str, script: SpeechScript, *, nth: int = sys.maxsize, at_s: float | None = None
) -> str:
    """Speak until the call or its socket is over: after so many steps of the loop, or at an instant.

    Returns:
        Why it could not be spoken to its end, ``"whole"`` if it was.
    """
    told, tts = "whole", ScriptedTextToSpeech(script, audio_format=PCMU)

    async def serve(socket: MemorySocket, _: TelnyxSimulator, call: SimulatedCall) -> None:
        nonlocal told

        def end() -> None:
            if how == "hang up":
                call.hang_up()
            elif call.stream is not None:
                call.stream.break_off(1006)

        async with anyio.create_task_group() as tasks:
            if at_s is not None:
                tasks.start_soon(_later, at_s, end)
            with acting(nth, end):
                try:
                    async with (
                        MediaStream(socket, auth_token=TOKEN) as stream,
                        speak(TEXT, tts=tts, player=stream) as reply,
                    ):
                        await reply.finished()
                except TelnyxStreamClosedError as error:
                    told = str(error).removeprefix("nothing can be played on the media stream: ")
            tasks.cancel_scope.cancel()

    with anyio.fail_after(20.0):
        await call_to(serve)
    assert tts.running == 0
    return told


async def _later(at_s: float, act: Callable[[], object]) -> None:
    await anyio.sleep_until(at_s)
    act()


WHYS = {
    "hang up": {"Telnyx has ended it", "the socket was closed before the stream was started"},
    "break off": {"the socket was closed", "the socket was closed before the stream was started"},
}


@pytest.mark.parametrize("run", ["asyncio", "trio"], indirect=True)
@pytest.mark.parametrize("how", WHYS)
def test_at_whatever_step_of_a_turn_the_caller_hangs_up_nothing_is_left_and_the_reply_says_so(
    run: Run, how: str
) -> None:
    async def main(nth: int) -> str:
        return await left_by_the_caller(how, SpeechScript(first_audio_s=0.01, audio_s=0.12), nth=nth)

    def attempt(nth: int) -> bool:
        told = strictly(run, main, nth)
        assert told in {"whole", *WHYS[how]}
        return told != "whole"

    assert until_spared(attempt) > 200


# From when on it is too late to leave a turn, of which 4.7 s are speech: between two instants that are tried.
OVER_S = {"hang up": 5.45, "break off": 5.48}


@settings(max_examples=100)
@given(st.sampled_from(LOOPS), st.sampled_from(sorted(WHYS)), st.integers(0, 6 * 64))
def test_at_whatever_instant_the_caller_hangs_up_nothing_hangs_and_the_reply_says_so(
    loop: LoopName, how: str, sixty_fourths: int
) -> None:
    at_s = sixty_fourths / 64

    async def main() -> str:
        return await left_by_the_caller(how, SpeechScript(first_audio_s=0.4, chunk_s=0.031), at_s=at_s)

    told = run_in_virtual_time(main, loop=loop)

    assert told == "whole" if at_s > OVER_S[how] else told in WHYS[how]


@pytest.mark.parametrize(
    "fault",
    [
        MarkFault(is_swallowed=True),
        MarkFault(nth=1, is_swallowed=True),
        MarkFault(delay_s=0.7),
        MarkFault(copies=2),
    ],
)
def test_whatever_becomes_of_marks_all_is_heard_and_the_reply_ends(run: Run, fault: MarkFault) -> None:
    tts = voice()
    heard: list[HeardText] = []

    async def bot(stream: MediaStream, _: TelnyxSimulator, __: SimulatedCall) -> None:
        async with speak(TEXT, tts=tts, player=stream) as reply:
            await reply.finished()
            heard.append(await reply.interrupt())

    call = run(lambda: call_with(bot, marks=fault))

    assert heard[0].text == TEXT
    assert call.timeline.data().startswith(said_by(tts))


def test_a_stalled_line_that_goes_on_loses_nothing(run: Run) -> None:
    tts = voice()

    async def bot(stream: MediaStream, _: TelnyxSimulator, call: SimulatedCall) -> None:
        async with speak(TEXT, tts=tts, player=stream) as reply:
            await anyio.sleep(1.0)
            assert call.stream is not None
            call.stream.stall()
            await anyio.sleep(3.0)
            call.stream.go_on()
            await reply.finished()

    call = run(lambda: call_with(bot))

    assert call.timeline.data().startswith(said_by(tts))


def test_what_the_caller_says_and_presses_arrives(run: Run) -> None:
    said = bytes(range(160)) * 20
    heard = bytearray()
    events: list[StreamEvent] = []

    async def bot(stream: MediaStream, _: TelnyxSimulator, call: SimulatedCall) -> None:
        assert call.stream is not None
        call.stream.caller_reorder = 0.3
        call.stream.say(said)
        call.press("5")
        await anyio.sleep(1.0)
        call.hang_up()
        async for frame in stream.caller_audio():
            heard.extend(frame)
        async for event in stream.events():
            events.append(event)  # noqa: PERF401  # what came before an error is looked at as well

    run(lambda: call_with(bot))

    assert said in bytes(heard)
    assert isinstance(events[0], Dtmf)
    assert events[0].digit == "5"


@pytest.mark.parametrize("shape", ["current", "legacy"])
def test_what_telnyx_complains_of_arrives(run: Run, shape: str) -> None:
    events: list[StreamEvent] = []

    async def bot(stream: MediaStream, _: TelnyxSimulator, __: SimulatedCall) -> None:
        await stream._socket.send_text("no JSON")  # noqa: SLF001  # ours does not do that
        async for event in stream.events():
            events.append(event)
            return

    run(lambda: call_with(bot, readings=TelnyxReadings(error_shape=shape)))  # type: ignore[arg-type]

    assert isinstance(events[0], StreamError)
    assert events[0].code == 100003
