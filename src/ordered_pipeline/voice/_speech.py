"""The speech of one segment: which voice is asked, how often, and what is kept of what it gives."""

import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, final

from ordered_pipeline._parking import Stint, now, stint
from ordered_pipeline.voice._audio import AudioChunk, AudioFormat
from ordered_pipeline.voice._clip import Clip
from ordered_pipeline.voice._heard import end_of_words, whole_words
from ordered_pipeline.voice._measures import VoiceMeasures, measures_of
from ordered_pipeline.voice._policy import SpeechPolicy
from ordered_pipeline.voice._recording import Recording
from ordered_pipeline.voice._requests import HedgedRequest, request
from ordered_pipeline.voice._roles import TextToSpeech
from ordered_pipeline.voice._take import Take
from ordered_pipeline.voice._talk import Segment

# A rest that is shorter is not spoken: most likely it is a stop and a quote.
_LEAST_REST_CHARACTERS: Final = 3


class NoAudioError(Exception):
    """A voice gave no audio for a segment."""


@dataclass(frozen=True, slots=True)
class Studio:
    """What the speeches of one reply share.

    Attributes:
        voices: The reply's voice, then the fallbacks.
        policy: When to ask again, and whom.
        format: What the player is to get.
        is_streaming: Whether it may have a clip before all of it is there.
        over: Told of each take of which nothing more is to come.
        grace_s: Clean-up time of a cancelled request.
    """

    voices: Sequence[TextToSpeech]
    policy: SpeechPolicy
    format: AudioFormat
    is_streaming: bool
    over: Callable[[Take], None]
    grace_s: float

    def speak(self, take: Take) -> AsyncIterator["Offer"]:
        """Return the `Speech.offers` of *take*."""
        return Speech(self, take).offers()


@dataclass(frozen=True, slots=True)
class Offer:
    """A clip to hand over, unless its take has another one by then."""

    take: Take
    clip: Clip


@dataclass(frozen=True, slots=True)
class _Asking:
    """Which voice is asked, by its place, and for what."""

    voice: int
    text: str
    is_filler: bool = False


