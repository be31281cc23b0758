"""A telephone bot on Telnyx: it answers calls, listens, speaks, and stops when the caller speaks.

Without arguments it talks to a simulated Telnyx on this machine, over real HTTP and WebSockets, and prints
who heard what:

    pip install 'ordered-pipeline[telnyx,espeak,convert]' uvicorn wsproto
    python examples/telnyx_call.py

On real calls, with TELNYX_API_KEY and TELNYX_PUBLIC_KEY set, both from Telnyx's portal, and this port open to
the internet behind HTTPS, for example by a tunnel:

    python examples/telnyx_call.py serve 8080

In the portal, make a Call Control application that posts webhooks of API version 2 to
https://<your host>/webhooks, and give it a number. Then call that number.

It hears that the caller speaks, not what. With "--ears moonshine" it does, and has Eliza answer:

    pip install 'ordered-pipeline[moonshine,eliza]'
    python examples/telnyx_call.py --ears moonshine
"""

import argparse
import os
import secrets
import socket
import sys
from array import array
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol, TypeAlias, cast

import anyio
import httpx
import uvicorn

from ordered_pipeline.adapters.espeak import Espeak
from ordered_pipeline.adapters.telnyx import (
    Answer,
    CallAnswered,
    CallControl,
    CallControlError,
    CallEvents,
    CallInitiated,
    MediaStream,
    StreamingStart,
    TelnyxStreamClosedError,
    TelnyxStreamRefusedError,
    Webhooks,
    from_asgi,
)
from ordered_pipeline.testing.telnyx import SimulatedCall, TelnyxSimulator
from ordered_pipeline.voice import (
    AudioFormat,
    LanguageModel,
    Message,
    Segment,
    SpeechToText,
    TextToSpeech,
    Transcript,
    Turn,
    converse,
    convert_audio,
)

Scope: TypeAlias = Mapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, object]]]
Send: TypeAlias = Callable[[dict[str, object]], Awaitable[None]]

GREETING: Final = (
    "Good morning, this is your parcel service. Your parcel left our depot this morning. "
    "It should be with you tomorrow by ten. If nobody is at home, our driver leaves it with a neighbour."
)
ANSWERS: Final = (
    "Of course. I will send you a message an hour before. Is there anything else?",
    "You are welcome. Good bye.",
)
# A caller speaks when five frames of 20 ms in a row are loud, and has spoken when 0.6 s are not.
SPEAKS_FRAMES: Final = 5
SILENT_FRAMES: Final = 30
LOUD: Final = 500


# ---------------------------------------------------------------- what the bot is made of


class Ears(SpeechToText, Protocol):
    """Speech-to-text that takes one format."""

    @property
    def format(self) -> AudioFormat: ...


