"""Plain functions as voices and players.

Rules kept here:

1. An ``async def`` is called in the event loop, by the task that asks. Any other function is taken for one
   that blocks, and runs in a worker thread; so does each step of an iterator that it returns.
2. A thread cannot be stopped. Who stops waiting for one leaves it to run to its end, and what it has then
   made is dropped; an iterator that it was in is closed by it.
3. A player's function runs inside `Playback.finished`, in a stage of its own, which cancels it the way its
   event loop does and lets it clean up: no task is left without an owner.
"""

import inspect
import math
import threading
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from typing import Final, Literal, Self, TypeAlias, TypeVar, cast, final

import anyio
from anyio import to_thread

from ordered_pipeline import Stage, ordered_map
from ordered_pipeline.voice._audio import AudioChunk, AudioFormat
from ordered_pipeline.voice._clip import Clip
from ordered_pipeline.voice._convert import AudioError, WholeSamples
from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._roles import PlaybackResult, Player, PlayerCapabilities, TextToSpeech
from ordered_pipeline.voice._talk import Segment

A = TypeVar("A")

_Pieces: TypeAlias = AsyncIterable[bytes] | Iterable[bytes]

# What ends an iterator that is pulled in a thread: StopIteration cannot come out of one.
_END: Final = object()
# How files begin. Read as samples, a header is a crack, and packed audio is noise.
_FILE_HEADS: Final = (b"RIFF", b"ID3", b"OggS", b"fLaC")
# How long closing a blocking iterator is waited for, and the clean-up of a player's function. Enough for a
# connection to be given back; a caller who has interrupted should not wait longer.
_GRACE_S: Final = 1.0
# What players that open their device for each clip were measured to add around the sound: 20 to 90 ms.
_POSITION_ERROR_S: Final = 0.1


def tts_from(
    function: Callable[[str], Awaitable[bytes | _Pieces] | bytes | _Pieces],
    *,
    format: AudioFormat,  # noqa: A002  # the protocol's word
) -> TextToSpeech:
    """Return a voice that speaks by a plain function.

    The function takes the text of a segment. It may be an ``async def`` that returns all of the audio, an
    async generator of pieces of it, or anything that returns an async iterator; or, blocking, a function that
    returns the audio, or a generator of pieces. What is not async by its definition is called in a worker
    thread. Pieces may be cut anywhere, inside a sample as well; if the last one ends so, that sample is
    dropped with a `RuntimeWarning`.

    It is called on the first ``__anext__``. A call that is cancelled cancels an async function, which runs in
    the caller's task; a blocking one runs on in its thread, and its result is dropped. ``aclose`` closes a
    generator: an async one in the caller's task, a blocking one in a thread, waited for a second at most.

    Threads are those of anyio's default limiter, 40 at a time: with more calls than that, raise
    ``anyio.to_thread.current_default_thread_limiter().total_tokens``.

    Args:
        function: Speaks a text. Whatever it raises comes out of the iterator.
        format: What the audio it makes is to be read as.

    Raises:
        TypeError: *function* cannot be called, or *format* is no `AudioFormat`; or, by the iterator, it gave
            something else than bytes.
        AudioError: By the iterator: it gave a file, and *format* says samples.
    """
    _check_callable(function)
    check_kind("format", format, AudioFormat, "an AudioFormat")
    return _Voice(function, format)


def player_from(function: Callable[[bytes], object], *, formats: Sequence[AudioFormat] = ()) -> Player:
    """Return a player that plays by a plain function, one whole clip after another.

    The function takes a clip's audio and returns when its sound is over: an ``async def``, or a blocking one,
    which runs in a worker thread. It runs while somebody awaits `Playback.finished`, and is cancelled with
    whoever awaits that first. What it raises comes out there: a player that has failed is taken for dead.

    The next clip is taken only when the one before is over, so each start of the function is a gap, which
    the timeline shows as the player's. Positions go by the clock, from the call on, and may be 0.1 s off.
    `Player.clear` cancels an async function, which has a second to clean up. A blocking one cannot be
    stopped: its clip counts as cleared, but sounds to its end, and the next one waits for that.

    Args:
        function: Plays audio. What it returns is not looked at.
        formats: The formats it takes, the preferred one first; none for any.

    Raises:
        TypeError: *function* cannot be called, or *formats* are no formats.
    """
    _check_callable(function)
    check_kind("formats", formats, Sequence, "a sequence of AudioFormat")
    for audio_format in formats:
        check_kind("a format", audio_format, AudioFormat, "an AudioFormat")
    return _Player(function, tuple(formats))


