"""A voice activity detector that tells what its script says, when so much of the caller's audio has come."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from typing import final

from ordered_pipeline.testing._speech_to_text import ScriptedSpeechToText, TranscriptionRequest
from ordered_pipeline.testing._text_to_speech import DEFAULT_FORMAT
from ordered_pipeline.voice import AudioFormat, Transcript, VoiceActivity


@final
class ScriptedVoiceActivityDetector:
    """A voice activity detector for tests. Its clock is the caller's audio.

    Attributes:
        requests: What became of each request, oldest first. One that was never iterated is not among them.
    """

    def __init__(
        self,
        activities: Sequence[tuple[float, VoiceActivity]],
        *,
        audio_format: AudioFormat = DEFAULT_FORMAT,
        error: Exception | None = None,
    ) -> None:
        """Make one from its script, which serves every request.

        Args:
            activities: After how many seconds of audio it tells what, in order. When the audio ends, it tells
                at once what is left.
            audio_format: The format of the audio; no container.
            error: What it fails with after its last activity; None if it listens to the end of the audio.

        Raises:
            ValueError: The format is a container.
        """
        self._activities: tuple[VoiceActivity, ...] = tuple(activity for _, activity in activities)
        # It listens just as scripted speech-to-text does, which says when to tell the next activity.
        self._ears: ScriptedSpeechToText = ScriptedSpeechToText(
            [(after_s, Transcript("", "speech_started")) for after_s, _ in activities],
            audio_format=audio_format,
            error=error,
        )
        self.requests: list[TranscriptionRequest] = self._ears.requests

    @property
    def running(self) -> int:
        """How many requests run now."""
        return self._ears.running

    @property
    def most_running(self) -> int:
        """The most requests that ran at once."""
        return self._ears.most_running

    async def detect(self, audio: AsyncIterable[bytes], /) -> AsyncGenerator[VoiceActivity, None]:
        """Yield who speaks when in *audio*, which whoever made it closes."""
        given = 0
        async with aclosing(self._ears.transcribe(audio)) as signs:
            async for _ in signs:
                yield self._activities[given]  # noqa: ASYNC119  # whoever iterates it closes it
                given += 1
