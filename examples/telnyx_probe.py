"""Asks Telnyx what its documentation leaves open, on one call, and prints the answers as facts.

Without arguments it asks a simulated Telnyx, in virtual time, so that it takes none:

    pip install 'ordered-pipeline[telnyx]' uvicorn wsproto
    python examples/telnyx_probe.py

To ask a live account, set it up as for telnyx_call.py, with TELNYX_API_KEY and TELNYX_PUBLIC_KEY set; then
start this, call your number, and hum until it hangs up, which takes about two minutes. When a voice asks you
to, press 1:

    python examples/telnyx_probe.py live 8080

With --json at the end the facts come as JSON. An answer is one that `TelnyxReadings` takes where it has that
question, or "not told" if what was seen does not decide it.
"""

import io
import json
import math
import os
import secrets
import sys
import wave
from array import array
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import pairwise
from typing import Any, Final, Literal, TypeAlias, cast

import anyio
import httpx
import uvicorn

from ordered_pipeline.adapters.telnyx import (
    Answer,
    CallAnswered,
    CallControl,
    CallEvents,
    CallHangup,
    CallOverError,
    Command,
    CommandLostError,
    CommandRefusedError,
    DtmfReceived,
    Hangup,
    MediaSocket,
    PlaybackEnded,
    PlaybackStart,
    PlaybackStarted,
    PlaybackStop,
    RateLimit,
    Speak,
    SpeakEnded,
    StreamingStart,
    StreamingStop,
    Webhook,
    Webhooks,
    from_asgi,
)
from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.testing.telnyx import TelnyxReadings, TelnyxSimulator

Scope: TypeAlias = Mapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, object]]]
Send: TypeAlias = Callable[[dict[str, object]], Awaitable[None]]

NOT_TOLD: Final = "not told"
# Gaps of less than the first are none, of more than the second are those of a file being prepared.
NO_GAP_S: Final = 0.05
GAP_S: Final = 0.1
# How many chunks of 0.2 s are sent to see how many are held.
SENT: Final = 100
# A second of mu-law that cannot be taken for speech: 400 Hz.
TONE: Final = bytes([0x90] * 10 + [0x10] * 10) * 400

QUESTIONS: Final = {
    "prepare": "When is a queued clip prepared?",
    "client_state": "Whose client_state has a clip's webhook?",
    "ended_for_never_started": "Does a dropped clip end that never began?",
    "stop_on_empty": "What is a stop answered when nothing plays?",
    "overlay_alone": "What is an overlay answered when nothing plays?",
    "duplicate_reply": "What is a command_id answered that comes again?",
    "most_content_bytes": "How large may playback_content be?",
    "rate_limit": "How many commands may come in a period?",
    "caller_codec": "What codec has caller audio by default?",
    "mark_delay": "How late does a mark come back?",
    "refused_while_streaming": "What is refused with 90045 on a stream?",
    "short_chunks": "What becomes of chunks shorter than 20 ms?",
    "error_shape": "What shape have errors of a stream?",
    "after_error": "What is a stream after an error?",
    "obeys_stream_codec": "Is stream_codec obeyed?",
    "l16_byteorder": "Which byte of an L16 sample is first?",
    "media_buffer_s": "How much audio does a stream hold?",
    "media_overflow": "What becomes of audio beyond that?",
    "opposite_alone": "Who hears what is sent to the opposite leg, alone?",
    "lost_socket": "What happens when we close a stream's socket?",
}


@dataclass(frozen=True, slots=True)
class Fact:
    """What was asked, what that came to, and what was seen."""

    name: str
    question: str
    answer: str
    seen: str


# ---------------------------------------------------------------- the call


