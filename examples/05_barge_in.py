"""A caller who barges in, and a history that has what she heard, not what was written.

The reply of the language model (LLM) is spoken until the caller speaks. From that instant nothing more is
given to the player, which is cleared; requests that are under way are cancelled. Then the reply tells how
much of it was heard: by word times, as this voice gives them.

Try: BARGE_IN_S = 20, to hear her out; or leave out word_times, and see how the border is found then.

Nothing waits for real, and no sound is made: each part takes its time in virtual time.
"""

from collections.abc import Sequence
from typing import Final

import anyio

from ordered_pipeline.testing import (
    RecordingPlayer,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedTextToSpeech,
    SpeechScript,
    run_in_virtual_time,
)
from ordered_pipeline.voice import (
    HeardText,
    LanguageModel,
    Message,
    Player,
    PlayerCapabilities,
    Reply,
    TextToSpeech,
    speak,
)

REPLY: Final = (
    "Your parcel left our depot this morning. It should be with you tomorrow by ten. "
    "If nobody is at home, our driver leaves it with a neighbour. Shall I send you a message before? "
    "You can also choose another day. For that I need the number of your parcel."
)
BARGE_IN_S: Final = 4.0


# ---------------------------------------------------------------- the bot


async def answer(
    history: Sequence[Message], llm: LanguageModel, tts: TextToSpeech, player: Player
) -> tuple[Reply, HeardText]:
    """Speak the reply to *history* until it is over or the caller speaks; return what she heard of it."""
    async with speak(llm.reply(history), tts=tts, player=player) as reply, anyio.create_task_group() as tasks:
        tasks.start_soon(interrupt_when_the_caller_speaks, reply)
        await reply.finished()
        tasks.cancel_scope.cancel()
    # Of a reply that was interrupted, this tells again what the interruption found.
    return reply, await reply.interrupt()


async def interrupt_when_the_caller_speaks(reply: Reply) -> None:
    await anyio.sleep_until(BARGE_IN_S)
    await reply.interrupt()


# ---------------------------------------------------------------- the services, by script


async def main() -> None:
    llm = ScriptedLanguageModel(ReplyScript.word_by_word(REPLY, first_s=0.3, gap_s=0.05))
    tts = ScriptedTextToSpeech(SpeechScript(first_audio_s=0.2, chunk_s=0.1, word_times=True))
    player = RecordingPlayer(PlayerCapabilities(queue_ahead=1))
    history = [Message("user", "Where is my parcel?")]

    reply, heard = await answer(history, llm, tts, player)

    history.append(Message("assistant", heard.text))
    print(reply.timeline)
    print(f"\nWritten: {REPLY}")
    print(f"The voice was asked for {tts.characters} of {len(REPLY)} characters.")
    print(f"The last sound was over after {player.sounds[-1].end_s:.3f} s; {tts.running} requests run on.")
    print(f"By {heard.method}, to within {heard.error_s:.2f} s, the caller heard: {history[-1].content!r}")


if __name__ == "__main__":
    run_in_virtual_time(main)
