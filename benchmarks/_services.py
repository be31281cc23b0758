"""A call's services, scripted: the same for every contender, in real time as well as in virtual time.

1. The language model writes words, a stated time apart; the caller's turn has ended when it is asked, and
   speech-to-text comes first.
2. The voice answers a request after a stated time, with a stated length of audio for each sentence in it.
   It tells how many requests it had at a time.
3. The line is what the caller hears: a sample sounds when those before it are over, or when it comes, if that
   is later. Each sample tells which sentence it is from, and zero is silence, whoever sent it.

Nothing but the standard library is needed: each contender may run in an environment of its own.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from typing import Final

SAMPLE_RATE_HZ: Final = 24_000
_SAMPLE_BYTES: Final = 2
# A sample of the first sentence; one of the second is twice that. Loud enough not to pass for a pause.
_LOUDNESS: Final = 1000
# Less than this is no time at all.
_NOTHING_S: Final = 1e-6

_NUMBERS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class Script:
    """What the services of a call do, and when.

    Attributes:
        sentences: How many sentences the reply has, at most ten; each has eight words.
        stt_s: From the end of the caller's turn until the language model is asked.
        word_s: From one word to the next, and to the first.
        tts_s: From a request to the voice to its first audio.
        audio_s: How long a sentence sounds.
        chunk_s: How much audio comes at a time; no more than a sentence.
        chunk_every_s: From one chunk to the next; 0 if all come at once.
    """

    sentences: int = 3
    stt_s: float = 0.007
    word_s: float = 0.1
    tts_s: float = 0.4
    audio_s: float = 1.5
    chunk_s: float = math.inf
    chunk_every_s: float = 0.0

    def deltas(self) -> Iterator[str]:
        """Yield the reply, word by word, the space before the word as language models have it."""
        for number in _NUMBERS[: self.sentences]:
            for word in f"Now comes sentence number {number} of this reply.".split():
                yield f" {word}"


@cache
def audio_of(script: Script, sentence: int) -> list[bytes]:
    """Return the audio of a sentence, counted from 0, in the pieces in which it comes."""
    sample = ((sentence + 1) * _LOUDNESS).to_bytes(_SAMPLE_BYTES, "little")
    audio = sample * round(script.audio_s * SAMPLE_RATE_HZ)
    step = _SAMPLE_BYTES * round(min(script.chunk_s, script.audio_s) * SAMPLE_RATE_HZ)
    return [audio[start : start + step] for start in range(0, len(audio), step)]


def sentences_in(text: str) -> list[int]:
    """Return which sentences of a reply *text* has, counted from 0."""
    words = text.split()
    return [index for index, number in enumerate(_NUMBERS) if number in words]


class Voice:
    """Text-to-speech by script."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests = 0
        self.most_requests = 0

    async def synthesize(self, text: str) -> AsyncIterator[bytes]:
        """Yield the audio of all sentences in *text*."""
        loop = asyncio.get_running_loop()
        self.requests += 1
        self.most_requests = max(self.most_requests, self.requests)
        try:
            due_s = loop.time() + self.script.tts_s
            for sentence in sentences_in(text):
                for chunk in audio_of(self.script, sentence):
                    if due_s > loop.time():
                        await asyncio.sleep(due_s - loop.time())
                    # A copy: whoever keeps audio pays for it.
                    yield bytes(memoryview(chunk))
                    due_s += self.script.chunk_every_s
        finally:
            self.requests -= 1


@dataclass(frozen=True, slots=True)
class Sound:
    """An unbroken stretch of sound of one sentence, and when it sounds."""

    sentence: int
    start_s: float
    end_s: float


class Line:
    """What the caller hears. It keeps no audio.

    Attributes:
        heard: Stretch by stretch, on the loop's clock.
        free_s: When all that was put on it has sounded.
    """

    def __init__(self) -> None:
        self.heard: list[Sound] = []
        self.free_s = 0.0

    def put(self, audio: bytes) -> float:
        """Let *audio* sound after all that is there; return when it begins to."""
        starts_s = start_s = max(asyncio.get_running_loop().time(), self.free_s)
        for sentence, samples in _runs(audio):
            end_s = start_s + samples / SAMPLE_RATE_HZ
            last = self.heard[-1] if self.heard else None
            # Times are sums of floats, a sample lasts 42 µs.
            if last is not None and last.sentence == sentence and start_s - last.end_s < _NOTHING_S:
                self.heard[-1] = Sound(sentence, last.start_s, end_s)
            elif sentence is not None:
                self.heard.append(Sound(sentence, start_s, end_s))
            start_s = end_s
        self.free_s = start_s
        return starts_s

    async def silent(self) -> None:
        """Wait until all has sounded."""
        await asyncio.sleep(self.free_s - asyncio.get_running_loop().time())


def silences_s(heard: Sequence[Sound]) -> list[float]:
    """Return how long it was silent between stretches of sound."""
    gaps = (after.start_s - before.end_s for before, after in pairwise(heard))
    return [gap for gap in gaps if gap > _NOTHING_S]


def _runs(audio: bytes) -> list[tuple[int | None, int]]:
    """Return the runs of equal samples: which sentence they are from, None for silence, and how many."""
    samples = memoryview(audio).cast("h")
    if samples[0] == samples[-1]:  # sentences come in order: nothing else is in between
        return [(_sentence_of(samples[0]), len(samples))]
    return [(_sentence_of(sample), len(list(run))) for sample, run in groupby(samples)]


def _sentence_of(sample: int) -> int | None:
    return sample // _LOUDNESS - 1 if sample else None


class Call:
    """One turn of a call: its services, and when the caller's turn ended."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.voice = Voice(script)
        self.line = Line()
        self.origin_s = 0.0

    async def deltas(self) -> AsyncIterator[str]:
        """End the caller's turn, and yield the reply as it is written."""
        loop = asyncio.get_running_loop()
        self.origin_s = loop.time()
        due_s = self.origin_s + self.script.stt_s
        for delta in self.script.deltas():
            due_s += self.script.word_s
            await asyncio.sleep(due_s - loop.time())
            yield delta

    def heard(self) -> list[Sound]:
        """Return what was heard, stretch by stretch, in seconds from the end of the caller's turn."""
        origin_s = self.origin_s
        return [Sound(s.sentence, s.start_s - origin_s, s.end_s - origin_s) for s in self.line.heard]
