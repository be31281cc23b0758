"""A telephone bot on Telnyx: it answers calls, speaks, listens, and stops when the caller speaks.

Without arguments it talks to a simulated Telnyx on this machine, over real HTTP and WebSockets, and prints
what the caller heard:

    pip install 'ordered-pipeline[telnyx,espeak,convert]' uvicorn wsproto
    python examples/telnyx_call.py

On real calls, with TELNYX_API_KEY and TELNYX_PUBLIC_KEY set, both from Telnyx's portal, and this port open to
the internet behind HTTPS, for example by a tunnel:

    python examples/telnyx_call.py serve 8080

In the portal, make a Call Control application that posts webhooks of API version 2 to
https://<your host>/webhooks, and give it a number. Then call that number.
"""

import math
import os
import secrets
import socket
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Final, TypeAlias, cast

import anyio
import httpx
import uvicorn

from ordered_pipeline.adapters.espeak import Espeak
from ordered_pipeline.adapters.telnyx import (
    Answer,
    CallAnswered,
    CallControl,
    CallControlError,
    CallerAudio,
    CallEvents,
    CallInitiated,
    MediaStream,
    StreamingStart,
    TelnyxStreamClosedError,
    TelnyxStreamRefusedError,
    Webhooks,
    from_asgi,
)
from ordered_pipeline.testing.telnyx import TelnyxSimulator
from ordered_pipeline.voice import AudioFormat, HeardText, Reply, TextToSpeech, speak

Scope: TypeAlias = Mapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, object]]]
Send: TypeAlias = Callable[[dict[str, object]], Awaitable[None]]

GREETING: Final = (
    "Good morning, this is your parcel service. Your parcel left our depot this morning. "
    "It should be with you tomorrow by ten. If nobody is at home, our driver leaves it with a neighbour."
)
ANSWER: Final = "Of course. I will send you a message an hour before."
# A caller speaks when five frames of 20 ms in a row are loud, and has spoken when 0.6 s are not.
SPEAKS_FRAMES: Final = 5
SILENT_FRAMES: Final = 30
LOUD: Final = 40


# ---------------------------------------------------------------- the bot


class Bot:
    """An ASGI application: webhooks come to /webhooks, media streams to /media."""

    def __init__(self, calls: CallControl, webhooks: Webhooks, tts: TextToSpeech) -> None:
        self.calls: CallControl = calls
        self.webhooks: Webhooks = webhooks
        self.tts: TextToSpeech = tts
        # Telnyx tells it when it opens a stream; nobody else can.
        self.token: str = secrets.token_urlsafe()
        self.host: str = ""
        self.has_streams: anyio.Event = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.talk(MediaStream(from_asgi(scope, receive, send), auth_token=self.token))
            return
        headers = dict(cast("Iterable[tuple[bytes, bytes]]", scope["headers"]))

        async def answer(message: dict[str, object]) -> None:
            # Telnyx reaches us under this name; but believe it only of a webhook that was signed.
            if message.get("status") == HTTPStatus.OK:
                self.host = headers[b"host"].decode()
            await send(message)

        await self.webhooks(scope, receive, answer)

    async def take_calls(self) -> None:
        async with anyio.create_task_group() as tasks:
            while True:
                tasks.start_soon(self.take_call, await self.webhooks.next_call())

    async def take_call(self, events: CallEvents) -> None:
        """Answer a call, and have Telnyx open its media stream."""
        try:
            async for webhook in events:
                if isinstance(webhook.event, CallInitiated):
                    await self.calls.send(events.call_control_id, Answer())
                elif isinstance(webhook.event, CallAnswered):
                    scheme = "ws" if self.host.startswith("127.0.0.1:") else "wss"
                    stream = StreamingStart(
                        stream_url=f"{scheme}://{self.host}/media",
                        stream_auth_token=self.token,
                        stream_bidirectional_mode="rtp",
                        stream_bidirectional_codec="PCMU",
                    )
                    await self.calls.send(events.call_control_id, stream)
        except CallControlError as error:
            print(f"The call is lost: {error}")

    async def talk(self, stream: MediaStream) -> None:
        try:
            async with stream, anyio.create_task_group() as tasks:
                self.has_streams.set()
                caller = Caller()
                tasks.start_soon(caller.hear, stream.caller_audio())
                while True:
                    heard = await self.say(GREETING if not caller.has_spoken else ANSWER, stream, caller)
                    print(f"The caller heard: {heard.text!r}")
                    await caller.finishes()
        except* TelnyxStreamClosedError:
            print("The caller has hung up.")
        except* TelnyxStreamRefusedError as refused:
            print(f"A stream was refused: {refused.exceptions[0]}")

    async def say(self, text: str, stream: MediaStream, caller: "Caller") -> HeardText:
        """Speak until all was heard, or the caller speaks; return what was heard."""
        async with speak(text, tts=self.tts, player=stream) as reply, anyio.create_task_group() as tasks:
            tasks.start_soon(interrupt, reply, caller)
            await reply.finished()
            tasks.cancel_scope.cancel()
        return await reply.interrupt()


