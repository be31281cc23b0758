from collections.abc import Awaitable, Callable

import anyio
import pytest

from ordered_pipeline.testing.telnyx import TelnyxReadings, TelnyxSimulator, TelnyxTiming
from tests.conftest import Run
from tests.testing.telnyx_lines import Bot, Hooks, bot_on, content, until, wav

Play = Callable[[Bot, Hooks], Awaitable[None]]


async def sequential(bot: Bot, hooks: Hooks) -> None:
    """Play each clip when the one before is told to have ended, as bots do that have gaps."""
    for index in range(3):
        await bot.send("playback_start", **content(wav(1.5)), command_id=f"clip-{index}")
        await ends(hooks, index + 1)


async def ends(hooks: Hooks, count: int) -> None:
    """Wait until so many clips were told to have ended."""
    await until(lambda: hooks.told.count(("call.playback.ended", "completed")) == count)


async def queued(bot: Bot, hooks: Hooks) -> None:
    for index in range(3):
        await bot.send("playback_start", **content(wav(1.5)), command_id=f"clip-{index}")
    await anyio.sleep(6.0)


def gaps_of(run: Run, play: Play, timing: TelnyxTiming, readings: TelnyxReadings) -> list[float]:
    async def main() -> list[float]:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks, timing=timing, readings=readings) as telnyx:
            async with bot_on(telnyx) as bot, anyio.create_task_group():
                await play(bot, hooks)
            timeline = bot.call.timeline
        assert timeline.order() == ["clip-0", "clip-1", "clip-2"]
        assert timeline.overlaps() == []
        assert [round(sound.duration_s, 6) for sound in timeline.sounds] == [1.5, 1.5, 1.5]
        return [round(gap.duration_s, 3) for gap in timeline.gaps()]

    return run(main)


@pytest.mark.parametrize("prepare", ["on_enqueue", "on_head"])
def test_a_bot_that_waits_for_each_end_has_gaps_of_an_api_call_and_a_start(run: Run, prepare: str) -> None:
    readings = TelnyxReadings(prepare="on_head" if prepare == "on_head" else "on_enqueue")

    found = gaps_of(run, sequential, TelnyxTiming(webhook_latency_s=0.0), readings)

    assert all(0.44 <= gap <= 0.442 for gap in found)
    assert len(found) == 2


def test_queued_clips_that_are_prepared_at_once_have_no_gap(run: Run) -> None:
    assert gaps_of(run, queued, TelnyxTiming(), TelnyxReadings(prepare="on_enqueue")) == []


def test_queued_clips_that_are_prepared_at_the_head_have_the_start_between_them(run: Run) -> None:
    assert gaps_of(run, queued, TelnyxTiming(), TelnyxReadings(prepare="on_head")) == [0.2, 0.2]


def test_silence_between_items_is_an_option(run: Run) -> None:
    assert gaps_of(run, queued, TelnyxTiming(inter_item_s=0.05), TelnyxReadings()) == [0.05, 0.05]


def test_a_first_clip_sounds_after_an_api_call_and_a_start(run: Run) -> None:
    async def main() -> tuple[float, float]:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            await bot.send("playback_start", **content(wav(0.5, sample=7)), command_id="a")
            await anyio.sleep(1.0)
            (sound,) = bot.call.timeline.sounds
            assert sound.data == (7).to_bytes(2, "little") * 4000
            return sound.start_s, sound.end_s

    assert run(main) == pytest.approx((0.44, 0.94))


async def three_clips(
    readings: TelnyxReadings, *commands: tuple[str, dict[str, object]]
) -> tuple[Bot, Hooks]:
    """Queue three clips of a second, and 0.7 seconds into the first carry out *commands*."""
    hooks = Hooks()
    async with TelnyxSimulator(webhooks=hooks, readings=readings) as telnyx, bot_on(telnyx) as bot:
        for name in "abc":
            await bot.send("playback_start", **content(wav(1.0)), command_id=name)
        started_s = bot.call.timeline.sounds[0].start_s
        await anyio.sleep_until(started_s + 0.7 - 0.24)
        for action, body in commands:
            await bot.send(action, **body)
        await anyio.sleep(5.0)
    return bot, hooks


