"""The playing of a reply: clips go to the player one after another, and how each ends is watched.

Rules kept here:

1. The player has at most one clip more than it queues ahead.
2. Once dropped, nothing more is handed over, and clips that are still being filled end.
3. Whatever the player does, waiting for it has an end: when a clip should have been over for some time, it is
   presumed to be; what an interruption waits for is bounded by the grace time.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, final

import anyio

from ordered_pipeline._parking import Stint, now, stint
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.voice._clip import Clip
from ordered_pipeline.voice._misuse import check_playback
from ordered_pipeline.voice._roles import PlaybackResult, Player
from ordered_pipeline.voice._take import Take

# How long after a clip should have been over the player's word for it is waited for.
_PATIENCE_S: Final = 5.0
# For audio whose length is not known: a third of the usual speaking rate.
_SLOWEST_S_A_CHARACTER: Final = 0.2


@final
class Playing:
    """The clips of one reply in a player."""

    def __init__(self, player: Player, *, grace_s: float, fail: Callable[[Exception], None]) -> None:
        """Begin with no clips.

        Args:
            player: Gets them.
            grace_s: How long it may take to be silent, in seconds.
            fail: Told what the player failed with; `drop` is up to it.
        """
        self._player: Player = player
        self._queue_ahead: float = player.capabilities.queue_ahead
        self._plays_in_call: bool = player.capabilities.plays_in_call
        self._grace_s: float = grace_s
        self._fail: Callable[[Exception], None] = fail
        self._changed: Bell = Bell()
        self._is_dropped: bool = False
        self._calls: Stint | None = None
        self._is_called: bool = False
        # The takes whose clips were handed over and have not ended, oldest first.
        self._unfinished: deque[Take] = deque()
        # The wait for the end of the oldest.
        self._patience: Stint | None = None
        self._busy_until_s: float = 0.0
        # From then on no clip is waited for.
        self._given_up_s: float = math.inf
        self._is_over: bool = False

    def calls(self) -> Stint:
        """Return the stint that `play` is to be called in: a call that does not end is cancelled."""
        self._calls = stint("the player", self._grace_s)
        return self._calls

    async def ready(self) -> bool:
        """Wait until the player may be given a clip; return whether it ever may."""
        while not self._is_dropped and len(self._unfinished) > self._queue_ahead:
            await self._changed.wait()
        return not self._is_dropped

    async def over(self) -> None:
        """Wait until all clips that the player was given have ended; it is given no other one."""
        await self._until(self._is_idle)
        self._is_over = True
        self._changed.ring()

    def drop(self) -> None:
        """Hand over nothing more, from this instant."""
        self._is_dropped = True
        for take in self._unfinished:
            if take.clip is not None:
                take.is_cut = take.clip.drop()
        self._give_up_at(
            max(self._busy_until_s, now()) + sum(map(_at_most_s, self._unfinished)) + _PATIENCE_S
        )
        self._changed.ring()

    async def play(self, take: Take, clip: Clip) -> None:
        """Give the clip of *take* to the player, which is ready; within the stint of `calls`."""
        self._unfinished.append(take)
        take.play_asked_s = now()
        self._is_called = True
        try:
            playback = await self._player.play(clip)
            check_playback(playback)
            take.playback = playback
            take.accepted_s = now()
        except Exception as error:  # noqa: BLE001  # a player that is gone ends the reply
            take.result = PlaybackResult("failed", 0.0)
            self._fail(error)
        finally:
            self._is_called = False
            if take.playback is not None:
                self.bound(take)
            else:
                take.result = take.result or PlaybackResult("cleared", 0.0)
                take.doubt_s = _possible_s(take)
                self._unfinished.remove(take)
            self._changed.ring()

    async def watch(self) -> None:
        """Wait for the end of clip after clip, until all is over; to be run by a task of its own."""
        try:
            while not self._is_over:
                try:
                    # One for clip after clip: a deadline that moves on is cheap.
                    with stint("the player", self._grace_s) as self._patience:
                        await self._watch_clips(self._patience)
                except Exception as error:  # noqa: BLE001  # a player that is gone ends the reply
                    take = self._unfinished[0]
                    take.result = PlaybackResult("failed", take.played_s or 0.0)
                    self._fail(error)
                # A clip did not end in time, or the player has failed.
                if self._unfinished and self._unfinished[0].playback is not None:
                    self._conclude()
        finally:
            # Nobody is to wait for what nobody watches.
            self._is_over = True
            self._changed.ring()

    async def _watch_clips(self, patience: Stint) -> None:
        while not self._is_over:
            take = self._unfinished[0] if self._unfinished else None
            if take is None or take.playback is None:
                patience.end_at(math.inf)
                await self._changed.wait()
                continue
            self._be_patient()
            take.result = _in_full(take, await take.playback.finished())
            take.acknowledged_s = now()
            if take.result.played_s > 0:
                take.started_s = await take.playback.started()
                if self._plays_in_call and take.accepted_s is not None:
                    take.accepted_s = max(take.accepted_s, take.started_s)
            self._conclude()

    def _conclude(self) -> None:
        """Note how the oldest clip ended, as far as that is known."""
        take = self._unfinished.popleft()
        if take.result is None and self._is_dropped:
            position_s = take.played_s if take.position_s is None else take.position_s
            take.result = PlaybackResult("cleared", position_s or 0.0)
            if position_s is None:
                take.doubt_s = _possible_s(take)
        elif take.result is None:
            take.result = PlaybackResult("presumed", take.audio_s or 0.0)
        if take.clip is not None:
            # A voice that still speaks is not to wait for a player that is done with it.
            take.clip.end()
        # All that they told stands in the take, which outlives them by the whole reply.
        take.playback = None
        if take.is_over:
            take.clip = None
        self._changed.ring()

    def bound(self, take: Take) -> None:
        """Bound the wait for the end of a clip, once the player has accepted it and all of it was made."""
        if take.playback is None or take.last_audio_s is None:
            return
        self._busy_until_s = max(self._busy_until_s, now()) + _at_most_s(take)
        take.over_by_s = self._busy_until_s + _PATIENCE_S
        self._be_patient()

    async def silence(self) -> None:
        """Clear the player of what was dropped, and wait until it has told how its clips ended.

        Takes four times the grace time at most.
        """
        for take in self._unfinished:
            take.position_s = take.played_s
        was_called = self._is_called
        with anyio.move_on_after(self._grace_s):
            await self._clear()
            await self._until(lambda: not self._is_called)
        if was_called:
            # What the call under way gave to the player may have come after the clearing.
            if self._calls is not None:
                self._calls.end_now()
            with anyio.move_on_after(self._grace_s):
                await self._until(lambda: not self._is_called)
                await self._clear()
        self._give_up_at(now() + self._grace_s)
        with anyio.move_on_after(2 * self._grace_s):
            await self._until(self._is_idle)

    def _is_idle(self) -> bool:
        """Whether no clip is waited for."""
        return self._is_over or not self._unfinished

    def _give_up_at(self, deadline_s: float) -> None:
        """Wait for no clip longer; nor for one that is not watched yet, as the call that gives it goes on."""
        self._given_up_s = deadline_s
        self._be_patient()

    def _be_patient(self) -> None:
        if self._patience is not None and self._unfinished:
            self._patience.end_at(min(self._unfinished[0].over_by_s, self._given_up_s))

    async def _clear(self) -> None:
        try:
            await self._player.clear()
        except Exception as error:  # noqa: BLE001  # as in _play
            self._fail(error)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._changed.wait()


def _in_full(take: Take, result: PlaybackResult) -> PlaybackResult:
    """Return how *take* ended, of whose clip the player tells *result*.

    A player that gets the end of a clip which was cut completes what it was given: not the take.
    """
    is_whole = result.outcome in {"completed", "presumed"}
    return replace(result, outcome="cleared") if take.is_cut and is_whole else result


def _at_most_s(take: Take) -> float:
    """Return how long *take* sounds at most: as long as it is, or as nobody would take to say its text."""
    return len(take.segment.text) * _SLOWEST_S_A_CHARACTER if take.audio_s is None else take.audio_s


def _possible_s(take: Take) -> float:
    """Return how much of *take* may have sounded by now, for all that is known."""
    assert take.play_asked_s is not None  # noqa: S101  # the player has been asked
    return min(now() - take.play_asked_s, _at_most_s(take))
