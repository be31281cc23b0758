"""Whole replies on a simulated call: what the caller hears, whatever webhooks, callers and Telnyx do."""

import contextlib
import math
import sys
from collections.abc import Awaitable, Callable
from random import Random

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordered_pipeline.adapters.telnyx import CallOverError, CommandLostError
from ordered_pipeline.testing import (
    LoopName,
    ScriptedTextToSpeech,
    SpeechScript,
    run_in_virtual_time,
    scripted_audio,
)
from ordered_pipeline.testing.telnyx import PlayedAudio, RestFault, TelnyxReadings, TelnyxTiming, WebhookFault
from ordered_pipeline.voice import Playback, Prefetch, player_from, speak
from ordered_pipeline.wire._telnyx_calls import PlaybackStart
from ordered_pipeline.wire._telnyx_webhooks import PlaybackEnded
from tests.adapters.telnyx.phone import PCM, WAV, clip, line, phone, samples
from tests.adapters.telnyx.steps import acting, until_spared
from tests.conftest import LOOPS, Run
from tests.core.probes import strictly

TEXT = "This is the first sentence. Here is one more of them. And that was the last of all."
TURN_S = 6.0
READINGS = [
    TelnyxReadings(prepare="on_enqueue"),
    TelnyxReadings(prepare="on_head"),
    TelnyxReadings(prepare="on_enqueue", client_state="latest", ended_for_never_started=False),
    TelnyxReadings(prepare="on_head", client_state="latest"),
]

both_loops = pytest.mark.parametrize("run", ["asyncio", "trio"], indirect=True)
# The first and the last: they differ in all.
both_readings = pytest.mark.parametrize("reading", READINGS[::3])


def voice() -> ScriptedTextToSpeech:
    return ScriptedTextToSpeech(SpeechScript(first_audio_s=0.4), audio_format=PCM)


@pytest.mark.parametrize("reading", READINGS)
def test_a_bot_that_waits_for_each_end_leaves_the_api_and_the_start_as_gaps(
    run: Run, reading: TelnyxReadings
) -> None:
    async def main() -> None:
        async with phone(readings=reading) as there:

            async def play(file: bytes) -> None:
                command = PlaybackStart(playback_content=file, audio_type="wav")
                await there.calls.send(there.call.call_control_id, command)
                async for webhook in there.events:
                    if isinstance(webhook.event, PlaybackEnded):
                        return

            async with speak(TEXT, tts=voice(), player=player_from(play, formats=[WAV])) as reply:
                await reply.finished()

        gaps = there.gaps()
        assert len(gaps) == 2
        # And the webhook's way on top.
        assert min(gaps) >= 0.44

    run(main)


def test_queueing_ahead_leaves_no_gap_where_telnyx_prepares_what_is_queued(run: Run) -> None:
    async def main() -> None:
        async with line() as there, there.player as player, speak(TEXT, tts=voice(), player=player) as reply:
            await reply.finished()

        assert there.posted("playback_start") == 3
        assert there.gaps() == []

    run(main)


def test_queueing_ahead_leaves_the_start_where_telnyx_prepares_what_is_next(run: Run) -> None:
    async def main() -> None:
        on_head = TelnyxReadings(prepare="on_head")
        async with line(readings=on_head) as there, there.player as player:
            reply = speak(TEXT, tts=voice(), player=player)
            async with reply:
                await reply.finished()

        assert there.gaps() == [0.2, 0.2]

    run(main)


def test_a_voice_that_has_later_sentences_ready_first_is_heard_in_order(run: Run) -> None:
    tts = ScriptedTextToSpeech(
        lambda segment, _: SpeechScript(first_audio_s=2.0 - 0.9 * segment.index), audio_format=PCM
    )

    async def main() -> None:
        async with line() as there, there.player as player:
            reply = speak(TEXT, tts=tts, player=player, prefetch=Prefetch(segments=3))
            async with reply:
                await reply.finished()

        requests = sorted(tts.requests, key=lambda request: request.segment.index)
        spoken = [
            scripted_audio(each.segment, PCM, len(each.segment.text) * SpeechScript().seconds_per_character)
            for each in requests
        ]
        assert tts.most_running == 3
        assert there.call.timeline.data() == b"".join(spoken)

    run(main)


