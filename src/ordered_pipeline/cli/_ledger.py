"""What happened, sentence by sentence, and the report made of it.

Times in a report are seconds since reading began. A sentence is *spoken* as far as its words had sounded.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ordered_pipeline.cli._text import Delta
from ordered_pipeline.voice import AudioChunk, AudioFormat, Block, Segment, Word


@dataclass(frozen=True, slots=True)
class SegmentReport:
    """When what happened to a sentence; ``None`` where it did not come to that."""

    index: int
    text: str
    text_ready_s: float
    tts_asked_s: float | None
    first_chunk_s: float | None
    play_start_s: float | None
    play_end_s: float | None
    samples: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Silence because the audio of sentence *index* was not there yet."""

    start_s: float
    length_s: float
    index: int


@dataclass(frozen=True, slots=True)
class Report:
    """All that happened in one run.

    Attributes:
        segments: The sentences, in order.
        gaps: The gaps, in order.
        text_end_s: When the end of the text was read.
        spoken: The text that was heard.
        unspoken: The rest of what was read.
    """

    segments: tuple[SegmentReport, ...]
    gaps: tuple[Gap, ...]
    text_end_s: float | None
    spoken: str
    unspoken: str

    @property
    def first_audio_s(self) -> float | None:
        """When the first sample sounded."""
        return next((s.play_start_s for s in self.segments if s.play_start_s is not None), None)

    @property
    def end_s(self) -> float:
        """When the last sample sounded."""
        return max((s.play_end_s for s in self.segments if s.play_end_s is not None), default=0.0)

    @property
    def speech_s(self) -> float:
        """How long the sound was, without its gaps."""
        if self.first_audio_s is None:
            return 0.0
        return self.end_s - self.first_audio_s - sum(gap.length_s for gap in self.gaps)


@dataclass(slots=True)
class _Sentence:
    segment: Segment
    text_ready_s: float
    tts_asked_s: float | None = None
    first_chunk_s: float | None = None
    is_made: bool = False
    made: int = 0
    words: list[Word] = field(default_factory=list[Word])
    blocks: list[Block] = field(default_factory=list[Block])


class Ledger:
    """Takes down what happens, in the order in which it happens. All times are on the event loop's clock."""

    def __init__(self, audio_format: AudioFormat, now: float) -> None:
        """Begin at *now*."""
        self._format: AudioFormat = audio_format
        self._zero: float = now
        self._sentences: list[_Sentence] = []
        self._deltas: list[Delta] = []
        self._text_end_s: float | None = None
        self._started_s: float | None = None
        self._heard: int | None = None

    @property
    def deltas(self) -> tuple[Delta, ...]:
        """What was read, with its times in seconds since the beginning."""
        return tuple(self._deltas)

    @property
    def text_end_s(self) -> float:
        """When the end of the text was read, in seconds since the beginning; 0.0 before that."""
        return self._text_end_s or 0.0

    @property
    def count(self) -> int:
        """How many sentences there are so far."""
        return len(self._sentences)

    def read(self, delta: Delta) -> None:
        """Note that *delta* came."""
        self._deltas.append(Delta(delta.at_s - self._zero, delta.text))

    def read_all(self, now: float) -> None:
        """Note that the text has ended."""
        self._text_end_s = now - self._zero

    def found(self, text: str, at_s: float) -> Segment:
        """Note that a sentence is there, and return it with its number."""
        segment = Segment(len(self._sentences), text)
        self._sentences.append(_Sentence(segment, at_s - self._zero))
        return segment

    def asked(self, index: int, now: float) -> None:
        """Note that the voice was asked for a sentence."""
        self._sentences[index].tts_asked_s = now - self._zero

    def answered(self, index: int, chunk: AudioChunk, now: float) -> None:
        """Note that the voice gave a chunk."""
        sentence = self._sentences[index]
        if sentence.first_chunk_s is None:
            sentence.first_chunk_s = now - self._zero
        sentence.made += self._format.samples_per_channel(len(chunk.data))
        sentence.words += chunk.words

    def made(self, index: int) -> None:
        """Note that the voice gave all of a sentence."""
        self._sentences[index].is_made = True

    def wrote(self, index: int, block: Block) -> None:
        """Note that a chunk was given to the output."""
        self._sentences[index].blocks.append(block)

    def stopped(self, started_s: float | None, heard: int | None) -> None:
        """Note that the sound is over: when it began, and how many samples were heard if not all."""
        self._started_s = started_s
        self._heard = heard

    def report(self) -> Report:
        """Return what happened."""
        text = "".join(delta.text for delta in self._deltas)
        spoken = self._spoken()
        if not text[len(spoken) :].strip():
            spoken = text
        return Report(
            segments=tuple(map(self._segment_report, self._sentences)),
            gaps=tuple(self._gaps()),
            text_end_s=self._text_end_s,
            spoken=spoken,
            unspoken=text[len(spoken) :],
        )

    def _segment_report(self, sentence: _Sentence) -> SegmentReport:
        spans = list(self._spans(sentence))
        return SegmentReport(
            index=sentence.segment.index,
            text=sentence.segment.text,
            text_ready_s=sentence.text_ready_s,
            tts_asked_s=sentence.tts_asked_s,
            first_chunk_s=sentence.first_chunk_s,
            play_start_s=self._time(spans[0][0]) if spans else None,
            play_end_s=self._time(spans[-1][1]) if spans else None,
            samples=sum(end - start for start, end in spans),
        )

    def _spans(self, sentence: _Sentence) -> Iterator[tuple[int, int]]:
        """Give from where to where, in samples, each block of *sentence* was heard."""
        for block in sentence.blocks:
            start = block.first_sample
            if start is None or (self._heard is not None and start >= self._heard):
                return
            end = start + block.samples
            yield start, end if self._heard is None else min(end, self._heard)

    def _gaps(self) -> Iterator[Gap]:
        last_end = None
        for sentence in self._sentences:
            for start, end in self._spans(sentence):
                if last_end is not None and start > last_end:
                    length_s = (start - last_end) / self._format.sample_rate_hz
                    yield Gap(self._time(last_end), length_s, sentence.segment.index)
                last_end = end

    def _spoken(self) -> str:
        spoken = ""
        for sentence in self._sentences:
            heard = sum(end - start for start, end in self._spans(sentence))
            text = sentence.segment.text
            if not sentence.is_made or heard < sentence.made:
                return (
                    spoken + text[: _end_of_words(text, sentence.words, heard / self._format.sample_rate_hz)]
                )
            spoken += text
        return spoken

    def _time(self, sample: int) -> float:
        assert self._started_s is not None  # noqa: S101  # a sample that sounded has a beginning
        return self._started_s - self._zero + sample / self._format.sample_rate_hz


def _end_of_words(text: str, words: list[Word], heard_s: float) -> int:
    """Return where in *text* the last word ends that was over after *heard_s* seconds of it."""
    end = 0
    for word in words:
        if word.end_s > heard_s:
            break
        place = text.find(word.text, end)
        if place >= 0:
            end = place + len(word.text)
    return end
