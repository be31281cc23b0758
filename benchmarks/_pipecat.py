"""The reply by Pipecat: its pipeline of a voice that is asked by one request a sentence, and a transport.

A voice that keeps one connection for all sentences (WebSocket) is asked without waiting for the sentence
before, and its provider decides what it does at a time. Such a voice is not measured here.
"""

import asyncio
from collections.abc import AsyncGenerator

from _services import SAMPLE_RATE_HZ, Call
from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    Frame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    OutputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.services.settings import TTSSettings
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner


class ScriptedVoice(TTSService):
    def __init__(self, call: Call) -> None:
        # As Pipecat's own services that make one request a sentence have it.
        super().__init__(
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=SAMPLE_RATE_HZ,
            settings=TTSSettings(model=None, voice=None, language=None),
        )
        self.call = call

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        async for audio in self.call.voice.synthesize(text):
            yield TTSAudioRawFrame(audio, SAMPLE_RATE_HZ, 1, context_id=context_id)


class LineTransport(BaseOutputTransport):
    """Takes whatever comes, at once: nothing waits for the transport."""

    def __init__(self, call: Call) -> None:
        super().__init__(TransportParams(audio_out_enabled=True, audio_out_sample_rate=SAMPLE_RATE_HZ))
        self.call = call

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self.call.line.put(frame.audio)
        return True


async def speak(call: Call) -> None:
    """Let Pipecat speak the reply; return when it has handed all over."""
    logger.remove()
    worker = PipelineWorker(
        Pipeline([ScriptedVoice(call), LineTransport(call)]),
        params=PipelineParams(audio_out_sample_rate=SAMPLE_RATE_HZ),
        cancel_on_idle_timeout=False,
    )
    ready = asyncio.Event()

    async def on_started(_: PipelineWorker, __: Frame) -> None:
        ready.set()

    worker.add_event_handler("on_pipeline_started", on_started)

    async def write() -> None:
        await ready.wait()
        await worker.queue_frame(LLMFullResponseStartFrame())
        async for delta in call.deltas():
            await worker.queue_frame(LLMTextFrame(delta))
        await worker.queue_frame(LLMFullResponseEndFrame())
        await worker.queue_frame(EndFrame())

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await asyncio.gather(runner.run(), write())
