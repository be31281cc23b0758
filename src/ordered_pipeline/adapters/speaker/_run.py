"""A run: one sound device from its opening to silence, and all that is heard of it.

Rules kept here:

1. The device's callback moves bytes from the playout, notes the time and sets off one wake-up, which wakes
   all who wait. It does nothing else. Nothing else runs between two calls: there is no task.
2. After the last sound `drain` waits until the device has asked for so much silence that nothing of the sound
   is left in its buffer.
3. A device that asks no more is lost: whoever waits is told.
"""

import math
import time
from contextlib import suppress
from typing import Final, final

import anyio

from ordered_pipeline.adapters._miniaudio import Device, Feed, Soon, this_loop
from ordered_pipeline.adapters.speaker._device import PERIOD_MS, SpeakerError, open_device
from ordered_pipeline.adapters.speaker._device_clock import DeviceClock
from ordered_pipeline.adapters.speaker._playout import Block, Playout
from ordered_pipeline.voice import AudioFormat

# The two periods that the device asks for at once when it starts; the next piece then has a third to arrive.
_LEAD_S: Final = 2 * PERIOD_MS / 1000
# More audio is taken as long as less than this waits.
_CAPACITY_S: Final = 1.0
# How long after its time by the clock a sample surely has been heard: more than the clock's error.
_HEARD_OUT_S: Final = 0.05
# When the device asks for the third period after the last sound, none of its buffers (two or three periods)
# holds any of it.
_DRAIN_S: Final = 3 * PERIOD_MS / 1000
# A device that has not asked for so long is gone: unplugged, or with its sound server.
_PATIENCE_S: Final = 3.0


@final
class Run:
    """A device from its first sample to its last. Its methods are called on the event loop."""

    def __init__(self, device: Device[Feed], audio_format: AudioFormat) -> None:
        self._device: Device[Feed] = device
        self._playout: Playout = Playout(audio_format, lead_s=_LEAD_S)
        self._rate_hz: int = audio_format.sample_rate_hz
        self._clock: DeviceClock | None = None
        # When it was started or has asked last.
        self._asked_s: float = math.inf
        # How often the device had played all it had before it asked for more.
        self._starved: int = 0
        # Known once it is over.
        self._heard: int | None = None
        self._lost: str | None = None
        self._closed: anyio.Event = anyio.Event()
        self._tick: anyio.Event | None = None
        self._soon: Soon = this_loop()

    @classmethod
    async def begin(cls, audio_format: AudioFormat) -> "Run":
        """Open a device, which starts later.

        Raises:
            SpeakerError: There is none, or it does not open.
        """
        return cls(await open_device(audio_format), audio_format)

    @property
    def is_over(self) -> bool:
        """Whether it was ended before it was lost."""
        return self._heard is not None and self._lost is None

    @property
    def works(self) -> bool:
        """Whether it is not over, and the device asks."""
        return self._heard is None and self._lost is None

    @property
    def is_dry(self) -> bool:
        """Whether the device has been given so much silence that a new one would be heard sooner."""
        behind = self._playout.taken - self._playout.sound_end
        return self._playout.queued <= 0 and behind > _HEARD_OUT_S * self._rate_hz

    @property
    def underruns(self) -> int:
        """How often there was silence within a clip, or sound was held up on its way to the device."""
        return self._playout.underruns + self._starved

    @property
    def start_within_s(self) -> float:
        """How long what waits may go on waiting before the device is started."""
        return _LEAD_S if self._clock is None and self._playout.queued else math.inf

    def heard(self) -> int:
        """Return how many samples per channel have been heard, silence included.

        It is what the device took, as far as there was time to play it.
        """
        if self._heard is not None:
            return self._heard
        if self._clock is None:
            return 0
        return min(self._playout.taken, self._clock.position_at(anyio.current_time()))

    def time_of(self, position: int) -> float:
        """Return when the sample at *position*, which was taken, sounds."""
        assert self._clock is not None  # noqa: S101  # somebody took it
        return self._clock.time_of(position)

    async def put(self, block: Block, data: bytes) -> None:
        """Append *data* to *block* when there is room, and start the device once the lead is there."""
        while self._playout.queued >= _CAPACITY_S * self._rate_hz:
            await self.change()
        self._playout.put(block, data)
        if self._playout.queued >= _LEAD_S * self._rate_hz:
            await self.start()

    async def start(self) -> None:
        """Start the device, if it is not and there is something to hear."""
        if self._clock is not None or not self._playout.queued:
            return
        self._asked_s = anyio.current_time()
        self._clock = DeviceClock(self._rate_hz, start_s=self._asked_s)
        feed = self._feed(self._clock, self._asked_s - time.perf_counter())
        try:
            await self._device.start(feed)
        except SpeakerError as error:
            self._lose(str(error))
            raise

    async def hear_out(self) -> None:
        """Wait until all sound that the device has been given has been heard.

        Raises:
            SpeakerError: The device does not work any more.
        """
        heard = self._playout.sound_end + round(_HEARD_OUT_S * self._rate_hz)
        while not self.is_over and self.heard() < heard:
            await self.change(heard)

    async def drain(self) -> None:
        """Wait until all that was put has been heard, whatever the clock says.

        Raises:
            SpeakerError: The device does not work any more.
        """
        if self._clock is None or not self.works:
            return
        while self._playout.queued > 0:
            await self.change()
        heard = self._playout.sound_end + _DRAIN_S * self._rate_hz
        while self._playout.taken < heard:
            await self.change()

    async def end(self) -> None:
        """Be silent at once, for good."""
        if self._heard is None:
            self._heard = self.heard()
            self._wake()
            try:
                with anyio.CancelScope(shield=True):
                    await self._device.close()
            finally:
                self._closed.set()
        await self._closed.wait()

    async def change(self, position: int | None = None) -> None:
        """Wait until the device asks, the run ends, or the sample before *position* has sounded.

        Raises:
            SpeakerError: The device does not work any more.
        """
        until_s = math.inf if position is None else self.time_of(position)
        if self._lost is None:
            if self._tick is None:
                self._tick = anyio.Event()
            with anyio.CancelScope(deadline=min(until_s, self._asked_s + _PATIENCE_S)):
                await self._tick.wait()
            if self._heard is None and anyio.current_time() >= self._asked_s + _PATIENCE_S:
                self._lose(f"the sound device stopped taking audio: it asked for none in {_PATIENCE_S} s")
        if self._lost is not None:
            raise SpeakerError(self._lost)

    def _lose(self, why: str) -> None:
        self._lost = why
        self._wake()

    def _wake(self) -> None:
        tick, self._tick = self._tick, None
        if tick is not None:
            tick.set()

    def _feed(self, clock: DeviceClock, clocks_differ_s: float) -> Feed:
        """Give the device's thread what it asks for. The event loop's clock cannot be read in it."""
        data = b""
        while True:
            samples = yield data
            self._asked_s = time.perf_counter() + clocks_differ_s
            is_starved = clock.asked(self._playout.taken, self._asked_s)
            # A device that has played all of its silence is none the worse.
            self._starved += is_starved and self._playout.sound_end == self._playout.taken
            data = self._playout.take(samples)
            # The event loop may be over.
            with suppress(RuntimeError):
                self._soon(self._wake)
