"""Players that answer late, never, or with an error, around one that records."""

import math
from dataclasses import dataclass, field

import anyio

from ordered_pipeline.testing import RecordingPlayer
from ordered_pipeline.voice import Clip, Playback, PlaybackResult, PlayerCapabilities


async def take(seconds: float, *, shielded: bool = False) -> None:
    """Pass the time; infinite: hang."""
    with anyio.CancelScope(shield=shielded):
        await (anyio.sleep_forever() if seconds == math.inf else anyio.sleep(seconds))


@dataclass(slots=True, kw_only=True)
class HardPlayer:
    """A player that is hard to deal with: its methods take so much longer than they should."""

    inner: RecordingPlayer = field(default_factory=RecordingPlayer)
    play_s: float = 0.0
    shields_play: bool = False
    clear_s: float = 0.0
    clear_error: Exception | None = None
    finished_s: float = 0.0
    finished_error: Exception | None = None
    cleared: list[float] = field(default_factory=list)
    """When `clear` was called."""

    @property
    def capabilities(self) -> PlayerCapabilities:
        return self.inner.capabilities

    async def play(self, clip: Clip, /) -> Playback:
        await take(self.play_s, shielded=self.shields_play)
        return HardPlayback(self, await self.inner.play(clip))

    async def clear(self) -> None:
        self.cleared.append(anyio.current_time())
        await take(self.clear_s)
        if self.clear_error is not None:
            raise self.clear_error
        await self.inner.clear()


@dataclass(frozen=True, slots=True)
class HardPlayback:
    player: HardPlayer
    inner: Playback

    async def started(self) -> float:
        return await self.inner.started()

    async def finished(self) -> PlaybackResult:
        result = await self.inner.finished()
        await take(self.player.finished_s)
        if self.player.finished_error is not None:
            raise self.player.finished_error
        return result

    def position_s(self) -> float | None:
        return self.inner.position_s()
