import json

import anyio
import httpx
import pytest

from ordered_pipeline.testing.telnyx import RestFault, TelnyxReadings, TelnyxSimulator, TelnyxTiming
from tests.conftest import Run
from tests.testing.telnyx_lines import Bot, bot_on, content, wav

FILE = content(wav(0.5))
# What the published schema would let pass is among these.
WRONG = [
    ("playback_start", {}, "10004"),
    ("playback_start", {"audio_url": "https://x/a", "media_name": "a"}, "10007"),
    ("playback_start", {**FILE, "volume": 3}, "10007"),
    ("playback_start", {**FILE, "loop": 0}, "90009"),
    ("playback_start", {**FILE, "loop": 101}, "90009"),
    ("playback_start", {**FILE, "loop": "forever"}, "90009"),
    ("playback_start", {**FILE, "loop": True}, "90009"),
    ("playback_start", {**FILE, "stop": "everything"}, "90016"),
    ("playback_start", {**FILE, "target_legs": "all"}, "10032"),
    ("playback_start", {**FILE, "audio_type": "ogg"}, "10032"),
    ("playback_start", {**FILE, "client_state": "not base64"}, "90017"),
    ("playback_start", {**FILE, "overlay": "true"}, "10015"),
    ("answer", {"record_max_length": "3"}, "10015"),
    ("answer", {"assistant": "asst"}, "10015"),
    ("answer", {"webhook_retries_policies": [100]}, "10015"),
    ("answer", {"webhook_retries_policies": {"call.hangup": [100]}}, "10015"),
    ("answer", {"webhook_retries_policies": {"call.hangup": {"retries_ms": ["100"]}}}, "10015"),
    ("answer", {"webhook_retries_policies": {"call.hangup": {"retries_ms": [1] * 6}}}, "10033"),
    ("answer", {"webhook_retries_policies": {"call.hangup": {"retries_ms": [60_001]}}}, "10033"),
    ("answer", {"record_custom_file_name": 3}, "10015"),
    ("hangup", {"custom_headers": [{"name": "a"}]}, "10015"),
    ("playback_start", {**FILE, "command_id": 3}, "10015"),
    ("playback_start", {**FILE, "overlay": True, "target_legs": "both"}, "10015"),
    ("playback_start", {"playback_content": "***", "audio_type": "wav"}, "10015"),
    ("playback_start", {"audio_url": "ftp://x/a.wav"}, "10015"),
    ("playback_stop", {"stop": "now"}, "90016"),
    ("speak", {"payload": "Hello."}, "10004"),
    ("speak", {"payload": "x" * 3001, "voice": "female"}, "10033"),
    ("speak", {"payload": "Hello.", "voice": "female", "language": "tlh"}, "10032"),
    ("streaming_start", {}, "10004"),
    ("streaming_start", {"stream_url": "https://bot.test/"}, "10015"),
    ("streaming_start", {"stream_url": "wss://bot.test/", "stream_bidirectional_codec": "pcmu"}, "10032"),
    ("streaming_start", {"stream_url": "wss://bot.test/", "custom_parameters": {"a": "b"}}, "10015"),
    ("streaming_start", {"stream_url": "wss://bot.test/", "stream_auth_token": "x" * 4001}, "10033"),
    ("streaming_stop", {}, "90048"),
]


@pytest.mark.parametrize(("action", "body", "code"), WRONG)
def test_what_is_wrong_is_refused_with_the_code_for_it(
    run_trio: Run, action: str, body: dict[str, object], code: str
) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            reply = await bot.send(action, **body)
            assert (reply.status_code, reply.json()["errors"][0]["code"]) == (422, code)
            assert bot.call.timeline.sounds == []

    run_trio(main)


async def raw(bot: Bot, path: str, body: bytes = b"{}", **headers: str) -> tuple[int, str]:
    reply = await bot.client.post(path, content=body, headers=headers)
    return reply.status_code, reply.json()["errors"][0]["code"]


