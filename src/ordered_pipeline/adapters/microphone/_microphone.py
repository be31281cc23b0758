"""The microphone: what a sound device records becomes caller audio.

Rules kept here:

1. The device's callback cuts what it is given into frames, notes the time and sets off one wake-up at a time.
   It does nothing else. Nothing else runs between two calls: there is no task.
2. A device that gives nothing any more is lost, and who iterates is told, after what it gave before.
"""

import math
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, final

import anyio
from anyio.lowlevel import checkpoint

from ordered_pipeline.adapters.microphone._frames import Frames
from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.voice._bell import Bell

try:
    from ordered_pipeline.adapters._miniaudio import Device, Intake, Soon, open_capture, this_loop
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the package of the local microphone is not installed; pip install 'ordered-pipeline[microphone]'",
        name=_missing.name,
    ) from _missing

# The length of a frame, and what the device gives at a time.
_FRAME_MS: Final = 20
_FRAMES_A_SECOND: Final = 1000 // _FRAME_MS
# 5 s: longer than ears that are only busy, and not dead, fall behind.
_MOST_FRAMES: Final = 5 * _FRAMES_A_SECOND
# A device that has not given anything for so long is gone: unplugged, or with its sound server.
_PATIENCE_S: Final = 3.0


class MicrophoneError(Exception):
    """There is no microphone, or it stopped working."""


@final
class Microphone:
    """The default microphone: an async iterator of caller audio, in frames of exactly 20 ms.

    It records from entering its block on. What nobody takes for 5 s is dropped, the oldest first. Silence is
    frames like any other. Who iterates may stop, and another one go on.
    """

    def __init__(self, audio_format: AudioFormat = AudioFormat("s16le", 16_000)) -> None:  # noqa: B008  # frozen
        """Say what is wanted; the device is opened on entering.

        Args:
            audio_format: The format of the frames: ``"s16le"``, of a rate at which 20 ms are a whole number
                of samples. The sound system makes it of what the device gives.

        Raises:
            ValueError: *audio_format* is another one.
        """
        if audio_format.encoding != "s16le" or audio_format.sample_rate_hz % _FRAMES_A_SECOND:
            raise ValueError(
                f"audio_format must be of s16le samples, at a multiple of {_FRAMES_A_SECOND} Hz, "
                f"got {audio_format!r}"
            )
        self._format: AudioFormat = audio_format
        self._frames: Frames | None = None
        self._device: Device[Intake] | None = None
        self._changed: Bell = Bell()
        self._is_ringing: bool = False
        # When it was started or has given something last.
        self._came_s: float = math.inf
        self._begun_s: float | None = None

    async def __aenter__(self) -> Self:
        """Open the device, and begin to record.

        Raises:
            MicrophoneError: There is none, or it does not open or start.
            RuntimeError: It is open already.
        """
        if self._device is not None:
            raise RuntimeError("a microphone was entered that is open already; make another one")
        device = await open_capture(self._format, period_ms=_FRAME_MS, failure=MicrophoneError)
        frames = Frames(
            self._format, samples=self._format.sample_rate_hz // _FRAMES_A_SECOND, most=_MOST_FRAMES
        )
        self._frames, self._device = frames, device
        self._came_s, self._begun_s = anyio.current_time(), None
        try:
            await device.start(self._take_in(frames, this_loop(), self._came_s - time.perf_counter()))
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the device."""
        await self.aclose()

    @property
    def format(self) -> AudioFormat:
        """The format of the frames."""
        return self._format

    @property
    def dropped_s(self) -> float:
        """How much audio nobody took in time, in seconds, before the frame that was handed over last."""
        return 0.0 if self._frames is None else self._frames.dropped / _FRAMES_A_SECOND

    @property
    def begun_s(self) -> float | None:
        """When the frame that was handed over last began, on the event loop's clock; None before the first.

        It is reckoned from when the device gave it: by what the sound system takes for that, it was earlier.
        """
        return self._begun_s

    def __aiter__(self) -> Self:
        """Return the microphone itself."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next frame as soon as it is there; a cancelled call loses nothing.

        Raises:
            MicrophoneError: The device does not work any more.
            RuntimeError: The microphone was not entered.
            StopAsyncIteration: It was closed.
        """
        if self._frames is None:
            raise RuntimeError("a microphone was iterated that was not entered; use 'async with' first")
        # Frames that wait already must not keep other tasks waiting.
        await checkpoint()
        while self._device is not None:
            frame = self._frames.take()
            if frame is not None:
                self._begun_s = frame.begun_s
                return frame.data
            with anyio.CancelScope(deadline=self._came_s + _PATIENCE_S):
                await self._changed.wait()
            if anyio.current_time() >= self._came_s + _PATIENCE_S:
                raise MicrophoneError(f"the microphone stopped working: it gave nothing in {_PATIENCE_S} s")
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the device: the iteration ends, whoever waits in it. It takes a second at most."""
        device, self._device = self._device, None
        self._changed.ring()
        if device is not None:
            with anyio.CancelScope(shield=True):
                await device.close()

    def _take_in(self, frames: Frames, soon: Soon, clocks_differ_s: float) -> Intake:
        """Take what the device's thread has recorded. The event loop's clock cannot be read in it."""
        while True:
            data = yield
            self._came_s = time.perf_counter() + clocks_differ_s
            frames.put(data, self._came_s)
            if not self._is_ringing:
                # Not one for each period that passes while the event loop is held up.
                self._is_ringing = True
                # The event loop may be over.
                with suppress(RuntimeError):
                    soon(self._ring)

    def _ring(self) -> None:
        self._is_ringing = False
        self._changed.ring()
