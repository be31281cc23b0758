"""Speech-to-text that tells what its script says, when so much of the caller's audio has come."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass
from typing import final

from ordered_pipeline.testing._stream import Outcome, RequestLog, ServiceRequest
from ordered_pipeline.testing._text_to_speech import DEFAULT_FORMAT
from ordered_pipeline.voice import AudioFormat, Transcript


@dataclass(slots=True, kw_only=True)
class TranscriptionRequest(ServiceRequest):
    """One request to a `ScriptedSpeechToText`.

    Attributes:
        audio_s: How much audio it has taken, in seconds.
    """

    audio_s: float = 0.0


@final
class ScriptedSpeechToText:
    """Speech-to-text for tests. Its clock is the caller's audio.

    Attributes:
        requests: What became of each request, oldest first. One that was never iterated is not among them.
    """

    def __init__(
        self,
        transcripts: Sequence[tuple[float, Transcript]],
        *,
        audio_format: AudioFormat = DEFAULT_FORMAT,
        error: Exception | None = None,
    ) -> None:
        """Make one from its script, which serves every request.

        Args:
            transcripts: After how many seconds of audio it tells what, in order. When the audio ends, it
                tells at once what is left.
            audio_format: The format of the audio; no container.
            error: What it fails with after its last transcript; None if it listens to the end of the audio.

        Raises:
            ValueError: The format is a container.
        """
        if audio_format.is_container:
            raise ValueError(f"audio_format must be no container, got {audio_format.encoding!r}")
        self._transcripts: tuple[tuple[float, Transcript], ...] = tuple(transcripts)
        self._format: AudioFormat = audio_format
        self._error: Exception | None = error
        self._log: RequestLog[TranscriptionRequest] = RequestLog()
        self.requests: list[TranscriptionRequest] = self._log.requests

    @property
    def running(self) -> int:
        """How many requests run now."""
        return self._log.running

    @property
    def most_running(self) -> int:
        """The most requests that ran at once."""
        return self._log.most_running

    async def transcribe(self, audio: AsyncIterable[bytes], /) -> AsyncGenerator[Transcript, None]:
        """Yield what is said in *audio*, which whoever made it closes."""
        request = TranscriptionRequest()
        self._log.begin(request)
        outcome: Outcome = "cancelled"
        given = heard_bytes = 0
        try:
            async for frame in audio:
                heard_bytes += len(frame)
                request.audio_s = self._format.duration_s(heard_bytes)
                while given < len(self._transcripts) and self._transcripts[given][0] <= request.audio_s:
                    request.told()
                    yield self._transcripts[given][1]
                    given += 1
                if given == len(self._transcripts) and self._error is not None:
                    break
            for _, transcript in self._transcripts[given:]:
                request.told()
                yield transcript
            outcome = "failed" if self._error else "completed"
            if self._error is not None:
                raise self._error
        except GeneratorExit:
            outcome = "closed"
            raise
        finally:
            self._log.end(request, outcome)
