"""The check of a player: one that keeps its promises passes, and each broken promise is named."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest

from ordered_pipeline.testing import (
    ClipFault,
    ContractBroken,
    RecordedPlayback,
    RecordingPlayer,
    check_player,
)
from ordered_pipeline.voice import (
    AudioChunk,
    AudioFormat,
    Clip,
    Playback,
    PlaybackResult,
    Player,
    PlayerCapabilities,
)
from tests.conftest import Run

PCM = AudioFormat("s16le", 8000)


class BrokenPlayback:
    """A playback that keeps its promises, for a subclass to break one."""

    def __init__(self, playback: RecordedPlayback) -> None:
        self.inner = playback

    async def started(self) -> float:
        return await self.inner.started()

    async def finished(self) -> PlaybackResult:
        return await self.inner.finished()

    def position_s(self) -> float | None:
        return self.inner.position_s()


class BrokenPlayer:
    """A player that keeps its promises, for a subclass to break one."""

    def __init__(
        self, wrap: Callable[[RecordedPlayback], Playback] = BrokenPlayback, **options: float
    ) -> None:
        self.inner = RecordingPlayer(**options)  # type: ignore[arg-type]  # its times
        self.wrap = wrap

    @property
    def capabilities(self) -> PlayerCapabilities:
        return self.inner.capabilities

    async def play(self, clip: Clip) -> Playback:
        return self.wrap(await self.inner.play(clip))

    async def clear(self) -> None:
        await self.inner.clear()


@pytest.mark.parametrize("queue_ahead", [0, 1, math.inf])
@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("lead_s", [0.25, math.inf])
def test_a_player_that_keeps_its_promises_passes(
    run: Run, *, queue_ahead: float, streaming: bool, lead_s: float
) -> None:
    capabilities = PlayerCapabilities(
        formats=(PCM,), streaming=streaming, queue_ahead=queue_ahead, position_error_s=0.25
    )
    player = RecordingPlayer(
        capabilities, call_s=0.25, start_s=0.125, lead_s=lead_s, clear_s=0.5, position_off_s=-0.25
    )

    run(check_player, player, PCM)
    assert player.heard_bytes().strip(b"\0") == b""


@pytest.mark.parametrize("audio_format", [AudioFormat("mulaw", 8000), AudioFormat("alaw", 16000, 2)])
def test_a_player_of_another_format_that_knows_nothing_passes(run: Run, audio_format: AudioFormat) -> None:
    run(check_player, RecordingPlayer(PlayerCapabilities(acknowledges="nothing")), audio_format)


def test_a_player_of_whole_files_passes(run: Run) -> None:
    class FilePlayer(BrokenPlayer):
        async def play(self, clip: Clip) -> Playback:
            data = await clip.collect()
            assert not data or data.startswith(b"RIFF")
            samples = Clip(clip.segment, PCM, [AudioChunk(data[44:])])
            samples.end()
            return await super().play(samples)

    run(check_player, FilePlayer(), AudioFormat("wav", 8000))


def check(run: Run, player: Player, message: str) -> None:
    async def main() -> None:
        with pytest.raises(ContractBroken, match=f"^{re.escape(message)}"):
            await check_player(player, PCM, within_s=10.0, clear_s=1.0)

    run(main)


def check_playback(run: Run, wrap: Callable[[RecordedPlayback], Playback], message: str) -> None:
    check(run, BrokenPlayer(wrap), message)


def check_fault(run: Run, fault: ClipFault, message: str) -> None:
    check(run, RecordingPlayer(faults={0: fault}), message)


def test_capabilities_of_another_type(run: Run) -> None:
    class Player(BrokenPlayer):
        capabilities = None  # type: ignore[assignment]  # the breach

    check(run, Player(), "capabilities must be PlayerCapabilities, got None")  # type: ignore[arg-type]  # the breach


def test_a_call_that_returns_when_the_clip_is_over(run: Run) -> None:
    class Player(BrokenPlayer):
        async def play(self, clip: Clip) -> Playback:
            playback = await super().play(clip)
            await playback.finished()
            return playback

    check(run, Player(), "play must return when it has accepted the clip, but returned when it was over")


def test_a_call_that_gives_no_playback(run: Run) -> None:
    # The breach is what the type checker says.
    check_playback(run, lambda _: None, "play must return a Playback, got None")  # type: ignore[arg-type, return-value]


def test_a_call_that_hangs(run: Run) -> None:
    check(run, RecordingPlayer(call_s=20.0), "play must return within 10 s, but did not")


def test_a_clip_whose_end_nobody_tells(run: Run) -> None:
    check_fault(run, ClipFault(is_acknowledged=False), "finished must return within 10 s, but did not")


def test_a_clip_that_never_starts(run: Run) -> None:
    class Playback(BrokenPlayback):
        async def started(self) -> float:
            await anyio.sleep_forever()
            return 0.0

    check_playback(run, Playback, "started must return within 10 s, but did not")


def test_a_clip_that_fails(run: Run) -> None:
    message = "a clip that nobody cleared must be heard, but the outcome was 'failed'"

    check_fault(run, ClipFault(dies_after_s=0.25), message)


def test_a_result_that_changes(run: Run) -> None:
    results = iter([PlaybackResult("completed", 0.5), PlaybackResult("cleared", 0.5)])

    class Playback(BrokenPlayback):
        async def finished(self) -> PlaybackResult:
            return next(results)

    check_playback(run, Playback, "finished must give the same each time, but gave another result")


def test_an_end_before_the_sound_is_over(run: Run) -> None:
    class Playback(BrokenPlayback):
        async def finished(self) -> PlaybackResult:
            return PlaybackResult("completed", 0.5)

    check_playback(run, Playback, "finished must return when a clip is over, but 0.5 s were over after 0 s")


def test_a_wrong_length(run: Run) -> None:
    class Playback(BrokenPlayback):
        async def finished(self) -> PlaybackResult:
            return replace(await super().finished(), played_s=0.25)

    check_playback(run, Playback, "played_s must be 0.5 for a clip of that length, got 0.25")


def test_a_position_that_goes_back(run: Run) -> None:
    positions = iter([0.0, 0.25, 0.125])

    class Playback(BrokenPlayback):
        def position_s(self) -> float | None:
            return next(positions, 0.5)

    check_playback(run, Playback, "position_s must grow up to 0.5 s, the clip's length, got 0.125 after 0.25")


def test_a_position_beyond_the_end(run: Run) -> None:
    player = RecordingPlayer(position_off_s=0.25)

    check(run, player, "position_s must grow up to 0.5 s, the clip's length, got 0.57")


def test_clips_that_sound_at_once(run: Run) -> None:
    class Player(BrokenPlayer):
        async def play(self, clip: Clip) -> Playback:
            self.inner = RecordingPlayer()
            return await super().play(clip)

    check(run, Player(), "clips must sound one after another, but one of 0.5 s was followed after 0 s")


def test_an_empty_clip_that_fails(run: Run) -> None:
    class Playback(BrokenPlayback):
        async def finished(self) -> PlaybackResult:
            result = await super().finished()
            return result if result.played_s else PlaybackResult("failed", 0.0)

    check_playback(run, Playback, "an empty clip must end without a sound, got PlaybackResult(")


def test_a_clear_that_hangs(run: Run) -> None:
    check(run, RecordingPlayer(clear_s=2.0), "clear must return within 1 s, but did not")


def test_a_clear_that_clears_nothing(run: Run) -> None:
    class Player(BrokenPlayer):
        async def clear(self) -> None:
            """Do nothing."""

    check(run, Player(), "finished must return when the player is cleared within 1 s, but did not")


def test_a_clear_that_nobody_is_told_of(run: Run) -> None:
    class Playback(BrokenPlayback):
        async def finished(self) -> PlaybackResult:
            result = await super().finished()
            return PlaybackResult("completed", 30.0) if result.outcome == "cleared" else result

    check_playback(run, Playback, "clear must drop all clips, but the outcome of one was PlaybackResult(")


def test_a_call_that_outlives_its_clip(run: Run) -> None:
    class Player(BrokenPlayer):
        async def play(self, clip: Clip) -> Playback:
            with anyio.CancelScope(shield=True):
                playback = await super().play(clip)
                is_cleared = isinstance(playback, BrokenPlayback) and playback.inner.is_over()
                await anyio.sleep(5.0 if is_cleared and playback.position_s() else 0.0)
            return playback

    check(
        run,
        Player(lead_s=0.25),
        "play must return when the player is cleared and the clip has ended within 1 s, but did not",
    )


def test_a_cancelled_call_that_goes_on(run: Run) -> None:
    class Player(BrokenPlayer):
        async def play(self, clip: Clip) -> Playback:
            try:
                return await super().play(clip)
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(5.0)
                raise

    check(run, Player(), "a cancelled call of play must end within 1.125 s, but did not")


def test_formats_that_cannot_be_checked_are_refused(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=r"^audio_format must be one of \(AudioFormat"):
            await check_player(
                RecordingPlayer(PlayerCapabilities(formats=(PCM,))), AudioFormat("mulaw", 8000)
            )
        with pytest.raises(ValueError, match=r"^audio_format must be one of \['s16le', .*\], got 'mp3'$"):
            await check_player(RecordingPlayer(), AudioFormat("mp3", 24000))

    run(main)
