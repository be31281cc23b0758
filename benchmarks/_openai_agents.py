"""The reply by openai-agents: its voice pipeline, one turn."""

from collections.abc import AsyncIterator

import numpy as np
from _services import Call
from agents.voice import (
    AudioInput,
    StreamedTranscriptionSession,
    STTModel,
    TTSModel,
    TTSModelSettings,
    VoicePipeline,
    VoicePipelineConfig,
    VoiceWorkflowBase,
)


class ScriptedListener(STTModel):
    """Speech-to-text that takes no time: the call's own is in front of the language model."""

    @property
    def model_name(self) -> str:
        return "scripted"

    async def transcribe(self, *_: object) -> str:
        return "And then?"

    async def create_session(self, *_: object) -> StreamedTranscriptionSession:
        raise NotImplementedError


class ScriptedVoice(TTSModel):
    def __init__(self, call: Call) -> None:
        self.call = call

    @property
    def model_name(self) -> str:
        return "scripted"

    def run(self, text: str, _: TTSModelSettings) -> AsyncIterator[bytes]:
        return self.call.voice.synthesize(text)


class ScriptedWorkflow(VoiceWorkflowBase):
    def __init__(self, call: Call) -> None:
        self.call = call

    def run(self, _: str) -> AsyncIterator[str]:
        return self.call.deltas()


async def speak(call: Call) -> None:
    """Let openai-agents speak the reply; return when it has handed all over."""
    pipeline = VoicePipeline(
        workflow=ScriptedWorkflow(call),
        stt_model=ScriptedListener(),
        tts_model=ScriptedVoice(call),
        config=VoicePipelineConfig(tracing_disabled=True),
    )
    result = await pipeline.run(AudioInput(buffer=np.zeros(2, dtype=np.int16)))
    async for event in result.stream():
        if event.type == "voice_stream_event_audio" and event.data is not None:
            call.line.put(event.data.tobytes())
        elif event.type == "voice_stream_event_error":
            raise event.error