def _check_callable(function: object) -> None:
    if not callable(function):
        raise TypeError(
            f"function must be callable, got {function!r:.200}; pass the function itself, not what it returns"
        )


def _is_async(function: Callable[..., object]) -> bool:
    """Return whether calling *function* does not block: what it does, it does when awaited or iterated."""
    return any(
        inspect.iscoroutinefunction(candidate) or inspect.isasyncgenfunction(candidate)
        # The second is for objects with an async __call__.
        for candidate in (function, getattr(function, "__call__", None))  # noqa: B004  # it is callable
    )


async def _called(function: Callable[[A], object], argument: A) -> object:
    """Return what *function* gives, awaited if need be."""
    try:
        if _is_async(function):
            result = function(argument)
        else:
            # In a tuple, for trio refuses what gives a coroutine to a thread.
            (result,) = await to_thread.run_sync(lambda: (function(argument),), abandon_on_cancel=True)
        return await result if inspect.isawaitable(result) else result
    except StopAsyncIteration as error:
        raise RuntimeError(
            f"{function!r} raised StopAsyncIteration, which would have ended the audio early"
        ) from error


@final
class _Voice:
    def __init__(self, function: Callable[[str], object], audio_format: AudioFormat) -> None:
        self._function: Callable[[str], object] = function
        self._format: AudioFormat = audio_format

    @property
    def format(self) -> AudioFormat:
        return self._format

    def synthesize(self, segment: Segment, /) -> AsyncIterator[AudioChunk]:
        return _Call(self._function, segment.text, self._format)


