"""What the command does with text and sound: in order and ahead, and the gather way to compare."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import anyio

from ordered_pipeline import ordered_flat_map
from ordered_pipeline.cli._ledger import Ledger
from ordered_pipeline.cli._outputs import Output, WavFile
from ordered_pipeline.cli._progress import Progress
from ordered_pipeline.cli._text import Delta
from ordered_pipeline.voice import AudioChunk, AudioFormat, Segment, SentenceSplitter

Piece: TypeAlias = tuple[Segment, AudioChunk]


class Chunks(Protocol):
    """The audio of a sentence; who iterates it closes it."""

    def __aiter__(self) -> AsyncIterator[AudioChunk]: ...

    async def aclose(self) -> None:
        """Make no more of it."""
        ...


class Voice(Protocol):
    """What makes audio of sentences."""

    @property
    def format(self) -> AudioFormat:
        """The format of all chunks."""
        ...

    def synthesize(self, segment: Segment, /) -> Chunks:
        """Return the audio of *segment*."""
        ...


@dataclass(frozen=True, slots=True)
class Run:
    """One run through a text: who speaks, where the sound goes, and who takes down what happens."""

    voice: Voice
    output: Output
    wav: WavFile | None
    ledger: Ledger
    progress: Progress


async def speak_in_order(deltas: AsyncGenerator[Delta, None], run: Run, *, prefetch: int) -> None:
    """Speak each sentence when those before it are over, made ahead while they sound."""
    async with ordered_flat_map(
        lambda segment: _audio(segment, run), _sentences(deltas, run), prefetch=prefetch
    ) as pieces:
        await _play(pieces, run)


async def speak_gathered(deltas: AsyncGenerator[Delta, None], run: Run) -> None:
    """Wait for the whole text, then for the audio of all sentences, then play it."""
    segments = [segment async for segment in _sentences(deltas, run)]
    clips = await asyncio.gather(*(_clip(segment, run) for segment in segments))
    await _play(_in_turn(clips), run)


async def replay(deltas: Sequence[Delta], end_s: float) -> AsyncGenerator[Delta, None]:
    """Give *deltas* once more, each when its time has passed from now, and end after *end_s* seconds."""
    start_s = anyio.current_time()
    for delta in deltas:
        await anyio.sleep_until(start_s + delta.at_s)
        yield Delta(start_s + delta.at_s, delta.text)
    await anyio.sleep_until(start_s + end_s)


async def _sentences(deltas: AsyncGenerator[Delta, None], run: Run) -> AsyncGenerator[Segment, None]:
    splitter = SentenceSplitter()
    try:
        async for delta in deltas:
            run.ledger.read(delta)
            # All of them are there now, though the stage may ask for some later.
            for segment in [run.ledger.found(text, delta.at_s) for text in splitter.push(delta.text)]:
                yield segment
    finally:
        await deltas.aclose()
    now = anyio.current_time()
    run.ledger.read_all(now)
    for rest in splitter.flush():
        if rest.strip():
            yield run.ledger.found(rest, now)


async def _audio(segment: Segment, run: Run) -> AsyncGenerator[Piece, None]:
    run.ledger.asked(segment.index, anyio.current_time())
    chunks = run.voice.synthesize(segment)
    try:
        async for chunk in chunks:
            run.ledger.answered(segment.index, chunk, anyio.current_time())
            yield segment, chunk
    finally:
        await chunks.aclose()
    run.ledger.made(segment.index)


async def _clip(segment: Segment, run: Run) -> list[Piece]:
    return [piece async for piece in _audio(segment, run)]


async def _in_turn(clips: Sequence[Sequence[Piece]]) -> AsyncIterator[Piece]:
    for clip in clips:
        for piece in clip:
            yield piece


async def _play(pieces: AsyncIterator[Piece], run: Run) -> None:
    all_heard = False
    try:
        async for segment, chunk in pieces:
            run.progress.show(f"▶ {segment.index + 1} of {run.ledger.count} so far: {segment.text}")
            if run.wav is not None:
                run.wav.write(chunk.data)
            run.ledger.wrote(segment.index, await run.output.write(chunk.data))
        await run.output.drain()
        all_heard = True
    finally:
        # Silence first: whatever else there is to tidy up may take its time.
        heard = None if all_heard else run.output.heard_samples()
        run.output.stop()
        run.ledger.stopped(run.output.started_s, heard)