def test_checks_are_made_in_telnyx_order(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx, is_answered=False) as bot:
            known = f"/calls/{bot.call.call_control_id}/actions"
            assert await raw(bot, "/nothing", b"", authorization="Bearer other") == (401, "10009")
            assert await raw(bot, f"{known}/dance", b"") == (404, "10005")
            assert await raw(bot, "/calls/other/actions/answer", b"[]") == (400, "10023")
            assert await raw(bot, "/calls/other/actions/answer", b"{") == (400, "10023")
            assert await raw(bot, "/calls/other/actions/speak") == (422, "90015")
            assert await raw(bot, f"{known}/speak") == (422, "90034")
            assert await bot.code("answer") is None
            assert await raw(bot, f"{known}/speak") == (422, "10004")
            assert await bot.code("hangup") is None
            assert await raw(bot, f"{known}/speak") == (422, "90018")
            get = await bot.client.get(f"{known}/answer")
            assert get.status_code == 404

    run(main)


def test_every_reply_takes_the_latency_and_tells_the_rate_limit(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator(requests_a_minute=2) as telnyx, bot_on(telnyx) as bot:
            begin_s = anyio.current_time()
            replies = [await bot.send("playback_stop") for _ in range(3)]
            assert anyio.current_time() - begin_s == pytest.approx(0.72)
            assert [reply.status_code for reply in replies] == [200, 200, 429]
            assert [reply.headers["x-ratelimit-limit"] for reply in replies] == ["2", "2", "2"]
            assert [reply.headers["x-ratelimit-remaining"] for reply in replies] == ["1", "0", "0"]
            assert replies[2].headers["x-ratelimit-reset"] == "60"
            assert replies[2].json()["errors"][0]["code"] == "10011"
            await anyio.sleep(60.0)
            assert (await bot.send("playback_stop")).status_code == 200

    run(main)


def test_a_repeated_command_has_no_effect_for_60_seconds(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            for _ in range(2):
                assert await bot.code("playback_start", **FILE, command_id="a") is None
            assert bot.call.timeline.order() == ["a"]
            await anyio.sleep(10.0)
            assert len(bot.call.timeline.sounds) == 1
            assert [request.is_repeated for request in telnyx.requests] == [False, True]
            # 60 seconds after the first one took effect.
            await anyio.sleep(60.0)
            assert await bot.code("playback_start", **FILE, command_id="a") is None
            await anyio.sleep(1.0)
            assert len(bot.call.timeline.sounds) == 2

    run(main)


def test_a_repeated_command_may_be_read_to_be_refused(run: Run) -> None:
    async def main() -> None:
        readings = TelnyxReadings(duplicate_reply="refused")
        async with TelnyxSimulator(readings=readings) as telnyx, bot_on(telnyx) as bot:
            assert await bot.code("playback_start", **FILE, command_id="a") is None
            assert await bot.code("playback_start", **FILE, command_id="a") == "10015"

    run(main)


def test_a_refused_command_may_be_repeated(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx, is_answered=False) as bot:
            assert await bot.code("playback_start", **FILE, command_id="a") == "90034"
            assert await bot.code("answer") is None
            assert await bot.code("playback_start", **FILE, command_id="a") is None
            await anyio.sleep(1.0)
            assert bot.call.timeline.order() == ["a"]

    run(main)


def test_a_lost_reply_leaves_the_command_in_effect(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            telnyx.fault(RestFault(action="playback_start", nth=1, is_reset=True, is_applied=True))
            with pytest.raises(httpx.ReadError):
                await bot.send("playback_start", **FILE, command_id="a")
            assert await bot.code("playback_start", **FILE, command_id="a") is None
            await anyio.sleep(5.0)
            assert [sound.item for sound in bot.call.timeline.sounds] == ["a"]
            assert [(each.status, each.has_effect) for each in telnyx.requests] == [
                (None, True),
                (200, False),
            ]

    run(main)


@pytest.mark.parametrize("fault", [RestFault(is_reset=True), RestFault(status=502), RestFault(status=429)])
def test_other_faults_keep_the_command_from_taking_effect(run: Run, fault: RestFault) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            telnyx.fault(fault)
            try:
                reply = await bot.send("playback_start", **FILE)
            except httpx.ReadError:
                assert fault.is_reset
            else:
                assert reply.status_code == fault.status
            await anyio.sleep(2.0)
            assert bot.call.timeline.sounds == []

    run(main)


def test_a_gateway_answers_with_a_page_and_telnyx_with_its_errors(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            telnyx.fault(RestFault(nth=1, status=503, is_applied=True))
            telnyx.fault(RestFault(nth=2, status=429, reset_s=0.5, retry_after_s=2.0))
            telnyx.fault(RestFault(nth=3, code="90018"))
            page, limited, over = [await bot.send("playback_start", **FILE) for _ in range(3)]
            assert (page.status_code, page.headers["content-type"]) == (503, "text/html")
            assert limited.json()["errors"][0]["code"] == "10011"
            assert (limited.headers["x-ratelimit-reset"], limited.headers["retry-after"]) == ("0.5", "2.0")
            assert (over.status_code, over.json()["errors"][0]["code"]) == (422, "90018")
            await anyio.sleep(2.0)
            assert len(bot.call.timeline.sounds) == 1

    run(main)


def test_a_client_that_gives_up_waiting_does_not_undo_the_command(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            telnyx.fault(RestFault(action="playback_start", hang_s=10.0))
            bot.client.timeout = httpx.Timeout(1.0)
            with pytest.raises(httpx.ReadTimeout):
                await bot.send("playback_start", **FILE)
            assert [round(sound.start_s, 3) for sound in bot.call.timeline.sounds] == [0.44]

    run(main)


def test_a_slow_body_comes_late(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            telnyx.fault(RestFault(body_s=3.0))
            reply = await bot.send("playback_stop")
            assert reply.json() == {"data": {"result": "ok"}}
            assert anyio.current_time() == pytest.approx(3.24)

    run(main)


def test_equal_seeds_draw_the_same(run: Run) -> None:
    async def statuses(seed: int) -> list[tuple[int, float]]:
        timing = TelnyxTiming(api_jitter_s=0.1)
        async with TelnyxSimulator(seed=seed, timing=timing) as telnyx, bot_on(telnyx) as bot:
            telnyx.fault(RestFault(status=500, probability=0.5))
            found: list[tuple[int, float]] = []
            for _ in range(20):
                begin_s = anyio.current_time()
                reply = await bot.send("playback_stop")
                found.append((reply.status_code, round(anyio.current_time() - begin_s, 6)))
            return found

    async def main() -> None:
        first, again, other = await statuses(1), await statuses(1), await statuses(2)
        assert first == again != other
        assert {status for status, _ in first} == {200, 500}
        assert all(0.14 <= took_s <= 0.34 for _, took_s in first)

    run(main)


def test_commands_can_take_effect_before_they_are_answered(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator(timing=TelnyxTiming(effect_at=0.25)) as telnyx, bot_on(telnyx) as bot:
            await bot.send("playback_start", **FILE)
            assert [round(sound.start_s, 3) for sound in bot.call.timeline.sounds] == []
            await anyio.sleep(1.0)
            assert [round(sound.start_s, 3) for sound in bot.call.timeline.sounds] == [0.26]

    run(main)


def test_the_log_tells_what_came_and_when(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            await bot.send("playback_stop", stop="current")
            await bot.client.post("/calls/x/actions/answer", content=b"[")
            one, other = telnyx.requests
            assert (one.time_s, one.action, one.json(), one.status) == (
                0,
                "playback_stop",
                {"stop": "current"},
                200,
            )
            assert (other.call_control_id, other.json(), other.status) == ("x", {}, 400)
            assert json.loads(one.body) == {"stop": "current"}

    run(main)


def test_what_a_test_raises_comes_out_as_it_is(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="seen"):
            async with TelnyxSimulator():
                raise ValueError("seen")

    run(main)


def test_a_call_wants_a_simulator_that_runs(run: Run) -> None:
    async def main() -> None:
        telnyx = TelnyxSimulator()
        with pytest.raises(RuntimeError, match="outside the simulator's 'async with' block"):
            telnyx.incoming_call()

    run(main)
