"""Speech by espeak-ng, from the self-contained package espeakng-loader (extra ``espeak``).

Rules kept here:

1. espeak-ng keeps its state in global variables, and two calls at once in one library give garbage. So each
   call has a private copy of the library for itself: nothing is shared, so nothing is locked.
2. The file of a copy is removed as soon as it is loaded. Whatever ends the process, no file remains.
3. A call runs in a worker thread. Its chunks cross over as they come, a few at most wait to be taken. Who
   stops listening stops the call, from inside espeak-ng's callback.
"""

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeAlias, final

import anyio
from anyio import from_thread, to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from ordered_pipeline.voice import AudioChunk, AudioFormat, Segment, Word

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

try:
    import espeakng_loader
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the package of the espeak voice is not installed; pip install 'ordered-pipeline[espeak]'",
        name=_missing.name,
    ) from _missing

__all__ = ["Espeak", "EspeakError"]

# What all voices of the package speak with.
_SAMPLE_RATE_HZ: Final = 22050
# With 300 ms a chunk the first is there within a millisecond, and handing over costs less than making.
_CHUNK_MS: Final = 300
_CHUNKS_AHEAD: Final = 4
# The library keeps the path of its data in an array of 160 bytes and cuts off what is longer.
_LONGEST_PATH_BYTES: Final = 159

# From speak_lib.h.
_SYNCHRONOUS: Final = 2
_DONT_EXIT: Final = 0x8000
_POS_CHARACTER: Final = 1
_UTF8_AND_END_PAUSE: Final = 0x1001
_LIST_TERMINATED: Final = 0
_WORD: Final = 1
_END: Final = 5


class EspeakError(Exception):
    """espeak-ng could not be loaded, or could not speak."""


