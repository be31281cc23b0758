"""The speaker: clips become one continuous stream of a sound device.

Rules kept here:

1. There is one device stream for all clips. A stream for each clip cuts off the clip's end or puts silence
   behind it: 20 to 87 ms, measured with six ways to play.
2. Only closing a device makes it silent at once. One that is stopped and started again first plays what was
   left in its buffer (PulseAudio), and one that runs on plays two periods more. A device opens in 4 ms: so
   `Speaker.clear` ends the run of one, and the next clip begins the run of another.
3. A clip that comes too late to follow without a gap begins the run of another device as well: behind the
   sound the last one has up to three periods of silence already, which would sound first.
"""

from types import TracebackType
from typing import Final, Self, final

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ordered_pipeline.adapters.speaker._playout import Block
from ordered_pipeline.adapters.speaker._run import Run
from ordered_pipeline.voice import AudioFormat, Clip, PlaybackResult, PlayerCapabilities

# 20 ms between the device's clock and a recording of what it plays, measured with PulseAudio, and 10 ms that
# the clock lets pass as noise.
_POSITION_ERROR_S: Final = 0.03


@final
class Speaker:
    """The default sound device: a player in whose block clips sound in order, without a seam.

    The device starts with the first clip. Its clock tells what was heard, at most 30 ms off; the way from the
    sound system to the ear comes on top, and is not told.

    Leaving the block without an error lets what was accepted sound to its end; leaving it with one, or
    cancelled, is silence at once.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        """Say what will be played; the device is opened on entering.

        Args:
            audio_format: The format of all clips, ``"s16le"``. The sound system makes of it what the device
                wants.

        Raises:
            ValueError: *audio_format* has another encoding.
        """
        if audio_format.encoding != "s16le":
            raise ValueError(f"audio_format must be of s16le samples, got {audio_format!r}")
        self._format: AudioFormat = audio_format
        self._run: Run | None = None
        self._plays: set[anyio.CancelScope] = set()
        # Those of runs that are over.
        self._underruns: int = 0

    async def __aenter__(self) -> Self:
        """Open the device.

        Raises:
            SpeakerError: There is none, or it does not open.
        """
        # Clips are taken one at a time, in the order in which they were given.
        self._turn: anyio.Lock = anyio.Lock()
        self._run = await Run.begin(self._format)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Let what was accepted sound to its end, or after an error be silent at once; close the device.

        Raises:
            SpeakerError: The device stopped working before all was heard.
        """
        run, self._run = self._run, None
        assert run is not None  # noqa: S101  # __aenter__ came first
        self._end_plays()
        try:
            if kind is None:
                await run.drain()
        finally:
            await run.end()
            self._underruns += run.underruns

    @property
    def underruns(self) -> int:
        """How often so far the device had nothing to play in the middle of sound.

        Either the rest of a clip came too late, or the device's thread was held up for longer than its buffer
        lasts (about 0.2 s), by a busy machine or by what kept the interpreter's lock. Silence before a clip
        that comes late is none.
        """
        return self._underruns + (0 if self._run is None else self._run.underruns)

    @property
    def capabilities(self) -> PlayerCapabilities:
        """It takes one format, streams, and knows by its device's requests what was heard."""
        return PlayerCapabilities(
            formats=(self._format,), acknowledges="clock", position_error_s=_POSITION_ERROR_S
        )

    async def play(self, clip: Clip, /) -> "_Playback":
        """Take *clip* while it comes; returns when its last chunk has found room: a second of audio.

        What a cancelled call has taken by then sounds, unless `clear` follows.

        Raises:
            RuntimeError: The speaker was not entered, or its block has ended.
            SpeakerError: The device does not work any more. The next clip tries to open one again.
            ValueError: *clip* has another format than the speaker, or a chunk ends inside a sample.
        """
        if self._run is None:
            raise RuntimeError("a clip was played on a speaker that is not open; play inside its block")
        if clip.format != self._format:
            raise ValueError(f"clip must have the speaker's format {self._format!r}, got {clip.format!r}")
        playback = _Playback(self._run, Block(), self._format)
        with anyio.CancelScope() as scope:
            self._plays.add(scope)
            try:
                async with self._turn:
                    playback = _Playback(await self._working_run(), Block(), self._format)
                    await playback.fill(clip)
            finally:
                self._plays.discard(scope)
        return playback

    async def clear(self) -> None:
        """Be silent at once: drop what sounds and all that waits, what the device has in its buffer included.

        Later clips sound. Whatever the sound system does, a call takes a second at most.
        """
        self._end_plays()
        if self._run is not None:
            await self._run.end()

    def _end_plays(self) -> None:
        for scope in self._plays:
            scope.cancel()

    async def _working_run(self) -> "Run":
        """Return the run that goes on, or a new one in the place of one that is over, lost or dry."""
        assert self._run is not None  # noqa: S101  # the block was entered, and leaving it ends this call
        if self._run.works and self._run.is_dry:
            await self._run.hear_out()
        if not self._run.works or self._run.is_dry:
            await self._run.end()
            run = await Run.begin(self._format)
            try:
                # It may have opened in the same instant in which all was cleared or the block was left.
                await checkpoint_if_cancelled()
            except BaseException:
                await run.end()
                raise
            self._underruns += self._run.underruns
            self._run = run
        return self._run


@final
class _Playback:
    """One clip in a speaker."""

    def __init__(self, run: "Run", block: Block, audio_format: AudioFormat) -> None:
        self._run: Run = run
        self._block: Block = block
        self._rate_hz: int = audio_format.sample_rate_hz

    async def fill(self, clip: Clip) -> None:
        """Put all of *clip* into the run."""
        chunks = aiter(clip)
        while True:
            chunk = None
            # A voice that dribbles is heard though the lead is not there yet.
            with anyio.move_on_after(self._run.start_within_s) as patience:
                chunk = await anext(chunks, None)
            if chunk is not None:
                await self._run.put(self._block, chunk.data)
            else:
                await self._run.start()
                if not patience.cancelled_caught:
                    break
        self._block.is_whole = True

    async def started(self) -> float:
        """Return when its first sample sounds; waits until it does, for ever if it was cleared before.

        Raises:
            SpeakerError: The device does not work any more.
        """
        while True:
            start = self._block.start
            if start is not None and self._run.heard() > start:
                return self._run.time_of(start)
            if self._run.is_over or (self._block.is_whole and not self._block.samples):
                await anyio.sleep_forever()
            await self._run.change(None if start is None else start + 1)

    async def finished(self) -> PlaybackResult:
        """Return how it ended; waits until it has.

        Raises:
            SpeakerError: The device does not work any more.
        """
        while True:
            played = self._block.sounded(self._run.heard())
            if self._block.is_whole and played == self._block.samples:
                return PlaybackResult("completed", played / self._rate_hz)
            if self._run.is_over:
                return PlaybackResult("cleared", played / self._rate_hz)
            await self._run.change(self._block.end)

    def position_s(self) -> float:
        """Return how much of it has sounded by now, in seconds."""
        return self._block.sounded(self._run.heard()) / self._rate_hz
