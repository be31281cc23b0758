"""The recording player: which sample sounds at which instant."""

import anyio
import pytest

from ordered_pipeline.testing import ClipFault, RecordedPlayback, RecordingPlayer, Silence, scripted_audio
from ordered_pipeline.voice import (
    AudioChunk,
    AudioFormat,
    Clip,
    PlaybackResult,
    PlayerCapabilities,
)
from tests.conftest import Run
from tests.testing.clips import PCM, clip_of, fill, segment_of, spans

WHOLE = PlayerCapabilities(streaming=False)
SEQUENTIAL = PlayerCapabilities(streaming=False, queue_ahead=0)


def test_clips_that_are_queued_follow_without_a_gap(run: Run) -> None:
    player = RecordingPlayer(WHOLE, call_s=0.25, start_s=0.5)

    async def main() -> None:
        playbacks = [await player.play(await clip_of(index, 1.5)) for index in range(3)]
        assert anyio.current_time() == 0.75
        assert [await playback.started() for playback in playbacks] == [0.75, 2.25, 3.75]
        assert await playbacks[2].finished() == PlaybackResult("completed", 1.5)
        assert anyio.current_time() == 5.25

    run(main)
    assert spans(player) == [(0, 0.75, 2.25), (1, 2.25, 3.75), (2, 3.75, 5.25)]
    assert player.gaps() == []
    assert player.heard_bytes() == b"".join(scripted_audio(segment_of(index), PCM, 1.5) for index in range(3))


def test_a_sequential_player_starts_anew_with_each_clip(run: Run) -> None:
    player = RecordingPlayer(SEQUENTIAL, call_s=0.25, start_s=0.25)

    async def main() -> None:
        for index in range(2):
            playback = await player.play(await clip_of(index, 1.5))
            await playback.finished()

    run(main)
    assert spans(player) == [(0, 0.5, 2.0), (1, 2.5, 4.0)]
    assert player.silences == [Silence(2.0, 2.5, segment_of(1), is_inside=False)]
    assert player.gaps() == [0.5]


def test_a_clip_more_than_it_queues_is_refused(run: Run) -> None:
    player = RecordingPlayer(PlayerCapabilities(queue_ahead=1))

    async def main() -> None:
        first = await player.play(await clip_of(0, 1.0))
        await player.play(await clip_of(1, 1.0))
        with pytest.raises(
            RuntimeError, match=r"^a clip was played while 2 were unfinished, but .* queues 1;"
        ):
            await player.play(await clip_of(2, 1.0))
        await first.finished()
        await player.play(await clip_of(2, 1.0))

    run(main)
    assert spans(player) == [(0, 0.0, 1.0), (1, 1.0, 2.0), (2, 2.0, 3.0)]


def test_chunks_sound_as_they_come_and_late_ones_leave_silence_inside(run: Run) -> None:
    player = RecordingPlayer(start_s=0.25)

    async def main() -> None:
        clip = Clip(segment_of(0), PCM)
        async with anyio.create_task_group() as tasks:
            # The second is in time, if only just; the third is late.
            tasks.start_soon(fill, clip, [(0.5, 0.5), (1.25, 0.25), (2.0, 0.5)])
            playback = await player.play(clip)
            assert anyio.current_time() == 2.0
        assert await playback.started() == 0.75
        assert await playback.finished() == PlaybackResult("completed", 1.25)
        assert anyio.current_time() == 2.5

    run(main)
    assert spans(player) == [(0, 0.75, 1.5), (0, 2.0, 2.5)]
    assert player.silences == [Silence(1.5, 2.0, segment_of(0), is_inside=True)]
    assert player.heard_bytes() == scripted_audio(segment_of(0), PCM, 1.25)


def test_it_takes_no_more_than_its_lead(run: Run) -> None:
    player = RecordingPlayer(lead_s=0.5)

    async def main() -> None:
        await player.play(await clip_of(0, *[0.25] * 8))
        assert anyio.current_time() == 1.5
        await player.play(await clip_of(1, 0.25, 0.25))
        assert anyio.current_time() == 2.0

    run(main)
    assert spans(player) == [(0, 0.0, 2.0), (1, 2.0, 2.5)]


