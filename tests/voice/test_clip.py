import anyio

from ordered_pipeline.voice import AudioChunk, Clip, Segment
from ordered_pipeline.voice._clip import MOST_CHUNKS
from tests.conftest import Run
from tests.voice.turns import FORMAT

ONE, TWO = AudioChunk(b"one."), AudioChunk(b"two.")


def clip_of(*chunks: AudioChunk) -> Clip:
    return Clip(Segment(0, "It is late."), FORMAT, chunks)


def test_chunks_come_out_the_moment_they_are_put(run: Run) -> None:
    clip = clip_of(ONE)
    got: list[tuple[float, bytes]] = []

    async def play() -> None:
        got.extend([(anyio.current_time(), chunk.data) async for chunk in clip])
        got.append((anyio.current_time(), b""))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play)
            await anyio.sleep(1.0)
            await clip.put(TWO)
            await anyio.sleep(1.0)
            clip.end()
        assert got[-1] == (2.0, b"")

    run(main)


def test_a_whole_clip_is_collected_when_it_has_ended(run: Run) -> None:
    async def main() -> None:
        clip = clip_of(ONE, TWO)
        clip.end()
        assert await clip.collect() == b"one.two."
        assert await clip.collect() == b""

    run(main)


def test_what_is_put_after_the_end_is_dropped(run: Run) -> None:
    async def main() -> None:
        clip = clip_of(ONE)
        clip.end()
        await clip.put(TWO)
        assert await clip.collect() == b"one."

    run(main)


def test_a_clip_that_is_dropped_gives_nothing_more(run: Run) -> None:
    async def main() -> None:
        clip = clip_of(ONE)
        clip.drop()
        await clip.put(TWO)
        assert await clip.collect() == b""

    run(main)


def test_a_clip_that_is_dropped_releases_who_waits_for_a_chunk(run: Run) -> None:
    clip = clip_of()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(clip.collect)
            await anyio.sleep(1.0)
            clip.drop()
        assert anyio.current_time() == 1.0

    run(main)


def test_a_clip_that_nobody_plays_takes_so_many_chunks_and_then_waits(run: Run) -> None:
    clip = clip_of()
    put: list[float] = []

    async def fill() -> None:
        for _ in range(MOST_CHUNKS + 1):
            await clip.put(ONE)
            put.append(anyio.current_time())

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fill)
            await anyio.sleep(1.0)
            assert len(put) == MOST_CHUNKS
            assert await anext(clip) == ONE
        assert put[-1] == 1.0

    run(main)


def test_a_cancelled_wait_for_a_chunk_loses_nothing(run: Run) -> None:
    clip = clip_of()

    async def main() -> None:
        with anyio.move_on_after(1.0):
            await anext(clip)
        await clip.put(ONE)
        clip.end()
        assert await clip.collect() == b"one."

    run(main)
