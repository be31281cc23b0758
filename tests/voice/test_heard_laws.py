"""What is told as heard is held against what really sounded, for voices whose every word has a known time."""

import math
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio
from hypothesis import event, given, settings
from hypothesis import strategies as st

from ordered_pipeline.testing import RecordingPlayer
from ordered_pipeline.voice import (
    AudioChunk,
    AudioFormat,
    HeardText,
    PlayerCapabilities,
    Prefetch,
    Segment,
    Timeline,
    Word,
    speak,
)
from tests.conftest import Run
from tests.voice.turns import FORMAT, SENTENCES, laws, turns_on

RATE_HZ = FORMAT.sample_rate_hz
# The slowest character lasts for twice as long as the fastest: between 47 and 94 ms.
QUICKEST_SAMPLES, SLOWEST_SAMPLES = 48, 96


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """A voice that speaks each word at a speed of its own.

    Attributes:
        speeds: Samples a character, for one word after another, over and over.
        lead_samples: Silence before a segment's first word.
        tail_samples: Silence behind its last.
        tells_words: Whether it gives word times.
        pace: Seconds it takes for a second of audio.
        chunk_samples: What it gives at once.
    """

    speeds: tuple[int, ...]
    lead_samples: int = 0
    tail_samples: int = 0
    tells_words: bool = False
    pace: float = 0.0
    chunk_samples: int = 256

    @property
    def format(self) -> AudioFormat:
        return FORMAT

    def words(self, text: str) -> list[tuple[int, int, int]]:
        """Return of each word where it ends in *text*, and the samples when it begins and ends."""
        words: list[tuple[int, int, int]] = []
        now = self.lead_samples
        for place, word in enumerate(re.finditer(r"\s*\S+", text)):
            begin = now
            now += len(word.group()) * self.speeds[place % len(self.speeds)]
            words.append((word.end(), begin, now))
        return words

    def characters(self, text: str) -> list[tuple[int, int]]:
        """Return when each character sounds; those of a word and the space before it last equally long."""
        spans: list[tuple[int, int]] = []
        for place, word in enumerate(re.finditer(r"\s*\S+|\s+\Z", text)):
            speed = self.speeds[place % len(self.speeds)]
            begin = spans[-1][1] if spans else self.lead_samples
            spans += [(begin + speed * at, begin + speed * (at + 1)) for at in range(len(word.group()))]
        return spans

    def samples(self, text: str) -> int:
        """Return how long a segment lasts."""
        return self.words(text)[-1][2] + self.tail_samples

    async def synthesize(self, segment: Segment, /) -> AsyncIterator[AudioChunk]:
        words = [
            Word(segment.text[:end].split()[-1], begin / RATE_HZ, last / RATE_HZ)
            for end, begin, last in self.words(segment.text)
        ]
        spoken = self.samples(segment.text) - self.lead_samples - self.tail_samples
        data = bytes(2 * self.lead_samples) + b"\x10\x40" * spoken + bytes(2 * self.tail_samples)
        begun_s = anyio.current_time()
        for begin in range(0, len(data), 2 * self.chunk_samples):
            chunk = data[begin : begin + 2 * self.chunk_samples]
            await anyio.sleep_until(begun_s + self.pace * FORMAT.duration_s(begin))
            end_s = FORMAT.duration_s(begin + len(chunk))
            told = tuple(word for word in words if FORMAT.duration_s(begin) < word.end_s <= end_s)
            yield AudioChunk(chunk, told if self.tells_words else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A turn, and when it is interrupted."""

    sentences: tuple[str, ...]
    speaker: Speaker
    off_s: float
    error_s: float
    interrupt_s: float
    prefetch: int = 2


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a case. Words come within a factor of two, positions are off by no more than the player says."""
    speeds = st.integers(QUICKEST_SAMPLES, SLOWEST_SAMPLES)
    error_s = draw(st.sampled_from((0.0, 0.0, 0.125, 0.5)))
    return Case(
        sentences=tuple(draw(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4))),
        speaker=Speaker(
            speeds=tuple(draw(st.lists(speeds, min_size=1, max_size=6))),
            lead_samples=draw(st.sampled_from((0, 0, 256))),
            tail_samples=draw(st.sampled_from((0, 0, 512))),
            tells_words=draw(st.booleans()),
            pace=draw(st.sampled_from((0.0, 0.5, 0.9375))),
        ),
        off_s=draw(st.sampled_from((-1, 0, 1))) * error_s,
        error_s=error_s,
        interrupt_s=draw(st.integers(1, 8 * 64)) / 64,
    )


async def interrupt(case: Case) -> tuple[HeardText, Timeline, RecordingPlayer]:
    player = RecordingPlayer(PlayerCapabilities(position_error_s=case.error_s), position_off_s=case.off_s)
    async with speak(
        "".join(case.sentences), tts=case.speaker, player=player, prefetch=Prefetch(case.prefetch)
    ) as reply:
        with anyio.move_on_after(case.interrupt_s):
            await reply.finished()
        heard = await reply.interrupt()
    return heard, reply.timeline, player


def distance_s(case: Case, heard: HeardText, timeline: Timeline, player: RecordingPlayer) -> float:
    """Return how far from what really sounded the border is, in seconds of audio.

    It lies between two characters that are no white space: any instant between them is right.
    """
    played = len(player.heard_bytes()) // 2
    earliest, latest = 0, math.inf
    place = now = 0
    for segment in timeline.segments:
        for character, (begin, end) in zip(segment.text, case.speaker.characters(segment.text), strict=True):
            if place < len(heard.text) and not character.isspace():
                earliest = now + end
            elif not character.isspace():
                latest = min(latest, now + begin)
            place += 1
        now += case.speaker.samples(segment.text)
    return max(0.0, earliest - played, played - latest) / RATE_HZ


def test_what_was_heard_is_told_within_its_error_and_in_whole_words(run: Run) -> None:
    drawn = 0

    @settings(laws, max_examples=turns_on(run))
    @given(case=cases())
    def check(case: Case) -> None:
        nonlocal drawn
        drawn += 1
        heard, timeline, player = run(interrupt, case)

        event(heard.method)
        assert distance_s(case, heard, timeline, player) <= heard.error_s
        assert not (heard.text[-1:].isalnum() and heard.unheard[:1].isalnum())
        if case.speaker.tells_words and not case.error_s:
            assert heard.error_s <= longest_cut_s(case)

    check()
    assert drawn >= turns_on(run)


def longest_cut_s(case: Case) -> float:
    """Return how long a word and the silence beside it may last, for no more is in doubt with word times."""
    longest = max(len(word) for sentence in case.sentences for word in sentence.split()) + 1
    return (longest * SLOWEST_SAMPLES + case.speaker.lead_samples + case.speaker.tail_samples) / RATE_HZ
