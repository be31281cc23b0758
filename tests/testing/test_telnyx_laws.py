"""What holds whatever a bot does, whenever it does it."""

import math
from base64 import b64encode

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.testing.telnyx import (
    CallTimeline,
    TelnyxReadings,
    TelnyxSimulator,
    TelnyxTiming,
    WebhookFault,
)
from tests.conftest import Run
from tests.testing.telnyx_lines import Hooks, Server, bot_on, content, mp3, wav
from tests.wire.payloads import COMMANDS, anything

LENGTHS_S = st.lists(st.sampled_from([0.02, 0.15, 0.5, 1.5]), min_size=1, max_size=6)
READINGS = st.builds(
    TelnyxReadings,
    prepare=st.sampled_from(["on_enqueue", "on_head"]),
    client_state=st.sampled_from(["item", "latest"]),
    ended_for_never_started=st.booleans(),
)
FAULTS = st.lists(
    st.builds(
        WebhookFault,
        probability=st.floats(0, 1),
        copies=st.integers(0, 2),
        delay_s=st.floats(0, 5),
        behind=st.sampled_from([None, "call.playback.ended"]),
        batch_s=st.sampled_from([None, 0.7]),
        is_dropped=st.booleans(),
        forged=st.sampled_from([None, "signature", "timestamp", "body"]),
        unknown_event=st.booleans(),
    ),
    max_size=3,
)

# Sound in either mode.
CLIP = {"event": "media", "media": {"payload": b64encode(mp3(9)).decode()}}


async def play(
    lengths_s: list[float],
    readings: TelnyxReadings,
    faults: list[WebhookFault],
    *,
    hang_up_s: float = math.inf,
    hooks: Hooks,
) -> CallTimeline:
    """Queue clips one after another, and perhaps have the caller hang up at an instant."""
    async with TelnyxSimulator(webhooks=hooks, readings=readings) as telnyx, bot_on(telnyx) as bot:
        for fault in faults:
            telnyx.fault(fault)
        async with anyio.create_task_group() as tasks:

            async def hang_up() -> None:
                await anyio.sleep(hang_up_s)
                bot.call.hang_up()

            if hang_up_s < math.inf:
                tasks.start_soon(hang_up)
            for index, length_s in enumerate(lengths_s):
                await bot.send("playback_start", **content(wav(length_s)), command_id=str(index))
        await anyio.sleep(30.0)
        return bot.call.timeline


@settings(max_examples=50)
@given(LENGTHS_S, READINGS, FAULTS)
def test_webhooks_change_nothing_that_is_heard(
    lengths_s: list[float], readings: TelnyxReadings, faults: list[WebhookFault]
) -> None:
    with_faults = run_in_virtual_time(lambda: play(lengths_s, readings, faults, hooks=Hooks()))
    without = run_in_virtual_time(lambda: play(lengths_s, readings, [], hooks=Hooks()))

    assert with_faults.sounds == without.sounds
    assert with_faults.overlaps() == []
    assert with_faults.order() == [str(index) for index in range(len(lengths_s))]


@settings(max_examples=50)
@given(LENGTHS_S, READINGS, st.floats(0, 6))
def test_a_caller_who_hangs_up_at_any_instant_hears_nothing_more_and_each_start_has_one_end(
    lengths_s: list[float], readings: TelnyxReadings, hang_up_s: float
) -> None:
    hooks = Hooks()

    timeline = run_in_virtual_time(lambda: play(lengths_s, readings, [], hang_up_s=hang_up_s, hooks=hooks))

    assert all(sound.end_s <= hang_up_s for sound in timeline.sounds)
    kinds = [kind for kind, _ in hooks.told]
    assert kinds.count("call.hangup") == 1
    assert kinds[-1] == "call.hangup"
    starts, ends = kinds.count("call.playback.started"), kinds.count("call.playback.ended")
    assert ends >= starts if readings.ended_for_never_started else ends == starts


@settings(max_examples=30)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=20), st.lists(st.integers(0, 60), max_size=20))
def test_all_that_a_stream_brings_sounds_once_and_in_order(sizes: list[int], waits_ms: list[int]) -> None:
    async def main() -> None:
        server = Server()
        timing = TelnyxTiming(media_latency_s=0.01)
        async with TelnyxSimulator(media=server, timing=timing) as telnyx, bot_on(telnyx) as bot:
            await bot.send("streaming_start", stream_url="wss://x/", stream_bidirectional_mode="rtp")
            await server.open.wait()
            for index, size in enumerate(sizes):
                await server.media(bytes([index]) * size)
                await server.mark(str(index))
                await anyio.sleep(waits_ms[index] / 1000 if index < len(waits_ms) else 0.0)
            await anyio.sleep(10.0)
            timeline = bot.call.timeline
            assert timeline.data() == b"".join(bytes([index]) * size for index, size in enumerate(sizes))
            assert timeline.overlaps() == []
            assert server.marks == [str(index) for index in range(len(sizes))]
            assert bot.call.stream is not None
            assert bot.call.stream.underruns == len(timeline.sounds) - 1

    run_in_virtual_time(main)


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(COMMANDS)), anything(list(COMMANDS.values()))), max_size=5),
    st.sampled_from(["rtp", "mp3"]),
    st.lists(anything([CLIP, {"event": "mark", "mark": {"name": "m"}}, {"event": "clear"}]), max_size=5),
)
def test_nothing_that_a_bot_may_send_breaks_it(
    commands: list[tuple[str, str | bytes]], mode: str, messages: list[str | bytes]
) -> None:
    async def main() -> None:
        server = Server()
        async with TelnyxSimulator(media=server) as telnyx, bot_on(telnyx) as bot:
            await bot.send("streaming_start", stream_url="wss://x/", stream_bidirectional_mode=mode)
            await server.open.wait()
            assert server.socket is not None
            for message in messages:
                text = message if isinstance(message, str) else message.decode("utf-8", "replace")
                await server.socket.send_text(text)
            path = f"/v2/calls/{bot.call.call_control_id}/actions/"
            headers = {"authorization": f"Bearer {telnyx.api_key}"}
            for action, body in commands:
                raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
                reply = await telnyx.request("POST", path + action, headers, raw)
                assert reply.status in {200, 400, 422}
            await anyio.sleep(2.0)

    run_in_virtual_time(main)


def test_the_simulator_can_be_left_at_any_instant(run: Run) -> None:
    async def leave_after(seconds: float) -> None:
        hooks, server = Hooks(500, 500), Server()
        async with (
            TelnyxSimulator(webhooks=hooks, media=server) as telnyx,
            bot_on(telnyx, is_answered=False) as bot,
        ):
            with anyio.move_on_after(seconds):
                await bot.send("answer")
                await bot.send("streaming_start", stream_url="wss://x/", stream_bidirectional_mode="rtp")
                await server.open.wait()
                await server.media(bytes(8000))
                await server.mark("m")
                await bot.send("playback_start", **content(wav(1.0)))
                await anyio.sleep(1.0)
                bot.call.hang_up()
                await anyio.sleep(1.0)

    async def main() -> None:
        for step in range(80):
            await leave_after(step * 0.05)

    run(main)
