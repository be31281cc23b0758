"""The reply by a bot that waits for all of it: for the whole text, then for `asyncio.gather`."""

import asyncio

from _services import Call


async def speak(call: Call) -> None:
    """Speak the reply; return when all of it was handed over."""
    requests: list[asyncio.Task[bytes]] = []
    sentence = ""
    async for delta in call.deltas():
        sentence += delta
        if delta.endswith("."):
            requests.append(asyncio.create_task(synthesize(call, sentence)))
            sentence = ""
    for audio in await asyncio.gather(*requests):
        call.line.put(audio)


async def synthesize(call: Call, sentence: str) -> bytes:
    return b"".join([chunk async for chunk in call.voice.synthesize(sentence)])
