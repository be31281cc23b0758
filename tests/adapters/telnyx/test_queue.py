import math
from collections.abc import Iterator

import anyio
import httpx
import pytest

from ordered_pipeline.adapters.telnyx import (
    CallControl,
    CallOverError,
    QueuePlayer,
)
from ordered_pipeline.testing import check_player
from ordered_pipeline.testing.telnyx import RestFault, TelnyxReadings, WebhookFault
from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, PlaybackResult, Segment
from ordered_pipeline.wire._telnyx_calls import PlaybackStop
from tests.adapters.telnyx.phone import PCM, WAV, clip, line, samples
from tests.conftest import Run

ON_HEAD = TelnyxReadings(prepare="on_head")


def readings() -> Iterator[TelnyxReadings]:
    for prepare in ("on_enqueue", "on_head"):
        for state in ("item", "latest"):
            for told in (True, False):
                yield TelnyxReadings(
                    prepare=prepare,
                    client_state=state,
                    ended_for_never_started=told,
                    stop_on_empty="accepted" if told else "refused",
                )


@pytest.mark.parametrize("reading", list(readings()))
def test_it_keeps_what_a_player_promises(run: Run, reading: TelnyxReadings) -> None:
    async def main() -> None:
        async with line(readings=reading) as phone, phone.player as player:
            await check_player(player, WAV)

    run(main)


def test_it_keeps_that_without_webhooks_too(run: Run) -> None:
    async def main() -> None:
        async with line(listens=False) as phone, phone.player as player:
            await check_player(player, WAV)

    run(main)


def test_missing_webhooks_make_results_presumed_a_second_late(run: Run) -> None:
    async def main() -> None:
        async with line(WebhookFault(is_dropped=True)) as phone, phone.player as player:
            playback = await player.play(clip(0, 1.5))
            assert await playback.finished() == PlaybackResult("presumed", 1.5)
            assert anyio.current_time() == pytest.approx(0.44 + 1.5 + 1.0)

    run(main)


def test_the_start_that_a_webhook_tells_corrects_the_position(run: Run) -> None:
    async def main() -> None:
        async with line(readings=ON_HEAD) as phone, phone.player as player:
            playbacks = [await player.play(clip(index, 1.5)) for index in range(4)]
            results = [await playback.finished() for playback in playbacks]
            starts = [await playback.started() for playback in playbacks]

        assert [result.outcome for result in results] == ["completed"] * 4
        assert starts == pytest.approx([sound.start_s for sound in phone.call.timeline.sounds])

    run(main)


