"""The player into a file, in virtual time."""

import wave
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.cli._failures import Failure
from ordered_pipeline.cli._files import OutputFile, WavFile
from ordered_pipeline.cli._track import Track
from ordered_pipeline.testing import check_player, run_in_virtual_time
from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, PlaybackResult, PlayerCapabilities, Segment

FORMAT = AudioFormat("s16le", 10)


def clip_of(text: str, *, is_whole: bool = True) -> Clip:
    """Return a clip that has each character of *text* as a sample, in one chunk."""
    clip = Clip(Segment(0, text), FORMAT, [AudioChunk(text.encode("utf-16-le"))])
    if is_whole:
        clip.end()
    return clip


def sound_in(path: Path) -> str:
    """Return the samples as characters, silence as "."."""
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes())).decode("utf-16-le").replace("\0", ".")


def track_of(path: Path, main: Callable[[Track], Awaitable[None]]) -> str:
    """Let *main* play, beginning at 3.0 s, and return what is in the file then."""

    async def play() -> None:
        await anyio.sleep(3)
        with (
            OutputFile(str(path)) as file,
            Track(WavFile(file, FORMAT), FORMAT, begin_s=anyio.current_time()) as track,
        ):
            await main(track)

    run_in_virtual_time(play)
    return sound_in(path)


def test_sound_stands_where_it_is_heard(tmp_path: Path) -> None:
    async def main(track: Track) -> None:
        await anyio.sleep(0.5)
        first = await track.play(clip_of("abcdef"))
        second = await track.play(clip_of("gh"))
        assert anyio.current_time() == 3.5
        assert (await first.started(), await second.started()) == (3.5, 4.1)
        assert await second.finished() == PlaybackResult("completed", 0.2)
        assert anyio.current_time() == pytest.approx(4.3)
        await anyio.sleep(0.3)
        third = await track.play(clip_of("i"))
        assert await third.finished() == PlaybackResult("completed", 0.1)

    assert track_of(tmp_path / "a.wav", main) == ".....abcdefgh...i"


def test_more_than_a_second_is_not_taken_ahead(tmp_path: Path) -> None:
    async def main(track: Track) -> None:
        await track.play(clip_of("a" * 25))
        assert anyio.current_time() == 4.5
        playback = await track.play(clip_of("b" * 5))
        assert anyio.current_time() == 5.0
        await playback.finished()

    assert track_of(tmp_path / "a.wav", main) == "a" * 25 + "b" * 5


def test_what_is_cleared_was_never_there(tmp_path: Path) -> None:
    async def main(track: Track) -> None:
        heard = await track.play(clip_of("a"))
        cut = await track.play(clip_of("bcdefgh"))
        never = await track.play(clip_of("i"))
        await anyio.sleep(0.45)
        await track.clear()
        assert await heard.finished() == PlaybackResult("completed", 0.1)
        assert await cut.finished() == PlaybackResult("cleared", 0.3)
        assert (await cut.started(), cut.position_s()) == (3.1, 0.3)
        assert await never.finished() == PlaybackResult("cleared", 0.0)
        with anyio.move_on_after(1) as scope:
            await never.started()
        assert scope.cancelled_caught
        await (await track.play(clip_of("jk"))).finished()

    assert track_of(tmp_path / "a.wav", main) == "abcd" + "." * 10 + "jk"


def test_a_clearing_ends_the_calls_that_wait(tmp_path: Path) -> None:
    async def main(track: Track) -> None:
        results: dict[str, PlaybackResult] = {}

        async def play(clip: Clip) -> None:
            results[clip.segment.text] = await (await track.play(clip)).finished()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play, clip_of("ab", is_whole=False))
            await anyio.sleep(0.05)
            tasks.start_soon(play, clip_of("c"))
            await anyio.sleep(0.05)
            await track.clear()
        assert results == {"ab": PlaybackResult("cleared", 0.1), "c": PlaybackResult("cleared", 0.0)}

    assert track_of(tmp_path / "a.wav", main) == "a"


def test_a_chunk_that_comes_in_the_instant_of_the_clearing_is_not_heard(tmp_path: Path) -> None:
    async def main(track: Track) -> None:
        clip = clip_of("a", is_whole=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(track.play, clip)
            await anyio.sleep(0.2)
            await clip.put(AudioChunk(b"b\0"))
            await track.clear()
        await anyio.sleep(0.1)

    assert track_of(tmp_path / "a.wav", main) == "a.."


def test_a_clip_that_runs_dry_has_silence_in_it(tmp_path: Path) -> None:
    async def main(track: Track) -> None:
        clip = clip_of("ab", is_whole=False)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(track.play, clip)
            await anyio.sleep(0.4)
            await clip.put(AudioChunk(b"c\0"))
            await anyio.sleep(0.05)
            clip.end()
        await anyio.sleep(1)

    assert track_of(tmp_path / "a.wav", main) == "ab..c........."


def test_the_file_is_valid_while_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    async def main(track: Track) -> None:
        await anyio.sleep(0.2)
        await track.play(clip_of("a" * 15))
        assert sound_in(path) == ".." + "a" * 5

    track_of(path, main)


def test_a_long_silence_is_written_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    async def main(_: Track) -> None:
        await anyio.sleep(80_000)

    track_of(path, main)

    assert path.stat().st_size == 44 + 1_600_000


def test_it_keeps_the_promises_of_a_player() -> None:
    audio_format = AudioFormat("s16le", 8000)

    async def main() -> None:
        with OutputFile("/dev/null") as file:
            track = Track(WavFile(file, audio_format), audio_format, begin_s=0.0)
            assert track.capabilities == PlayerCapabilities(formats=(audio_format,))
            await check_player(track, audio_format)

    run_in_virtual_time(main)


def test_a_file_that_cannot_be_written_is_told() -> None:
    async def main() -> None:
        with (
            OutputFile("/dev/full") as file,
            Track(WavFile(file, FORMAT), FORMAT, begin_s=anyio.current_time()) as track,
        ):
            await track.play(clip_of("a" * 15))

    with pytest.raises(Failure, match="cannot be written: No space left on device"):
        run_in_virtual_time(main)
