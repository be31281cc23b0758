"""What a caller on Telnyx hears between sentences, by how the bot plays them: in virtual time, exact.

How it reckons:

1. Telnyx is simulated. A command takes 240 ms, a file sounds 200 ms after it is there, a webhook comes after
   60 ms, and a message of a media stream is 20 ms under way. Whether a queued file is prepared at once, or
   when it comes to the head of the queue, Telnyx does not say: both are shown.
2. The voice gives its 1.5 s of audio for each of three sentences 400 ms after it was asked. Time counts from
   then on that the text is there.
3. A bot that plays `one by one` posts a sentence when a webhook has told that the last one is over.
   `queued ahead` is `QueuePlayer`, `media stream` is `MediaStream`.
4. Samples are compared with those that the voice has made. After a barge-in, in the middle of the second
   sentence, it takes some time until the caller hears nothing any more.

Run it: ``python benchmarks/telnyx_gaps.py``.
"""

import argparse
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final, Literal, TypeAlias

import anyio
import httpx

from ordered_pipeline.adapters.telnyx import (
    CallControl,
    CallEvents,
    MediaSocket,
    MediaStream,
    PlaybackEnded,
    PlaybackStart,
    QueuePlayer,
    StreamingStart,
    Webhooks,
)
from ordered_pipeline.testing import (
    ScriptedTextToSpeech,
    SpeechScript,
    run_in_virtual_time,
    scripted_audio,
)
from ordered_pipeline.testing.telnyx import SimulatedCall, TelnyxReadings, TelnyxSimulator, TelnyxTiming
from ordered_pipeline.voice import AudioFormat, Player, player_from, speak

Prepare: TypeAlias = Literal["on_enqueue", "on_head"]

TEXT: Final = "Your parcel left our depot this morning. It should be with you by ten. Is anybody at home?"
SENTENCES: Final = 3
AUDIO_S: Final = 1.5
TIMING: Final = TelnyxTiming(media_latency_s=0.02)
PREPARED: Final[dict[Prepare, str]] = {"on_enqueue": "when it is queued", "on_head": "at the head"}
PCM: Final = AudioFormat("s16le", 8000)
PCMU: Final = AudioFormat("mulaw", 8000)
WAV: Final = AudioFormat("wav", 8000)


