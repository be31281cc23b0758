"""When somebody speaks, decided from how likely a model finds it in each frame."""

from dataclasses import dataclass
from typing import final

from ordered_pipeline.voice._talk import VoiceActivity


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRules:
    """How probabilities become decisions.

    Attributes:
        threshold: From this probability on a frame speaks for speech; at most 1.
        release_threshold: Below this one it speaks for silence; above 0, at most *threshold*. What lies
            between the two changes nothing, so that a voice near one of them does not flutter.
        min_speech_s: How long there must be speech before anybody is told, in seconds.
        min_silence_s: How long there must be silence.

    Raises:
        ValueError: A value is out of its range.
    """

    threshold: float
    release_threshold: float
    min_speech_s: float
    min_silence_s: float

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            raise ValueError(f"threshold must be above 0 and at most 1, got {self.threshold!r}")
        if not 0 < self.release_threshold <= self.threshold:
            raise ValueError(
                f"release_threshold must be above 0 and at most threshold ({self.threshold!r}), "
                f"got {self.release_threshold!r}"
            )
        for name, value in (("min_speech_s", self.min_speech_s), ("min_silence_s", self.min_silence_s)):
            if not value >= 0:
                raise ValueError(f"{name} must be at least 0, got {value!r}")


@final
class SpeechGate:
    """Makes the probabilities of frames, one after another, into `VoiceActivity`."""

    def __init__(self, rules: SpeechRules, *, frame_s: float) -> None:
        """Begin in silence. All frames last *frame_s* seconds."""
        self._rules: SpeechRules = rules
        self._frame_s: float = frame_s
        self._frames: int = 0
        self._is_speech: bool = False
        # The first frame of what may turn out to be a change.
        self._since: int | None = None

    @property
    def now_s(self) -> float:
        """How much audio the frames were so far, in seconds."""
        return self._frames * self._frame_s

    def push(self, probability: float) -> VoiceActivity | None:
        """Take the next frame; return what has changed, if it is certain now, and when that was."""
        is_speech = probability >= self._rules.threshold
        is_silence = probability < self._rules.release_threshold
        if is_speech if self._is_speech else is_silence:
            self._since = None
        elif (is_silence if self._is_speech else is_speech) and self._since is None:
            self._since = self._frames
        self._frames += 1
        if self._since is None:
            return None
        enough_s = self._rules.min_silence_s if self._is_speech else self._rules.min_speech_s
        if (self._frames - self._since) * self._frame_s < enough_s:
            return None
        return self._change(self._since)

    def finish(self) -> VoiceActivity | None:
        """Return that nobody speaks any more, if somebody did when the audio ended."""
        if not self._is_speech:
            return None
        return self._change(self._frames if self._since is None else self._since)

    def _change(self, frame: int) -> VoiceActivity:
        self._is_speech = not self._is_speech
        self._since = None
        return VoiceActivity("started" if self._is_speech else "stopped", frame * self._frame_s)
