"""A voice bot that keeps its caller waiting, and what a few changed lines do about it, in virtual time.

For each sentence that the language model (LLM) calls back with, the bot starts a task for text to speech
(TTS). It gathers them when the reply is whole, and plays clip after clip, each with a call to the carrier.
The example runs the bot four times, each time with one more change, and prints what changed in the code, and
when each sentence is heard.

Nothing waits for real, and no sound is made: each part sleeps, in virtual time, for the time given here. One
assumption is in it: a carrier that gets a clip while another plays queues it, and has it ready in its turn.
"""

import asyncio
import difflib
import inspect
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import anyio

from ordered_pipeline import in_order, ordered_map
from ordered_pipeline.testing import run_in_virtual_time

SENTENCES = ("Thank you for calling.", "Your parcel left this morning.", "It comes tomorrow.")
STT_S = 0.007
SENTENCE_S = 0.8
# From asking the LLM until its call returns: longer than the three sentences take.
REPLY_S = 4.619
TTS_S = 0.4
PLAY_CALL_S = 0.24
PLAY_START_S = 0.2
CLIP_S = 1.5

# One character of a timeline.
COLUMN_S = 0.2


# ---------------------------------------------------------------- the bot, four times


async def as_it_is(call: "Call") -> None:
    tts_tasks: list[asyncio.Task[bytes]] = []

    async def on_sentence(sentence: str) -> None:
        tts_tasks.append(asyncio.create_task(call.synthesize(sentence)))

    question = await call.transcribe()
    await call.write_reply(question, on_sentence)
    for audio in await asyncio.gather(*tts_tasks):
        await call.save_and_play(audio)


# The drop-in. Here it gains nothing yet: once the whole reply is there, so is all of its TTS.
async def in_order_for_gather(call: "Call") -> None:
    tts_tasks: list[asyncio.Task[bytes]] = []

    async def on_sentence(sentence: str) -> None:
        tts_tasks.append(asyncio.create_task(call.synthesize(sentence)))

    question = await call.transcribe()
    await call.write_reply(question, on_sentence)
    async with in_order(tts_tasks) as clips:
        async for audio in clips:
            await call.save_and_play(audio)


# The first clip plays while the rest is still being written. Each play call still waits for the last clip.
async def while_the_reply_is_written(call: "Call") -> None:
    tts_started, tts_tasks = anyio.create_memory_object_stream[asyncio.Task[bytes]](math.inf)

    async def on_sentence(sentence: str) -> None:
        tts_started.send_nowait(asyncio.create_task(call.synthesize(sentence)))

    question = await call.transcribe()
    async with asyncio.TaskGroup() as tasks, in_order(tts_tasks) as clips:
        reply = tasks.create_task(call.write_reply(question, on_sentence))
        reply.add_done_callback(lambda _: tts_started.close())
        async for audio in clips:
            await call.save_and_play(audio)


# A play call returns when the carrier has accepted the clip, and the next one is made while that still plays.
async def with_play_calls_ahead(call: "Call") -> None:
    tts_started, tts_tasks = anyio.create_memory_object_stream[asyncio.Task[bytes]](math.inf)

    async def on_sentence(sentence: str) -> None:
        tts_started.send_nowait(asyncio.create_task(call.synthesize(sentence)))

    question = await call.transcribe()
    # One play call at a time, or the network could swap two of them.
    ahead = ordered_map(call.play, in_order(tts_tasks), prefetch=2, concurrency=1)
    async with asyncio.TaskGroup() as tasks, ahead as playbacks:
        reply = tasks.create_task(call.write_reply(question, on_sentence))
        reply.add_done_callback(lambda _: tts_started.close())
        async for playback in playbacks:
            await playback.ended()


# ---------------------------------------------------------------- the parts it is made of


@dataclass(slots=True)
class Playback:
    """A clip that the carrier has accepted. It may still have to wait for those before it."""

    asked_s: float
    started_s: float
    ended_s: float

    async def ended(self) -> None:
        await anyio.sleep_until(self.ended_s)


