"""A player into a file in which everything stands where it is heard: one side of a conversation.

Rules kept here:

1. Time passes as at a loudspeaker. A clip sounds when those before it have, silence stands where nothing
   does, and what is cleared before its time never was.
2. Positions are in samples from the file's first, so nothing drifts. Which sample sounds when is known as
   soon as it is taken; no task runs, and whoever asks waits for it.
3. What has been heard is written when more comes, at a clearing and at the end: the file is valid all the
   time, and lags behind.
"""

from collections import deque
from types import TracebackType
from typing import Final, Self, final

import anyio

from ordered_pipeline.cli._files import WavFile
from ordered_pipeline.voice import AudioFormat, Clip, PlaybackResult, PlayerCapabilities

# More is taken as long as less than this waits to be heard.
_CAPACITY_S: Final = 1.0
# Positions come from sums of times: what is so near to the next sample is that.
_NOTHING: Final = 1e-3
# Nobody need hold an hour of silence to write it.
_MOST_SILENCE_BYTES: Final = 2**20


@final
class Track:
    """A player that writes what would be heard."""

    def __init__(self, file: WavFile, audio_format: AudioFormat, *, begin_s: float) -> None:
        """Begin the file.

        Args:
            file: Nothing has been written to it yet.
            audio_format: The file's; samples of 16 bits.
            begin_s: When its first sample sounds, on the event loop's clock.
        """
        self._begin_s: float = begin_s
        self._file: WavFile = file
        self._format: AudioFormat = audio_format
        # What was taken and not written, and where each piece begins. The rest of the file is silence.
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._written: int = 0
        self._end: int = 0
        self._playbacks: list[_Playback] = []
        self._plays: set[anyio.CancelScope] = set()
        # Clips are taken one at a time, in the order in which they were given.
        self._turn: anyio.Lock = anyio.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Write what has been heard by now.

        Raises:
            Failure: The file cannot be written.
        """
        self._write(self.now())

    @property
    def capabilities(self) -> PlayerCapabilities:
        """It takes one format, streams, and has a clock."""
        return PlayerCapabilities(formats=(self._format,))

    async def play(self, clip: Clip, /) -> "_Playback":
        """Take *clip* while it comes; returns when its last chunk has found room: a second of audio.

        Raises:
            Failure: The file cannot be written.
        """
        self._playbacks = [one for one in self._playbacks if not one.is_over]
        playback = _Playback(self, self._format.sample_rate_hz)
        self._playbacks.append(playback)
        with anyio.CancelScope() as scope:
            self._plays.add(scope)
            try:
                async with self._turn:
                    await self._take(clip, playback)
            finally:
                self._plays.discard(scope)
                playback.is_whole = True
        return playback

    async def clear(self) -> None:
        """Be silent from now on: what was taken and has not been heard is never heard.

        Raises:
            Failure: The file cannot be written.
        """
        now = self.now()
        for scope in self._plays:
            scope.cancel()
        for playback in self._playbacks:
            playback.cut(now)
        self._end = min(self._end, now)
        self._write(now)
        self._waiting.clear()

    def now(self) -> int:
        """Return how many samples are over."""
        passed_s = anyio.current_time() - self._begin_s
        return int(passed_s * self._format.sample_rate_hz + _NOTHING)

    def time_of(self, position: int) -> float:
        """Return when the sample at *position* sounds."""
        return self._begin_s + position / self._format.sample_rate_hz

    async def _take(self, clip: Clip, playback: "_Playback") -> None:
        async for chunk in clip:
            if playback.is_cleared:
                # In the instant of the clearing the chunk may have been here already.
                return
            start = max(self._end, self.now())
            self._end = start + self._format.samples_per_channel(len(chunk.data))
            self._waiting.append((start, chunk.data))
            playback.extend(start, self._end)
            await anyio.sleep_until(self.time_of(self._end) - _CAPACITY_S)
            self._write(self.now())

    def _write(self, end: int) -> None:
        """Write all up to the sample at *end*."""
        step_bytes = self._format.step_bytes
        while self._waiting and self._waiting[0][0] < end:
            start, data = self._waiting.popleft()
            heard, rest = data[: (end - start) * step_bytes], data[(end - start) * step_bytes :]
            self._write_silence(start)
            self._file.write(heard)
            self._written += len(heard) // step_bytes
            if rest:
                self._waiting.appendleft((self._written, rest))
        self._write_silence(end)

    def _write_silence(self, end: int) -> None:
        most = _MOST_SILENCE_BYTES // self._format.step_bytes
        while self._written < end:
            samples = min(most, end - self._written)
            self._file.write(bytes(samples * self._format.step_bytes))
            self._written += samples


@final
class _Playback:
    """A clip on a track. Positions are the track's.

    Attributes:
        is_whole: Whether no more of it comes.
        is_cleared: Whether it was cut off.
    """

    def __init__(self, track: Track, rate_hz: int) -> None:
        self.is_whole: bool = False
        self._track: Track = track
        self._rate_hz: int = rate_hz
        # From where to where it sounds: one span, or more if it ran dry.
        self._spans: list[tuple[int, int]] = []
        self._cleared: anyio.Event = anyio.Event()

    @property
    def is_cleared(self) -> bool:
        return self._cleared.is_set()

    @property
    def is_over(self) -> bool:
        """Whether nothing of it will sound any more."""
        return self.is_cleared or (self.is_whole and self._end() <= self._track.now())

    def extend(self, start: int, end: int) -> None:
        """Let it sound from *start* to *end* as well."""
        if self._spans and self._spans[-1][1] == start:
            start = self._spans.pop()[0]
        self._spans.append((start, end))

    def cut(self, position: int) -> None:
        """Let nothing of it sound from *position* on."""
        if not self.is_over:
            self._spans = [(start, min(end, position)) for start, end in self._spans if start < position]
            self._cleared.set()

    async def started(self) -> float:
        """Return when its first sample sounds; waits until it does, for ever if none does."""
        if self._spans:
            with anyio.CancelScope(deadline=self._track.time_of(self._spans[0][0])):
                await self._cleared.wait()
        if not self._spans:
            await anyio.sleep_forever()
        return self._track.time_of(self._spans[0][0])

    async def finished(self) -> PlaybackResult:
        """Return how it ended; waits until it has."""
        with anyio.CancelScope(deadline=self._track.time_of(self._end())):
            await self._cleared.wait()
        return PlaybackResult("cleared" if self.is_cleared else "completed", self.position_s())

    def position_s(self) -> float:
        """Return how much of it has sounded by now, in seconds."""
        now = self._track.now()
        return sum(max(0, min(end, now) - start) for start, end in self._spans) / self._rate_hz

    def _end(self) -> int:
        """Return the position behind the last of it; 0 where there is nothing of it."""
        return self._spans[-1][1] if self._spans else 0
