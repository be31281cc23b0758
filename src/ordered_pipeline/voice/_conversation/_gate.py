"""The gate: a player that gives nothing to the real one before it is opened, and nothing once it is shut."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

import anyio

from ordered_pipeline.voice._clip import Clip
from ordered_pipeline.voice._misuse import check_playback
from ordered_pipeline.voice._roles import Playback, PlaybackResult, Player, PlayerCapabilities

_NOTHING: Final = PlaybackResult("cleared", 0.0)
# How long a player may take to accept a clip. It waits for the voice, and for the clips before it to sound:
# that takes a minute or two at most. A caller has spoken or hung up by then; this is for one who had before,
# and whose conversation has to end.
_PATIENCE_S: Final = 300.0


@final
class Gate:
    """A player of one reply, in front of the real one."""

    def __init__(self, player: Player, *, is_open: bool, fail: Callable[[Exception], None]) -> None:
        """Make a gate.

        Args:
            player: The real one.
            is_open: Whether clips pass at once.
            fail: Called with whatever it fails with.
        """
        self._player: Player = player
        self._fail: Callable[[Exception], None] = fail
        self._moved: anyio.Event = anyio.Event()
        self._is_shut: bool = False
        # Whether the real player was given anything.
        self.is_passed: bool = False
        if is_open:
            self.open()

    @property
    def capabilities(self) -> PlayerCapabilities:
        """What the real player can do."""
        return self._player.capabilities

    def open(self) -> None:
        """Let all clips pass."""
        self._moved.set()

    def shut(self) -> None:
        """Let no clip pass any more."""
        self._is_shut = True
        self._moved.set()

    async def moved(self) -> None:
        """Wait until it is opened or shut."""
        await self._moved.wait()

    async def play(self, clip: Clip, /) -> Playback:
        """Give *clip* to the real player, once the gate is open."""
        await self._moved.wait()
        if self._is_shut:
            return _Unheard()
        self.is_passed = True
        try:
            with anyio.move_on_after(_PATIENCE_S):
                playback = await self._player.play(clip)
                check_playback(playback)
                return _Told(playback, self._fail)
            raise TimeoutError(f"the player did not accept a clip in {_PATIENCE_S} s")  # noqa: TRY301  # told below
        except Exception as error:
            self._fail(error)
            raise

    async def clear(self) -> None:
        """Shut the gate, and be silent."""
        self.shut()
        if self.is_passed:
            try:
                await self._player.clear()
            except Exception as error:
                self._fail(error)
                raise


@dataclass(frozen=True, slots=True)
class _Told:
    """A playback whose failures are told."""

    playback: Playback
    fail: Callable[[Exception], None]

    async def started(self) -> float:
        try:
            return await self.playback.started()
        except Exception as error:
            self.fail(error)
            raise

    async def finished(self) -> PlaybackResult:
        try:
            return await self.playback.finished()
        except Exception as error:
            self.fail(error)
            raise

    def position_s(self) -> float | None:
        return self.playback.position_s()


@final
class _Unheard:
    """The playback of a clip that never was given to the player."""

    async def started(self) -> float:
        await anyio.sleep_forever()
        raise AssertionError  # pragma: no cover  # it is cancelled

    async def finished(self) -> PlaybackResult:
        return _NOTHING

    def position_s(self) -> float | None:
        return 0.0
