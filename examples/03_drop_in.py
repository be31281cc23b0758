"""A bot with two plain functions gets ordered prefetch, barge-in and a timeline, by an import and four lines.

The bot waits for the whole reply of its language model (LLM), gathers text to speech (TTS) for all sentences,
and plays clip after clip. Its ``synthesize`` takes text and returns audio, its ``play`` takes audio and
returns when the sound is over. The first change leaves both as they are. Each start of ``play`` still is
silence, and the timeline says so; the second change is a player that returns when it has accepted a clip.

Nothing waits for real, and no sound is made: each part takes, in virtual time, what it took in such a bot.
"""

import asyncio
import difflib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import anyio

from ordered_pipeline.testing import RecordingPlayer, run_in_virtual_time
from ordered_pipeline.voice import (
    AudioChunk,
    AudioFormat,
    Clip,
    PlayerCapabilities,
    Segment,
    player_from,
    speak,
    tts_from,
)

SENTENCES: Final = ("Thank you for calling.", "Your parcel left this morning.", "It comes tomorrow.")
STT_S: Final = 0.007
SENTENCE_S: Final = 0.8
# From asking the LLM until its reply ends: longer than the three sentences take.
REPLY_S: Final = 4.619
# The last one is slow, and `gather` waits for it.
TTS_S: Final = dict(zip(SENTENCES, (0.4, 0.4, 0.879), strict=True))
AUDIO_S: Final = 1.5
PHONE: Final = AudioFormat("s16le", 8000)

# One character of a picture.
COLUMN_S: Final = 0.2


# ---------------------------------------------------------------- the bot, three times


async def as_it_is(call: "Call") -> None:
    await call.transcribe()
    sentences = [sentence async for sentence in call.reply()]
    for audio in await asyncio.gather(*map(call.synthesize, sentences)):
        await call.play(audio)


async def with_speak(call: "Call") -> None:
    await call.transcribe()
    tts, player = tts_from(call.synthesize, format=PHONE), player_from(call.play)
    async with speak(call.reply(), tts=tts, player=player) as reply:
        await reply.finished()
    print(reply.timeline)


async def with_a_player_that_accepts_early(call: "Call") -> None:
    await call.transcribe()
    tts, player = tts_from(call.synthesize, format=PHONE), call.carrier
    async with speak(call.reply(), tts=tts, player=player) as reply:
        await reply.finished()
    print(reply.timeline)


# ---------------------------------------------------------------- the parts it is made of


class Call:
    """A phone call, with a bot's parts."""

    def __init__(self) -> None:
        # Accepts a clip after 240 ms, which sounds 200 ms later or when the one before it is over.
        self.carrier = RecordingPlayer(
            PlayerCapabilities(streaming=False, queue_ahead=1), call_s=0.24, start_s=0.2
        )
        self.played = 0

    async def transcribe(self) -> None:
        await anyio.sleep(STT_S)

    async def reply(self) -> AsyncIterator[str]:
        """Write the reply, sentence by sentence."""
        asked_s = anyio.current_time()
        for sentence in SENTENCES:
            await anyio.sleep(SENTENCE_S)
            yield sentence + " "
        await anyio.sleep_until(asked_s + REPLY_S)

    async def synthesize(self, sentence: str) -> bytes:
        """Return the audio of a sentence: a buzz."""
        await anyio.sleep(TTS_S[sentence.strip()])
        return b"\x00\x10" * round(AUDIO_S * PHONE.sample_rate_hz)

    async def play(self, audio: bytes) -> None:
        """Make a play call; return when the clip is over."""
        clip = Clip(Segment(self.played, ""), PHONE, [AudioChunk(audio)])
        clip.end()
        self.played += 1
        playback = await self.carrier.play(clip)
        await playback.finished()

    @property
    def first_audio_s(self) -> float:
        return self.carrier.sounds[0].start_s


# ---------------------------------------------------------------- what is printed


def change(before: Callable[..., object], after: Callable[..., object]) -> list[str]:
    """Return the lines by which two bots differ."""
    old, new = (inspect.getsource(bot).splitlines()[1:] for bot in (before, after))
    return [line for line in difflib.ndiff(old, new) if line[0] in "+-"]


def picture(call: Call) -> str:
    """Return a line for each clip, from the end of the caller's speech on."""
    lines: list[str] = []
    for sound in call.carrier.sounds:
        bar = " " * round(sound.start_s / COLUMN_S) + "#" * round(AUDIO_S / COLUMN_S)
        lines.append(f"  {sound.start_s:6.3f} to {sound.end_s:6.3f} s  |{bar}")
    return "\n".join(lines)


def in_ms(times_s: Sequence[float]) -> str:
    return ", ".join(f"{time_s * 1000:,.0f} ms" for time_s in times_s) or "0 ms"


def run(bot: Callable[[Call], Awaitable[None]]) -> Call:
    print(f"\n=== {bot.__name__.replace('_', ' ')} ===\n")
    call = Call()
    run_in_virtual_time(bot, call)
    print(f"\nWhat the caller hears (a column is {COLUMN_S} s):\n{picture(call)}")
    print(f"First audio after {in_ms([call.first_audio_s])}, silence {in_ms(call.carrier.gaps())}")
    return call


def main() -> None:
    bots = as_it_is, with_speak, with_a_player_that_accepts_early
    calls = [run(bot) for bot in bots]

    changes = ["+ from ordered_pipeline.voice import player_from, speak, tts_from", *change(*bots[:2])]
    print("\nThe first change:\n\n" + "\n".join(changes))
    print("\nThe second:\n\n" + "\n".join(change(*bots[1:])))
    before, after, early = calls
    print(
        f"\n{len(changes)} lines: first audio after {in_ms([after.first_audio_s])} instead of "
        f"{in_ms([before.first_audio_s])}; 2 more: silence {in_ms(early.carrier.gaps())} instead of "
        f"{in_ms(after.carrier.gaps())}"
    )


if __name__ == "__main__":
    main()
