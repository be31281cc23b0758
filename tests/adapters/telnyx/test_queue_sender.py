"""What is posted when, and how it is stopped: by a player on a simulated call."""

import math

import anyio
import pytest

from ordered_pipeline.adapters.telnyx import (
    CallControlError,
    CallOverError,
    CommandLostError,
    CommandRefusedError,
)
from ordered_pipeline.testing.telnyx import RestFault
from ordered_pipeline.voice import AudioChunk, Clip, PlaybackResult, Segment
from tests.adapters.telnyx.phone import WAV, clip, line, samples, wav
from tests.conftest import Run


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


# It would be time to post the next clip, or not yet.
@pytest.mark.parametrize("length_s", [1.5, 3.0])
def test_what_is_played_while_it_is_being_silenced_is_heard_whole_after_that(
    run: Run, length_s: float
) -> None:
    async def main() -> None:
        async with line() as phone, phone.player as player, anyio.create_task_group() as tasks:
            await player.play(clip(0, length_s))
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


def test_a_command_is_not_sent_again_once_the_caller_has_left(run: Run) -> None:
    async def main() -> None:
        async with line(RestFault(action="playback_start", status=429, reset_s=20.0)) as phone:
            async with phone.player as player:
                playback = await player.play(clip(0, 1.0))
                await anyio.sleep(1.0)
                phone.call.hang_up()
                with pytest.raises(CallOverError):
                    await playback.finished()
                await anyio.sleep(60)
            assert [each.action for each in phone.telnyx.requests] == ["playback_start"]

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