class Stream:
    """A media stream: all that came on it."""

    def __init__(self, socket: MediaSocket, on_change: Callable[[], None]) -> None:
        self.socket: MediaSocket = socket
        self.on_change: Callable[[], None] = on_change
        self.messages: list[dict[str, Any]] = []
        self.is_open: bool = True

    async def run(self) -> None:
        try:
            while True:
                self.messages.append(json.loads(await self.socket.receive_text()))
                self.on_change()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self.is_open = False
            self.on_change()

    async def send(self, event: str, **fields: object) -> None:
        try:
            await self.socket.send_text(json.dumps({"event": event, **fields}))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            self.is_open = False

    async def play(self, payload: bytes) -> None:
        await self.send("media", media={"payload": b64encode(payload).decode()})

    def all(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message.get("event") == event]

    @property
    def codec(self) -> str:
        media_format = self.all("start")[0]["start"].get("media_format") or {}
        return str(media_format.get("encoding", NOT_TOLD))


class Line:
    """A call: takes commands, and keeps all that is told of it, and what that comes to."""

    def __init__(self, calls: CallControl, events: CallEvents, stream_url: str) -> None:
        self.calls: CallControl = calls
        self.events: CallEvents = events
        self.stream_url: str = stream_url
        self.webhooks: list[Webhook] = []
        self.streams: list[Stream] = []
        self.facts: list[Fact] = []
        self.rate_limit: RateLimit = RateLimit()
        self.changed: anyio.Event = anyio.Event()

    def note(self, name: str, answer: str, seen: str) -> None:
        self.facts.append(Fact(name, QUESTIONS[name], answer, seen))

    async def listen(self) -> None:
        async for webhook in self.events:
            self.webhooks.append(webhook)
            self.change()

    async def take_stream(self, socket: MediaSocket) -> None:
        stream = Stream(socket, self.change)
        self.streams.append(stream)
        await stream.run()

    def change(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()

    def told(self, kind: type, since: int = 0) -> list[Webhook]:
        """Return the webhooks of one kind in the order of Telnyx's clock."""
        found = [webhook for webhook in self.webhooks[since:] if isinstance(webhook.event, kind)]
        return sorted(found, key=time_of)

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        with anyio.move_on_after(within_s):
            while not condition() and not self.told(CallHangup):
                await self.changed.wait()
        if self.told(CallHangup):
            raise CallOverError("the call has ended")
        return condition()

    async def give(self, command: Command) -> str:
        """Give a command; return "accepted", the code that it was refused with, or NOT_TOLD."""
        try:
            accepted = await self.calls.send(self.events.call_control_id, command)
        except CommandRefusedError as refused:
            return refused.reply.code or str(refused.reply.status)
        except CommandLostError:
            return NOT_TOLD
        self.rate_limit = accepted.rate_limit
        return "accepted"

    async def play(
        self,
        length_s: float,
        *,
        state: str | None = None,
        command_id: str | None = None,
        overlay: bool | None = None,
    ) -> str:
        clip = PlaybackStart(
            playback_content=tone(length_s),
            audio_type="wav",
            overlay=overlay,
            client_state=state,
            command_id=command_id,
        )
        return await self.give(clip)

    async def open_stream(
        self, codec: Literal["L16"] | None = None, legs: Literal["self"] | None = None
    ) -> Stream | None:
        count = len(self.streams)
        command = StreamingStart(
            stream_url=self.stream_url,
            stream_codec=codec,
            stream_bidirectional_mode="rtp",
            stream_bidirectional_codec="PCMU",
            stream_bidirectional_target_legs=legs,
        )
        if await self.give(command) == "accepted":
            await self.until(lambda: any(each.all("start") for each in self.streams[count:]), 10.0)
        return next((each for each in self.streams[count:] if each.all("start")), None)

    async def close_streams(self) -> None:
        await self.give(StreamingStop())
        # One that broke may come again.
        await anyio.sleep(2.0)
        if any(stream.is_open for stream in self.streams):
            await self.give(StreamingStop())
            await self.until(lambda: not any(stream.is_open for stream in self.streams), 3.0)


def time_of(webhook: Webhook) -> float:
    return datetime.fromisoformat(webhook.occurred_at or "1970-01-01T00:00:00Z").timestamp()


def hum(length_s: float) -> "array[int]":
    return array("h", (round(2000 * math.sin(n / 4)) for n in range(round(8000 * length_s))))


def tone(length_s: float) -> bytes:
    samples = hum(length_s)
    if sys.byteorder == "big":
        samples.byteswap()
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, 8000, 0, "NONE", ""))
        wav.writeframes(samples.tobytes())
    return file.getvalue()