@final
class _Call:
    """The chunks of one segment, whatever kind of function makes them."""

    def __init__(self, function: Callable[[str], object], text: str, audio_format: AudioFormat) -> None:
        self._function: Callable[[str], object] = function
        self._text: str = text
        self._format: AudioFormat = audio_format
        self._whole: WholeSamples = WholeSamples(audio_format)
        self._is_begun: bool = False
        self._pieces: AsyncIterator[object] | None = None
        self._is_over: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AudioChunk:
        while not self._is_over:
            # Over unless it turns out otherwise: what was cancelled or has failed is not asked again.
            self._is_over = True
            if self._pieces is None:
                self._pieces = self._opened(await _called(self._function, self._text))
            try:
                piece = await anext(self._pieces)
            except StopAsyncIteration:
                self._whole(b"", is_last=True)
                break
            if not isinstance(piece, bytes):
                raise TypeError(f"the pieces of {self._function!r} must be bytes, got {piece!r:.200}")
            self._check_head(piece)
            self._is_over = False
            if data := self._whole(piece):
                return AudioChunk(data)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close what the function has returned, if it can be closed."""
        self._is_over = True
        close = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()

    def _check_head(self, piece: bytes) -> None:
        is_first, self._is_begun = not self._is_begun, True
        head = next((head for head in _FILE_HEADS if piece.startswith(head)), None)
        if is_first and head is not None and not self._format.is_container:
            raise AudioError(
                f"{self._function!r} must return {self._format.encoding} samples, as its format says, got a "
                f"file that begins with {head!r}; ask for audio without a header, or say that it is a file"
            )

    def _opened(self, result: object) -> AsyncIterator[object]:
        if isinstance(result, bytes):
            return _alone(result)
        if isinstance(result, AsyncIterable):
            return aiter(cast("AsyncIterable[object]", result))
        if isinstance(result, Iterable) and not isinstance(result, str | bytearray | memoryview):
            return _Pulled(iter(cast("Iterable[object]", result)))
        raise TypeError(f"{self._function!r} must return bytes or an iterator of bytes, got {result!r:.200}")


async def _alone(piece: bytes) -> AsyncIterator[object]:
    yield piece


@final
class _Pulled:
    """A blocking iterator, with each of its steps in a worker thread."""

    def __init__(self, steps: Iterator[object]) -> None:
        self._steps: Iterator[object] = steps
        # Held by the thread that is in the iterator.
        self._inside: threading.Lock = threading.Lock()
        self._is_closed: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        piece = await to_thread.run_sync(self._pull, abandon_on_cancel=True)
        if piece is _END:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        self._is_closed = True
        with anyio.move_on_after(_GRACE_S, shield=True):
            await to_thread.run_sync(self._close, abandon_on_cancel=True)

    def _pull(self) -> object:
        try:
            with self._inside:
                return _END if self._is_closed else next(self._steps, _END)
        finally:
            # It was closed while this thread was in it and nobody else could.
            if self._is_closed:
                self._close()

    def _close(self) -> None:
        close = getattr(self._steps, "close", None)
        if close is not None and self._inside.acquire(blocking=False):
            try:
                close()
            finally:
                self._inside.release()


@final
class _Player:
    def __init__(self, function: Callable[[bytes], object], formats: tuple[AudioFormat, ...]) -> None:
        self._function: Callable[[bytes], object] = function
        self._capabilities: PlayerCapabilities = PlayerCapabilities(
            formats=formats,
            streaming=False,
            queue_ahead=0,
            acknowledges="clock",
            position_error_s=_POSITION_ERROR_S,
            plays_in_call=True,
        )
        # Held while a blocking function plays, also by a thread that was left to run to its end.
        self._sounding: threading.Lock = threading.Lock()
        self._last: _Playback | None = None

    @property
    def capabilities(self) -> PlayerCapabilities:
        return self._capabilities

    async def play(self, clip: Clip, /) -> "_Playback":
        audio = await clip.collect()
        while self._last is not None and not self._last.is_over:
            await self._last.finished()
        self._last = _Playback(self._function, self._sounding, audio, clip.format)
        return self._last

    async def clear(self) -> None:
        if self._last is not None:
            self._last.clear()


@final
class _Playback:
    """One clip; it sounds while `finished` is awaited."""

    def __init__(
        self,
        function: Callable[[bytes], object],
        sounding: threading.Lock,
        audio: bytes,
        audio_format: AudioFormat,
    ) -> None:
        self._function: Callable[[bytes], object] = function
        self._sounding: threading.Lock = sounding
        self._audio: bytes = audio
        self._length_s: float = math.inf
        if not audio_format.is_container:
            whole_bytes = len(audio) - len(audio) % audio_format.step_bytes
            self._length_s = audio_format.duration_s(whole_bytes)
        self._started_s: float | None = None
        self._played_s: float | None = None
        self._stage: Stage[bytes, object] | None = None
        self._outcome: Literal["completed", "cleared"] | None = None
        self._error: Exception | None = None
        self._over: anyio.Event = anyio.Event()
        if not audio:
            self._end("completed")

    @property
    def is_over(self) -> bool:
        return self._outcome is not None

    async def started(self) -> float:
        """Return when the sound began, once it is over; until then, when the function was called, or now."""
        if self._started_s is None:
            if self.is_over:
                await anyio.sleep_forever()
            self._started_s = anyio.current_time()
        return self._started_s

    async def finished(self) -> PlaybackResult:
        if self._stage is None and not self.is_over:
            await self._sound()
        await self._over.wait()
        if self._error is not None:
            raise self._error
        assert self._outcome is not None  # noqa: S101  # it is over
        return PlaybackResult(self._outcome, self._played_s or 0.0)

    def position_s(self) -> float | None:
        if self._played_s is not None or self._started_s is None:
            return self._played_s
        return min(anyio.current_time() - self._started_s, self._length_s)

    def clear(self) -> None:
        if self.is_over:
            return
        # What is heard ends here, not when the function has cleaned up.
        self._played_s = self.position_s()
        if self._stage is None:
            self._end("cleared")
        else:
            self._stage.interrupt()

    async def _sound(self) -> None:
        self._stage = ordered_map(self._call, [self._audio], prefetch=1, grace_s=_GRACE_S)
        outcome: Literal["completed", "cleared"] = "cleared"
        try:
            async with self._stage as calls:
                self._started_s = anyio.current_time()
                async for _ in calls:
                    outcome = "completed"
                    # It has returned when the sound was over: now it is known when that began.
                    self._started_s = max(self._started_s, anyio.current_time() - self._length_s)
        except Exception as error:  # noqa: BLE001  # whatever it is, everybody who waits gets it
            self._error = error
        finally:
            self._end(outcome)

    async def _call(self, audio: bytes) -> None:
        await _called(self._function if _is_async(self._function) else self._call_alone, audio)

    def _call_alone(self, audio: bytes) -> object:
        with self._sounding:
            # It may have been cleared while the clip before sounded on.
            return None if self._played_s is not None else self._function(audio)

    def _end(self, outcome: Literal["completed", "cleared"]) -> None:
        if self._played_s is None:
            position_s = self.position_s() or 0.0
            is_heard = outcome == "completed" and math.isfinite(self._length_s)
            self._played_s = self._length_s if is_heard else position_s
        self._outcome = outcome
        self._over.set()
