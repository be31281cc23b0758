"""The caller's audio cut into utterances: what to tell, and which audio to transcribe for it.

Rules kept here:

1. Nobody is asked what silence says: Moonshine's model hears "You" in it.
2. A short pause is very likely the end of the turn, a longer one surely. The words were the same at both, so
   they are transcribed once.
3. What was said before a pause is settled: over a pause, the model drops words. So is a long part of speech
   without pauses: the model's time grows faster than the length of the audio.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, final

from ordered_pipeline.voice._activity import SpeechGate, SpeechRules

# The thresholds of the detector's makers. A click is shorter than the least speech, a word longer.
_THRESHOLD: Final = 0.5
_RELEASE_THRESHOLD: Final = 0.35
_MIN_SPEECH_S: Final = 0.1
# The detector is sure of a word some time after its first, soft sound.
_BEFORE_SPEECH_S: Final = 0.3
# The model takes 0.8 s of two processors' time for 15 s of audio, and 2 s for 30 s.
_MOST_AUDIO_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Step:
    """What the next frame has brought; times are in seconds from the start of the audio.

    Attributes:
        kind: As of a `~ordered_pipeline.voice.Transcript`; or ``"settled"``: nothing to tell. With that and
            with ``"resumed"``, the words so far are the beginning of all that follow in the utterance.
        start_s: When the utterance began.
        end_s: Up to when *audio* goes, or when the utterance ended.
        audio: What is to be transcribed; None if there is nothing, or if the words are those of the last step
            that had any.
    """

    kind: Literal["speech_started", "partial", "eager_final", "resumed", "final", "settled"]
    start_s: float
    end_s: float
    audio: bytes | None = None


@final
class Utterances:
    """Takes frames of audio, with how likely each is speech, and gives steps."""

    def __init__(
        self, *, frame_s: float, eager_after_s: float, final_after_s: float, partial_every_s: float
    ) -> None:
        """Begin in silence.

        Args:
            frame_s: How long each frame lasts.
            eager_after_s: After how much silence the end of the turn is likely.
            final_after_s: After how much it is sure.
            partial_every_s: How much speech there is from one partial to the next.

        Raises:
            ValueError: A time is out of its range.
        """
        self._frame_s: float = frame_s
        self._likely: SpeechGate = SpeechGate(_rules(eager_after_s), frame_s=frame_s)
        self._sure: SpeechGate = SpeechGate(_rules(final_after_s), frame_s=frame_s)
        self._partial_every_s: float = partial_every_s
        # The newest frames, of before speech was noticed.
        self._before: deque[bytes] = deque(maxlen=round((_BEFORE_SPEECH_S + _MIN_SPEECH_S) / frame_s) + 1)
        # Of the utterance under way, without what is settled.
        self._audio: list[bytes] = []
        self._is_speech: bool = False
        self._start_s: float = 0.0
        self._partial_s: float = 0.0
        self._is_paused: bool = False

    def push(self, frame: bytes, probability: float) -> Step | None:
        """Take the next frame; return what it has brought, if anything."""
        likely, sure = self._likely.push(probability), self._sure.push(probability)
        now_s = self._sure.now_s
        self._before.append(frame)
        if self._is_speech:
            self._audio.append(frame)
        if sure is not None and sure.kind == "started":
            self._is_speech, self._start_s = True, sure.at_s
            self._begin_piece(now_s)
            return Step("speech_started", sure.at_s, now_s)
        if sure is not None:
            return self._end(sure.at_s)
        if not self._is_speech:
            return None
        if likely is not None and likely.kind == "stopped":
            self._is_paused = True
            return Step("eager_final", self._start_s, likely.at_s, b"".join(self._audio))
        if likely is not None:
            self._begin_piece(now_s)
            return Step("resumed", self._start_s, now_s)
        return None if self._is_paused else self._tell_so_far(now_s)

    def finish(self) -> Step | None:
        """Return the end of the utterance that the end of the audio cuts off, if there is one."""
        sure = self._sure.finish()
        return None if sure is None else self._end(sure.at_s)

    def _begin_piece(self, now_s: float) -> None:
        self._is_paused = False
        self._audio, self._partial_s = [*self._before], now_s

    def _tell_so_far(self, now_s: float) -> Step | None:
        if len(self._audio) * self._frame_s >= _MOST_AUDIO_S:
            settled = b"".join(self._audio)
            self._audio.clear()
            return Step("settled", self._start_s, now_s, settled)
        if now_s - self._partial_s >= self._partial_every_s:
            self._partial_s = now_s
            return Step("partial", self._start_s, now_s, b"".join(self._audio))
        return None

    def _end(self, end_s: float) -> Step:
        audio = None if self._is_paused else b"".join(self._audio)
        self._is_speech = False
        self._audio.clear()
        return Step("final", self._start_s, end_s, audio)


def _rules(min_silence_s: float) -> SpeechRules:
    return SpeechRules(
        threshold=_THRESHOLD,
        release_threshold=_RELEASE_THRESHOLD,
        min_speech_s=_MIN_SPEECH_S,
        min_silence_s=min_silence_s,
    )
