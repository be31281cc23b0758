"""The reply by LiveKit Agents: an agent session without a room, a voice asked by one request a sentence.

The session says the text stream: it goes the way of a language model's reply from there on.
"""

import time

from _services import SAMPLE_RATE_HZ, Call
from livekit import rtc
from livekit.agents import DEFAULT_API_CONNECT_OPTIONS, Agent, AgentSession, APIConnectOptions, tts
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities


class ScriptedVoice(tts.TTS):
    def __init__(self, call: Call) -> None:
        capabilities = tts.TTSCapabilities(streaming=False)
        super().__init__(capabilities=capabilities, sample_rate=SAMPLE_RATE_HZ, num_channels=1)
        self.call = call

    def synthesize(
        self, text: str, *, conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS
    ) -> tts.ChunkedStream:
        return ScriptedRequest(tts=self, input_text=text, conn_options=conn_options)


class ScriptedRequest(tts.ChunkedStream):
    _tts: ScriptedVoice

    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="scripted", sample_rate=SAMPLE_RATE_HZ, num_channels=1, mime_type="audio/pcm"
        )
        async for audio in self._tts.call.voice.synthesize(self._input_text):
            output_emitter.push(audio)
        output_emitter.flush()


class LineOutput(AudioOutput):
    """Takes whatever comes, at once: nothing waits for the output."""

    def __init__(self, call: Call) -> None:
        capabilities = AudioOutputCapabilities(pause=False)
        super().__init__(label="line", capabilities=capabilities, sample_rate=SAMPLE_RATE_HZ)
        self.call = call
        self.pushed_s = 0.0

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        self.call.line.put(bytes(frame.data))
        if not self.pushed_s:
            self.on_playback_started(created_at=time.time())
        self.pushed_s += frame.duration

    def flush(self) -> None:
        super().flush()
        if self.pushed_s:
            self.on_playback_finished(playback_position=self.pushed_s, interrupted=False)
            self.pushed_s = 0.0

    def clear_buffer(self) -> None:
        """Do nothing: nobody interrupts."""


async def speak(call: Call) -> None:
    """Let LiveKit Agents speak the reply; return when it has handed all over."""
    session = AgentSession(
        tts=ScriptedVoice(call),
        vad=None,
        turn_handling={"turn_detection": "manual", "interruption": {"enabled": False}},
    )
    session.output.audio = LineOutput(call)
    await session.start(Agent(instructions=""), record=False)
    await session.say(call.deltas()).wait_for_playout()
    await session.aclose()
