"""The sound device: opened, started and closed by threads that nobody waits for longer than is polite.

A sound server that hangs keeps whoever calls it, for ever.
"""

import asyncio
import ctypes
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Final, Protocol, TypeAlias, TypeVar, cast, final

import anyio

from ordered_pipeline.voice import AudioFormat

try:
    import miniaudio
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the package of the local speaker is not installed; pip install 'ordered-pipeline[speaker]'",
        name=_missing.name,
    ) from _missing

_T = TypeVar("_T")
# Runs a function on the event loop, from any thread, without waiting for it.
Soon: TypeAlias = Callable[[Callable[[], object]], object]
# Is sent how many samples are wanted, and gives them.
Feed: TypeAlias = Generator[bytes, int, None]

# What the device asks for at a time. Two such periods wait in its buffer (measured with PulseAudio): that is
# how long the threads that feed it may be held up unheard, and how late sound begins after silence. With
# twice as many busy threads as cores, two of three recordings had holes at 50 ms, one of nine at 100 ms, none
# of six at 150 ms; few runs, and the last six had the sound server at lower priority as well.
PERIOD_MS: Final = 150
_PATIENCE_S: Final = 3.0
# To close a device takes a millisecond.
_CLOSING_PATIENCE_S: Final = 1.0


class _Library(Protocol):
    def ma_context_uninit(self, context: object, /) -> object: ...


class SpeakerError(Exception):
    """There is no sound device, or it stopped working."""


class _PlaybackDevice(Protocol):
    backend: str

    def start(self, callback_generator: Feed, /) -> None: ...
    def close(self) -> None: ...


@final
class Device:
    """An open device, to be started once and closed once."""

    def __init__(self, device: _PlaybackDevice) -> None:
        """Use `open_device` instead."""
        self._device: _PlaybackDevice = device
        # A call that was given up goes on in its thread.
        self._calls: threading.Lock = threading.Lock()
        self._is_closed: bool = False

    async def start(self, feed: Feed) -> None:
        """Begin to ask *feed* for samples, from a thread of the device.

        Raises:
            SpeakerError: The device refused or does not answer.
        """
        await _in_time(lambda: self._start(feed), _PATIENCE_S)

    async def close(self) -> None:
        """Be silent at once, for good. A device that is gone is silent, and nobody is told."""
        self._is_closed = True
        with suppress(SpeakerError):
            await _in_time(self._close, _CLOSING_PATIENCE_S)

    def _start(self, feed: Feed) -> None:
        with self._calls:
            if self._is_closed:
                return
            next(feed)
            try:
                self._device.start(feed)
            except miniaudio.MiniaudioError as error:
                raise SpeakerError(f"the sound device did not start ({_said(error)})") from error

    def _close(self) -> None:
        with self._calls:
            _close(self._device)


async def open_device(audio_format: AudioFormat) -> Device:
    """Open the default device.

    Raises:
        SpeakerError: There is none, or it does not open.
    """
    return Device(await _in_time(lambda: _open(audio_format), _PATIENCE_S, discard=_close))


def this_loop() -> Soon:
    """Return what runs a function on this event loop from another thread."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # noqa: PLC0415  # only where trio runs already

        return trio.lowlevel.current_trio_token().run_sync_soon


async def _in_time(
    function: Callable[[], _T], patience_s: float, *, discard: Callable[[_T], object] = lambda _: None
) -> _T:
    """Return what *function* does in a thread.

    A call that is cancelled or took too long goes on in the thread, and what it gives goes to *discard*.

    Raises:
        SpeakerError: It failed, or took longer than *patience_s*.
    """
    outcome: list[_T | SpeakerError] = []
    is_over = anyio.Event()
    is_taken = False
    is_settled = threading.Event()
    soon = this_loop()

    def run() -> None:
        try:
            outcome.append(function())
        except SpeakerError as error:
            outcome.append(error)
        # The event loop may not have waited.
        with suppress(RuntimeError):
            soon(is_over.set)
        is_settled.wait()
        for result in outcome:
            if not is_taken and not isinstance(result, SpeakerError):
                discard(result)

    threading.Thread(target=run, name="speaker", daemon=True).start()
    try:
        with anyio.move_on_after(patience_s):
            await is_over.wait()
            is_taken = True
    finally:
        is_settled.set()
    result = outcome[0] if is_taken else SpeakerError("the sound system does not answer")
    if isinstance(result, SpeakerError):
        raise result
    return result


def _open(audio_format: AudioFormat) -> _PlaybackDevice:
    _silence_alsa()
    try:
        device = cast(
            "_PlaybackDevice",
            miniaudio.PlaybackDevice(
                output_format=miniaudio.SampleFormat.SIGNED16,
                nchannels=audio_format.channels,
                sample_rate=audio_format.sample_rate_hz,
                buffersize_msec=PERIOD_MS,
                app_name="ordered-pipeline",
            ),
        )
    except miniaudio.MiniaudioError as error:
        raise SpeakerError(f"no sound device could be opened ({_said(error)})") from error
    if device.backend == "Null":
        # Where no sound library is installed, miniaudio's choice ends at the one that plays to nobody.
        _close(device)
        raise SpeakerError("no sound device could be opened (no sound system was found)")
    return device


def _close(device: _PlaybackDevice) -> None:
    device.close()
    # miniaudio 1.71 leaves the connection to the sound server open, which has 64 of them (irmen/pyminiaudio,
    # issue 86: closed, not released). A later version that closes it is taken to leave none here.
    context: object = vars(device).pop("_context", None)
    if context:
        cast("_Library", vars(miniaudio)["lib"]).ma_context_uninit(context)


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
