"""The speech of one segment: which voice is asked, how often, and what is kept of what it gives."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, final

import anyio
from anyio.abc import TaskGroup

from ordered_pipeline.voice._audio import AudioChunk, AudioFormat, Word
from ordered_pipeline.voice._heard import end_of_words, whole_words
from ordered_pipeline.voice._measures import VoiceMeasures, measures_of
from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._policy import SpeechPolicy
from ordered_pipeline.voice._recording import Recording
from ordered_pipeline.voice._requests import Request, request_for
from ordered_pipeline.voice._roles import TextToSpeech
from ordered_pipeline.voice._take import Piece, Take
from ordered_pipeline.voice._watchdog import Alarm, Watchdog

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
        tasks: Where hedged requests run.
        watchdog: Ends requests that take too long.
        grace_s: Clean-up time of a cancelled request.
    """

    voices: Sequence[TextToSpeech]
    policy: SpeechPolicy
    format: AudioFormat
    tasks: TaskGroup
    watchdog: Watchdog
    grace_s: float


@dataclass(frozen=True, slots=True)
class _Asking:
    """Which voice is asked, by its place, and for what."""

    voice: int
    text: str
    is_filler: bool = False


@final
class Speech:
    """An async iterator of a take's chunks and, last, of its end. One task iterates it and closes it.

    It fails only where the policy says stop. What the voices failed with at last is left in the take.
    """

    def __init__(self, studio: Studio, take: Take) -> None:
        self._studio: Studio = studio
        self._take: Take = take
        self._plan: Iterator[_Asking] = self._askings()
        self._recording: Recording = Recording(take, studio.format)
        # Of the request under way.
        self._request: Request | None = None
        self._measures: VoiceMeasures | None = None
        self._text: str = ""
        self._asked_s: float = 0.0
        self._alarm: Alarm | None = None
        self._waits: bool = False
        self._is_late: bool = False
        self._words_from_s: float = 0.0
        self._is_over: bool = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Piece:
        take = self._take
        while self._request is not None or (not take.is_made and await self._ask()):
            try:
                chunk = await self._next()
            except Exception as error:  # noqa: BLE001  # whatever a voice fails with, the policy answers
                take.error = self._told(error)
                await self.aclose()
                continue
            if chunk is not None and chunk.data:
                return Piece(take, take.attempt, chunk)
        if self._is_over:
            raise StopAsyncIteration
        self._is_over = True
        return self._end()

    async def aclose(self) -> None:
        """Cancel the request under way, and wait for its clean-up."""
        request, self._request = self._request, None
        self._cancel_alarm()
        if request is not None:
            await request.close()

    def _askings(self) -> Iterator["_Asking"]:
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
        assert self._measures is not None  # noqa: S101  # something was asked before
        return whole_words(take.segment.text, int(audio_s / self._measures.s_a_character))

    async def _ask(self) -> bool:
        """Ask the next voice; return whether there was one."""
        take, studio = self._take, self._studio
        for asking in self._plan:
            tts = studio.voices[asking.voice]
            if not take.is_handed_over:
                # What an earlier request gave is dropped.
                take.attempt += 1
                take.words.clear()
                take.first_audio_s = take.audio_s = None
                take.silences = ()
                self._recording = Recording(take, studio.format)
            take.voice = asking.voice
            take.is_filler = asking.is_filler
            self._text = asking.text
            self._words_from_s = take.audio_s or 0.0
            self._measures = measures_of(tts)
            self._asked_s, self._is_late = anyio.current_time(), False
            self._set_alarm()
            if take.tts_asked_s is None:
                take.tts_asked_s = self._asked_s
            self._recording.begin(tts.format)
            request = request_for(
                tts,
                replace(take.segment, text=asking.text),
                policy=studio.policy,
                asked=self._count,
                tasks=studio.tasks,
                grace_s=studio.grace_s,
            )
            await request.open()
            self._request = request
            return True
        return False

    def _count(self) -> None:
        self._take.requests += 1

    async def _next(self) -> AudioChunk | None:
        """Return the next chunk as the player is to get it, or None when there is none."""
        assert self._request is not None  # noqa: S101  # the caller has looked
        assert self._measures is not None  # noqa: S101  # as above
        take = self._take
        try:
            chunk = await self._within_time(self._request)
        except StopAsyncIteration:
            tail = self._recording.finish()
            if not self._recording.has_sound:
                raise NoAudioError(f"the voice gave no audio for {self._text!r}") from None
            await self.aclose()
            take.is_made = True
            if take.audio_s is not None and self._text == take.segment.text:
                self._measures.add_segment(len(self._text), take.audio_s)
            return AudioChunk(tail)
        check_kind("what a voice gives", chunk, AudioChunk, "an AudioChunk", "wrap bytes in AudioChunk")
        data = self._recording.add(chunk.data)
        words = tuple(self._placed(word) for word in chunk.words) if self._words_from_s else chunk.words
        take.words += words
        if data and take.first_audio_s is None:
            take.first_audio_s = anyio.current_time()
            self._measures.add_first_audio(take.first_audio_s - self._asked_s)
        return AudioChunk(data, words)

    def _placed(self, word: Word) -> Word:
        """Return a word of the rest with its place in the whole segment."""
        return Word(word.text, word.start_s + self._words_from_s, word.end_s + self._words_from_s)

    def _told(self, error: Exception) -> Exception:
        """Return *error*, or what is to be told in its place: the stage below speaks of items."""
        limit_s = self._studio.policy.first_audio_s
        if (
            not isinstance(error, TimeoutError)
            or self._recording.has_sound
            or anyio.current_time() - self._asked_s < limit_s
        ):
            return error
        late = TimeoutError(f"the voice gave no audio for {self._text!r} within {limit_s} s")
        late.__cause__ = error
        return late

    async def _within_time(self, request: Request) -> AudioChunk:
        """Return the next chunk; what was given up for its lateness has none."""
        self._waits = True
        try:
            return await request.next()
        except StopAsyncIteration:
            if self._is_late:
                limit_s = self._studio.policy.segment_s
                raise TimeoutError(f"the voice had not spoken {self._text!r} after {limit_s} s") from None
            raise
        finally:
            self._waits = False

    def _set_alarm(self) -> None:
        limit_s = self._studio.policy.segment_s
        if limit_s < math.inf:
            self._alarm = self._studio.watchdog.set(limit_s, self._expire)

    def _cancel_alarm(self) -> None:
        if self._alarm is not None:
            self._studio.watchdog.cancel(self._alarm)

    def _expire(self) -> None:
        if not self._waits:
            # It is not the voice that is slow, but the player: its time begins anew.
            self._set_alarm()
        elif self._request is not None:
            self._is_late = True
            self._request.interrupt()

    def _end(self) -> Piece:
        take = self._take
        take.last_audio_s = anyio.current_time() if self._recording.has_sound else None
        if not take.is_made and not take.is_handed_over:
            take.attempt += 1
            take.is_skipped = True
            take.failed_s = anyio.current_time()
        if take.is_made and not take.is_filler:
            take.error = None
        if self._studio.policy.on_failure == "stop" and take.error is not None:
            raise take.error
        return Piece(take, take.attempt, None)