@dataclass(frozen=True, slots=True)
class Row:
    """What the caller hears. Times are in milliseconds.

    Attributes:
        bot: How the bot plays.
        prepared: When Telnyx prepares a file; None where there are no files.
        first_ms: When she hears the first.
        gaps_ms: The silences between sentences.
        samples: From the first on, how many samples she hears that are as the voice made them.
        silent_ms: How long after a barge-in she hears something; None if nothing was done to stop it.
    """

    bot: str
    prepared: Prepare | None
    first_ms: float
    gaps_ms: list[float]
    samples: int
    silent_ms: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A call, and what a bot has to speak on it."""

    call: SimulatedCall
    calls: CallControl
    events: CallEvents


Turn: TypeAlias = Callable[[Player], Awaitable[None]]


@asynccontextmanager
async def answered(prepare: Prepare, serve: Callable[[MediaSocket], Awaitable[None]]) -> AsyncGenerator[Line]:
    async def receive(headers: Mapping[str, str], body: bytes) -> int:
        webhooks.accept(headers, body)
        return 200

    telnyx = TelnyxSimulator(
        webhooks=receive, media=serve, timing=TIMING, readings=TelnyxReadings(prepare=prepare)
    )
    webhooks = Webhooks(telnyx.public_key, clock=telnyx.unix_time)
    async with telnyx, httpx.AsyncClient(transport=telnyx.transport()) as client:
        call = telnyx.incoming_call(is_answered=True)
        calls = CallControl(client, api_key=telnyx.api_key)
        yield Line(call, calls, webhooks.events(call.call_control_id))


async def nothing(_: MediaSocket) -> None:
    pass


# ---------------------------------------------------------------- the bots


async def one_by_one(prepare: Prepare, turn: Turn) -> SimulatedCall:
    async with answered(prepare, nothing) as line:

        async def play(file: bytes) -> None:
            command = PlaybackStart(playback_content=file, audio_type="wav")
            await line.calls.send(line.call.call_control_id, command)
            async for webhook in line.events:
                if isinstance(webhook.event, PlaybackEnded):
                    return

        await turn(player_from(play, formats=[WAV]))
    return line.call


async def queued_ahead(prepare: Prepare, turn: Turn) -> SimulatedCall:
    async with answered(prepare, nothing) as line:

        async def listen(player: QueuePlayer) -> None:
            async for webhook in line.events:
                player.handle(webhook)

        player = QueuePlayer(line.calls, line.call.call_control_id)
        async with player, anyio.create_task_group() as tasks:
            tasks.start_soon(listen, player)
            await turn(player)
            tasks.cancel_scope.cancel()
    return line.call


async def media_stream(prepare: Prepare, turn: Turn) -> SimulatedCall:
    over = anyio.Event()

    async def serve(socket: MediaSocket) -> None:
        async with MediaStream(socket, auth_token=None) as stream:
            await turn(stream)
        over.set()

    async with answered(prepare, serve) as line:
        command = StreamingStart(
            stream_url="wss://bot.test/media",
            stream_bidirectional_mode="rtp",
            stream_bidirectional_codec="PCMU",
        )
        await line.calls.send(line.call.call_control_id, command)
        await over.wait()
    return line.call


Bot: TypeAlias = Callable[[Prepare, Turn], Awaitable[SimulatedCall]]
BOTS: Final[dict[str, tuple[Bot, AudioFormat]]] = {
    "one by one": (one_by_one, PCM),
    "queued ahead": (queued_ahead, PCM),
    "media stream": (media_stream, PCMU),
}


# ---------------------------------------------------------------- what is heard


async def hear(name: str, prepare: Prepare) -> Row:
    bot, audio_format = BOTS[name]
    tts = ScriptedTextToSpeech(SpeechScript(first_audio_s=0.4, audio_s=AUDIO_S), audio_format=audio_format)
    began_s = stopped_s = 0.0

    async def whole(player: Player) -> None:
        nonlocal began_s
        began_s = anyio.current_time()
        async with speak(TEXT, tts=tts, player=player) as reply:
            await reply.finished()

    async def cut(player: Player, after_s: float) -> None:
        nonlocal stopped_s
        async with speak(TEXT, tts=tts, player=player) as reply:
            await anyio.sleep(after_s)
            stopped_s = anyio.current_time()
            await reply.interrupt()
        # What is under way arrives.
        await anyio.sleep(1.0)

    timeline = (await bot(prepare, whole)).timeline
    first_s = timeline.sounds[0].start_s - began_s
    gaps_ms = [in_ms(gap.duration_s) for gap in timeline.gaps()]
    made = b"".join(scripted_audio(each.segment, tts.format, AUDIO_S) for each in tts.requests)
    as_made = same_start(made, timeline.data()) // audio_format.step_bytes
    silent_ms: float | None = None
    if name != "one by one":
        heard = await bot(prepare, partial(cut, after_s=first_s + 1.5 * AUDIO_S))
        silent_ms = in_ms(heard.timeline.sounds[-1].end_s - stopped_s)
    return Row(name, None if name == "media stream" else prepare, in_ms(first_s), gaps_ms, as_made, silent_ms)


def same_start(one: bytes, other: bytes) -> int:
    """Return with how many equal bytes both begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))


def in_ms(seconds: float) -> float:
    return round(seconds * 1000, 3) + 0.0


def cells(row: Row) -> list[str]:
    return [
        row.bot,
        "–" if row.prepared is None else PREPARED[row.prepared],
        f"{row.first_ms:.0f} ms",
        ", ".join(f"{gap_ms:.0f} ms" for gap_ms in row.gaps_ms) or "none",
        f"{row.samples:,} of {round(SENTENCES * AUDIO_S * PCM.sample_rate_hz):,}",
        "–" if row.silent_ms is None else f"{row.silent_ms:.0f} ms",
    ]


def table(rows: list[Row]) -> str:
    head = [
        "",
        "a queued file is prepared",
        "first sound",
        "silence between sentences",
        "samples as made",
        "silent after a barge-in",
    ]
    lines = [f"| {' | '.join(head)} |", "|---|---|---:|---:|---:|---:|"]
    return "\n".join([*lines, *(f"| {' | '.join(cells(row))} |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()

    cases: list[tuple[str, Prepare]] = [
        (name, prepare)
        for name in BOTS
        for prepare in PREPARED
        # A stream has nothing to prepare.
        if name != "media stream" or prepare == "on_enqueue"
    ]
    rows = [run_in_virtual_time(hear, name, prepare) for name, prepare in cases]
    print(json.dumps([asdict(row) for row in rows]) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