def lengths(random: Random) -> list[float]:
    return [round(random.uniform(0.1, 2.5), 2) for _ in range(8)]


async def hear(seed: int, *faults: WebhookFault) -> list[PlayedAudio]:
    """Return what is heard of eight clips."""
    random = Random(seed)  # noqa: S311  # no secret
    reading = READINGS[seed % len(READINGS)]
    timing = TelnyxTiming(webhook_jitter_s=0.06 if faults else 0.0)
    async with line(*faults, timing=timing, readings=reading, seed=seed) as there, there.player as player:
        playbacks: list[Playback] = []
        for each in enumerate(lengths(random)):
            playbacks.append(await player.play(clip(*each)))
            # Whether two clips that come at one instant are joined is up to the event loop.
            await anyio.sleep(0.01)
        results = [await playback.finished() for playback in playbacks]
        over_s = anyio.current_time()
        await anyio.sleep(5)
    assert [result.outcome for result in results if result.outcome not in {"completed", "presumed"}] == []
    sounds = there.call.timeline.sounds
    if reading.client_state == "item":
        # What is told of another file is not taken for this one. The clock may be wrong by what it says.
        assert sounds[-1].end_s <= over_s + 0.25
    return sounds


def test_no_chaos_of_webhooks_changes_what_is_heard(run: Run) -> None:
    async def main(seed: int) -> None:
        random = Random(-seed)  # noqa: S311  # as above
        faults = [
            WebhookFault(probability=0.2, is_dropped=True),
            WebhookFault(probability=0.3, copies=2),
            WebhookFault(probability=0.3, delay_s=random.uniform(0.0, 5.0)),
            WebhookFault(probability=0.3, event_type="call.playback.started", behind="call.playback.ended"),
            WebhookFault(probability=0.1, batch_s=1.0),
            WebhookFault(probability=0.1, forged="signature"),
            WebhookFault(probability=0.1, unknown_event=True),
        ]
        quiet = await hear(seed)
        chaos = await hear(seed, *random.sample(faults, 3))

        shift_s = chaos[0].start_s - quiet[0].start_s
        assert [sound.data for sound in chaos] == [sound.data for sound in quiet]
        assert [sound.start_s - shift_s for sound in chaos] == pytest.approx(
            [sound.start_s for sound in quiet]
        )

    # 500 seeds, each on one of the loops.
    for seed in range(LOOPS.index(run.loop), 500, len(LOOPS)):
        run(main, seed)


async def left_by_the_caller(
    reading: TelnyxReadings, *, nth: int = sys.maxsize, at_s: float | None = None
) -> tuple[bool, bool, bytes]:
    """Speak a reply until the caller hangs up: after so many steps of the loop, or at an instant.

    Returns:
        Whether she did before it was over, whether the bot was told so, and what she heard.
    """
    tts, was_cut, left_s = voice(), False, math.inf
    with anyio.fail_after(TURN_S + 3):
        async with line(readings=reading) as there, anyio.create_task_group() as tasks:

            def hang_up() -> None:
                nonlocal left_s
                left_s = anyio.current_time()
                there.call.hang_up()

            if at_s is not None:
                tasks.start_soon(_later, at_s, hang_up)
            with acting(nth, hang_up):
                async with there.player as player, speak(TEXT, tts=tts, player=player) as reply:
                    try:
                        await reply.finished()
                    except CallOverError:
                        was_cut = True
                        # At once, but for the webhook's way; before the first clip, with that.
                        assert anyio.current_time() <= max(left_s, 0.4) + 0.3
            heard = there.call.timeline.data()
            tasks.cancel_scope.cancel()
    assert tts.running == 0
    return left_s < math.inf, was_cut, heard


async def interrupted_by_the_caller(
    reading: TelnyxReadings, *, nth: int = sys.maxsize, at_s: float | None = None
) -> bool:
    """Speak a reply until the caller speaks, as above; return whether she did before it was over."""
    async with line(readings=reading) as there, anyio.create_task_group() as tasks:
        spoken = anyio.Event()
        if at_s is not None:
            tasks.start_soon(_later, at_s, spoken.set)
        async with there.player as player:
            with acting(nth, spoken.set):
                async with speak(TEXT, tts=voice(), player=player) as reply:
                    await _first(reply.finished, spoken.wait)
                    interrupted_s = anyio.current_time()
                    heard = await reply.interrupt()
            assert heard.text + heard.unheard in TEXT
            latest_s = max((sound.end_s for sound in there.call.timeline.sounds), default=0.0)
            # One command.
            assert latest_s <= interrupted_s + 0.24001

            before = there.call.timeline.data()
            await player.play(clip(7, 1.0))
        assert there.call.timeline.data() == before + samples(7, 1.0)
        tasks.cancel_scope.cancel()
    return spoken.is_set()