async def interrupt(reply: Reply, caller: "Caller") -> None:
    await caller.begins()
    await reply.interrupt()


class Caller:
    """Notices when the caller speaks, by loudness. A real bot has a speech-to-text service do this."""

    def __init__(self) -> None:
        self.has_spoken: bool = False
        self.begun: anyio.Event = anyio.Event()
        self.finished: anyio.Event = anyio.Event()

    async def begins(self) -> None:
        await self.begun.wait()

    async def finishes(self) -> None:
        """Wait until the caller has spoken, and begin again."""
        await self.finished.wait()
        self.begun, self.finished = anyio.Event(), anyio.Event()

    async def hear(self, audio: CallerAudio) -> None:
        loud = silent = 0
        async for frame in audio:
            is_loud = loudness(frame, audio.format) > LOUD
            loud, silent = (loud + 1, 0) if is_loud else (0, silent + 1)
            if loud == SPEAKS_FRAMES:
                self.has_spoken = True
                self.begun.set()
            elif silent == SILENT_FRAMES and self.begun.is_set():
                self.finished.set()
        raise TelnyxStreamClosedError("the caller has hung up")


def loudness(frame: bytes, audio_format: AudioFormat | None) -> float:
    """Return how loud a frame of G.711 is, from 0 to 127."""
    if audio_format is not None and audio_format.encoding == "alaw":
        return sum((code ^ 0x55) & 0x7F for code in frame) / len(frame)
    return sum(~code & 0x7F for code in frame) / len(frame)


# ---------------------------------------------------------------- with the simulated Telnyx, and the real one


async def simulate() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hooks_url = f"http://127.0.0.1:{listener.getsockname()[1]}/webhooks"
        async with AsyncExitStack() as stack:
            telnyx = await stack.enter_async_context(TelnyxSimulator(webhooks=hooks_url))
            base_url = await stack.enter_async_context(telnyx.serve())
            client = await stack.enter_async_context(httpx.AsyncClient())
            calls = CallControl(client, api_key=telnyx.api_key, base_url=base_url)
            bot = Bot(calls, Webhooks(telnyx.public_key), await stack.enter_async_context(Espeak()))
            server = uvicorn.Server(uvicorn.Config(bot, lifespan="off", log_level="warning"))
            tasks = await stack.enter_async_context(anyio.create_task_group())
            tasks.start_soon(server.serve, [listener])
            tasks.start_soon(bot.take_calls)
            call = telnyx.incoming_call()
            await bot.has_streams.wait()
            await anyio.sleep(4.0)
            print("The caller speaks.")
            assert call.stream is not None
            call.stream.say(bytes(round(80 + 40 * math.sin(n)) for n in range(8000)))
            await anyio.sleep(6.0)
            call.hang_up()
            await anyio.sleep(0.2)
            server.should_exit = True
            tasks.cancel_scope.cancel()
    # A gap inside a reply would make two stretches of it.
    lengths = ", ".join(f"{sound.duration_s:.2f} s" for sound in call.timeline.sounds)
    print(f"On the line there were {len(call.timeline.sounds)} stretches of sound without a gap: {lengths}")


async def serve(port: int) -> None:
    async with httpx.AsyncClient() as client, Espeak() as tts, anyio.create_task_group() as tasks:
        calls = CallControl(client, api_key=os.environ["TELNYX_API_KEY"])
        bot = Bot(calls, Webhooks(os.environ["TELNYX_PUBLIC_KEY"]), tts)
        tasks.start_soon(bot.take_calls)
        await uvicorn.Server(uvicorn.Config(bot, port=port, lifespan="off")).serve()
        tasks.cancel_scope.cancel()


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            anyio.run(simulate)
        case ["serve", port]:
            anyio.run(serve, int(port))
        case _:
            sys.exit(__doc__)
