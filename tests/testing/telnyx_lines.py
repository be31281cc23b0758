"""What the tests of the simulated Telnyx share: a client, files, and what takes webhooks and streams."""

import base64
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx

from ordered_pipeline.testing.telnyx import MemorySocket, SimulatedCall, TelnyxSimulator
from ordered_pipeline.wire._wav import wav_header


def wav(seconds: float, *, sample: int = 0, sample_rate_hz: int = 8000) -> bytes:
    """Return a WAV file that is *seconds* long, all samples of it the same."""
    samples = sample.to_bytes(2, "little", signed=True) * round(seconds * sample_rate_hz)
    return wav_header(sample_rate_hz=sample_rate_hz, channels=1, data_bytes=len(samples)) + samples


def mp3(frames: int) -> bytes:
    """Return an MP3 file of so many frames of 36 ms (16 kHz, 32 kbit/s), with nothing in them."""
    return (b"\xff\xf3\x48\xc4" + bytes(140)) * frames


def content(file: bytes) -> dict[str, object]:
    """Return what has a command bring a WAV file."""
    return {"playback_content": base64.b64encode(file).decode(), "audio_type": "wav"}


async def until(holds: Callable[[], bool]) -> None:
    """Wait until *holds*, of something that tells nobody when it does."""
    while not holds():  # noqa: ASYNC110  # as it says
        await anyio.sleep(0.001)


class Bot:
    """Commands one call."""

    def __init__(self, client: httpx.AsyncClient, call: SimulatedCall) -> None:
        self.client = client
        self.call = call

    async def send(self, action: str, **body: object) -> httpx.Response:
        return await self.client.post(f"/calls/{self.call.call_control_id}/actions/{action}", json=body)

    async def code(self, action: str, **body: object) -> str | None:
        """Return the first error's code; None if it was accepted."""
        reply = await self.send(action, **body)
        if reply.status_code == 200:
            return None
        code = reply.json()["errors"][0]["code"]
        assert isinstance(code, str)
        return code


@asynccontextmanager
async def bot_on(
    telnyx: TelnyxSimulator, *, is_answered: bool = True, codec: str = "PCMU"
) -> AsyncGenerator[Bot]:
    """Give a bot a call, without a network."""
    async with httpx.AsyncClient(
        transport=telnyx.transport(),
        base_url="http://telnyx.test/v2",
        headers={"authorization": f"Bearer {telnyx.api_key}"},
    ) as client:
        yield Bot(client, telnyx.incoming_call(is_answered=is_answered, codec=codec))


class Hooks:
    """Takes webhooks and keeps what they say."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.times_s: list[float] = []
        self.headers: list[Mapping[str, str]] = []
        self.bodies: list[bytes] = []

    async def __call__(self, headers: Mapping[str, str], body: bytes) -> int:
        self.times_s.append(anyio.current_time())
        self.headers.append(headers)
        self.bodies.append(body)
        return self.statuses.pop(0) if self.statuses else 200

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    @property
    def told(self) -> list[tuple[str, str | None]]:
        """The types and states of what was told."""
        data = [message["data"] for message in self.messages]
        return [(each["event_type"], each["payload"].get("status")) for each in data]


class Server:
    """A media server that takes all that comes, and is given what to send."""

    def __init__(self) -> None:
        self.socket: MemorySocket | None = None
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.open: anyio.Event = anyio.Event()
        self.closed: anyio.Event = anyio.Event()

    async def __call__(self, socket: MemorySocket) -> None:
        self.socket = socket
        try:
            while True:
                message = json.loads(await socket.receive_text())
                self.messages.append((anyio.current_time(), message))
                if message["event"] == "start":
                    self.open.set()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self.closed.set()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for _, message in self.messages if message["event"] == event]

    async def send(self, **message: object) -> None:
        assert self.socket is not None
        await self.socket.send_text(json.dumps(message))

    async def media(self, payload: bytes) -> None:
        await self.send(event="media", media={"payload": base64.b64encode(payload).decode()})

    async def mark(self, name: str) -> None:
        await self.send(event="mark", mark={"name": name})

    @property
    def marks(self) -> list[str]:
        return [message["mark"]["name"] for message in self.of("mark")]