def test_clear_is_silence_after_one_command_and_tells_what_was_heard(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            playbacks = [await player.play(clip(index, 3.0)) for index in range(2)]
            await anyio.sleep(2.0)
            await player.clear()
            assert anyio.current_time() == pytest.approx(2.24)

            first, second = [await playback.finished() for playback in playbacks]
            assert first.outcome == "cleared"
            assert first.played_s == pytest.approx(1.8)
            assert second == PlaybackResult("cleared", 0.0)
            with anyio.move_on_after(10) as patience:
                await playbacks[1].started()
            assert patience.cancelled_caught
        assert phone.call.timeline.sounds[-1].end_s == pytest.approx(2.24)

    run(main)


def test_a_stop_by_somebody_else_is_noticed(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            playbacks = [await player.play(clip(index, 3.0)) for index in range(2)]
            await anyio.sleep(1.0)
            await phone.calls.send(phone.call.call_control_id, PlaybackStop(stop="current"))
            result = await playbacks[0].finished()
            assert result.outcome == "cleared"
            assert result.played_s == pytest.approx(0.86)
            # There is room again at once.
            assert await playbacks[1].started() == pytest.approx(1.3 + 0.44, abs=0.01)

    run(main)


def test_a_hangup_ends_what_sounds_and_all_that_waits(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            playbacks = [await player.play(clip(index, 3.0)) for index in range(2)]
            await anyio.sleep(1.0)
            phone.call.hang_up()
            for playback in playbacks:
                with pytest.raises(CallOverError, match="the call has ended"):
                    await playback.finished()
            assert playbacks[0].position_s() == pytest.approx(0.62)
            assert await playbacks[0].started() == pytest.approx(0.44)
            with pytest.raises(CallOverError):
                await playbacks[1].started()
            with pytest.raises(CallOverError, match="a clip was played on a call that has ended"):
                await player.play(clip(2, 1.0))
            await player.clear()
            assert phone.posted("playback_stop") == 0

    run(main)


def test_a_call_that_ends_while_nothing_plays_is_over(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            phone.call.hang_up()
            await anyio.sleep(0.1)
            with pytest.raises(CallOverError, match="a clip was played on a call that has ended"):
                await player.play(clip(0, 3.0))

            assert phone.telnyx.requests == []

    run(main)


def test_a_call_that_is_over_is_noticed_without_webhooks(run: Run) -> None:
    async def main() -> None:
        async with line(WebhookFault(is_dropped=True)) as phone, phone.player as player:
            phone.call.hang_up()
            playback = await player.play(clip(0, 3.0))
            with pytest.raises(CallOverError, match="playback_start came too late"):
                await playback.finished()

            assert len(phone.telnyx.requests) == 1

    run(main)


def test_a_call_that_is_over_when_it_is_to_be_silent_is_silent(run: Run) -> None:
    async def main() -> None:
        async with line(WebhookFault(is_dropped=True)) as phone, phone.player as player:
            playback = await player.play(clip(0, 3.0))
            await anyio.sleep(1.0)
            phone.call.hang_up()
            await player.clear()
            with pytest.raises(CallOverError):
                await playback.finished()

    run(main)


def test_a_hangup_wakes_a_call_of_play_that_waits_for_room(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player, anyio.create_task_group() as tasks:

            async def hang_up() -> None:
                await anyio.sleep(1.0)
                phone.call.hang_up()

            tasks.start_soon(hang_up)
            for index in range(2):
                await player.play(clip(index, 3.0))
            with pytest.raises(CallOverError):
                await player.play(clip(2, 3.0))
            assert anyio.current_time() == pytest.approx(1.06)

    run(main)


def test_leaving_the_block_lets_all_be_heard(run: Run) -> None:
    async def main() -> None:
        async with line() as phone:
            async with phone.player as player:
                for index in range(3):
                    await player.play(clip(index, 2.0))
            assert anyio.current_time() == pytest.approx(6.5)
            assert phone.call.timeline.data() == b"".join(samples(index, 2.0) for index in range(3))
            await player.clear()
            with pytest.raises(RuntimeError, match="a clip was played on a player that is not open"):
                await player.play(clip(0, 1.0))
            assert phone.posted("playback_stop") == 0

    run(main)


def test_the_block_can_be_silenced_while_it_lets_all_be_heard(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, anyio.create_task_group() as tasks:
            async with phone.player as player:
                await player.play(clip(0, 9.0))

                async def clear() -> None:
                    await anyio.sleep(1.0)
                    await player.clear()

                tasks.start_soon(clear)
            assert anyio.current_time() == pytest.approx(1.24)

    run(main)


def test_an_error_in_the_block_is_silence_and_comes_out_as_it_is(run: Run) -> None:
    async def main() -> None:
        async with line() as phone:
            with pytest.raises(LookupError, match="of the block"):
                async with phone.player as player:
                    playback = await player.play(clip(0, 3.0))
                    await anyio.sleep(1.0)
                    raise LookupError("of the block")
            assert anyio.current_time() == pytest.approx(1.24)
            assert (await playback.finished()).outcome == "cleared"
            assert phone.call.timeline.sounds[-1].end_s == pytest.approx(1.24)

    run(main)


def test_a_cancelled_block_is_silence_within_twice_the_timeout(run: Run) -> None:
    async def main() -> None:
        hang = RestFault(action="playback_stop", hang_s=math.inf, is_applied=False)
        async with line(hang) as phone:
            with anyio.move_on_after(1.0):
                async with phone.player as player:
                    playback = await player.play(clip(0, 30.0))
                    await anyio.sleep_forever()
            assert anyio.current_time() <= 1.0 + 3 * 2.0
            assert (await playback.finished()).outcome == "cleared"

    run(main)


def test_a_client_that_was_closed_too_early_is_told_of_and_hides_no_error(run: Run) -> None:
    async def main() -> None:
        async with line() as phone:
            with pytest.raises(LookupError, match="of the block"):
                async with phone.player as player:
                    playback = await player.play(clip(0, 3.0))
                    await anyio.sleep(1.0)
                    await phone.calls.client.aclose()
                    with pytest.raises(RuntimeError, match="client has been closed"):
                        await player.clear()
                    later = await player.play(clip(1, 3.0))
                    with pytest.raises(RuntimeError, match="client has been closed"):
                        await later.finished()
                    raise LookupError("of the block")
            assert anyio.current_time() == pytest.approx(1.0)
            assert (await playback.finished()).outcome == "cleared"

    run(main)


def test_who_waits_for_clear_when_the_block_ends_is_let_go(run: Run) -> None:
    async def main() -> None:
        hang = RestFault(action="playback_stop", hang_s=math.inf, is_applied=False)
        async with line(hang) as phone, anyio.create_task_group() as tasks, phone.player as player:
            await player.play(clip(0, 1.0))
            await anyio.sleep(1.0)
            tasks.start_soon(player.clear)
            await anyio.sleep(0.1)

    run(main)


def test_webhooks_of_other_calls_and_events_are_passed_over(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            playback = await player.play(clip(0, 1.0))
            other = phone.telnyx.incoming_call()
            other.hang_up()
            phone.call.press("5")
            assert (await playback.finished()).outcome == "completed"

    run(main)


def test_another_format_is_refused(run: Run) -> None:
    async def main() -> None:
        async with line() as phone:
            with pytest.raises(RuntimeError, match="not open"):
                await phone.player.play(clip(0, 1.0))
            async with phone.player as player:
                with pytest.raises(ValueError, match="clip must have the player's format"):
                    await player.play(Clip(Segment(0, "."), AudioFormat("mp3", 8000)))
                with pytest.raises(ValueError, match="clip must have the player's format"):
                    await player.play(Clip(Segment(0, "."), PCM))
                broken = Clip(Segment(0, "."), WAV, [AudioChunk(b"RIFX" * 20)])
                broken.end()
                with pytest.raises(ValueError, match="clip must hold a WAV file"):
                    await player.play(broken)

    run(main)


def test_the_lead_must_be_above_0() -> None:
    calls = CallControl(httpx.AsyncClient(), api_key="KEY")

    with pytest.raises(ValueError, match=r"lead_s must be above 0, got 0\.0"):
        QueuePlayer(calls, "call", lead_s=0.0)