def verdict(reply: str) -> str:
    return reply if reply in {"accepted", NOT_TOLD} else "refused"


# ---------------------------------------------------------------- the questions


async def ask_queue(line: Line) -> None:
    since = len(line.webhooks)
    states = ["1", "2", "3"]
    for state in states:
        await line.play(2.0, state=state)
    await line.until(lambda: len(line.told(PlaybackEnded, since)) >= len(states), 12.0)
    starts, ends = line.told(PlaybackStarted, since), line.told(PlaybackEnded, since)
    gaps = [time_of(start) - time_of(end) for start, end in zip(starts[1:], ends, strict=False)]
    answer = NOT_TOLD
    if len(starts) == len(ends) == len(states):
        answer = "on_enqueue" if max(gaps) < NO_GAP_S else "on_head" if min(gaps) > GAP_S else NOT_TOLD
    line.note("prepare", answer, f"gaps of {', '.join(f'{1000 * gap:.0f} ms' for gap in gaps)}")
    found = [(webhook.client_state or b"").decode(errors="replace") for webhook in ends]
    answer = "item" if found == states else "latest" if found == ["3"] * 3 else NOT_TOLD
    line.note("client_state", answer, f"{', '.join(found)} at the ends of {', '.join(states)}")


async def ask_stop(line: Line) -> None:
    since = len(line.webhooks)
    await line.play(8.0)
    await line.play(8.0)
    await line.until(lambda: bool(line.told(PlaybackStarted, since)), 5.0)
    await line.give(PlaybackStop(stop="all"))
    await line.until(lambda: len(line.told(PlaybackEnded, since)) > 1, 4.0)
    begun, ended = len(line.told(PlaybackStarted, since)), len(line.told(PlaybackEnded, since))
    answer = {(1, 1): "no", (1, 2): "yes"}.get((begun, ended), NOT_TOLD)
    line.note("ended_for_never_started", answer, f"of 2 clips {begun} began, {ended} ended")
    reply = await line.give(PlaybackStop())
    line.note("stop_on_empty", verdict(reply), reply)
    reply = await line.play(0.5, overlay=True)
    line.note("overlay_alone", verdict(reply), reply)
    await anyio.sleep(2.0)


async def ask_commands(line: Line) -> None:
    since = len(line.webhooks)
    command_id = secrets.token_hex(8)
    first, second = [await line.play(1.0, command_id=command_id) for _ in range(2)]
    await line.until(lambda: len(line.told(PlaybackEnded, since)) > 1, 4.0)
    times = len(line.told(PlaybackStarted, since))
    answer = verdict(second) if times == 1 else "carried out twice" if times > 1 else NOT_TOLD
    line.note("duplicate_reply", answer, f"first {first}, then {second}; clips that began: {times}")
    replies: dict[int, str] = {}
    for length_s in (16, 64, 128):
        replies[16 * length_s] = await line.play(length_s)
        await line.give(PlaybackStop())
    largest = max((size for size, reply in replies.items() if reply == "accepted"), default=None)
    seen = ", ".join(f"{size} kB: {reply}" for size, reply in replies.items())
    line.note("most_content_bytes", NOT_TOLD if largest is None else f"at least {largest} kB", seen)
    limit = line.rate_limit
    answer = NOT_TOLD if limit.limit is None else str(limit.limit)
    line.note("rate_limit", answer, f"{limit.remaining} left for {limit.reset_s} s")


