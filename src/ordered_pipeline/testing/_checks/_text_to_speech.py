"""The promises of a voice."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from ordered_pipeline import in_order
from ordered_pipeline.testing._checks._broken import (
    ContractBroken,
    closing,
    expect_cancelling,
    expect_closing,
    expect_lazy,
    expect_stream,
    expect_type,
    within,
)
from ordered_pipeline.voice import AudioChunk, AudioFormat, Segment, TextToSpeech, Word

_CALL: Final = "synthesize"
_SHORT: Final = Segment(0, "Yes.")
_LONG: Final = Segment(1, "This sentence takes a good deal longer to say than the one before it.", "Yes.")
# Most voices speak the same text a little differently each time, but none twice as long.
_MOST_DIFFERENT: Final = 0.5
# Word times are often rounded to hundredths of a second.
_WORD_ERROR_S: Final = 0.05


async def check_tts(tts: TextToSpeech, *, within_s: float = 30.0, close_s: float = 5.0) -> None:
    """Check that a voice keeps the promises of `~ordered_pipeline.voice.TextToSpeech`.

    It is asked for about ten sentences. Chunks hold whole samples, words come in order and lie inside the
    audio, requests side by side do not mix, one that nobody reads holds up no other, and each can be
    cancelled and closed, after which the voice speaks on.

    Args:
        tts: The voice. Nobody else uses it meanwhile.
        within_s: How long it may take for a sentence, in seconds.
        close_s: How long it may take to cancel or close a request, in seconds.

    Raises:
        ContractBroken: It does not keep one of them.
        Exception: What the voice fails with.
    """
    expect_type(tts.format, AudioFormat, "format")
    expect_stream(expect_lazy(_CALL, lambda: tts.synthesize(_SHORT)), _CALL)
    short = await _spoken(tts, _SHORT, within_s)
    long = await _spoken(tts, _LONG, within_s)
    is_repeatable = await _spoken(tts, _SHORT, within_s) == short
    await _check_company(tts, (_SHORT, short), (_LONG, long), is_repeatable=is_repeatable, within_s=within_s)
    await _check_leaving(tts, within_s=within_s, close_s=close_s)
    await _spoken(tts, _SHORT, within_s)


async def _check_company(
    tts: TextToSpeech, *alone: tuple[Segment, bytes], is_repeatable: bool, within_s: float
) -> None:
    """Ask for two segments at once."""
    together = await in_order([_spoken(tts, segment, within_s) for segment, _ in alone]).collect()
    for (segment, audio), other in zip(alone, together, strict=True):
        is_alike = other == audio if is_repeatable else _are_alike(len(other), len(audio))
        if not is_alike:
            raise ContractBroken(
                f"requests side by side must not mix, but {segment.text!r} became {len(audio)} bytes alone "
                f"and {len(other)} other bytes beside another"
            )


def _are_alike(one: int, other: int) -> bool:
    return abs(one - other) <= _MOST_DIFFERENT * max(one, other)


async def _check_leaving(tts: TextToSpeech, *, within_s: float, close_s: float) -> None:
    """Leave requests in every way that there is."""
    closed = tts.synthesize(_LONG)
    if not hasattr(closed, "aclose"):
        raise ContractBroken(f"what {_CALL} returns must have aclose, which cancels the request")
    await expect_closing(closed, _CALL, close_s)
    async with closing(tts.synthesize(_LONG)) as unread:
        with within(within_s, f"{_CALL} must give the first chunk"):
            await anext(unread)
        async with closing(tts.synthesize(_SHORT)) as stream:
            with within(within_s, "a request must be served while nobody reads another one"):
                async for _ in stream:
                    pass
        await expect_closing(unread, _CALL, close_s)
    await expect_cancelling(tts.synthesize(_LONG), _CALL, close_s)


async def _spoken(tts: TextToSpeech, segment: Segment, within_s: float) -> bytes:
    """Return the audio of *segment*, having looked at its chunks and words."""
    chunks: list[AudioChunk] = []
    async with closing(tts.synthesize(segment)) as stream:
        with within(within_s, f"{_CALL} must end"):
            async for chunk in stream:
                _check_chunk(chunk, tts.format)
                chunks.append(chunk)
    audio = b"".join(chunk.data for chunk in chunks)
    if not audio:
        raise ContractBroken(f"{_CALL} must give audio for {segment.text!r}, got none")
    length_s = math.inf if tts.format.is_container else tts.format.duration_s(len(audio))
    _check_words([word for chunk in chunks for word in chunk.words], segment.text, length_s)
    return audio


def _check_chunk(chunk: AudioChunk, audio_format: AudioFormat) -> None:
    expect_type(chunk, AudioChunk, "each chunk")
    expect_type(chunk.data, bytes, "the data of each chunk")
    if not audio_format.is_container and len(chunk.data) % audio_format.step_bytes:
        raise ContractBroken(
            f"each chunk must hold whole samples of {audio_format.step_bytes} bytes, got {len(chunk.data)}"
        )


def _check_words(words: Sequence[Word], text: str, length_s: float) -> None:
    last_s = 0.0
    for word in words:
        if not last_s - _WORD_ERROR_S <= word.start_s <= word.end_s:
            raise ContractBroken(f"words must come in the order of time, got {word!r} after {last_s:g} s")
        if word.end_s > length_s + _WORD_ERROR_S:
            raise ContractBroken(f"words must lie inside the audio of {length_s:g} s, got {word!r}")
        last_s = word.start_s
    if strangers := _strangers(words, text):
        raise ContractBroken(f"words must be those of the segment {text!r}, got {strangers!r}")


def _strangers(words: Iterable[Word], text: str) -> list[str]:
    """Return the words that are not in *text*; what voices do to stops and capitals does not count."""
    return [word.text for word in words if word.text.strip(" .,!?").lower() not in text.lower()]
