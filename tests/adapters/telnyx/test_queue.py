import math
from collections.abc import Iterator

import anyio
import httpx
import pytest

from ordered_pipeline.adapters.telnyx import (
    CallControl,
    CallControlError,
    CallOverError,
    CommandLostError,
    CommandRefusedError,
    QueuePlayer,
)
from ordered_pipeline.testing import check_player
from ordered_pipeline.testing.telnyx import RestFault, TelnyxReadings, WebhookFault
from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, PlaybackResult, Segment
from ordered_pipeline.wire._telnyx_calls import PlaybackStop
from tests.adapters.telnyx.phone import PCM, WAV, clip, line, samples, wav
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


def test_a_clip_is_accepted_before_it_is_posted_and_sounds_after_the_api_and_the_start(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            playback = await player.play(clip(0, 1.5))
            assert anyio.current_time() == 0.0
            assert playback.position_s() == 0.0

            assert await playback.started() == pytest.approx(0.44)
            await anyio.sleep(0.5)
            assert playback.position_s() == pytest.approx(0.5)
            assert await playback.finished() == PlaybackResult("completed", 1.5)
            assert anyio.current_time() == pytest.approx(2.0)
            assert phone.call.timeline.data() == samples(0, 1.5)

    run(main)


def test_a_clip_is_posted_when_a_second_is_ahead_of_it(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            for index in range(3):
                await player.play(clip(index, 3.0))
            await anyio.sleep(10)

            # The first sounds from 0.44 on.
            assert [each.time_s for each in phone.telnyx.requests] == pytest.approx([0.0, 2.44, 5.44])
            assert phone.gaps() == []

    run(main)


def test_play_waits_while_half_a_second_waits_to_be_posted(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            for index in range(3):
                await player.play(clip(index, 3.0))
            # The second was posted then.
            assert anyio.current_time() == pytest.approx(2.44)

    run(main)


def test_short_clips_that_wait_are_joined_and_the_first_is_not_held_back(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            playbacks = [await player.play(clip(0, 0.2))]
            await anyio.sleep(0.01)
            playbacks += [await player.play(clip(index, 0.2)) for index in range(1, 7)]
            results = [await playback.finished() for playback in playbacks]

            assert [sound.duration_s for sound in phone.call.timeline.sounds] == pytest.approx(
                [0.2, 0.6, 0.6]
            )
            assert phone.call.timeline.data() == b"".join(samples(index, 0.2) for index in range(7))
            assert [result.played_s for result in results] == [0.2] * 7
            # Each of them began where it is in its file.
            starts = [await playback.started() for playback in playbacks]
            assert starts[2] - starts[1] == pytest.approx(0.2)
            assert starts[6] - starts[4] == pytest.approx(0.4)

    run(main)


def test_clips_shorter_than_a_post_takes_leave_no_gap_once_they_are_joined(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            for index in range(40):
                await player.play(clip(index, 0.15))
                await anyio.sleep(0.01)
        first, *others = phone.gaps()
        # The first one is over before the second can be prepared: 0.24 s to post it, 0.2 s to start.
        assert first == pytest.approx(0.24 + 0.2 - 0.2 - 0.15)
        assert others == []

    run(main)


def test_a_file_of_another_format_is_posted_alone_as_it_is(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            strange = Clip(Segment(1, "Beep."), WAV, [AudioChunk(wav_of_mulaw(4000))])
            strange.end()
            for each in (clip(0, 0.2), strange, clip(2, 0.2)):
                await player.play(each)

        assert [sound.duration_s for sound in phone.call.timeline.sounds] == pytest.approx([0.2, 0.5, 0.2])

    run(main)


def wav_of_mulaw(length: int) -> bytes:
    header = bytearray(wav(bytes(2 * length)))
    header[20:36] = (
        (7).to_bytes(2, "little")
        + (1).to_bytes(2, "little")
        + (8000).to_bytes(4, "little")
        + (8000).to_bytes(4, "little")
        + (1).to_bytes(2, "little")
        + (8).to_bytes(2, "little")
    )
    header[4:8] = (36 + length).to_bytes(4, "little")
    header[40:44] = length.to_bytes(4, "little")
    return bytes(header[:44]) + b"\xff" * length


def test_an_empty_clip_is_over_at_once_and_nothing_is_posted(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            for data in (b"", wav(b"")):
                empty = Clip(Segment(0, "."), WAV, [AudioChunk(data)])
                empty.end()
                assert await (await player.play(empty)).finished() == PlaybackResult("completed", 0.0)
        assert phone.telnyx.requests == []

    run(main)


def test_the_reply_that_was_lost_plays_once(run: Run) -> None:
    lost = RestFault(action="playback_start", nth=2, is_reset=True, is_applied=True)

    async def main() -> None:
        async with line(lost) as phone, phone.player as player:
            for index in range(4):
                await player.play(clip(index, 1.5))

        assert phone.call.timeline.data() == b"".join(samples(index, 1.5) for index in range(4))
        assert phone.gaps() == []
        assert sum(each.is_repeated for each in phone.telnyx.requests) == 1

    run(main)


def test_an_answer_that_hangs_is_not_waited_for_and_the_clip_plays_once(run: Run) -> None:
    late = RestFault(action="playback_start", nth=2, hang_s=30.0)

    async def main() -> None:
        async with line(late, timeout_s=0.5) as phone, phone.player as player:
            for index in range(4):
                await player.play(clip(index, 1.5))

        assert phone.call.timeline.data() == b"".join(samples(index, 1.5) for index in range(4))
        assert phone.gaps() == []

    run(main)


def test_the_order_is_kept_when_a_clip_has_to_be_posted_again(run: Run) -> None:
    busy = RestFault(action="playback_start", nth=2, status=503)

    async def main() -> None:
        async with line(busy) as phone, phone.player as player:
            for index in range(4):
                await player.play(clip(index, 1.5))

        assert phone.call.timeline.data() == b"".join(samples(index, 1.5) for index in range(4))
        assert phone.gaps() == []

    run(main)


def test_a_clip_that_cannot_be_posted_says_so_and_the_next_is_played(run: Run) -> None:
    async def main() -> None:
        faults = [RestFault(action="playback_start", nth=nth, status=503) for nth in (2, 3, 4)]
        # A rule counts the commands that it sees itself.
        async with line(*faults) as phone, phone.player as player:
            playbacks = [await player.play(clip(index, 1.5)) for index in range(3)]
            assert (await playbacks[0].finished()).outcome == "completed"
            with pytest.raises(CommandRefusedError, match="status 503") as caught:
                await playbacks[1].finished()
            assert caught.value.reply.status == 503
            with pytest.raises(CommandRefusedError):
                await playbacks[1].started()
            assert playbacks[1].position_s() == 0.0
            assert (await playbacks[2].finished()).outcome == "completed"
        assert phone.call.timeline.data() == samples(0, 1.5) + samples(2, 1.5)

    run(main)


def test_a_silent_telnyx_ends_the_clip_after_three_tries(run: Run) -> None:
    async def main() -> None:
        async with line(RestFault(hang_s=math.inf, is_applied=False)) as phone, phone.player as player:
            playback = await player.play(clip(0, 1.5))
            with pytest.raises(CommandLostError, match="playback_start was not answered"):
                await playback.finished()
            assert anyio.current_time() == pytest.approx(3 * 2.0 + 0.1 + 0.2)
            assert len(phone.telnyx.requests) == 3

    run(main)


def test_the_file_may_be_fetched_from_an_address(run: Run) -> None:
    async def main() -> None:
        files: dict[str, bytes] = {}

        async def url_for(file: bytes) -> str:
            await anyio.sleep(0.1)
            url = f"https://files.example/{len(files)}.wav"
            files[url] = phone.telnyx.files[url] = file
            return url

        async with line(url_for=url_for) as phone, phone.player as player:
            for index in range(3):
                await player.play(clip(index, 1.5))

        assert list(files.values()) == [wav(samples(index, 1.5)) for index in range(3)]
        assert phone.call.timeline.data() == b"".join(samples(index, 1.5) for index in range(3))
        assert phone.gaps() == []

    run(main)


def test_an_address_that_cannot_be_made_costs_its_clip_alone(run: Run) -> None:
    async def main() -> None:
        async def url_for(file: bytes) -> str:
            if file == wav(samples(1, 1.5)):
                raise OSError("the disk is full")
            url = f"https://files.example/{hash(file)}.wav"
            phone.telnyx.files[url] = file
            return url

        async with line(url_for=url_for) as phone, phone.player as player:
            playbacks = [await player.play(clip(index, 1.5)) for index in range(3)]
            with pytest.raises(OSError, match="the disk is full"):
                await playbacks[1].finished()
        assert phone.call.timeline.data() == samples(0, 1.5) + samples(2, 1.5)

    run(main)


def test_a_file_that_telnyx_cannot_fetch_is_reported_and_never_heard(run: Run) -> None:
    async def main() -> None:
        async def url_for(file: bytes) -> str:
            return "https://files.example/missing.wav"

        async with line(url_for=url_for) as phone, phone.player as player:
            playback = await player.play(clip(0, 1.5))
            assert await playback.finished() == PlaybackResult("failed", 0.0)
            assert anyio.current_time() < 1.0

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


def test_what_was_under_way_is_stopped_again(run: Run) -> None:
    async def main() -> None:
        slow = RestFault(action="playback_start", nth=2, hang_s=1.0)
        async with line(slow) as phone, phone.player as player:
            for index in range(2):
                await player.play(clip(index, 1.2))
            await anyio.sleep(0.7)
            await player.clear()
            assert phone.posted("playback_stop") == 2

            # Nothing of it is heard in what comes next.
            await player.play(clip(2, 0.5))
        assert phone.call.timeline.data().endswith(samples(2, 0.5))
        assert phone.telnyx.requests[-1].action == "playback_start"

    run(main)


def test_what_is_played_while_it_is_being_silenced_is_heard_whole_after_that(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player, anyio.create_task_group() as tasks:
            await player.play(clip(0, 3.0))
            await anyio.sleep(1.0)
            tasks.start_soon(player.clear)
            await anyio.sleep(0.1)
            playback = await player.play(clip(1, 1.0))
            assert await playback.started() == pytest.approx(1.24 + 0.44)
            assert await playback.finished() == PlaybackResult("completed", 1.0)
        assert phone.call.timeline.data().endswith(samples(1, 1.0))

    run(main)


def test_a_cleared_command_is_not_sent_again(run: Run) -> None:
    async def main() -> None:
        async with line(RestFault(action="playback_start", status=429, reset_s=20.0)) as phone:
            async with phone.player as player:
                playback = await player.play(clip(0, 1.0))
                await anyio.sleep(1.0)
                await player.clear()
                assert await playback.finished() == PlaybackResult("cleared", 0.0)
                assert anyio.current_time() == pytest.approx(1.24)
                await anyio.sleep(60)
            assert [each.action for each in phone.telnyx.requests] == ["playback_start", "playback_stop"]

    run(main)


def test_clearing_what_was_never_posted_asks_nothing_of_telnyx(run: Run) -> None:
    async def main() -> None:
        async def url_for(file: bytes) -> str:
            await anyio.sleep_forever()
            raise AssertionError

        async with line(url_for=url_for) as phone, phone.player as player:
            await player.clear()
            playbacks = [await player.play(clip(index, 1.0)) for index in range(2)]
            await anyio.sleep(1.0)
            await player.clear()
            for playback in playbacks:
                assert await playback.finished() == PlaybackResult("cleared", 0.0)
        assert phone.telnyx.requests == []

    run(main)


def test_a_stop_that_fails_is_told_by_clear(run: Run) -> None:
    async def main() -> None:
        refused = RestFault(action="playback_stop", status=401, code="10009")
        async with line(refused) as phone, phone.player as player:
            await player.play(clip(0, 1.0))
            await anyio.sleep(1.0)
            with pytest.raises(CallControlError, match="playback_stop was refused with status 401"):
                await player.clear()

    run(main)


def test_a_cancelled_clear_goes_on(run: Run) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player:
            await player.play(clip(0, 3.0))
            await anyio.sleep(1.0)
            with anyio.move_on_after(0.1):
                await player.clear()
            await anyio.sleep(0.2)
            assert phone.call.timeline.sounds[-1].end_s == pytest.approx(1.24)

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