async def ask_stream(line: Line) -> None:
    stream = await line.open_stream()
    if stream is None:
        line.note("caller_codec", NOT_TOLD, "no stream was opened")
        return
    line.note("caller_codec", stream.codec, "told by the start message")
    began_s = anyio.current_time()
    await stream.play(b"\xff" * 8000)
    await stream.send("mark", mark={"name": "delay"})
    came = await line.until(lambda: bool(stream.all("mark")), 4.0)
    delay_s = anyio.current_time() - began_s - 1.0
    line.note("mark_delay", f"{delay_s:.2f} s" if came else NOT_TOLD, "behind one second of silence")
    replies = {
        "playback_start": await line.play(0.5),
        "playback_stop": await line.give(PlaybackStop()),
        "speak": await line.give(Speak(payload="Yes.", voice="female")),
    }
    answer = ", ".join(action for action, reply in replies.items() if reply == "90045") or "nothing"
    seen = ", ".join(f"{action}: {reply}" for action, reply in replies.items())
    line.note("refused_while_streaming", NOT_TOLD if NOT_TOLD in replies.values() else answer, seen)

    await stream.play(b"\xff" * 80)
    await stream.send("mark", mark={"name": "short"})
    await line.until(lambda: bool(stream.all("error")) or not stream.is_open, 2.0)
    errors = stream.all("error")
    marks = [mark for mark in stream.all("mark") if mark["mark"]["name"] == "short"]
    answer = "refused" if errors or not stream.is_open else "tolerated" if marks else NOT_TOLD
    line.note("short_chunks", answer, f"after 10 ms and a mark: errors {len(errors)}, marks {len(marks)}")

    await stream.send("media", media={"payload": "no base64!"})
    await line.until(lambda: not stream.is_open, 2.0)
    errors = stream.all("error")
    answer = NOT_TOLD if not errors else "current" if "payload" in errors[0] else "legacy"
    line.note("error_shape", answer, ", ".join(errors[0]) if errors else "no error came")
    answer = "closed" if not stream.is_open else "open" if errors else NOT_TOLD
    line.note("after_error", answer, f"errors: {len(errors)}")
    await line.close_streams()


async def ask_l16(line: Line) -> None:
    stream = await line.open_stream("L16")
    if stream is None:
        line.note("obeys_stream_codec", NOT_TOLD, "no stream was opened")
        return
    is_l16 = "L16" in stream.codec.upper()
    line.note("obeys_stream_codec", "yes" if is_l16 else "no", f"{stream.codec} came for L16")
    await line.until(lambda: not stream.is_open, 4.0)
    line.note("l16_byteorder", *(byteorder_of(stream) if is_l16 else (NOT_TOLD, "no L16 came")))

    # Ten times as fast as it sounds, yet not so fast that closing could not be seen.
    sent = 0
    while sent < SENT and not await line.until(lambda: not stream.is_open, 0.02):
        await stream.play(b"\xff" * 1600)
        sent += 1
    began_s = anyio.current_time()
    await stream.send("mark", mark={"name": "full"})
    await line.until(lambda: bool(stream.all("mark")) or not stream.is_open, 0.2 * SENT + 2.0)
    waited_s, most_s = anyio.current_time() - began_s, 0.18 * sent
    held, overflow = NOT_TOLD, NOT_TOLD
    if not stream.is_open:
        held, overflow = f"about {most_s:.0f} s", "closed"
    elif stream.all("mark") and waited_s > most_s - 0.5:
        held = f"at least {waited_s:.0f} s"
    elif stream.all("mark"):
        held, overflow = f"about {waited_s:.0f} s", "dropped"
    seen = f"{0.2 * sent:.1f} s sent in {0.02 * sent:.1f} s, over {waited_s:.1f} s later"
    line.note("media_buffer_s", held, seen)
    line.note("media_overflow", overflow, f"the stream is {'open' if stream.is_open else 'closed'}")
    await line.close_streams()