def test_clear_is_silence_at_once(run: Run) -> None:
    player = RecordingPlayer(WHOLE)

    async def main() -> None:
        first, second, third = [await player.play(await clip_of(index, 1.0)) for index in range(3)]
        await anyio.sleep(1.25)
        await player.clear()
        assert await first.finished() == PlaybackResult("completed", 1.0)
        assert await second.finished() == PlaybackResult("cleared", 0.25)
        assert await third.finished() == PlaybackResult("cleared", 0.0)
        assert await second.started() == 1.0
        with anyio.move_on_after(100.0) as scope:
            await third.started()
        assert scope.cancelled_caught
        await (await player.play(await clip_of(0, 1.0, turn=1))).finished()

    run(main)
    assert spans(player) == [(0, 0.0, 1.0), (1, 1.0, 1.25), (0, 101.25, 102.25)]
    assert player.gaps() == []
    assert player.heard_bytes()[16000:-16000] == scripted_audio(segment_of(1), PCM, 0.25)


def test_clear_ends_a_call_that_waits_for_chunks(run: Run) -> None:
    player = RecordingPlayer()
    playbacks: list[RecordedPlayback] = []

    async def main() -> None:
        clip = Clip(segment_of(0), PCM)

        async def play() -> None:
            playbacks.append(await player.play(clip))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play)
            await clip.put(AudioChunk(bytes(16000)))
            await anyio.sleep(0.5)
            await player.clear()
        assert anyio.current_time() == 0.5
        assert await playbacks[0].finished() == PlaybackResult("cleared", 0.5)

    run(main)


def test_what_a_cancelled_call_had_taken_still_sounds_until_clear(run: Run) -> None:
    player = RecordingPlayer()

    async def main() -> None:
        clip = Clip(segment_of(0), PCM)
        await clip.put(AudioChunk(bytes(16000)))
        with anyio.move_on_after(0.25):
            await player.play(clip)
        assert spans(player) == [(0, 0.0, 1.0)]
        await anyio.sleep(0.25)
        await player.clear()

    run(main)
    assert spans(player) == [(0, 0.0, 0.5)]


def test_a_slow_clear_lets_the_sound_go_on_until_it_is_through(run: Run) -> None:
    player = RecordingPlayer(clear_s=0.5)

    async def main() -> None:
        await player.play(await clip_of(0, 4.0))
        with anyio.move_on_after(0.25):
            await player.clear()
        assert spans(player) == [(0, 0.0, 4.0)]
        await player.clear()
        assert anyio.current_time() == 0.75

    run(main)
    assert spans(player) == [(0, 0.0, 0.75)]


def test_clips_given_at_once_are_taken_one_after_another(run: Run) -> None:
    player = RecordingPlayer()

    async def main() -> None:
        slow = Clip(segment_of(0), PCM)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(player.play, slow)
            await anyio.sleep(0.0625)
            tasks.start_soon(player.play, await clip_of(1, 0.5))
            await fill(slow, [(0.25, 0.5), (0.5, 0.5)])

    run(main)
    assert spans(player) == [(0, 0.25, 1.25), (1, 1.25, 1.75)]


def test_a_refused_clip_leaves_the_player_as_it_was(run: Run) -> None:
    error = ConnectionError("no line")
    capabilities = PlayerCapabilities(streaming=False, queue_ahead=1)
    player = RecordingPlayer(capabilities, call_s=0.5, faults={1: ClipFault(refused=error)})

    async def main() -> None:
        await player.play(await clip_of(0, 2.0))
        with pytest.raises(ConnectionError) as caught:
            await player.play(await clip_of(1, 1.0))
        assert caught.value is error
        assert anyio.current_time() == 1.0
        await player.play(await clip_of(2, 1.0))

    run(main)
    assert spans(player) == [(0, 0.5, 2.5), (2, 2.5, 3.5)]


@pytest.mark.parametrize(
    ("audio_format", "formats", "rule"),
    [
        (AudioFormat("mulaw", 8000), (PCM,), f"one of {(PCM,)!r}"),
        (AudioFormat("wav", 8000), (PCM,), "samples"),
        (AudioFormat("wav", 8000), (AudioFormat("wav", 8000),), "samples"),
        (AudioFormat("mp3", 8000), (), "samples"),
    ],
)
def test_other_formats_are_refused(
    run: Run, audio_format: AudioFormat, formats: tuple[AudioFormat, ...], rule: str
) -> None:
    player = RecordingPlayer(PlayerCapabilities(formats=formats))

    async def main() -> None:
        with pytest.raises(ValueError, match="the clip's format must be") as raised:
            await player.play(Clip(segment_of(0), audio_format))
        assert str(raised.value) == f"the clip's format must be {rule}, got {audio_format!r}"

    run(main)
