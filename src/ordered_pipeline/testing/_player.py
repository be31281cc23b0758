"""A player that plays nothing, and knows at which instant each sample would have sounded.

Rules kept here:

1. Clips sound in the order in which they were given, whole, and one that is there in time follows without a
   gap.
2. A chunk that comes after everything before it has sounded leaves silence, and so does a player that has to
   start. Nothing else does.
3. No task runs here: whatever waits is called by somebody who waits.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final, final

import anyio

from ordered_pipeline.testing._playback import NOTHING_S, ClipFault, RecordedPlayback, Sound
from ordered_pipeline.testing._stream import sleep_until
from ordered_pipeline.voice import Clip, PlayerCapabilities, Segment

_FAULTLESS: Final = ClipFault()


@dataclass(frozen=True, slots=True)
class Silence:
    """Silence between two sounds of one turn.

    Attributes:
        start_s: When it began, on the event loop's clock.
        end_s: When it was over.
        segment: What sounded after it.
        is_inside: Whether it was inside a clip, and not before one.
    """

    start_s: float
    end_s: float
    segment: Segment
    is_inside: bool


@final
class RecordingPlayer:
    """A player for tests.

    What it takes is sound that nobody can stop but `clear`, also when the call that took it was cancelled.

    Attributes:
        playbacks: One for each clip that it was given, in that order; also where a fault refused it.
    """

    def __init__(
        self,
        capabilities: PlayerCapabilities = PlayerCapabilities(),  # noqa: B008  # frozen
        *,
        call_s: float = 0.0,
        start_s: float = 0.0,
        lead_s: float = math.inf,
        clear_s: float = 0.0,
        position_off_s: float = 0.0,
        faults: Mapping[int, ClipFault] = MappingProxyType({}),
    ) -> None:
        """Make a player.

        Args:
            capabilities: What it can do. It refuses clips of other formats and clips that it cannot queue. A
                clip that follows while one sounds is joined to it without a gap, unless ``queue_ahead`` is 0.
            call_s: Seconds from the call of `play` until the clip is accepted; of a streaming player, until
                it takes the first chunk.
            start_s: Seconds from then to the first sample, if nothing sounds then.
            lead_s: How much sound a streaming player holds before it takes another chunk, in seconds.
            clear_s: How long `clear` takes; sound ends when it ends.
            position_off_s: How far its positions are off, in seconds; below 0 if they are behind. A player
                that keeps its word stays within the ``position_error_s`` of its capabilities.
            faults: What goes wrong, by the number of the clip, from 0.
        """
        self._capabilities: PlayerCapabilities = capabilities
        self._call_s: float = call_s
        self._start_s: float = start_s
        self._lead_s: float = lead_s
        self._clear_s: float = clear_s
        self._position_off_s: float = position_off_s
        self._faults: Mapping[int, ClipFault] = faults
        self.playbacks: list[RecordedPlayback] = []
        self._open: list[RecordedPlayback] = []
        self._busy: set[anyio.CancelScope] = set()
        self._order: anyio.Lock = anyio.Lock()
        # When all that was taken will have sounded.
        self._ready_s: float = -math.inf

    @property
    def capabilities(self) -> PlayerCapabilities:
        """What it can do."""
        return self._capabilities

    async def play(self, clip: Clip, /) -> RecordedPlayback:
        """Take *clip*; returns when its last chunk was taken, or when the player is cleared.

        Raises:
            ValueError: The clip has a format that the player does not take, or a chunk ends inside a sample.
            RuntimeError: The clip is one more than the player queues.
            Exception: What the clip's fault says.
        """
        fault = self._faults.get(len(self.playbacks), _FAULTLESS)
        is_blind = self._capabilities.acknowledges == "nothing"
        playback = RecordedPlayback(clip, fault, self._position_off_s, is_blind=is_blind)
        self._refuse(clip)
        self.playbacks.append(playback)
        self._open.append(playback)
        with anyio.CancelScope() as scope:
            self._busy.add(scope)
            try:
                async with self._order:
                    await self._take(clip, playback, fault)
                # Also one without a sound is over when its turn has come.
                playback.settle(max(self._ready_s, anyio.current_time()))
            finally:
                self._busy.discard(scope)
                playback.settle(max(playback.ready_s(), anyio.current_time()))
        return playback

    async def clear(self) -> None:
        """Be silent: at once, or after the seconds that it was told to take."""
        if self._clear_s:
            await anyio.sleep(self._clear_s)
        for playback in self._open:
            if not playback.is_over():
                playback.clear()
        for scope in self._busy:
            scope.cancel()
        self._ready_s = -math.inf

    @property
    def sounds(self) -> list[Sound]:
        """All that sounds, one stretch after another; what was taken and not cleared will sound."""
        return [sound for playback in self.playbacks for sound in playback.sounds]

    @property
    def silences(self) -> list[Silence]:
        """The silences between the first and the last sound of each turn."""
        return [
            Silence(one.end_s, other.start_s, other.segment, one.segment == other.segment)
            for one, other in pairwise(self.sounds)
            if one.segment.turn == other.segment.turn and other.start_s - one.end_s > NOTHING_S
        ]

    def gaps(self) -> list[float]:
        """Return how long each of the silences is, in seconds."""
        return [silence.end_s - silence.start_s for silence in self.silences]

    def heard_bytes(self, by_s: float = math.inf) -> bytes:
        """Return the samples that have sounded at the instant *by_s*, all clips in one piece."""
        return b"".join(sound.until(by_s).data for sound in self.sounds)

    def _refuse(self, clip: Clip) -> None:
        formats = self._capabilities.formats
        if clip.format.is_container:
            raise ValueError(f"the clip's format must be samples, got {clip.format!r}")
        if formats and clip.format not in formats:
            raise ValueError(f"the clip's format must be one of {formats!r}, got {clip.format!r}")
        now_s = anyio.current_time()
        self._open = [playback for playback in self._open if not playback.is_over()]
        unfinished = sum(playback.end_s > now_s for playback in self._open)
        if unfinished > self._capabilities.queue_ahead:
            raise RuntimeError(
                f"a clip was played while {unfinished} were unfinished, but the player queues "
                f"{self._capabilities.queue_ahead!r}; wait until one has finished"
            )

    async def _take(self, clip: Clip, playback: RecordedPlayback, fault: ClipFault) -> None:
        data = b"" if self._capabilities.streaming else await clip.collect()
        if self._call_s:
            await anyio.sleep(self._call_s)
        if fault.refused is not None:
            raise fault.refused
        if not self._capabilities.streaming:
            self._put(playback, data)
            return
        async for chunk in clip:
            if not self._put(playback, chunk.data):
                return
            await sleep_until(self._ready_s - self._lead_s)

    def _put(self, playback: RecordedPlayback, data: bytes) -> bool:
        now_s = anyio.current_time()
        is_begun = playback.ready_s() > -math.inf
        if now_s <= self._ready_s + NOTHING_S and (is_begun or self._capabilities.queue_ahead):
            start_s = self._ready_s
        else:
            start_s = now_s if is_begun else now_s + self._start_s
        has_room = playback.take(data, start_s)
        self._ready_s = max(self._ready_s, playback.ready_s())
        return has_room