class _Event(ctypes.Structure):
    """``espeak_EVENT`` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )
    type: int
    text_position: int
    length: int
    sample: int


class _Events(Protocol):
    def __getitem__(self, index: int, /) -> _Event: ...


_Callback: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))
_Take: TypeAlias = Callable[[AudioChunk], bool]


class _Library:
    """A private copy of the library, for one call at a time. Its methods block."""

    def __init__(self, voice: str) -> None:
        self._library: ctypes.CDLL = _load_copy()
        self._callback: Final = _Callback(self._on_audio)
        self._take: _Take = _refuse
        self._error: BaseException | None = None
        self._text: str = ""
        self._word: tuple[str, float] | None = None
        self._reached: int = 0
        try:
            self._set_up(voice)
        except EspeakError:
            self.close()
            raise

    def _set_up(self, voice: str) -> None:
        data: str = espeakng_loader.get_data_path()  # type: ignore[no-untyped-call]
        path = os.fsencode(data)
        if len(path) > _LONGEST_PATH_BYTES:
            raise EspeakError(
                f"the path of espeak-ng's data must have at most {_LONGEST_PATH_BYTES} bytes, got {data!r}; "
                "install into a folder with a shorter path"
            )
        if self._library.espeak_Initialize(_SYNCHRONOUS, _CHUNK_MS, path, _DONT_EXIT) != _SAMPLE_RATE_HZ:
            raise EspeakError(f"espeak-ng could not read its data in {data!r}")
        if self._library.espeak_SetVoiceByName(voice.encode()):
            raise EspeakError(f"voice must be one of espeak-ng's, got {voice!r}")
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, take: _Take) -> None:
        """Make the audio of *text*, giving it to *take* chunk by chunk until that returns false."""
        self._take, self._error, self._text, self._word, self._reached = take, None, text, None, 0
        # Neither a NUL nor half a surrogate pair can be said. Each keeps its place, for the times of words.
        encoded = text.replace("\0", " ").encode(errors="replace") + b"\0"
        status = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded)), 0, _POS_CHARACTER, 0, _UTF8_AND_END_PAUSE, None, None
        )
        self._take = _refuse
        if self._error is not None:
            raise self._error
        if status:
            raise EspeakError(f"espeak-ng could not speak {text!r} (status {status})")

    def close(self) -> None:
        """Free the library."""
        self._library.espeak_Terminate()
        _unload(self._library)

    def _on_audio(self, samples: int | None, count: int, events: _Events) -> int:
        """Take what the library has made; 0 lets it go on, 1 stops it."""
        try:
            words = self._words(events)
            if not samples:
                return 0
            return 0 if self._take(AudioChunk(ctypes.string_at(samples, 2 * count), words)) else 1
        except BaseException as error:  # noqa: BLE001  # none can pass through C; `speak` raises it
            self._error = error
            return 1

    def _words(self, events: _Events) -> tuple[Word, ...]:
        words: list[Word] = []
        index = 0
        while (event := events[index]).type != _LIST_TERMINATED:
            index += 1
            # Positions count characters, from 1.
            first, last = event.text_position - 1, event.text_position - 1 + event.length
            text = self._text[first:last].strip()
            # Of "25" the voice tells the "5" as well, of an emoji each word of its name: parts are no words.
            is_word = event.type == _WORD and text and first >= self._reached
            if not is_word and event.type != _END:
                continue
            at_s = event.sample / _SAMPLE_RATE_HZ
            if self._word is not None:
                words.append(Word(*self._word, at_s))
            self._word = (text, at_s) if is_word else None
            self._reached = max(self._reached, last)
        return tuple(words)


def _refuse(_chunk: AudioChunk) -> bool:
    return False


def _load_copy() -> ctypes.CDLL:
    try:
        # Windows keeps the files of loaded libraries; there the folder is left to whoever tidies it up.
        with tempfile.TemporaryDirectory(prefix="espeak-ng-", ignore_cleanup_errors=True) as folder:
            library: str = espeakng_loader.get_library_path()  # type: ignore[no-untyped-call]
            return ctypes.CDLL(shutil.copy(library, folder))
    except OSError as error:
        raise EspeakError(
            f"espeak-ng could not be loaded ({error}); let TMPDIR name a folder with room, and for programs"
        ) from error


def _unload(library: ctypes.CDLL) -> None:
    import _ctypes  # noqa: PLC0415  # ctypes has no public name for what is done here

    if sys.platform == "win32":
        _ctypes.FreeLibrary(library._handle)  # noqa: SLF001  # as above
    else:
        _ctypes.dlclose(library._handle)  # noqa: SLF001  # as above


@final
class Espeak:
    """The espeak-ng voice: an async context manager, in whose block calls may run side by side.

    Leaving the block ends the calls that still run, waits for their threads and frees the copies of the
    library.
    """

    def __init__(self, voice: str = "en", *, concurrency: int = 4) -> None:
        """Say who speaks. Nothing is loaded before the first call.

        Args:
            voice: One of espeak-ng's voices, mostly named like languages: ``"en"``, ``"en-us"``, ``"de"``.
            concurrency: Most calls that run at once; each has a copy of the library (1.4 MB). More wait for
                their turn.

        Raises:
            ValueError: *concurrency* is less than 1.
        """
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, got {concurrency!r}")
        self._voice: str = voice
        self._concurrency: int = concurrency
        self._idle: list[_Library] = []
        self._calls: set[_Call] = set()
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Make ready for calls."""
        self._limiter: anyio.CapacityLimiter = anyio.CapacityLimiter(self._concurrency)
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End what runs and free every copy of the library."""
        tasks, self._tasks = self._tasks, None
        assert tasks is not None  # noqa: S101  # __aenter__ came first
        for call in tuple(self._calls):
            call.fail(
                RuntimeError("the block of the voice was left while it spoke; take all chunks inside it")
            )
            await call.aclose()
        tasks.cancel_scope.cancel()
        try:
            # Not told of the block's own error, which the group would wrap.
            await tasks.__aexit__(None, None, None)
        finally:
            while self._idle:
                self._idle.pop().close()

    @property
    def format(self) -> AudioFormat:
        """The format of all chunks."""
        return AudioFormat("s16le", _SAMPLE_RATE_HZ)

    def synthesize(self, segment: Segment, /) -> "_Call":
        """Return the audio of *segment*: an iterator of chunks, which starts on its first ``__anext__``.

        Close it with ``aclose`` if you do not iterate to the end; the call then stops at its next chunk. The
        audio ends with the pause that the voice makes after a sentence.

        Raises:
            EspeakError: (by the iterator) espeak-ng could not be loaded or could not speak.
            RuntimeError: (by the iterator) The voice was not entered, or its block has ended.
        """
        return _Call(self._start, segment)

    def _start(self, call: "_Call") -> MemoryObjectReceiveStream[AudioChunk]:
        if self._tasks is None:
            raise RuntimeError("the voice was used outside its 'async with' block; synthesize inside it")
        send, receive = anyio.create_memory_object_stream[AudioChunk](_CHUNKS_AHEAD)
        self._calls.add(call)
        self._tasks.start_soon(self._run, call, send)
        return receive

    async def _run(self, call: "_Call", send: MemoryObjectSendStream[AudioChunk]) -> None:
        try:
            async with send:
                await to_thread.run_sync(self._speak, call.segment.text, send, limiter=self._limiter)
        except EspeakError as error:
            call.fail(error)
        finally:
            self._calls.discard(call)

    def _speak(self, text: str, send: MemoryObjectSendStream[AudioChunk]) -> None:
        library = self._idle.pop() if self._idle else _Library(self._voice)
        try:
            library.speak(text, lambda chunk: _hand_over(send, chunk))
        finally:
            self._idle.append(library)


def _hand_over(send: MemoryObjectSendStream[AudioChunk], chunk: AudioChunk) -> bool:
    try:
        from_thread.run(send.send, chunk)
    except anyio.BrokenResourceError:
        return False  # nobody listens any more
    return True


@final
class _Call:
    """The chunks of one segment."""

    def __init__(
        self, start: "Callable[[_Call], MemoryObjectReceiveStream[AudioChunk]]", segment: Segment
    ) -> None:
        self._start = start
        self.segment: Segment = segment
        self._chunks: MemoryObjectReceiveStream[AudioChunk] | None = None
        self._is_closed: bool = False
        self._error: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioChunk:
        if self._chunks is None:
            if self._is_closed:
                raise StopAsyncIteration
            self._chunks = self._start(self)
        try:
            return await self._chunks.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._chunks.close()
            if self._error is not None:
                raise self._error from None
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Listen no more: the voice stops at its next chunk, or does not begin."""
        self._is_closed = True
        if self._chunks is not None:
            self._chunks.close()

    def fail(self, error: Exception) -> None:
        """End the iteration with *error*, after the chunks that are there."""
        self._error = error
