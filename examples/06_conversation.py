"""A whole conversation: a caller who asks, barges in and asks on, and a history of what each of them heard.

`converse` listens (speech-to-text), asks the language model (LLM) and speaks its reply, turn after turn. When
the caller is likely to have ended her turn, the reply is prepared; it is heard as soon as that is sure. When
she speaks, the reply that sounds is interrupted, and the history keeps what she had heard of it.

Try: leave out the ``eager_final``, and see how much later the first reply is heard; or set barge_in=False.

Nothing waits for real, and no sound is made: each part takes its time in virtual time.
"""

from collections.abc import AsyncIterator
from typing import Final

import anyio

from ordered_pipeline.testing import (
    RecordingPlayer,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    SpeechScript,
    run_in_virtual_time,
)
from ordered_pipeline.voice import AudioFormat, PlayerCapabilities, ServiceFailure, Transcript, Turn, converse

FORMAT: Final = AudioFormat("s16le", 8000)
FRAME_S: Final = 0.02

# What speech-to-text tells, each at so many seconds of the caller's audio.
SAID: Final = (
    (3.0, Transcript("", "speech_started")),
    (4.2, Transcript("Where is my parcel", "eager_final", end_s=4.0)),
    (4.7, Transcript("Where is my parcel?", "final", end_s=4.0)),
    (8.0, Transcript("", "speech_started")),
    (9.5, Transcript("Can a neighbour take it?", "final", end_s=9.0)),
)
REPLIES: Final = (
    "Your parcel left our depot this morning. It should be with you tomorrow by ten.",
    "Yes, our driver will ask next door.",
)


async def caller_audio(seconds: float) -> AsyncIterator[bytes]:
    """Yield the caller's audio at the pace at which she speaks; what she says is in the script."""
    for _ in range(round(seconds / FRAME_S)):
        await anyio.sleep(FRAME_S)
        yield bytes(round(FRAME_S * FORMAT.sample_rate_hz) * FORMAT.step_bytes)


async def main() -> None:
    waits: list[str] = []
    scripts = (ReplyScript.word_by_word(reply, first_s=0.3, gap_s=0.05) for reply in REPLIES)

    async with converse(
        caller_audio(15.0),
        audio_format=FORMAT,
        stt=ScriptedSpeechToText(SAID),
        llm=ScriptedLanguageModel(*scripts),
        tts=ScriptedTextToSpeech(SpeechScript(first_audio_s=0.2, chunk_s=0.1, word_times=True)),
        player=RecordingPlayer(PlayerCapabilities(queue_ahead=1)),
        greeting="Hello, how can I help you?",
        apology="Sorry, I could not hear you.",
    ) as conversation:
        async for event in conversation:
            match event:
                case Turn(timeline=timeline):
                    print(f"Turn {event.index}: she said {event.said!r} and heard {event.heard.text!r}")
                    if event.said and timeline.first_audio_s is not None:
                        waits.append(f"{timeline.first_audio_s * 1000:.0f} ms")
                case ServiceFailure():
                    print(f"{event.role} failed: {event.error}")

    print("\nThe history:")
    for message in conversation.history:
        print(f"  {message.role}: {message.content}")
    print("First audio after her last word: " + ", ".join(waits))


if __name__ == "__main__":
    run_in_virtual_time(main)
