"""One clip in the recording player: its instants, positions and ends."""

import math

import anyio
import pytest

from ordered_pipeline.testing import ClipFault, RecordingPlayer, scripted_audio
from ordered_pipeline.voice import AudioChunk, Clip, PlaybackResult, Player, PlayerCapabilities
from tests.conftest import Run
from tests.testing.clips import PCM, clip_of, segment_of, spans


def test_clear_ends_the_waiting_of_others(run: Run) -> None:
    player = RecordingPlayer()
    results: list[PlaybackResult] = []

    async def main() -> None:
        playback = await player.play(await clip_of(0, 9.0))

        async def wait() -> None:
            results.append(await playback.finished())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
            await anyio.sleep(1.0)
            await player.clear()
        assert anyio.current_time() == 1.0

    run(main)
    assert results == [PlaybackResult("cleared", 1.0)] * 2


def test_a_clip_that_is_cleared_before_it_starts_never_starts(run: Run) -> None:
    player = RecordingPlayer(start_s=1.0)

    async def main() -> None:
        playback = await player.play(await clip_of(0, 1.0))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(playback.started)
            await anyio.sleep(0.5)
            await player.clear()
            with anyio.move_on_after(60.0) as scope:
                await playback.started()
            assert scope.cancelled_caught
            assert await playback.finished() == PlaybackResult("cleared", 0.0)
            tasks.cancel_scope.cancel()

    run(main)


def test_positions_follow_the_sound_as_far_off_as_stated(run: Run) -> None:
    true, ahead, behind = (RecordingPlayer(start_s=0.5, position_off_s=off_s) for off_s in (0.0, 0.25, -0.25))

    async def main() -> None:
        playbacks = [await player.play(await clip_of(0, 1.0)) for player in (true, ahead, behind)]
        found: list[list[float | None]] = []
        for _ in range(4):
            found.append([playback.position_s() for playback in playbacks])
            await anyio.sleep(0.5)
        assert found == [[0.0, 0.25, 0.0], [0.0, 0.25, 0.0], [0.5, 0.75, 0.25], [1.0, 1.25, 0.75]]
        assert [(await playback.finished()).played_s for playback in playbacks] == [1.0, 1.0, 1.0]

    run(main)


def test_the_result_of_a_cleared_clip_is_as_far_off(run: Run) -> None:
    player = RecordingPlayer(position_off_s=0.25)

    async def main() -> PlaybackResult:
        playback = await player.play(await clip_of(0, 1.0))
        await anyio.sleep(0.5)
        await player.clear()
        return await playback.finished()

    assert run(main) == PlaybackResult("cleared", 0.75)


def test_a_player_that_knows_nothing_presumes(run: Run) -> None:
    player: Player = RecordingPlayer(PlayerCapabilities(acknowledges="nothing"))

    async def main() -> PlaybackResult:
        playback = await player.play(await clip_of(0, 1.0))
        assert playback.position_s() is None
        return await playback.finished()

    assert run(main) == PlaybackResult("presumed", 1.0)


def test_a_clip_that_dies_has_failed_and_the_next_one_plays(run: Run) -> None:
    player = RecordingPlayer(faults={0: ClipFault(dies_after_s=0.75)})

    async def main() -> None:
        clip = await clip_of(0, 0.5, 0.5, 0.5)
        playback = await player.play(clip)
        await player.play(await clip_of(1, 1.0))
        assert await playback.finished() == PlaybackResult("failed", 0.75)
        assert anyio.current_time() == 0.75
        assert len(await clip.collect()) == 8000

    run(main)
    assert spans(player) == [(0, 0.0, 0.75), (1, 0.75, 1.75)]


def test_a_clip_that_nobody_acknowledges_ends_when_it_is_cleared(run: Run) -> None:
    player = RecordingPlayer(faults={0: ClipFault(is_acknowledged=False)})

    async def main() -> PlaybackResult:
        playback = await player.play(await clip_of(0, 1.0))
        with anyio.move_on_after(60.0) as scope:
            await playback.finished()
        assert scope.cancelled_caught
        await player.clear()
        return await playback.finished()

    assert run(main) == PlaybackResult("cleared", 1.0)
    assert spans(player) == [(0, 0.0, 1.0)]


@pytest.mark.parametrize("capabilities", [PlayerCapabilities(streaming=False), PlayerCapabilities()])
def test_an_empty_clip_is_over_after_those_before_it(run: Run, capabilities: PlayerCapabilities) -> None:
    player = RecordingPlayer(capabilities)

    async def main() -> None:
        await player.play(await clip_of(0, 1.0))
        empty = await player.play(await clip_of(1))
        assert await empty.finished() == PlaybackResult("completed", 0.0)
        assert anyio.current_time() == 1.0
        with anyio.move_on_after(1.0) as scope:
            await empty.started()
        assert scope.cancelled_caught

    run(main)
    assert spans(player) == [(0, 0.0, 1.0)]


def test_what_was_heard_by_an_instant_is_whole_samples(run: Run) -> None:
    player = RecordingPlayer()

    async def main() -> None:
        await player.play(await clip_of(0, 1.0))
        await player.play(await clip_of(1, 1.0))

    run(main)
    both = scripted_audio(segment_of(0), PCM, 1.0) + scripted_audio(segment_of(1), PCM, 1.0)
    assert player.heard_bytes(0.0) == b""
    # 0.3 s are 2,400 samples, and 1.00019 s one and a half more than a second's.
    assert player.heard_bytes(0.3) == both[:4800]
    assert player.heard_bytes(1.00019) == both[:16002]
    assert player.heard_bytes() == both


def test_half_a_sample_is_refused(run: Run) -> None:
    player = RecordingPlayer()

    async def main() -> None:
        clip = Clip(segment_of(0), PCM)
        await clip.put(AudioChunk(bytes(3)))
        with pytest.raises(ValueError, match="multiple of 2"):
            await player.play(clip)
        await player.play(await clip_of(1, math.ldexp(1, -3)))

    run(main)
    assert spans(player) == [(1, 0.0, 0.125)]
