"""The caller: his audio, and what the services hear in it."""

from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from typing import Final, final, get_args

import anyio

from ordered_pipeline import ordered_map
from ordered_pipeline.voice._audio import AudioFormat
from ordered_pipeline.voice._conversation._ear import Ear
from ordered_pipeline.voice._conversation._events import Role
from ordered_pipeline.voice._conversation._hearing import Hearing
from ordered_pipeline.voice._conversation._hours import Hours
from ordered_pipeline.voice._conversation._turns import Noticed, Said, TranscriptKind, VoiceActivityKind
from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._roles import SpeechToText, VoiceActivityDetector
from ordered_pipeline.voice._talk import Transcript, VoiceActivity

# How much audio waits for a service that lags, in seconds.
_MOST_AUDIO_S: Final = 5.0
# How long a service that is waited for may show no life. Longer than any that works needs for a sentence, and
# than an interruption takes, in which nobody takes what services tell: four times its grace time.
_PATIENCE_S: Final = 15.0
_PATIENCE_GRACES: Final = 5

# One byte of silence.
_SILENCE: Final = {"s16le": b"\x00", "mulaw": b"\xff", "alaw": b"\xd5"}


@final
class Caller:
    """Reads the caller's audio, and tells what is heard in it.

    Attributes:
        error: What the audio failed with.
    """

    def __init__(
        self,
        audio: AsyncIterable[bytes],
        audio_format: AudioFormat,
        *,
        stt: SpeechToText,
        vad: VoiceActivityDetector | None,
        is_muted: Callable[[], bool],
        tell: Callable[[Said | Noticed], Awaitable[None]],
        fail: Callable[[Role, Exception], None],
        grace_s: float,
    ) -> None:
        """Say what to read, and who listens.

        Args:
            audio: The audio.
            audio_format: Its format; no container.
            stt: Listens always.
            vad: Listens until it fails, if there is one.
            is_muted: Whether the services get silence in the place of what comes now.
            tell: Called with what they tell.
            fail: Called with each of their failures.
            grace_s: Clean-up time of the audio, and of each service.
        """
        self._audio: AsyncIterable[bytes] = audio
        self._silence: bytes = _SILENCE[audio_format.encoding]
        self._bytes_a_second: int = audio_format.step_bytes * audio_format.sample_rate_hz
        self._is_muted: Callable[[], bool] = is_muted
        self._grace_s: float = grace_s
        self._hours: Hours = Hours(anyio.current_time())
        words = Hearing("stt", stt.transcribe, self._ear(), self._said, tell, fail, grace_s)
        self._words: Hearing[Transcript, Said] = words
        self._voice: Hearing[VoiceActivity, Noticed] | None = None
        if vad is not None:
            self._voice = Hearing("vad", vad.detect, self._ear(), self._noticed, tell, fail, grace_s)
        self.error: Exception | None = None

    async def run(self) -> None:
        """Do so until the audio is over and speech-to-text has told all that was said."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read)
            if self._voice is not None:
                tasks.start_soon(self._voice.once)
            await self._words.always()
            tasks.cancel_scope.cancel()

    async def _read(self) -> None:
        # The detector first: a barge-in must not wait for speech-to-text that lags.
        ears = [self._words.ear] if self._voice is None else [self._voice.ear, self._words.ear]
        try:
            await self._give(ears)
        except Exception as error:  # noqa: BLE001  # the conversation raises it when all was answered
            self.error = error
        for ear in ears:
            ear.end()
        # Services that show no life are given up by whoever waits for them.
        await self._words.ear.left()

    async def _give(self, ears: Sequence[Ear]) -> None:
        """Give each frame of the audio to all *ears*."""
        came_bytes = 0
        async with ordered_map(_itself, self._audio, prefetch=1, grace_s=self._grace_s) as frames:
            async for frame in frames:
                check_kind("what the caller's audio gives", frame, bytes, "bytes")
                came_bytes += len(frame)
                self._hours.note(came_bytes / self._bytes_a_second, anyio.current_time())
                heard = self._silence * len(frame) if self._is_muted() else frame
                for ear in ears:
                    await ear.put(heard)

    def _ear(self) -> Ear:
        return Ear(
            most_bytes=int(_MOST_AUDIO_S * self._bytes_a_second),
            patience_s=_PATIENCE_S + _PATIENCE_GRACES * self._grace_s,
        )

    def _said(self, transcript: Transcript, begun_bytes: int) -> Said:
        """Return what a transcript says.

        Raises:
            TypeError: It is none.
            ValueError: It is of no kind that there is.
        """
        check_kind("what speech-to-text tells", transcript, Transcript, "a Transcript")
        check_kind("the text of a transcript", transcript.text, str, "text")
        _check_one_of("the kind of a transcript", transcript.kind, get_args(TranscriptKind))
        now_s = anyio.current_time()
        end_s = None if transcript.end_s is None else self._time_of(begun_bytes, transcript.end_s)
        return Said(transcript.kind, transcript.text, now_s, end_s)

    def _noticed(self, activity: VoiceActivity, begun_bytes: int) -> Noticed:
        """Return what a voice activity is.

        Raises:
            TypeError: It is none.
            ValueError: It is of no kind that there is.
        """
        check_kind("what the voice activity detector tells", activity, VoiceActivity, "a VoiceActivity")
        _check_one_of("the kind of a voice activity", activity.kind, get_args(VoiceActivityKind))
        return Noticed(activity.kind, self._time_of(begun_bytes, activity.at_s))

    def _time_of(self, begun_bytes: int, place_s: float) -> float:
        """Return when the audio sounded that a service has at *place_s*, but nothing before it listened."""
        return self._hours.time_of(begun_bytes / self._bytes_a_second + max(0.0, place_s))


async def _itself(frame: bytes) -> bytes:
    return frame


def _check_one_of(name: str, value: object, kinds: tuple[str, ...]) -> None:
    if value not in kinds:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, kinds))}, got {value!r}")
