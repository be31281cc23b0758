"""A bot whose language model (LLM) calls back with each sentence, and what is said instead of gathered.

The callback becomes ``reply.say``. It waits when enough of the reply is in flight, and so holds an LLM back
that can wait. See 03 for a bot that iterates over its reply, and for a player that accepts early.

Nothing waits for real, and no sound is made: each part takes, in virtual time, what it took in such a bot.
"""

import asyncio
import difflib
import inspect
from collections.abc import Awaitable, Callable
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
AUDIO_S: Final = 1.5
PHONE: Final = AudioFormat("s16le", 8000)


# ---------------------------------------------------------------- the bot, twice


async def before(call: "Call") -> None:
    tts_tasks: list[asyncio.Task[bytes]] = []

    async def on_sentence(sentence: str) -> None:
        tts_tasks.append(asyncio.create_task(call.synthesize(sentence)))

    await call.write_reply(on_sentence)
    for audio in await asyncio.gather(*tts_tasks):
        await call.play(audio)


async def after(call: "Call") -> None:
    tts, player = tts_from(call.synthesize, format=PHONE), player_from(call.play)
    async with speak(tts=tts, player=player) as reply:
        await call.write_reply(reply.say)
        reply.done()
        await reply.finished()
    print(reply.timeline, end="\n\n")


# ---------------------------------------------------------------- the parts it is made of


class Call:
    """A phone call, with a bot's parts; it begins when speech-to-text is done."""

    def __init__(self) -> None:
        # Accepts a clip after 240 ms, which sounds 200 ms later or when the one before it is over.
        self.carrier = RecordingPlayer(
            PlayerCapabilities(streaming=False, queue_ahead=1), call_s=0.24, start_s=0.2
        )
        self.played = 0

    async def write_reply(self, on_sentence: Callable[[str], Awaitable[None]]) -> None:
        """Ask the LLM, and call back with each sentence as it is written."""
        for sentence in SENTENCES:
            await anyio.sleep(0.8)
            await on_sentence(sentence)
        # The call returns later than the last sentence is there.
        await anyio.sleep(2.219)

    async def synthesize(self, _: str) -> bytes:
        """Return the audio of a sentence: a buzz."""
        await anyio.sleep(0.4)
        return b"\x00\x10" * round(AUDIO_S * PHONE.sample_rate_hz)

    async def play(self, audio: bytes) -> None:
        """Make a play call; return when the clip is over."""
        clip = Clip(Segment(self.played, ""), PHONE, [AudioChunk(audio)])
        clip.end()
        self.played += 1
        playback = await self.carrier.play(clip)
        await playback.finished()

    @property
    def first_audio_ms(self) -> float:
        return self.carrier.sounds[0].start_s * 1000


def main() -> None:
    old, new = (inspect.getsource(bot).splitlines()[1:] for bot in (before, after))
    changes = [line for line in difflib.ndiff(old, new) if line[0] in "+-" and line[1:].strip()]
    print("\n".join(changes), end="\n\n")

    calls: list[Call] = []
    for bot in (before, after):
        calls.append(call := Call())
        run_in_virtual_time(bot, call)
    was, now = calls
    print(
        f"{sum(line.startswith('+') for line in changes)} lines and an import for "
        f"{sum(line.startswith('-') for line in changes)} lines: "
        f"first audio after {now.first_audio_ms:,.0f} ms instead of {was.first_audio_ms:,.0f} ms"
    )


if __name__ == "__main__":
    main()
