"""Clips in a player, without the reply around them; what a reply makes of players is in test_reply_*.py."""

import math

import anyio
import pytest

from ordered_pipeline.testing import ClipFault, RecordingPlayer, SpeechScript
from ordered_pipeline.voice import (
    AudioChunk,
    Clip,
    Playback,
    PlaybackResult,
    PlayerCapabilities,
    Segment,
    speak,
)
from ordered_pipeline.voice._playing import Playing
from ordered_pipeline.voice._take import Take
from tests.conftest import Run
from tests.voice.players import HardPlayer
from tests.voice.turns import FORMAT, Bounded, audio, voice_of


@pytest.fixture
def run(run: Run) -> Bounded:
    return Bounded(run)


def whole(index: int, audio_s: float = 1.0) -> tuple[Take, Clip]:
    """Return a take, and its clip, which is all there."""
    segment = Segment(index, "It is late.")
    take = Take(segment, last_delta_s=0.0, text_ready_s=0.0, is_made=True, audio_s=audio_s, last_audio_s=0.0)
    clip = Clip(segment, FORMAT, [AudioChunk(audio(index, segment.text, audio_s))])
    clip.end()
    return take, clip


async def play_all(playing: Playing, *clips: tuple[Take, Clip]) -> list[float]:
    """Play one clip after another, and return when each was wanted."""
    wanted: list[float] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(playing.watch)
        with playing.calls():
            for take, clip in clips:
                if await playing.ready():
                    take.clip = clip
                    wanted.append(anyio.current_time())
                    await playing.play(take, clip)
        await playing.over()
    return wanted


def fail(error: Exception) -> None:
    raise AssertionError(error)


@pytest.mark.parametrize(
    ("queue_ahead", "wanted"), [(0, [0.0, 1.0, 2.0]), (1, [0.0, 0.0, 1.0]), (math.inf, [0.0, 0.0, 0.0])]
)
def test_a_player_has_one_clip_more_than_it_queues(run: Run, queue_ahead: float, wanted: list[float]) -> None:
    player = RecordingPlayer(PlayerCapabilities(queue_ahead=queue_ahead))
    clips = [whole(index) for index in range(3)]

    async def main() -> None:
        assert await play_all(Playing(player, grace_s=1.0, fail=fail), *clips) == wanted
        assert anyio.current_time() == 3.0
        assert [take.started_s for take, _ in clips] == [0.0, 1.0, 2.0]
        assert player.heard_bytes() == b"".join(audio(index, "It is late.", 1.0) for index in range(3))

    run(main)


def test_a_player_that_refuses_is_told_and_its_clip_has_failed(run: Run) -> None:
    gone = ConnectionError("the line is gone")
    player = RecordingPlayer(faults={0: ClipFault(refused=gone)})
    told: list[Exception] = []
    take, clip = whole(0)

    def stop(error: Exception) -> None:
        told.append(error)
        playing.drop()

    playing = Playing(player, grace_s=1.0, fail=stop)

    async def main() -> None:
        await play_all(playing, (take, clip))
        assert told == [gone]
        assert take.result is not None
        assert (take.result.outcome, take.result.played_s) == ("failed", 0.0)

    run(main)


def test_once_dropped_nothing_is_wanted(run: Run) -> None:
    player = RecordingPlayer(PlayerCapabilities(queue_ahead=0))
    playing = Playing(player, grace_s=1.0, fail=fail)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play_all, playing, whole(0), whole(1))
            await anyio.sleep(0.5)
            playing.drop()
            await playing.silence()
            assert not await playing.ready()
        assert anyio.current_time() == 0.5
        assert player.heard_bytes() == audio(0, "It is late.", 1.0)[: 1024 * 2 // 2]

    run(main)


def test_a_clip_that_is_accepted_while_the_player_is_cleared_is_not_awaited_for_ever(run: Run) -> None:
    """Whoever waits for its end may begin only after all waits were bounded: seen on trio."""
    player = HardPlayer(finished_s=math.inf)
    playing = Playing(player, grace_s=0.5, fail=fail)
    segment = Segment(0, "It is late.")
    take = Take(segment, last_delta_s=0.0, text_ready_s=0.0)
    clip = Clip(segment, FORMAT, [AudioChunk(audio(0, segment.text, 1.0))])

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play_all, playing, (take, clip))
            await anyio.sleep(0.25)
            playing.drop()
            await playing.silence()
        assert anyio.current_time() == 0.75
        assert take.result is not None
        assert take.result.outcome == "cleared"

    run(main)


def test_a_clip_of_unknown_length_is_not_awaited_for_ever(run: Run) -> None:
    """As in a container's format: it is over when nobody would still be saying its text."""
    playing = Playing(HardPlayer(finished_s=math.inf), grace_s=0.5, fail=fail)
    take, clip = whole(0)
    take.audio_s = None

    async def main() -> None:
        await play_all(playing, (take, clip))
        assert take.result is not None
        assert take.result.outcome == "presumed"

    run(main)


def test_a_clip_that_was_cut_while_it_was_made_is_not_awaited_for_ever(run: Run) -> None:
    """The one behind it was refused; nobody clears the player, for what it has is to be heard."""
    segment = Segment(0, "It is late.")
    take = Take(segment, last_delta_s=0.0, text_ready_s=0.0, audio_s=1.0)
    clip = Clip(segment, FORMAT, [AudioChunk(audio(0, segment.text, 1.0))])
    playing = Playing(HardPlayer(finished_s=math.inf), grace_s=0.5, fail=fail)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play_all, playing, (take, clip))
            await anyio.sleep(0.25)
            playing.drop()
        assert take.result is not None
        assert take.result.outcome == "cleared"

    run(main)


class Hasty:
    """A player that is done with each clip after an eighth of a second, whatever is still to come."""

    capabilities = PlayerCapabilities()

    async def clear(self) -> None:
        pass

    async def play(self, clip: Clip, /) -> Playback:
        del clip
        return DoneSoon()


class DoneSoon:
    async def started(self) -> float:
        return 0.0

    async def finished(self) -> PlaybackResult:
        await anyio.sleep(0.125)
        return PlaybackResult("completed", 0.125)

    def position_s(self) -> float | None:
        return None


def test_a_voice_does_not_wait_for_a_player_that_is_done_with_its_clip(run: Run) -> None:
    """More chunks come than a clip holds."""
    voice = voice_of(SpeechScript(audio_s=2.0, chunk_s=1 / 1024, pace=1.0))

    async def main() -> None:
        async with speak("It is late.", tts=voice, player=Hasty()) as reply:
            await reply.finished()
        assert voice.requests[0].outcome == "completed"

    run(main)
