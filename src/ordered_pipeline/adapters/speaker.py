"""The local speaker, by miniaudio (extra ``speaker``).

Rules kept here:

1. There is one device stream from the first sample to the last. A stream for each clip cuts off the clip's
   end or puts silence behind it: 20 to 87 ms, measured with six ways to play.
2. The device's callback moves bytes from the playout and sets off one wake-up if somebody waits. It does
   nothing else.
3. After the last sound `drain` waits until the device has asked for so much silence that nothing of the sound
   is left in its buffer.
4. A sound server that hangs keeps whoever calls it, for ever. So threads call it that nobody waits for longer
   than is polite.
"""

import asyncio
import ctypes
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from types import TracebackType
from typing import Final, Protocol, Self, cast, final

import anyio

from ordered_pipeline.voice import AudioFormat, Block, Playout

try:
    import miniaudio
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the package of the local speaker is not installed; pip install 'ordered-pipeline[speaker]'",
        name=_missing.name,
    ) from _missing

# What the device asks for at a time. Two such periods wait in its buffer (measured with PulseAudio): that is
# how long the threads that feed it may be held up unheard, and how late sound begins after silence. With
# twice as many busy threads as cores, two of three recordings had holes at 50 ms, one of nine at 100 ms, none
# of six at 150 ms; few runs, and the last six had the sound server at lower priority as well.
_PERIOD_MS: Final = 150
# The two periods that the device asks for at once when it starts; the next block then has a third to arrive.
_LEAD_S: Final = 2 * _PERIOD_MS / 1000
# More audio is taken as long as less than this waits.
_CAPACITY_S: Final = 1.0
# When the device asks for the third period after the last sound, none of its buffers (two or three periods)
# holds any of it.
_DRAIN_S: Final = 3 * _PERIOD_MS / 1000
# A device that has not asked for so long is gone: unplugged, or with its sound server.
_PATIENCE_S: Final = 3.0
# To stop or close a device takes a millisecond.
_SHORT_PATIENCE_S: Final = 1.0


class SpeakerError(Exception):
    """There is no sound device, or it stopped working."""


class _Device(Protocol):
    backend: str

    def start(self, callback_generator: Generator[bytes, int, None], /) -> None: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


@final
class Speaker:
    """The default sound device: an async context manager. What is written sounds in order, without a seam.

    One task writes. The device starts with the first write and stops when the block is left, at once; call
    `drain` before that to hear everything.
    """

    def __init__(self, audio_format: AudioFormat) -> None:
        """Say what will be written; the device is opened on entering."""
        self._format: AudioFormat = audio_format
        self._playout: Playout = Playout(audio_format, lead_s=_LEAD_S)
        self._device: _Device | None = None
        self._started_s: float | None = None
        # Known once it is over.
        self._heard: int | None = None
        self._tick: anyio.Event | None = None

    async def __aenter__(self) -> Self:
        """Open the device.

        Raises:
            SpeakerError: There is none, or it does not open.
        """
        self._soon: Callable[[Callable[[], object]], object] = _soon()
        self._device = await _open_in_time(self._format, self._soon)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Be silent at once and close the device."""
        self.stop()
        if self._device is not None:
            _call_in_time(self._device.close)

    async def write(self, data: bytes) -> Block:
        """Append *data* to what is to sound, when there is room: less than a second of audio waits.

        A cancelled call has written nothing.

        Args:
            data: Whole samples, in the speaker's format.

        Returns:
            The block that tells where *data* sounded, once it has.

        Raises:
            RuntimeError: The speaker was not entered, or was stopped.
            SpeakerError: The device does not work any more.
            ValueError: *data* ends inside a sample.
        """
        if self._device is None or self._heard is not None:
            raise RuntimeError("audio was written to a speaker that is not open; write inside its block")
        while self._playout.queued >= _CAPACITY_S * self._format.sample_rate_hz:
            await self._next_tick()
        block = self._playout.put(data)
        if self._started_s is None:
            self._start(self._device)
        return block

    async def drain(self) -> None:
        """Wait until all that was written has been heard.

        Raises:
            SpeakerError: The device does not work any more.
        """
        if self._started_s is None:
            return
        self._playout.finish()
        while self._playout.queued:
            await self._next_tick()
        heard = self._playout.taken + _DRAIN_S * self._format.sample_rate_hz
        while self._playout.taken < heard:
            await self._next_tick()

    def stop(self) -> None:
        """Be silent at once, for good: what is in the device's own buffer is not heard either."""
        if self._device is None or self._heard is not None:
            return
        self._heard = self.heard_samples()
        self._playout.clear()
        _call_in_time(self._device.stop)

    @property
    def started_s(self) -> float | None:
        """When sample 0 sounded, on the event loop's clock; ``None`` before the first write."""
        return self._started_s

    def heard_samples(self) -> int:
        """Return how many samples per channel have been heard since the device started, silence included.

        It is what the device took, as far as there was time to play it: within 20 ms of what a recording has.
        """
        if self._heard is not None:
            return self._heard
        if self._started_s is None:
            return 0
        elapsed_s = anyio.current_time() - self._started_s
        return min(self._playout.taken, int(elapsed_s * self._format.sample_rate_hz))

    def _start(self, device: _Device) -> None:
        feed = self._feed()
        next(feed)
        self._started_s = anyio.current_time()
        try:
            device.start(feed)
        except miniaudio.MiniaudioError as error:
            raise SpeakerError(f"the sound device did not start ({_said(error)})") from error

    def _feed(self) -> Generator[bytes, int, None]:
        """Give the device's thread what it asks for."""
        data = b""
        while True:
            samples = yield data
            data = self._playout.take(samples)
            tick, self._tick = self._tick, None
            if tick is not None:
                self._soon(tick.set)

    async def _next_tick(self) -> None:
        """Wait until the device has asked again."""
        self._tick = tick = anyio.Event()
        with anyio.move_on_after(_PATIENCE_S) as patience:
            await tick.wait()
        if patience.cancelled_caught:
            raise SpeakerError(f"the sound device stopped taking audio: it asked for none in {_PATIENCE_S} s")


