"""The promises of speech-to-text."""

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final, get_args, get_type_hints

import anyio

from ordered_pipeline.testing._checks._broken import (
    ContractBroken,
    closing,
    expect_closing,
    expect_lazy,
    expect_stream,
    expect_type,
    within,
)
from ordered_pipeline.voice import SpeechToText, Transcript

_CALL: Final = "transcribe"
_KINDS: Final = get_args(get_type_hints(Transcript)["kind"])


async def check_stt(
    stt: SpeechToText,
    audio: Sequence[bytes],
    *,
    frame_s: float = 0.02,
    within_s: float = 30.0,
    close_s: float = 5.0,
) -> None:
    """Check that speech-to-text keeps the promises of `~ordered_pipeline.voice.SpeechToText`.

    It listens three times. It tells of a turn that ends, takes back only what it had called likely, ends
    when the audio ends, and can be closed in the middle, after which it listens again.

    Args:
        stt: The speech-to-text. Nobody else uses it meanwhile.
        audio: Frames of a caller who says something, and of silence after it, long enough to end the turn.
        frame_s: How long a frame lasts: they come at that pace, in seconds.
        within_s: How long it may take after the audio has ended, in seconds.
        close_s: How long it may take to be closed, in seconds.

    Raises:
        ContractBroken: It does not keep one of them.
        Exception: What it fails with.
    """
    async with aclosing(paced(audio, frame_s)) as frames:
        unread = expect_lazy(_CALL, lambda: stt.transcribe(frames))
        expect_stream(unread, _CALL)
    limit_s = frame_s * len(audio) + within_s
    await _check_transcripts(stt, audio, frame_s, limit_s)
    async with aclosing(paced(audio, frame_s)) as frames, closing(stt.transcribe(frames)) as begun:
        with within(limit_s, f"{_CALL} must give the first transcript"):
            await anext(begun)
        await expect_closing(begun, _CALL, close_s)
    await _check_transcripts(stt, audio, frame_s, limit_s)


async def paced(audio: Sequence[bytes], frame_s: float) -> AsyncGenerator[bytes, None]:
    """Yield the frames of *audio*, one every *frame_s* seconds."""
    for frame in audio:
        await anyio.sleep(frame_s)
        yield frame


async def _check_transcripts(
    stt: SpeechToText, audio: Sequence[bytes], frame_s: float, limit_s: float
) -> None:
    kinds: list[str] = []
    async with aclosing(paced(audio, frame_s)) as frames, closing(stt.transcribe(frames)) as transcripts:
        with within(limit_s, f"{_CALL} must end when the audio has ended,"):
            async for transcript in transcripts:
                _check_transcript(transcript, kinds)
                kinds.append(transcript.kind)
    if "final" not in kinds:
        raise ContractBroken(f"{_CALL} must tell of a turn that ends by 'final', got {kinds!r}")


def _check_transcript(transcript: Transcript, before: Sequence[str]) -> None:
    expect_type(transcript, Transcript, "each transcript")
    if transcript.kind not in _KINDS:
        raise ContractBroken(f"kind must be one of {_KINDS!r}, got {transcript.kind!r}")
    steps = [kind for kind in before if kind != "partial"]
    if transcript.kind == "resumed" and steps[-1:] != ["eager_final"]:
        raise ContractBroken(f"'resumed' must follow 'eager_final', got it after {list(before)!r}")
    start_s = 0.0 if transcript.start_s is None else transcript.start_s
    end_s = math.inf if transcript.end_s is None else transcript.end_s
    if not 0 <= start_s <= end_s:
        raise ContractBroken(f"a transcript must end after it starts, got {transcript!r}")
