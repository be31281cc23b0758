"""A call at the simulated Telnyx, with all that a bot has to speak on it."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import anyio
import httpx

from ordered_pipeline.adapters.telnyx import (
    CallControl,
    CallEvents,
    QueuePlayer,
    WebhookRefusedError,
    Webhooks,
)
from ordered_pipeline.testing import scripted_audio
from ordered_pipeline.testing.telnyx import (
    RestFault,
    SimulatedCall,
    TelnyxReadings,
    TelnyxSimulator,
    TelnyxTiming,
    WebhookFault,
)
from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, Segment
from ordered_pipeline.wire._wav import wav_header

PCM = AudioFormat("s16le", 8000)
WAV = AudioFormat("wav", 8000)


@dataclass(frozen=True, slots=True)
class Phone:
    """An answered call, and the bot's end of it."""

    telnyx: TelnyxSimulator
    call: SimulatedCall
    calls: CallControl
    events: CallEvents

    def posted(self, action: str) -> int:
        """Return how many commands of this kind had an effect."""
        return sum(each.action == action and each.has_effect for each in self.telnyx.requests)

    def gaps(self) -> list[float]:
        return [round(gap.duration_s, 6) for gap in self.call.timeline.gaps()]


@dataclass(frozen=True, slots=True)
class Line(Phone):
    """As a `Phone`, with a player that is told what webhooks tell."""

    player: QueuePlayer


@contextlib.asynccontextmanager
async def phone(
    *faults: RestFault | WebhookFault,
    timing: TelnyxTiming = TelnyxTiming(),  # noqa: B008  # frozen
    readings: TelnyxReadings = TelnyxReadings(),  # noqa: B008  # frozen
    seed: int = 0,
    timeout_s: float = 2.0,
) -> AsyncIterator[Phone]:
    async def post(headers: Mapping[str, str], body: bytes) -> int:
        try:
            hooks.accept(headers, body)
        except WebhookRefusedError:
            return 403
        return 200

    telnyx = TelnyxSimulator(
        webhooks=post, timing=timing, readings=readings, seed=seed, unix_time=1_790_000_000.0
    )
    hooks = Webhooks(telnyx.public_key, clock=telnyx.unix_time)
    for fault in faults:
        telnyx.fault(fault)
    async with telnyx, httpx.AsyncClient(transport=telnyx.transport()) as client:
        call = telnyx.incoming_call(is_answered=True)
        calls = CallControl(client, api_key=telnyx.api_key, timeout_s=timeout_s)
        async with hooks.events(call.call_control_id) as events:
            yield Phone(telnyx, call, calls, events)


@contextlib.asynccontextmanager
async def line(
    *faults: RestFault | WebhookFault,
    timing: TelnyxTiming = TelnyxTiming(),  # noqa: B008  # as above
    readings: TelnyxReadings = TelnyxReadings(),  # noqa: B008  # as above
    seed: int = 0,
    timeout_s: float = 2.0,
    lead_s: float = 1.0,
    url_for: Callable[[bytes], Awaitable[str]] | None = None,
    listens: bool = True,
) -> AsyncIterator[Line]:
    async with phone(*faults, timing=timing, readings=readings, seed=seed, timeout_s=timeout_s) as there:
        player = QueuePlayer(there.calls, there.call.call_control_id, lead_s=lead_s, url_for=url_for)

        async def tell() -> None:
            async for webhook in there.events:
                player.handle(webhook)

        async with anyio.create_task_group() as tasks:
            if listens:
                tasks.start_soon(tell)
            yield Line(there.telnyx, there.call, there.calls, there.events, player)
            tasks.cancel_scope.cancel()


def samples(index: int, length_s: float) -> bytes:
    """Return sound that is another one in each segment."""
    return scripted_audio(Segment(index, f"Sentence {index}."), PCM, length_s)


def wav(data: bytes) -> bytes:
    return wav_header(sample_rate_hz=8000, channels=1, data_bytes=len(data)) + data


def clip(index: int, length_s: float) -> Clip:
    """Return a clip that is all there."""
    made = Clip(Segment(index, f"Sentence {index}."), WAV, [AudioChunk(wav(samples(index, length_s)))])
    made.end()
    return made