async def ask_legs(line: Line) -> None:
    await line.give(Speak(payload="Please press one as soon as you hear a long tone.", voice="female"))
    await line.until(lambda: bool(line.told(SpeakEnded)), 10.0)
    heard: list[bool] = []
    for legs in (None, "self"):
        since = len(line.webhooks)
        stream = await line.open_stream(legs=legs)
        if stream is None:
            line.note("opposite_alone", NOT_TOLD, "no stream was opened")
            return
        # Eight seconds, not all at once.
        for _ in range(8):
            await stream.play(TONE)
            await line.until(lambda: bool(line.told(DtmfReceived, since)), 0.8)  # noqa: B023  # at once
        heard.append(await line.until(lambda: bool(line.told(DtmfReceived, since)), 3.0))  # noqa: B023  # as above
        await line.close_streams()
    # Who hears neither does not listen, or nobody is there.
    answer = {(True, True): "heard", (False, True): "silent"}.get((heard[0], heard[1]), NOT_TOLD)
    line.note("opposite_alone", answer, f"a key was pressed: {heard[0]}; for the own leg: {heard[1]}")


async def ask_lost_socket(line: Line) -> None:
    stream = await line.open_stream()
    if stream is None:
        line.note("lost_socket", NOT_TOLD, "no stream was opened")
        return
    count = len(line.streams)
    await stream.socket.aclose()
    try:
        connects = await line.until(lambda: len(line.streams) > count, 5.0)
        reply = await line.play(0.5)
    except CallOverError:
        source = getattr(line.told(CallHangup)[-1].event, "hangup_source", None)
        line.note("lost_socket", NOT_TOLD if source == "caller" else "ends", f"hung up by: {source}")
        return
    answer = "connects" if connects else "goes_on" if reply == "accepted" else NOT_TOLD
    line.note("lost_socket", answer, f"after 5 s a clip was answered: {reply}")


