"""The reply by `speak` of this library, with three segments in flight."""

from _line import LinePlayer, LineVoice
from _services import Call

from ordered_pipeline import voice


async def speak(call: Call) -> None:
    """Speak the reply; return when it was heard."""
    prefetch = voice.Prefetch(segments=3)
    async with (
        LinePlayer(call) as player,
        voice.speak(call.deltas(), tts=LineVoice(call), player=player, prefetch=prefetch) as reply,
    ):
        await reply.finished()