def heard(bot: Bot) -> list[tuple[str, float]]:
    return [(sound.item, round(sound.duration_s, 3)) for sound in bot.call.timeline.sounds]


@pytest.mark.parametrize("is_told", [True, False])
def test_stopping_all_drops_the_queue_and_tells_of_it_if_so_read(run: Run, is_told: bool) -> None:
    readings = TelnyxReadings(ended_for_never_started=is_told)

    bot, hooks = run(three_clips, readings, ("playback_stop", {}))

    assert heard(bot) == [("a", 0.7)]
    cancelled = ("call.playback.ended", "cancelled")
    assert hooks.told == [("call.playback.started", None), *[cancelled] * (3 if is_told else 1)]


def test_stopping_the_current_item_goes_on_with_the_next(run: Run) -> None:
    bot, _ = run(three_clips, TelnyxReadings(), ("playback_stop", {"stop": "current"}))

    assert heard(bot) == [("a", 0.7), ("b", 1.0), ("c", 1.0)]


def test_an_item_that_stops_all_is_heard_alone(run: Run) -> None:
    said = {**content(wav(0.25)), "stop": "all", "command_id": "d"}

    bot, _ = run(three_clips, TelnyxReadings(), ("playback_start", said))

    assert heard(bot) == [("a", 0.7), ("d", 0.25)]


def test_an_item_that_stops_the_current_one_is_queued_behind_the_rest(run: Run) -> None:
    said = {**content(wav(0.25)), "stop": "current", "command_id": "d"}

    bot, _ = run(three_clips, TelnyxReadings(), ("playback_start", said))

    assert heard(bot) == [("a", 0.7), ("b", 1.0), ("c", 1.0), ("d", 0.25)]


def test_a_hangup_ends_all_that_plays_or_waits(run: Run) -> None:
    bot, hooks = run(three_clips, TelnyxReadings(), ("hangup", {}))

    assert heard(bot) == [("a", 0.7)]
    ended = ("call.playback.ended", "call_hangup")
    assert hooks.told == [("call.playback.started", None), ended, ended, ended, ("call.hangup", None)]


def test_an_overlay_is_heard_over_the_rest_and_has_a_queue_of_its_own(run: Run) -> None:
    over = {**content(wav(0.25)), "overlay": True, "command_id": "over"}

    bot, hooks = run(three_clips, TelnyxReadings(), ("playback_start", over))

    assert heard(bot) == [("a", 1.0), ("over", 0.25), ("b", 1.0), ("c", 1.0)]
    assert bot.call.timeline.gaps() == []
    assert bot.call.timeline.overlaps() == []
    assert [message["data"]["payload"]["overlay"] for message in hooks.messages].count(True) == 2


@pytest.mark.parametrize(("reading", "code"), [("refused", "10015"), ("accepted", None)])
def test_an_overlay_over_nothing_is_not_heard(run: Run, reading: str, code: str | None) -> None:
    readings = TelnyxReadings(overlay_alone="refused" if reading == "refused" else "accepted")

    async def main() -> None:
        async with TelnyxSimulator(readings=readings) as telnyx, bot_on(telnyx) as bot:
            assert await bot.code("playback_start", **content(wav(1.0)), overlay=True) == code
            await anyio.sleep(2.0)
            assert bot.call.timeline.sounds == []

    run(main)


@pytest.mark.parametrize(("reading", "code"), [("refused", "10015"), ("accepted", None)])
def test_stopping_nothing_is_answered_as_it_is_read(run: Run, reading: str, code: str | None) -> None:
    readings = TelnyxReadings(stop_on_empty="refused" if reading == "refused" else "accepted")

    async def main() -> None:
        async with TelnyxSimulator(readings=readings) as telnyx, bot_on(telnyx) as bot:
            assert await bot.code("playback_stop") == code

    run(main)


def test_speech_and_playback_share_a_queue(run: Run) -> None:
    async def main() -> None:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks) as telnyx, bot_on(telnyx) as bot:
            await bot.send("playback_start", **content(wav(1.0)), command_id="a")
            await bot.send("speak", payload="0123456789", voice="female", command_id="b")
            await bot.send("playback_start", **content(wav(1.0)), command_id="c")
            await anyio.sleep(4.0)
            assert heard(bot) == [("a", 1.0), ("b", 0.6), ("c", 1.0)]
            assert bot.call.timeline.gaps() == []
            kinds = [kind for kind, _ in hooks.told]
            assert kinds[1:4] == ["call.playback.ended", "call.speak.started", "call.speak.ended"]

    run(main)