class Loudness:
    """Ears that tell when the caller speaks, by loudness, and know no words."""

    format: Final = AudioFormat("s16le", 8000)

    async def transcribe(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[Transcript]:
        loud = silent = 0
        speaks = False
        async for frame in audio:
            samples = array("h", frame)
            is_loud = sum(map(abs, samples)) > LOUD * len(samples)
            loud, silent = (loud + 1, 0) if is_loud else (0, silent + 1)
            if not speaks and loud == SPEAKS_FRAMES:
                speaks = True
                yield Transcript("", "speech_started")
            elif speaks and silent == SILENT_FRAMES:
                speaks = False
                yield Transcript("(something)", "final")


class Clerk:
    """A mind that has its answers ready, whatever it is asked."""

    async def reply(self, messages: Sequence[Message], /) -> AsyncIterator[str]:
        asked = sum(message.role == "user" for message in messages)
        yield ANSWERS[min(asked, len(ANSWERS)) - 1]


@dataclass(frozen=True)
class Parts:
    """What takes part in each conversation."""

    ears: Ears
    mind: LanguageModel
    voice: TextToSpeech


@asynccontextmanager
async def parts(ears: str) -> AsyncIterator[Parts]:
    async with AsyncExitStack() as stack:
        voice = await stack.enter_async_context(Espeak())
        if ears == "loudness":
            yield Parts(Loudness(), Clerk(), voice)
        else:
            # Only here are they needed.
            from ordered_pipeline.adapters.eliza import Eliza  # noqa: PLC0415
            from ordered_pipeline.adapters.moonshine import Moonshine  # noqa: PLC0415

            yield Parts(await stack.enter_async_context(Moonshine()), Eliza(), voice)


# ---------------------------------------------------------------- the bot


class Bot:
    """An ASGI application: webhooks come to /webhooks, media streams to /media."""

    def __init__(self, calls: CallControl, webhooks: Webhooks, made_of: Parts) -> None:
        self.calls: CallControl = calls
        self.webhooks: Webhooks = webhooks
        self.parts: Parts = made_of
        # Telnyx tells it when it opens a stream; nobody else can.
        self.token: str = secrets.token_urlsafe()
        self.host: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self.take_stream(MediaStream(from_asgi(scope, receive, send), auth_token=self.token))
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

    async def take_stream(self, stream: MediaStream) -> None:
        try:
            async with stream:
                await self.talk(stream)
        except (TelnyxStreamClosedError, TelnyxStreamRefusedError) as error:
            print(f"There was no stream: {error}")

    async def talk(self, stream: MediaStream) -> None:
        audio, ears = stream.caller_audio(), self.parts.ears
        if audio.format is None:
            print("The caller's codec is unknown.")
            return
        async with converse(
            convert_audio(audio, audio.format, to=ears.format),
            audio_format=ears.format,
            stt=ears,
            llm=self.parts.mind,
            tts=self.parts.voice,
            player=stream,
            greeting=GREETING,
        ) as conversation:
            async for event in conversation:
                if isinstance(event, Turn):
                    print(f"The caller said {event.said!r} and heard {event.heard.text!r}.")
                else:
                    print(f"{event.role} failed: {event.error}")
        print("The caller has hung up.")


# ---------------------------------------------------------------- with the simulated Telnyx, and the real one


async def say(call: SimulatedCall, text: str) -> None:
    """Have the caller say *text*, in the voice of another espeak."""
    assert call.stream is not None
    async with Espeak("en-us") as voice:
        speech = (chunk.data async for chunk in voice.synthesize(Segment(0, text)))
        async for frame in convert_audio(speech, voice.format, to=AudioFormat("mulaw", 8000)):
            call.stream.say(frame)


async def simulate(ears: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hooks_url = f"http://127.0.0.1:{listener.getsockname()[1]}/webhooks"
        async with AsyncExitStack() as stack:
            telnyx = await stack.enter_async_context(TelnyxSimulator(webhooks=hooks_url))
            base_url = await stack.enter_async_context(telnyx.serve())
            client = await stack.enter_async_context(httpx.AsyncClient())
            calls = CallControl(client, api_key=telnyx.api_key, base_url=base_url)
            bot = Bot(calls, Webhooks(telnyx.public_key), await stack.enter_async_context(parts(ears)))
            server = uvicorn.Server(uvicorn.Config(bot, lifespan="off", log_level="warning"))
            tasks = await stack.enter_async_context(anyio.create_task_group())
            tasks.start_soon(server.serve, [listener])
            tasks.start_soon(bot.take_calls)
            call = telnyx.incoming_call()
            await anyio.sleep(3.0)
            print("The caller speaks.")
            await say(call, "Hello. I am not at home tomorrow.")
            await anyio.sleep(7.5)
            call.hang_up()
            await anyio.sleep(0.5)
            server.should_exit = True
            tasks.cancel_scope.cancel()
    # A gap inside a reply would make two stretches of it.
    lengths = ", ".join(f"{sound.duration_s:.2f} s" for sound in call.timeline.sounds)
    print(f"On the line there were {len(call.timeline.sounds)} stretches of sound without a gap: {lengths}")


def from_portal(name: str) -> str:
    if name not in os.environ:
        sys.exit(f"{name} must be set, to what Telnyx's portal shows; the first lines of this file say more")
    return os.environ[name]


async def serve(port: int, ears: str, api_key: str, public_key: str) -> None:
    async with httpx.AsyncClient() as client, parts(ears) as made_of, anyio.create_task_group() as tasks:
        bot = Bot(CallControl(client, api_key=api_key), Webhooks(public_key), made_of)
        tasks.start_soon(bot.take_calls)
        await uvicorn.Server(uvicorn.Config(bot, port=port, lifespan="off")).serve()
        tasks.cancel_scope.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", choices=["simulate", "serve"], default="simulate")
    parser.add_argument("port", nargs="?", type=int, default=8080)
    parser.add_argument("--ears", choices=["loudness", "moonshine"], default="loudness")
    arguments = parser.parse_args()
    if arguments.what == "serve":
        keys = from_portal("TELNYX_API_KEY"), from_portal("TELNYX_PUBLIC_KEY")
        try:
            anyio.run(serve, arguments.port, arguments.ears, *keys)
        except* (KeyboardInterrupt, SystemExit):
            sys.exit(1)  # by Ctrl-C, or the server has said why
    else:
        anyio.run(simulate, arguments.ears)


if __name__ == "__main__":
    main()
