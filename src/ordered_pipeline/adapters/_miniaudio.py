"""Sound devices, by miniaudio: calls to them run in threads that nobody waits for longer than is polite.

A sound server that hangs keeps whoever calls it, for ever.
"""

import asyncio
import ctypes
import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Final, Generic, Protocol, TypeAlias, TypeVar, cast, final

import anyio
import miniaudio

from ordered_pipeline.voice import AudioFormat

_T = TypeVar("_T")
# Runs a function on the event loop, from any thread, without waiting for it.
Soon: TypeAlias = Callable[[Callable[[], object]], object]
# Is sent how many samples are wanted, and gives them.
Feed: TypeAlias = Generator[bytes, int, None]
# Is sent what was recorded.
Intake: TypeAlias = Generator[None, bytearray, None]
_Callback = TypeVar("_Callback", Feed, Intake)
_Callback_contra = TypeVar("_Callback_contra", Feed, Intake, contravariant=True)

_PATIENCE_S: Final = 3.0
# To close a device takes a millisecond.
_CLOSING_PATIENCE_S: Final = 1.0


class _Library(Protocol):
    def ma_context_uninit(self, context: object, /) -> object: ...


class _Closable(Protocol):
    def close(self) -> None: ...


class _MiniaudioDevice(_Closable, Protocol[_Callback_contra]):
    backend: str

    def start(self, callback_generator: _Callback_contra, /) -> None: ...


@final
class Device(Generic[_Callback]):
    """An open device, to be started once and closed once."""

    def __init__(self, device: _MiniaudioDevice[_Callback], failure: type[Exception]) -> None:
        """Use `open_playback` or `open_capture` instead."""
        self._device: _MiniaudioDevice[_Callback] = device
        self._failure: type[Exception] = failure
        # A call that was given up goes on in its thread.
        self._calls: threading.Lock = threading.Lock()
        self._is_closed: bool = False

    async def start(self, callback: _Callback) -> None:
        """Begin to run *callback*, in a thread of the device.

        Raises:
            Exception: The device refused or does not answer: a failure of the type given on opening.
        """
        await _in_time(lambda: self._start(callback), _PATIENCE_S, failure=self._failure)

    async def close(self) -> None:
        """Be still at once, for good. A device that is gone is still, and nobody is told."""
        self._is_closed = True
        with suppress(self._failure):
            await _in_time(self._close, _CLOSING_PATIENCE_S, failure=self._failure)

    def _start(self, callback: _Callback) -> None:
        with self._calls:
            if self._is_closed:
                return
            next(callback)
            try:
                self._device.start(callback)
            except miniaudio.MiniaudioError as error:
                raise self._failure(f"the sound device did not start ({_said(error)})") from error

    def _close(self) -> None:
        with self._calls:
            _close(self._device)


async def open_playback(
    audio_format: AudioFormat, *, period_ms: int, failure: type[Exception]
) -> Device[Feed]:
    """Open the default device that plays.

    Args:
        audio_format: What it is given, ``"s16le"``.
        period_ms: How much it is to ask for at a time, in milliseconds.
        failure: What to raise, here and later, with a sentence.

    Raises:
        Exception: There is none, or it does not open: a *failure*.
    """

    def make() -> _MiniaudioDevice[Feed]:
        return cast(
            "_MiniaudioDevice[Feed]",
            miniaudio.PlaybackDevice(
                output_format=miniaudio.SampleFormat.SIGNED16,
                nchannels=audio_format.channels,
                sample_rate=audio_format.sample_rate_hz,
                buffersize_msec=period_ms,
                app_name=_NAME,
            ),
        )

    return await _open(make, "sound device", failure)


async def open_capture(
    audio_format: AudioFormat, *, period_ms: int, failure: type[Exception]
) -> Device[Intake]:
    """Open the default device that records.

    Args:
        audio_format: What it is to give, ``"s16le"``.
        period_ms: How much it is to give at a time, in milliseconds.
        failure: What to raise, here and later, with a sentence.

    Raises:
        Exception: There is none, or it does not open: a *failure*.
    """

    def make() -> _MiniaudioDevice[Intake]:
        return cast(
            "_MiniaudioDevice[Intake]",
            miniaudio.CaptureDevice(
                input_format=miniaudio.SampleFormat.SIGNED16,
                nchannels=audio_format.channels,
                sample_rate=audio_format.sample_rate_hz,
                buffersize_msec=period_ms,
                app_name=_NAME,
            ),
        )

    return await _open(make, "microphone", failure)


async def _open(
    make: Callable[[], _MiniaudioDevice[_Callback]], name: str, failure: type[Exception]
) -> Device[_Callback]:
    def opened() -> _MiniaudioDevice[_Callback]:
        _silence_alsa()
        try:
            device = make()
        except miniaudio.MiniaudioError as error:
            raise failure(f"no {name} could be opened ({_said(error)})") from error
        if device.backend == "Null":
            # Where no sound library is installed, miniaudio's choice ends at the one that plays to nobody.
            _close(device)
            raise failure(f"no {name} could be opened (no sound system was found)")
        return device

    return Device(await _in_time(opened, _PATIENCE_S, failure=failure, discard=_close), failure)


def this_loop() -> Soon:
    """Return what runs a function on this event loop from another thread."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio  # noqa: PLC0415  # only where trio runs already

        return trio.lowlevel.current_trio_token().run_sync_soon


async def _in_time(
    function: Callable[[], _T],
    patience_s: float,
    *,
    failure: type[Exception],
    discard: Callable[[_T], object] = lambda _: None,
) -> _T:
    """Return what *function* does in a thread.

    A call that is cancelled or took too long goes on in the thread, and what it gives goes to *discard*.

    Raises:
        Exception: It failed with a *failure*, or took longer than *patience_s*: then it is one, too.
    """
    outcome: list[_T | Exception] = []
    is_over = anyio.Event()
    is_taken = False
    is_settled = threading.Event()
    soon = this_loop()

    def run() -> None:
        try:
            outcome.append(function())
        except failure as error:
            outcome.append(error)
        # The event loop may not have waited.
        with suppress(RuntimeError):
            soon(is_over.set)
        is_settled.wait()
        for result in outcome:
            if not is_taken and not isinstance(result, Exception):
                discard(result)

    threading.Thread(target=run, name=_NAME, daemon=True).start()
    try:
        with anyio.move_on_after(patience_s):
            await is_over.wait()
            is_taken = True
    finally:
        is_settled.set()
    result = outcome[0] if is_taken else failure("the sound system does not answer")
    if isinstance(result, Exception):
        raise result
    return result


def _close(device: _Closable) -> None:
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
# Of the threads, and of the program in the sound server's lists.
_NAME: Final = "ordered-pipeline"
