import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from ordered_pipeline.testing.telnyx import (
    MarkFault,
    PlayedAudio,
    SimulatedStream,
    TelnyxReadings,
    TelnyxSimulator,
    TelnyxTiming,
)
from ordered_pipeline.voice import AudioFormat
from tests.conftest import Run
from tests.testing.telnyx_lines import Bot, Hooks, Server, bot_on, content, mp3, wav

FRAME = b"\x10" * 160
L16: dict[str, Any] = {"stream_bidirectional_codec": "L16", "stream_bidirectional_sampling_rate": 16000}


class Line:
    """A call with a media stream that is open."""

    def __init__(
        self, telnyx: TelnyxSimulator, bot: Bot, server: Server, hooks: Hooks, begin_s: float
    ) -> None:
        self.telnyx = telnyx
        self.bot = bot
        self.server = server
        self.hooks = hooks
        # When the stream opened: after the command, and the time that it takes to connect.
        self.begin_s = begin_s
        self.call = next(iter(telnyx.calls.values()))
        assert self.call.stream is not None
        self.stream: SimulatedStream = self.call.stream

    @property
    def sounds(self) -> list[PlayedAudio]:
        return self.call.timeline.sounds

    def spans(self) -> list[tuple[float, float]]:
        """When something sounded, from the opening of the stream."""
        return [
            (round(sound.start_s - self.begin_s, 4), round(sound.end_s - self.begin_s, 4))
            for sound in self.sounds
        ]


@asynccontextmanager
async def line(
    *,
    codec: str = "PCMU",
    timing: TelnyxTiming = TelnyxTiming(),  # noqa: B008  # frozen
    readings: TelnyxReadings = TelnyxReadings(),  # noqa: B008  # frozen
    **asked: Any,
) -> AsyncGenerator[Line]:
    server, hooks = Server(), Hooks()
    async with (
        TelnyxSimulator(webhooks=hooks, media=server, timing=timing, readings=readings) as telnyx,
        bot_on(telnyx, codec=codec) as bot,
    ):
        body = {"stream_url": "wss://bot.test/", "stream_bidirectional_mode": "rtp", **asked}
        assert await bot.code("streaming_start", **body) is None
        with anyio.fail_after(1.0):
            await server.open.wait()
        yield Line(telnyx, bot, server, hooks, anyio.current_time())