@final
class Speech:
    """How one take comes to be spoken."""

    def __init__(self, studio: Studio, take: Take) -> None:
        self._studio: Studio = studio
        self._take: Take = take

    async def offers(self) -> AsyncIterator[Offer]:
        """Yield the take's clip as soon as the player may have it; another one, if that comes to nothing.

        One task iterates and closes this. It fails only where the policy says stop. What the voices failed
        with at last is left in the take.
        """
        take = self._take
        for asking in self._askings():
            try:
                with self._begun(asking):
                    chunks = self._request(asking)
                    try:
                        async for chunk in chunks:
                            await self._record(chunk)
                            if (offer := self._offer()) is not None:
                                yield offer  # noqa: ASYNC119  # who iterates this closes it, in the same task
                    finally:
                        if (close := getattr(chunks, "aclose", None)) is not None:
                            await close()
                await self._finish()
            except Exception as error:  # noqa: BLE001  # whatever a voice fails with, the policy answers
                take.error = error
            else:
                take.is_made = True
                take.error = take.error if asking.is_filler else None
                if (offer := self._offer()) is not None:
                    yield offer
                break
        self._end()

    def _askings(self) -> Iterator[_Asking]:
        """Give whom to ask, and for what, one after another."""
        take, studio, policy = self._take, self._studio, self._studio.policy
        voices = range(len(studio.voices))
        for voice in voices:
            for _ in range(policy.tries):
                if not take.is_handed_over:
                    yield _Asking(voice, take.segment.text)
        if not take.is_handed_over and policy.on_failure == "filler":
            for voice in voices:
                yield _Asking(voice, policy.filler, is_filler=True)
        if take.is_handed_over and policy.speaks_rest:
            for voice in voices:
                rest = take.segment.text[self._spoken() :]
                if len(rest.strip()) >= _LEAST_REST_CHARACTERS:
                    yield _Asking(voice, rest)

    def _spoken(self) -> int:
        """Return how much of the text the audio so far has spoken."""
        take = self._take
        audio_s = take.audio_s or 0.0
        if take.words:
            return end_of_words(take.segment.text, take.words, audio_s)[0]
        return whole_words(take.segment.text, int(audio_s / self._measures.s_a_character))

    def _begun(self, asking: _Asking) -> Stint:
        """Return the stint of a request that is about to be made."""
        take, studio = self._take, self._studio
        voice = studio.voices[asking.voice]
        if not take.is_handed_over:
            # What an earlier request gave is dropped.
            take.words = ()
            take.first_audio_s = take.audio_s = take.clip = None
            take.silences = ()
            self._recording: Recording = Recording(take, studio.format, is_streaming=studio.is_streaming)
        self._recording.begin(voice.format)
        take.voice = asking.voice
        take.is_filler = asking.is_filler
        # Of the request under way.
        self._measures: VoiceMeasures = measures_of(voice)
        self._text: str = asking.text
        self._has_answered: bool = False
        self._asked_s: float = now()
        self._segment_due_s: float = self._asked_s + studio.policy.segment_s
        if take.tts_asked_s is None:
            take.tts_asked_s = self._asked_s
        self._stint: Stint = stint("the voice", studio.grace_s)
        return self._stint

    def _request(self, asking: _Asking) -> AsyncIterator[AudioChunk]:
        segment, studio = self._take.segment, self._studio
        if asking.text != segment.text:
            segment = replace(segment, text=asking.text)
        ask = partial(self._ask, studio.voices[asking.voice], segment)
        after_s = studio.policy.hedge_after_s
        return ask() if after_s is None else HedgedRequest(ask, after_s=after_s, grace_s=studio.grace_s)

    def _ask(self, voice: TextToSpeech, segment: Segment) -> AsyncIterator[AudioChunk]:
        self._take.requests += 1
        # Asked a second time, a voice has its time for the first audio anew.
        first_audio_due_s = now() + self._studio.policy.first_audio_s
        self._stint.end_at(min(first_audio_due_s, self._segment_due_s))
        return request(voice, segment)

    async def _record(self, chunk: object) -> None:
        """Keep what the voice has given."""
        if not isinstance(chunk, AudioChunk):
            raise TypeError(
                f"what a voice gives must be an AudioChunk, got {chunk!r:.200}; wrap bytes in AudioChunk"
            )
        if not self._has_answered:
            self._has_answered = True
            self._stint.end_at(self._segment_due_s)
        if self._recording.is_full:
            # It is not the voice that is slow, but the player: the voice's time begins anew.
            self._stint.end_at(math.inf)
            await self._recording.add(chunk)
            self._stint.end_at(now() + self._studio.policy.segment_s)
        else:
            await self._recording.add(chunk)
        if self._take.first_audio_s is None:
            self._note_first_audio()

    def _lateness(self) -> TimeoutError:
        policy = self._studio.policy
        if self._has_answered or policy.segment_s < policy.first_audio_s:
            return TimeoutError(f"the voice had not spoken {self._text!r} after {policy.segment_s} s")
        return TimeoutError(f"the voice gave no audio for {self._text!r} within {policy.first_audio_s} s")

    async def _finish(self) -> None:
        """Take what was held back; all has been given, if it was in time."""
        if self._stint.is_over:
            raise self._lateness()
        await self._recording.finish()
        if not self._recording.has_sound:
            raise NoAudioError(f"the voice gave no audio for {self._text!r}")
        self._note_first_audio()
        take = self._take
        if take.audio_s is not None and self._text == take.segment.text:
            self._measures.add_segment(len(self._text), take.audio_s)

    def _note_first_audio(self) -> None:
        if self._recording.has_sound and self._take.first_audio_s is None:
            self._take.first_audio_s = now()
            self._measures.add_first_audio(self._take.first_audio_s - self._asked_s)

    def _offer(self) -> Offer | None:
        """Return what the player may have by now, and was not offered yet."""
        clip = self._recording.clip
        if clip is None or clip is self._take.clip:
            return None
        self._take.clip = clip
        return Offer(self._take, clip)

    def _end(self) -> None:
        take = self._take
        take.is_over = True
        now_s = now()
        if self._recording.has_sound:
            take.last_audio_s = now_s
        if not take.is_made and not take.is_handed_over:
            take.clip = None
            take.is_skipped = True
            take.failed_s = now_s
        if take.clip is not None:
            take.clip.end()
        self._studio.over(take)
        if self._studio.policy.on_failure == "stop" and take.error is not None:
            raise take.error
