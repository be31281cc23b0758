"""Clips for the tests of players."""

from collections.abc import Sequence

import anyio

from ordered_pipeline.testing import RecordingPlayer, scripted_audio
from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, Segment

PCM = AudioFormat("s16le", 8000)


def segment_of(index: int, turn: int = 0) -> Segment:
    return Segment(index, f"Sentence {index}.", turn=turn)


async def clip_of(index: int, *lengths_s: float, turn: int = 0) -> Clip:
    """Return a clip that is all there, in chunks of *lengths_s*."""
    clip = Clip(segment_of(index, turn), PCM)
    await fill(clip, [(0.0, length_s) for length_s in lengths_s])
    return clip


async def fill(clip: Clip, chunks: Sequence[tuple[float, float]]) -> None:
    """Put the audio of the clip's segment into it, in chunks at an instant, of a length."""
    audio = scripted_audio(clip.segment, PCM, sum(length_s for _, length_s in chunks))
    for at_s, length_s in chunks:
        await anyio.sleep(max(0.0, at_s - anyio.current_time()))
        size = round(length_s * 8000) * 2
        await clip.put(AudioChunk(audio[:size]))
        audio = audio[size:]
    clip.end()


def spans(player: RecordingPlayer) -> list[tuple[int, float, float]]:
    return [(sound.segment.index, sound.start_s, sound.end_s) for sound in player.sounds]