def test_a_stream_begins_and_ends_as_telnyx_has_it(run: Run) -> None:
    async def main() -> None:
        parameters = [{"name": "customer", "value": "7"}]
        async with line(custom_parameters=parameters, stream_auth_token="s", client_state="QQ==") as on:  # noqa: S106
            await anyio.sleep(0.11)
            on.call.hang_up()
            await on.server.closed.wait()
            await anyio.sleep(1.0)
            messages = [message for _, message in on.server.messages]
            assert [each["event"] for each in messages] == ["connected", "start", *["media"] * 5, "stop"]
            assert on.server.socket is not None
            assert on.server.socket.headers == {"x-telnyx-streaming-auth-token": "s"}
            assert on.server.socket.close_code == 1000
            start = messages[1]
            assert (start["sequence_number"], start["stream_id"]) == ("1", on.stream.request.stream_id)
            assert start["start"]["call_control_id"] == on.call.call_control_id
            assert start["start"]["custom_parameters"] == {"customer": "7"}
            assert start["start"]["client_state"] == "QQ=="
            assert start["start"]["media_format"] == {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
            assert [kind for kind, _ in on.hooks.told] == [
                "streaming.started",
                "streaming.stopped",
                "call.hangup",
            ]

    run(main)


def test_caller_audio_comes_every_20_ms_in_the_codec_of_the_call(run: Run) -> None:
    async def main() -> None:
        async with line(codec="PCMA") as on:
            on.stream.say(b"\x01" * 160 + b"\x02" * 160)
            await anyio.sleep(0.0601)
            times_s = [time_s for time_s, message in on.server.messages if message["event"] == "media"]
            assert [time_s - on.begin_s for time_s in times_s] == pytest.approx([0.02, 0.04, 0.06])
            media = [message["media"] for message in on.server.of("media")]
            assert [(each["chunk"], each["timestamp"]) for each in media] == [
                ("1", "0"),
                ("2", "20"),
                ("3", "40"),
            ]
            silence = "1dXV"
            assert [each["payload"][:4] for each in media] == ["AQEB", "AgIC", silence]

    run(main)


def test_frames_of_the_caller_can_be_lost_and_out_of_order(run: Run) -> None:
    async def main() -> None:
        async with line() as on:
            on.stream.caller_loss, on.stream.caller_reorder = 0.2, 0.2
            await anyio.sleep(4.0)
            chunks = [int(message["media"]["chunk"]) for message in on.server.of("media")]
            assert 120 < len(chunks) < 190
            assert len(set(chunks)) == len(chunks)
            assert chunks != sorted(chunks)
            assert all(abs(chunk - rank) <= 2 for chunk, rank in zip(chunks, sorted(chunks), strict=True))

    run(main)


def test_what_is_sent_ahead_sounds_without_a_gap_and_sample_by_sample(run: Run) -> None:
    async def main() -> None:
        async with line() as on:
            payloads = [bytes([index]) * 160 for index in range(50)]
            for payload in payloads:
                await on.server.media(payload)
                await anyio.sleep(0.01)
            await anyio.sleep(2.0)
            (sound,) = on.sounds
            assert on.spans() == [(0.0, 1.0)]
            assert (sound.data, sound.format) == (b"".join(payloads), AudioFormat("mulaw", 8000))
            assert on.stream.underruns == 0

    run(main)


def test_what_comes_too_late_leaves_a_gap(run: Run) -> None:
    async def main() -> None:
        async with line() as on:
            await on.server.media(FRAME)
            await anyio.sleep(0.03)
            await on.server.media(FRAME)
            await anyio.sleep(1.0)
            assert on.spans() == [(0.0, 0.02), (0.03, 0.05)]
            assert [round(gap.duration_s, 6) for gap in on.call.timeline.gaps()] == [0.01]
            assert on.stream.underruns == 1

    run(main)


def test_a_jitter_buffer_and_the_way_there_take_their_time(run: Run) -> None:
    async def main() -> None:
        async with line(timing=TelnyxTiming(jitter_buffer_s=0.1, media_latency_s=0.015)) as on:
            await on.server.media(FRAME)
            await on.server.mark("m")
            await anyio.sleep(1.0)
            assert on.spans() == [(0.115, 0.135)]
            (at_s,) = [time_s for time_s, message in on.server.messages if message["event"] == "mark"]
            assert at_s - on.begin_s == pytest.approx(0.15)

    run(main)


def test_a_mark_comes_back_when_what_was_before_it_has_sounded(run: Run) -> None:
    async def main() -> None:
        async with line() as on:
            await on.server.mark("idle")
            await on.server.media(FRAME * 5)
            await on.server.mark("five")
            await on.server.media(FRAME)
            await on.server.mark("six")
            await anyio.sleep(1.0)
            found = [
                (message["mark"]["name"], round(time_s - on.begin_s, 6))
                for time_s, message in on.server.messages
                if message["event"] == "mark"
            ]
            assert found == [("idle", 0.0), ("five", 0.1), ("six", 0.12)]

    run(main)


def test_clear_is_silence_at_once_and_returns_the_marks_in_order(run: Run) -> None:
    async def main() -> None:
        async with line() as on:
            for name in "abc":
                await on.server.media(FRAME * 5)
                await on.server.mark(name)
            await anyio.sleep(0.13)
            await on.server.send(event="clear")
            await anyio.sleep(0.01)
            assert on.server.marks == ["a", "b", "c"]
            await anyio.sleep(1.0)
            assert on.spans() == [(0.0, 0.13)]
            assert len(on.sounds[0].data) == 1040
            assert on.server.marks == ["a", "b", "c"]
            await on.server.media(FRAME)
            await anyio.sleep(1.0)
            assert on.spans()[1:] == [(1.14, 1.16)]

    run(main)


@pytest.mark.parametrize(
    ("fault", "marks"),
    [
        (MarkFault(nth=1, is_swallowed=True), ["b"]),
        (MarkFault(nth=1, delay_s=0.5), ["b", "a"]),
        (MarkFault(nth=1, copies=1), ["a", "a", "b"]),
    ],
)
def test_marks_can_be_swallowed_late_and_doubled(run: Run, fault: MarkFault, marks: list[str]) -> None:
    async def main() -> None:
        async with line() as on:
            on.telnyx.fault(fault)
            for name in "ab":
                await on.server.media(FRAME)
                await on.server.mark(name)
            await anyio.sleep(1.0)
            assert on.server.marks == marks

    run(main)


BAD = [
    ("{", 100003),
    ('{"event":"dance"}', 100003),
    ('{"event":"media","media":{"payload":"***"}}', 100004),
    ('{"event":"media","media":{}}', 100003),
]


@pytest.mark.parametrize(("text", "code"), BAD)
@pytest.mark.parametrize("shape", ["current", "legacy"])
def test_nonsense_is_answered_with_an_error_of_either_shape(
    run_trio: Run, text: str, code: int, shape: str
) -> None:
    readings = TelnyxReadings(error_shape="legacy" if shape == "legacy" else "current")

    async def main() -> None:
        async with line(readings=readings) as on:
            assert on.server.socket is not None
            await on.server.socket.send_text(text)
            await anyio.sleep(0.01)
            (error,) = on.server.of("error")
            if shape == "legacy":
                assert error["error"]["code"] == str(code)
            else:
                assert error["payload"]["code"] == code
            assert on.stream.state == "open"

    run_trio(main)


def test_a_stream_may_be_read_to_close_after_an_error(run: Run) -> None:
    async def main() -> None:
        async with line(readings=TelnyxReadings(after_error="closed")) as on:
            await on.server.send(event="dance")
            await on.server.closed.wait()
            assert len(on.server.of("error")) == 1
            assert on.stream.state == "over"

    run(main)


@pytest.mark.parametrize(("size", "refused"), [(159, True), (160, False), (240_000, False), (240_001, True)])
@pytest.mark.parametrize("reading", ["tolerated", "refused"])
def test_the_size_of_chunks_is_heeded_if_so_read(
    run_trio: Run, size: int, refused: bool, reading: str
) -> None:
    readings = TelnyxReadings(short_chunks="refused" if reading == "refused" else "tolerated")

    async def main() -> None:
        async with line(readings=readings) as on:
            await on.server.media(bytes(size))
            await anyio.sleep(0.01)
            codes = [error["payload"]["code"] for error in on.server.of("error")]
            assert codes == ([100003] if refused and reading == "refused" else [])
            assert len(on.sounds) == (0 if codes else 1)

    run_trio(main)


@pytest.mark.parametrize("byteorder", ["little", "big"])
def test_l16_sounds_right_in_the_byte_order_that_is_read(run: Run, byteorder: str) -> None:
    readings = TelnyxReadings(l16_byteorder="big" if byteorder == "big" else "little")

    async def main() -> None:
        async with line(readings=readings, codec="L16", **L16) as on:
            await on.server.media(b"\x01\x02" * 320)
            await anyio.sleep(1.0)
            assert on.spans() == [(0.0, 0.02)]
            assert on.sounds[0].data[:2] == (b"\x02\x01" if byteorder == "big" else b"\x01\x02")
            assert on.sounds[0].format == AudioFormat("s16le", 16000)
            frames = [message["media"]["payload"] for message in on.server.of("media")]
            assert len(frames[0]) == 856  # 640 bytes in base64

    run(main)


def test_l16_is_8000_hz_if_nobody_says_otherwise(run: Run) -> None:
    async def main() -> None:
        async with line(stream_bidirectional_codec="L16") as on:
            await on.server.media(bytes(640))
            await anyio.sleep(0.1)
            assert on.spans() == [(0.0, 0.04)]

    run(main)


@pytest.mark.parametrize(("obeys", "codec"), [(True, "PCMA"), (False, "PCMU")])
def test_whether_the_codec_that_was_asked_for_is_sent_is_a_reading(run: Run, obeys: bool, codec: str) -> None:
    async def main() -> None:
        async with line(readings=TelnyxReadings(obeys_stream_codec=obeys), stream_codec="PCMA") as on:
            assert on.server.of("start")[0]["start"]["media_format"]["encoding"] == codec

    run(main)


def test_raw_audio_is_not_heard_in_mp3_mode_and_files_come_once_a_second(run: Run) -> None:
    async def main() -> None:
        async with line(stream_bidirectional_mode="mp3") as on:
            await on.server.media(FRAME)
            await anyio.sleep(1.0)
            assert (on.sounds, on.server.of("error")) == ([], [])
            await on.server.media(mp3(50))
            await anyio.sleep(0.5)
            await on.server.media(mp3(50))
            await anyio.sleep(0.5)
            await on.server.media(mp3(50))
            await anyio.sleep(5.0)
            assert on.spans() == [(1.0, 4.6)]
            assert [error["payload"]["code"] for error in on.server.of("error")] == [100005]

    run(main)


def test_a_full_buffer_drops_what_comes(run: Run) -> None:
    async def main() -> None:
        async with line(readings=TelnyxReadings(media_buffer_s=0.1)) as on:
            for _ in range(10):
                await on.server.media(FRAME)
            await anyio.sleep(1.0)
            assert on.spans() == [(0.0, 0.1)]

    run(main)


def test_a_full_buffer_may_close_the_stream(run: Run) -> None:
    async def main() -> None:
        readings = TelnyxReadings(media_buffer_s=0.1, media_overflow="closed")
        async with line(readings=readings) as on:
            await on.server.media(FRAME * 6)
            await on.server.closed.wait()
            assert on.server.socket is not None
            assert on.server.socket.close_code == 1011

    run(main)


@pytest.mark.parametrize("code", [1001, 1006, 1011])
def test_a_connection_can_break_in_the_middle(run: Run, code: int) -> None:
    async def main() -> None:
        async with line() as on:
            await on.server.media(FRAME * 50)
            await anyio.sleep(0.5)
            on.stream.break_off(code)
            await on.server.closed.wait()
            assert on.server.socket is not None
            assert on.server.socket.close_code == code
            assert on.server.of("stop") == []
            await anyio.sleep(1.0)
            assert on.spans() == [(0.0, 0.5)]
            assert (on.call.state, on.stream.state) == ("answered", "over")
            # The server has returned, so its socket is closed.
            with pytest.raises(anyio.ClosedResourceError):
                await on.server.media(FRAME)

    run(main)


def test_a_bot_that_closes_is_heard_no_more_but_the_call_goes_on(run: Run) -> None:
    async def main() -> None:
        async with line() as on:
            await on.server.media(FRAME * 50)
            await anyio.sleep(0.5)
            assert on.server.socket is not None
            await on.server.socket.aclose()
            await on.server.socket.aclose()
            await anyio.sleep(1.0)
            assert on.spans() == [(0.0, 0.5)]
            assert on.hooks.told[-1] == ("streaming.stopped", None)
            assert on.call.state == "answered"

    run(main)


@pytest.mark.parametrize(("reading", "told"), [("ends", "call.hangup"), ("connects", "streaming.started")])
@pytest.mark.parametrize("who", ["bot", "network"])
def test_what_becomes_of_a_call_that_lost_its_socket_is_a_reading(
    run: Run, reading: str, told: str, who: str
) -> None:
    async def main() -> None:
        readings = TelnyxReadings(lost_socket=reading)  # type: ignore[arg-type]
        async with line(readings=readings) as on:
            await on.server.media(FRAME * 5)
            if who == "bot":
                assert on.server.socket is not None
                await on.server.socket.aclose()
            else:
                on.stream.break_off()
            await anyio.sleep(0.9)
            assert on.call.stream is on.stream
            await anyio.sleep(1.0)
            assert [kind for kind, _ in on.hooks.told] == ["streaming.started", "streaming.stopped", told]
            is_open_again = on.call.stream is not on.stream and on.call.stream.state == "open"
            assert is_open_again == (reading == "connects")
            assert on.call.state == ("answered" if is_open_again else "over")

    run(main)


def test_a_call_that_is_over_or_has_another_stream_is_not_connected_again(run: Run) -> None:
    async def main() -> None:
        readings = TelnyxReadings(lost_socket="connects")
        for action in ("hangup", "streaming_start"):
            async with line(readings=readings) as on:
                on.stream.break_off()
                body = {"stream_url": "wss://bot.test/"} if action == "streaming_start" else {}
                assert await on.bot.code(action, **body) is None
                stream = on.call.stream
                await anyio.sleep(2.0)
                assert on.call.stream is stream

    run(main)


@pytest.mark.parametrize("reading", ["heard", "silent"])
@pytest.mark.parametrize("legs", [None, "opposite", "self", "both"])
def test_who_hears_a_stream_on_a_call_with_one_leg_is_a_reading(
    run: Run, reading: str, legs: str | None
) -> None:
    async def main() -> None:
        readings = TelnyxReadings(opposite_alone=reading)  # type: ignore[arg-type]
        async with line(readings=readings, stream_bidirectional_target_legs=legs) as on:
            await on.server.media(FRAME * 5)
            await on.server.mark("end")
            await anyio.sleep(0.2)
            is_heard = reading == "heard" or legs in {"self", "both"}
            assert on.spans() == ([(0.0, 0.1)] if is_heard else [])
            assert on.server.marks == ["end"]

    run(main)


def test_a_bot_waits_while_nobody_reads_what_it_sends(run: Run) -> None:
    async def main() -> None:
        async with line() as on:
            on.stream.stall()
            sent = 0
            with anyio.move_on_after(1.0):
                while True:
                    await on.server.media(FRAME)
                    sent += 1
            assert sent == 257  # the reader had asked for one already
            on.stream.go_on()
            await anyio.sleep(10.0)
            assert round(math.fsum(end_s - start_s for start_s, end_s in on.spans()), 6) == 257 * 0.02

    run(main)


def test_keys_come_on_the_stream_too(run: Run) -> None:
    async def main() -> None:
        async with line() as on:
            on.call.press("5")
            await anyio.sleep(1.0)
            (message,) = on.server.of("dtmf")
            assert message["dtmf"] == {"digit": "5"}
            assert on.hooks.told[-1] == ("call.dtmf.received", None)

    run(main)


def test_one_call_has_one_stream_at_a_time(run: Run) -> None:
    async def main() -> None:
        server = Server()
        async with TelnyxSimulator(media=server) as telnyx, bot_on(telnyx, is_answered=False) as bot:
            assert await bot.code("answer", stream_url="ws://bot.test/") is None
            assert await bot.code("streaming_start", stream_url="ws://bot.test/") == "90046"
            assert await bot.code("streaming_stop", stream_id="other") == "10005"
            assert await bot.code("streaming_stop") is None
            assert await bot.code("streaming_stop") == "90048"
            assert server.closed.is_set()
            assert await bot.code("streaming_start", stream_url="ws://bot.test/") is None

    run(main)


def test_commands_may_be_read_to_be_refused_beside_a_stream(run: Run) -> None:
    async def main() -> None:
        readings = TelnyxReadings(refused_while_streaming=frozenset({"playback_start"}))
        async with TelnyxSimulator(media=Server(), readings=readings) as telnyx, bot_on(telnyx) as bot:
            assert await bot.code("streaming_start", stream_url="ws://bot.test/") is None
            assert await bot.code("playback_start", **content(wav(1.0))) == "90045"
            assert await bot.code("playback_stop") is None

    run(main)


def test_a_stream_that_cannot_connect_is_told_to_have_failed(run: Run) -> None:
    async def main() -> None:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks) as telnyx, bot_on(telnyx) as bot:
            # Nothing outside of this machine is ever called.
            await bot.send("streaming_start", stream_url="ws://192.0.2.1/")
            await anyio.sleep(1.0)
            (message,) = hooks.messages
            assert message["data"]["event_type"] == "streaming.failed"
            payload = message["data"]["payload"]
            assert payload["failure_reason"] == "connection_failed"
            assert payload["stream_params"] == {"stream_url": "ws://192.0.2.1/", "track": "inbound_track"}
            assert bot.call.stream is not None
            assert bot.call.stream.state == "over"

    run(main)


def test_a_hangup_while_it_connects_leaves_no_stream(run: Run) -> None:
    async def main() -> None:
        server, hooks = Server(), Hooks()
        async with TelnyxSimulator(media=server, webhooks=hooks) as telnyx, bot_on(telnyx) as bot:
            await bot.send("streaming_start", stream_url="ws://bot.test/")
            bot.call.hang_up()
            await anyio.sleep(1.0)
            assert server.socket is None
            assert hooks.told == [("call.hangup", None)]

    run(main)