async def _open_in_time(audio_format: AudioFormat, soon: Callable[[Callable[[], object]], object]) -> _Device:
    outcome: list[_Device | SpeakerError] = []
    is_over = anyio.Event()

    def run() -> None:
        try:
            outcome.append(_open(audio_format))
        except SpeakerError as error:
            outcome.append(error)
        # The event loop may not have waited.
        with suppress(RuntimeError):
            soon(is_over.set)

    threading.Thread(target=run, name="speaker", daemon=True).start()
    with anyio.move_on_after(_PATIENCE_S):
        await is_over.wait()
    result = outcome[0] if outcome else SpeakerError("the sound system does not answer")
    if isinstance(result, SpeakerError):
        raise result
    return result


def _call_in_time(function: Callable[[], None]) -> None:
    def run() -> None:
        # A device that is gone can neither be stopped nor closed, and is silent.
        with suppress(miniaudio.MiniaudioError):
            function()

    thread = threading.Thread(target=run, name="speaker", daemon=True)
    thread.start()
    thread.join(_SHORT_PATIENCE_S)


def _open(audio_format: AudioFormat) -> _Device:
    _silence_alsa()
    try:
        device = cast(
            "_Device",
            miniaudio.PlaybackDevice(
                output_format=miniaudio.SampleFormat.SIGNED16,
                nchannels=audio_format.channels,
                sample_rate=audio_format.sample_rate_hz,
                buffersize_msec=_PERIOD_MS,
                app_name="ordered-pipeline",
            ),
        )
    except miniaudio.MiniaudioError as error:
        raise SpeakerError(f"no sound device could be opened ({_said(error)})") from error
    if device.backend == "Null":
        # Where no sound library is installed, miniaudio's choice ends at the one that plays to nobody.
        device.close()
        raise SpeakerError("no sound device could be opened (no sound system was found)")
    return device


def _said(error: Exception) -> str:
    return ", ".join(map(str, error.args))


def _silence_alsa() -> None:
    """Keep alsa-lib from writing to standard error why each of its guesses failed; `_open` says it."""
    try:
        alsa = ctypes.CDLL("libasound.so.2")
    except OSError:
        return
    alsa.snd_lib_error_set_handler(_ON_ALSA_ERROR)


# Its arguments end in "...", which nobody reads. Kept for ever, as alsa-lib does.
_ON_ALSA_ERROR: Final = ctypes.CFUNCTYPE(None)(lambda: None)


def _soon() -> Callable[[Callable[[], object]], object]:
    """Return what runs a function on this event loop from another thread, without waiting for it."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # noqa: PLC0415  # only where trio runs already

        return trio.lowlevel.current_trio_token().run_sync_soon