async def _later(at_s: float, act: Callable[[], object]) -> None:
    await anyio.sleep_until(at_s)
    act()


async def _first(*functions: Callable[[], Awaitable[object]]) -> None:
    """Return when one of them has."""
    async with anyio.create_task_group() as tasks:

        async def one(function: Callable[[], Awaitable[object]]) -> None:
            await function()
            tasks.cancel_scope.cancel()

        for function in functions:
            tasks.start_soon(one, function)


@both_loops
@both_readings
def test_a_caller_who_hangs_up_at_any_step_of_a_turn_leaves_nothing_behind(
    run: Run, reading: TelnyxReadings
) -> None:
    async def main(nth: int) -> tuple[bool, bool, bytes]:
        return await left_by_the_caller(reading, nth=nth)

    def attempt(nth: int) -> bool:
        has_left, was_cut, heard = strictly(run, main, nth)
        # Whoever was cut off is told so, and nobody else.
        assert was_cut != (heard == whole)
        return has_left

    whole = run(left_by_the_caller, reading)[2]
    assert until_spared(attempt) > 80


@settings(max_examples=200)
@given(st.sampled_from(LOOPS), st.sampled_from(READINGS), st.floats(0.0, TURN_S))
def test_a_caller_who_hangs_up_at_any_instant_leaves_nothing_behind(
    loop: LoopName, reading: TelnyxReadings, at_s: float
) -> None:
    async def main(at_s: float | None) -> tuple[bool, bool, bytes]:
        return await left_by_the_caller(reading, at_s=at_s)

    _, was_cut, heard = run_in_virtual_time(main, at_s, loop=loop)

    whole = run_in_virtual_time(main, None, loop=loop)[2]
    missed_s = PCM.duration_s(len(whole) - len(heard))
    # That she has left takes a webhook's way to be known: by then the end of the reply has passed.
    assert missed_s > 0 if was_cut else missed_s <= 0.06


@both_loops
@both_readings
def test_a_barge_in_at_any_step_of_a_turn_is_silence_after_one_command(
    run: Run, reading: TelnyxReadings
) -> None:
    async def main(nth: int) -> bool:
        return await interrupted_by_the_caller(reading, nth=nth)

    assert until_spared(lambda nth: strictly(run, main, nth)) > 80


@settings(max_examples=200)
@given(st.sampled_from(LOOPS), st.sampled_from(READINGS), st.floats(0.0, TURN_S))
def test_a_barge_in_at_any_instant_is_silence_after_one_command(
    loop: LoopName, reading: TelnyxReadings, at_s: float
) -> None:
    async def main() -> bool:
        return await interrupted_by_the_caller(reading, at_s=at_s)

    run_in_virtual_time(main, loop=loop)


def test_nothing_of_an_interrupted_reply_is_heard_later_however_commands_overtake_each_other(
    run: Run,
) -> None:
    async def main(seed: int) -> None:
        random = Random(seed)  # noqa: S311  # no secret
        timing = TelnyxTiming(api_jitter_s=0.2)
        lost = RestFault(action="playback_start", probability=0.3, is_reset=True, is_applied=True)
        async with line(lost, timing=timing, readings=READINGS[seed % 4], seed=seed) as there:
            async with there.player as player:
                # Three times lost is not sent again, and told.
                with contextlib.suppress(CommandLostError):
                    async with speak(TEXT, tts=voice(), player=player) as reply:
                        await anyio.sleep(random.uniform(0.0, TURN_S))
                        await reply.interrupt()
                before = there.call.timeline.data()
                await player.play(clip(7, 1.0))
            assert there.call.timeline.data() == before + samples(7, 1.0)

    for seed in range(LOOPS.index(run.loop), 200, len(LOOPS)):
        run(main, seed)