class Call:
    """A phone call, with a bot's parts: each takes its time, and notes it."""

    def __init__(self) -> None:
        self.written_s: list[float] = []
        self.ready_s: list[float] = []
        self.playbacks: list[Playback] = []

    async def transcribe(self) -> str:
        await anyio.sleep(STT_S)
        return "Where is my parcel?"

    async def write_reply(self, _: str, on_sentence: Callable[[str], Awaitable[None]]) -> None:
        """Ask the LLM, and call back with each sentence as it is written."""
        asked_s = anyio.current_time()
        for sentence in SENTENCES:
            await anyio.sleep(SENTENCE_S)
            self.written_s.append(anyio.current_time())
            await on_sentence(sentence)
        await anyio.sleep_until(asked_s + REPLY_S)

    async def synthesize(self, sentence: str) -> bytes:
        await anyio.sleep(TTS_S)
        self.ready_s.append(anyio.current_time())
        return sentence.encode()

    async def play(self, _: bytes) -> Playback:
        """Make a play call; return when the carrier has accepted the clip."""
        asked_s = anyio.current_time()
        await anyio.sleep(PLAY_CALL_S)
        free_s = self.playbacks[-1].ended_s if self.playbacks else 0
        started_s = max(anyio.current_time() + PLAY_START_S, free_s)
        playback = Playback(asked_s, started_s, started_s + CLIP_S)
        self.playbacks.append(playback)
        return playback

    async def save_and_play(self, audio: bytes) -> None:
        """Make a play call; return when the clip is over."""
        playback = await self.play(audio)
        await playback.ended()

    @property
    def first_audio_s(self) -> float:
        return self.playbacks[0].started_s

    @property
    def gaps_s(self) -> list[float]:
        return [after.started_s - before.ended_s for before, after in pairwise(self.playbacks)]

    @property
    def over_s(self) -> float:
        return self.playbacks[-1].ended_s


# ---------------------------------------------------------------- what is printed


def change(before: Callable[..., object], after: Callable[..., object]) -> str:
    """Return the difference between the bodies of two functions."""
    old, new = (inspect.getsource(bot).splitlines()[1:] for bot in (before, after))
    return "\n".join(difflib.unified_diff(old, new, before.__name__, after.__name__, n=1, lineterm=""))


def timeline(call: Call) -> str:
    """Return a line for each sentence, from the end of the caller's turn until it has been heard."""
    lines: list[str] = []
    for written_s, ready_s, playback in zip(call.written_s, call.ready_s, call.playbacks, strict=True):
        heard_from_s = playback.asked_s + PLAY_CALL_S + PLAY_START_S
        phases = (" ", written_s), ("t", ready_s), (".", playback.asked_s), ("c", heard_from_s)
        line = ""
        for mark, until_s in (*phases, (".", playback.started_s), ("#", playback.ended_s)):
            line = line.ljust(round(until_s / COLUMN_S), mark)
        lines.append(f"  {playback.started_s:6.3f} to {playback.ended_s:6.3f} s  |{line}")
    return "\n".join(lines)


def in_ms(times_s: Sequence[float]) -> str:
    return ", ".join(f"{time_s * 1000:.0f} ms" for time_s in times_s)


def main() -> None:
    bots = as_it_is, in_order_for_gather, while_the_reply_is_written, with_play_calls_ahead
    calls: list[Call] = []
    for number, bot in enumerate(bots):
        print(f"\n=== {bot.__name__.replace('_', ' ')} ===\n")
        if number:
            print(change(bots[number - 1], bot) + "\n")
        calls.append(call := Call())
        run_in_virtual_time(bot, call)
        print(timeline(call))

    print(f"\n(a column is {COLUMN_S} s; t: TTS, c: play call and start, #: sound, .: a clip that waits)")
    print(f"\n{'':26}  first audio  silence between sentences  over after")
    for bot, call in zip(bots, calls, strict=True):
        times = f"{in_ms([call.first_audio_s]):>11}  {in_ms(call.gaps_s):>25}  {in_ms([call.over_s]):>10}"
        print(f"{bot.__name__.replace('_', ' '):26}  {times}")

    first, *_, last = calls
    print(
        f"\nFirst audio after {in_ms([last.first_audio_s])} instead of {in_ms([first.first_audio_s])}, "
        f"silence {in_ms(last.gaps_s)} instead of {in_ms(first.gaps_s)}"
    )


if __name__ == "__main__":
    main()
