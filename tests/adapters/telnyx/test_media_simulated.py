"""The media stream on the simulated Telnyx: what is heard on the call, to the sample."""

from collections.abc import Awaitable, Callable

import anyio
import httpx
import pytest

from ordered_pipeline.adapters.telnyx import MediaStream, StreamEvent, TelnyxStreamClosedError
from ordered_pipeline.testing import LoopName, ScriptedTextToSpeech, SpeechScript, run_in_virtual_time
from ordered_pipeline.testing.telnyx import (
    MarkFault,
    MemorySocket,
    SimulatedCall,
    TelnyxReadings,
    TelnyxSimulator,
    TelnyxTiming,
)
from ordered_pipeline.voice import AudioFormat, HeardText, speak
from ordered_pipeline.wire._telnyx_media import Dtmf, StreamError
from tests.adapters.telnyx.media_line import PCMU, TOKEN, said_by
from tests.conftest import Run

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
    over = anyio.Event()

    async def serve(socket: MemorySocket) -> None:
        stream = MediaStream(
            socket, auth_token=TOKEN, audio_format=audio_format, l16_byteorder=readings.l16_byteorder
        )
        try:
            async with stream:
                await bot(stream, telnyx, call)
        finally:
            over.set()

    async with TelnyxSimulator(media=serve, timing=TIMING, readings=readings) as telnyx:
        call = telnyx.incoming_call(is_answered=True)
        if marks is not None:
            telnyx.fault(marks)
        async with httpx.AsyncClient(
            transport=telnyx.transport(), headers={"authorization": f"Bearer {telnyx.api_key}"}
        ) as client:
            reply = await client.post(
                f"https://telnyx.test/v2/calls/{call.call_control_id}/actions/streaming_start",
                json={
                    "stream_url": "wss://bot.test",
                    "stream_auth_token": TOKEN,
                    "stream_bidirectional_mode": "rtp",
                    "stream_bidirectional_codec": "L16" if audio_format == L16 else "PCMU",
                    "stream_bidirectional_sampling_rate": audio_format.sample_rate_hz,
                },
            )
        assert reply.status_code == 200, reply.text
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
        assert heard.startswith(said_by(tts))
        assert set(heard[len(said_by(tts)) :]) <= {0xFF if audio_format == PCMU else 0}


@pytest.mark.parametrize("at_s", [0.5, 1.0, 2.345])
def test_a_barge_in_is_silence_within_40_ms(run: Run, at_s: float) -> None:
    told: list[tuple[float, HeardText]] = []

    async def bot(stream: MediaStream, _: TelnyxSimulator, __: SimulatedCall) -> None:
        async with speak(TEXT, tts=voice(), player=stream) as reply:
            await anyio.sleep(at_s)
            instant_s = anyio.current_time()
            told.append((instant_s, await reply.interrupt()))
            await anyio.sleep(1.0)

    call = run(lambda: call_with(bot))

    instant_s, heard = told[0]
    last = call.timeline.sounds[-1]
    assert last.end_s <= instant_s + 0.04
    assert heard.text + heard.unheard == TEXT


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_whenever_the_caller_hangs_up_nothing_hangs_and_the_reply_says_so(loop: LoopName) -> None:
    async def one(at_s: float, how: str) -> str | None:
        said: list[str] = []

        async def bot(stream: MediaStream, _: TelnyxSimulator, call: SimulatedCall) -> None:
            async def end() -> None:
                await anyio.sleep(at_s)
                assert call.stream is not None
                if how == "hang up":
                    call.hang_up()
                else:
                    call.stream.break_off(1006)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(end)
                with pytest.raises(TelnyxStreamClosedError) as told:
                    async with speak(TEXT, tts=voice(), player=stream) as reply:
                        await reply.finished()
                said.append(str(told.value))

        with anyio.fail_after(20.0):
            await call_with(bot)
        return said[0]

    for step in range(25):
        for how, why in (("hang up", "Telnyx has ended it"), ("break off", "the socket was closed")):
            said = run_in_virtual_time(one, step / 5, how, loop=loop)
            assert said == f"nothing can be played on the media stream: {why}"


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