def test_a_clip_repeats_as_often_as_asked(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            await bot.send("playback_start", **content(wav(0.5)), loop=3, command_id="a")
            await bot.send("playback_start", **content(wav(0.5)), loop="infinity", command_id="b")
            await anyio.sleep(3.0)
            await bot.send("playback_stop")
            # Asked for at 3.48, silent at 3.72; "a" began at 0.44.
            assert heard(bot) == [("a", 1.5), ("b", 1.78)]
            assert len(bot.call.timeline.data()) == round((1.5 + 1.78) * 8000) * 2

    run(main)


def test_files_are_found_by_address_or_name_or_not_at_all(run: Run) -> None:
    async def main() -> None:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks) as telnyx, bot_on(telnyx) as bot:
            telnyx.files["https://bot.test/a.wav"] = wav(0.5)
            telnyx.files["noise"] = b"no sound at all"
            await bot.send("playback_start", audio_url="https://bot.test/a.wav", command_id="a")
            await bot.send("playback_start", audio_url="https://bot.test/none.wav")
            await bot.send("playback_start", media_name="noise")
            await bot.send("playback_start", playback_content="bm90aGluZw==", audio_type="wav")
            await anyio.sleep(2.0)
            assert heard(bot) == [("a", 0.5)]
            ends = [status for kind, status in hooks.told if kind == "call.playback.ended"]
            assert ends == ["completed", "file_not_found", "failed", "failed"]

    run(main)


def test_bytes_of_another_kind_than_was_said_fail(run: Run) -> None:
    async def main() -> None:
        async with TelnyxSimulator() as telnyx, bot_on(telnyx) as bot:
            said = {**content(wav(0.5)), "audio_type": "mp3"}
            assert await bot.code("playback_start", **said) is None
            await anyio.sleep(1.0)
            assert heard(bot) == []

    run(main)


def test_a_file_is_fetched_once_unless_it_may_not_be_kept(run: Run) -> None:
    timing = TelnyxTiming(downloads_s={"https://bot.test/a.wav": 0.3})

    async def main() -> None:
        async with TelnyxSimulator(timing=timing) as telnyx, bot_on(telnyx) as bot:
            telnyx.files["https://bot.test/a.wav"] = wav(0.1)
            for cache_audio in (True, True, False):
                await bot.send("playback_start", audio_url="https://bot.test/a.wav", cache_audio=cache_audio)
                await anyio.sleep(1.0)
            starts_s = [sound.start_s for sound in bot.call.timeline.sounds]
            # Each is asked for 1.24 s after the one before.
            assert starts_s == pytest.approx([0.74, 1.68, 3.22])

    run(main)


@pytest.mark.parametrize(
    ("reading", "states"), [("item", ["QQ==", "QQ==", "Qg=="]), ("latest", ["Qg=="] * 3)]
)
def test_whose_state_a_webhook_has_is_a_reading(run: Run, reading: str, states: list[str]) -> None:
    readings = TelnyxReadings(client_state="item" if reading == "item" else "latest")

    async def main() -> None:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks, readings=readings) as telnyx, bot_on(telnyx) as bot:
            await bot.send("playback_start", **content(wav(1.0)), client_state="QQ==")
            await bot.send("playback_start", **content(wav(1.0)), client_state="Qg==")
            await anyio.sleep(1.5)
            found = [message["data"]["payload"]["client_state"] for message in hooks.messages]
            # The first one started when there was no other state yet.
            assert found[1:] == states[1:]
            assert found[0] == "QQ=="

    run(main)


def test_how_large_a_file_in_a_command_may_be_is_a_reading(run: Run) -> None:
    async def main() -> None:
        file = wav(0.5)
        for most, code in ((len(file), None), (len(file) - 1, "10033")):
            readings = TelnyxReadings(most_content_bytes=most)
            async with TelnyxSimulator(readings=readings) as telnyx, bot_on(telnyx) as bot:
                assert await bot.code("playback_start", **content(file)) == code

    run(main)
