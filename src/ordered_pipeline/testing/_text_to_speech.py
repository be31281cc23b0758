"""A voice that speaks at the instants its script says, in samples that tell where they come from."""

import math
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from ordered_pipeline.testing._stream import Plan, RequestLog, ScriptedStream, ServiceRequest
from ordered_pipeline.voice import AudioChunk, AudioFormat, Segment, Word

# What telephony speaks, without its coding.
DEFAULT_FORMAT: Final = AudioFormat("s16le", 8000)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechScript:
    """How a scripted voice answers one request.

    Attributes:
        first_audio_s: Seconds from the first ``__anext__`` to the first chunk.
        audio_s: How much audio it makes, in seconds; 0 for none at all, None to reckon it from the text.
        seconds_per_character: Seconds of audio a character of the text, where *audio_s* is None.
        chunk_s: How much audio a chunk holds, in seconds; `math.inf` for all in one.
        pace: Seconds that each further chunk takes, for a second of its audio: 0 if all are there with the
            first, above 1 if the voice is slower than real time.
        breaks_after_s: After how much audio it breaks off, in seconds; 0 for before any, None if it does not.
        error: What it raises then, when the next chunk would be due; None if it hangs.
        word_times: Whether the chunks tell when each word sounds.
        cleanup_s: How long it takes to be cancelled or closed.
    """

    first_audio_s: float = 0.0
    audio_s: float | None = None
    seconds_per_character: float = 0.0625
    chunk_s: float = math.inf
    pace: float = 0.0
    breaks_after_s: float | None = None
    error: Exception | None = None
    word_times: bool = False
    cleanup_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.chunk_s > 0:
            raise ValueError(f"chunk_s must be above 0, got {self.chunk_s!r}")
        if self.error is not None and self.breaks_after_s is None:
            raise ValueError(
                "error must come with breaks_after_s; use breaks_after_s=0.0 for no audio at all"
            )

    def length_s(self, text: str) -> float:
        """Return how much audio *text* becomes, in seconds, if nothing breaks."""
        return self.seconds_per_character * len(text) if self.audio_s is None else self.audio_s


ChooseScript: TypeAlias = Callable[[Segment, int], SpeechScript]


def scripted_audio(segment: Segment, audio_format: AudioFormat, audio_s: float) -> bytes:
    """Return the audio that a `ScriptedTextToSpeech` makes of *segment*.

    It is noise that depends on the segment's turn, index and text: equal bytes were made of equal segments,
    and a piece is found in one place only. It is never silent.

    Args:
        segment: What is spoken.
        audio_format: How; no container.
        audio_s: How much of it, in seconds.

    Raises:
        ValueError: The format is a container.
    """
    source = random.Random(f"{segment.turn} {segment.index} {segment.text}")  # noqa: S311  # noise, no secret
    length = round(audio_s * audio_format.sample_rate_hz) * audio_format.step_bytes
    # In whole words of the generator: the beginning of a longer noise is then the same as a shorter one.
    return source.randbytes((length + 3) // 4 * 4)[:length]


def word_times(text: str, audio_s: float) -> tuple[Word, ...]:
    """Return when each word of *text* sounds in audio of *audio_s* seconds, all characters equally long."""
    per_character_s = audio_s / max(len(text), 1)
    return tuple(
        Word(word.group(), word.start() * per_character_s, word.end() * per_character_s)
        for word in re.finditer(r"\S+", text)
    )


@dataclass(slots=True, kw_only=True)
class SpeechRequest(ServiceRequest):
    """One request to a `ScriptedTextToSpeech`.

    Attributes:
        segment: What it was asked to speak.
        attempt: How often the same segment had been asked for before.
    """

    segment: Segment
    attempt: int


@final
class ScriptedTextToSpeech:
    """A voice for tests.

    Attributes:
        requests: What was asked and what became of it, oldest first. A request that was never iterated is not
            among them.
    """

    def __init__(
        self,
        script: SpeechScript | ChooseScript = SpeechScript(),
        *,
        audio_format: AudioFormat = DEFAULT_FORMAT,
    ) -> None:
        """Make a voice from its *script*.

        Args:
            script: How every request goes, or a function that tells it from the segment and from how often
                that segment was asked for before, as the request begins.
            audio_format: The format of its chunks; no container.

        Raises:
            ValueError: The format is a container.
        """
        if audio_format.is_container:
            raise ValueError(f"audio_format must be no container, got {audio_format.encoding!r}")
        self._script: SpeechScript | ChooseScript = script
        self._format: AudioFormat = audio_format
        self._attempts: Counter[Segment] = Counter()
        self._log: RequestLog[SpeechRequest] = RequestLog()
        self.requests: list[SpeechRequest] = self._log.requests

    @property
    def format(self) -> AudioFormat:
        """The format of all chunks."""
        return self._format

    @property
    def running(self) -> int:
        """How many requests run now."""
        return self._log.running

    @property
    def most_running(self) -> int:
        """The most requests that ran at once."""
        return self._log.most_running

    @property
    def characters(self) -> int:
        """How many characters it was asked to speak, in all requests."""
        return sum(len(request.segment.text) for request in self.requests)

    def synthesize(self, segment: Segment, /) -> ScriptedStream[AudioChunk, SpeechRequest]:
        """Return the audio of *segment*: an async iterator of chunks, with ``aclose``."""

        def begin() -> tuple[Plan[AudioChunk], SpeechRequest]:
            attempt = self._attempts[segment]
            self._attempts[segment] += 1
            script = (
                self._script if isinstance(self._script, SpeechScript) else self._script(segment, attempt)
            )
            return _plan(script, segment, self._format), SpeechRequest(segment=segment, attempt=attempt)

        return ScriptedStream(begin, self._log)


def _plan(script: SpeechScript, segment: Segment, audio_format: AudioFormat) -> Plan[AudioChunk]:
    rate, step = audio_format.sample_rate_hz, audio_format.step_bytes
    length_s = script.length_s(segment.text)
    data = scripted_audio(segment, audio_format, length_s)
    words = word_times(segment.text, length_s) if script.word_times else ()
    if script.breaks_after_s is not None:
        data = data[: round(script.breaks_after_s * rate) * step]
    chunk = len(data) if script.chunk_s == math.inf else max(1, round(script.chunk_s * rate)) * step
    items: list[tuple[float, AudioChunk]] = []
    told_s, due_s = 0.0, script.first_audio_s
    first_end = min(chunk, len(data))
    for start in range(0, len(data), max(chunk, 1)):
        end = min(start + chunk, len(data))
        # From the first chunk, not from the one before: sums of many small steps drift.
        due_s = script.first_audio_s + script.pace * audio_format.duration_s(end - first_end)
        # The last word ends with the audio, whatever the rounding to samples made of either.
        is_end = end == len(data) and script.breaks_after_s is None
        end_s = math.inf if is_end else audio_format.duration_s(end)
        told = tuple(word for word in words if told_s < word.end_s <= end_s)
        items.append((due_s, AudioChunk(data[start:end], told)))
        told_s = end_s
    if script.breaks_after_s is not None:
        next_s = script.pace * audio_format.duration_s(first_end) if items else 0.0
        due_s = math.inf if script.error is None else due_s + next_s
    return Plan(items=items, end_s=due_s, error=script.error, cleanup_s=script.cleanup_s)