def byteorder_of(stream: Stream) -> tuple[str, str]:
    """Tell the byte order by which sound is smoother: read the wrong way, any sound is noise."""
    data = b"".join(b64decode(message["media"]["payload"]) for message in stream.all("media"))
    native = array("h", data[: len(data) // 2 * 2])
    other = array("h", native)
    other.byteswap()
    steps = [sum(abs(a - b) for a, b in pairwise(samples)) for samples in (native, other)]
    little, big = steps if sys.byteorder == "little" else reversed(steps)
    answer = "little" if 2 * little < big else "big" if 2 * big < little else NOT_TOLD
    return answer, f"the steps of {len(native)} samples add up to {little} as little, {big} as big"


async def ask(line: Line) -> list[Fact]:
    """Take the call and ask all, until it ends."""
    sure = 0
    try:
        await line.give(Answer())
        await line.until(lambda: bool(line.told(CallAnswered)), 10.0)
        for questions in (ask_queue, ask_stop, ask_commands, ask_stream, ask_l16, ask_legs):
            await questions(line)
            # What a hang-up brings about is no answer, and its own webhook may be the last to come.
            await line.until(lambda: False, 1.0)
            sure = len(line.facts)
        # Here it may be one.
        await ask_lost_socket(line)
        sure = len(line.facts)
        await line.give(Hangup())
    except CallOverError:
        print("The call ended before all was asked.", file=sys.stderr)
    return line.facts[:sure]


# ---------------------------------------------------------------- the simulated Telnyx, and the real one


async def simulate(readings: TelnyxReadings = TelnyxReadings()) -> list[Fact]:  # noqa: B008  # frozen
    async def post(headers: Mapping[str, str], body: bytes) -> int:
        webhooks.accept(headers, body)
        return 200

    async def media(socket: MediaSocket) -> None:
        await line.take_stream(socket)

    async def listen_and_hum() -> None:
        samples = hum(0.5)
        if readings.l16_byteorder != sys.byteorder:
            samples.byteswap()
        while True:
            await anyio.sleep(0.5)
            if call.stream is not None:
                call.stream.say(samples.tobytes())
            if any(
                TONE in sound.data and sound.end_s > anyio.current_time() for sound in call.timeline.sounds
            ):
                call.press("1")

    telnyx = TelnyxSimulator(webhooks=post, media=media, readings=readings)
    webhooks = Webhooks(telnyx.public_key, clock=telnyx.unix_time)
    async with telnyx, httpx.AsyncClient(transport=telnyx.transport()) as client:
        call = telnyx.incoming_call()
        calls = CallControl(client, api_key=telnyx.api_key)
        line = Line(calls, webhooks.events(call.call_control_id), "ws://bot.invalid/media")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(line.listen)
            tasks.start_soon(listen_and_hum)
            facts = await ask(line)
            tasks.cancel_scope.cancel()
    return facts


class Server:
    """An ASGI application: webhooks come to /webhooks, media streams to where only Telnyx is told."""

    def __init__(self, webhooks: Webhooks) -> None:
        self.webhooks: Webhooks = webhooks
        self.path: str = f"/{secrets.token_urlsafe()}"
        self.host: str = ""
        self.line: Line | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            socket = from_asgi(scope, receive, send)
            if self.line is not None and scope["path"] == self.path:
                await self.line.take_stream(socket)
            await socket.aclose()
            return
        headers = dict(cast("Iterable[tuple[bytes, bytes]]", scope["headers"]))

        async def answer(message: dict[str, object]) -> None:
            # Telnyx reaches us under this name; but believe it only of a webhook that was signed.
            if message.get("status") == HTTPStatus.OK:
                self.host = headers[b"host"].decode()
            await send(message)

        await self.webhooks(scope, receive, answer)


def from_portal(name: str) -> str:
    if name not in os.environ:
        sys.exit(f"{name} must be set, to what Telnyx's portal shows; see telnyx_call.py")
    return os.environ[name]


async def live(port: int, api_key: str, public_key: str) -> list[Fact]:
    app = Server(Webhooks(public_key))
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning"))
    facts: list[Fact] = []
    async with httpx.AsyncClient() as client, anyio.create_task_group() as tasks:

        async def take_a_call() -> None:
            print("Call your number now, and hum.", file=sys.stderr)
            async with await app.webhooks.next_call() as events:
                calls = CallControl(client, api_key=api_key, timeout_s=10.0)
                scheme = "ws" if app.host.startswith("127.0.0.1:") else "wss"
                line = app.line = Line(calls, events, f"{scheme}://{app.host}{app.path}")
                tasks.start_soon(line.listen)
                facts.extend(await ask(line))
            server.should_exit = True

        tasks.start_soon(take_a_call)
        # Until then, or Ctrl-C.
        await server.serve()
        tasks.cancel_scope.cancel()
    return facts


def show(facts: list[Fact], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(fact) for fact in facts], indent=2))
        return
    columns = zip(*map(astuple, facts), strict=True)
    _, asked, answered, _ = (max(map(len, column)) for column in columns) if facts else (0, 0, 0, 0)
    for fact in facts:
        print(f"{fact.question:{asked}}  {fact.answer:{answered}}  {fact.seen}")


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--json"]
    match arguments:
        case []:
            found = run_in_virtual_time(simulate)
        case ["live", port] if port.isdecimal():
            keys = from_portal("TELNYX_API_KEY"), from_portal("TELNYX_PUBLIC_KEY")
            try:
                found = anyio.run(live, int(port), *keys)
            except* (KeyboardInterrupt, SystemExit):
                sys.exit(1)  # by Ctrl-C, or the server has said why
        case _:
            sys.exit(__doc__)
    show(found, as_json="--json" in sys.argv)
