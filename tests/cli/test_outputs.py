"""The command's players, in virtual time."""

import io
import wave
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._files import OutputFile, WavFile
from ordered_pipeline.cli._outputs import Announcer, FilePlayer, Recorder
from ordered_pipeline.cli._terminal import Progress
from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.voice import (
    AudioChunk,
    AudioFormat,
    Clip,
    Playback,
    PlaybackResult,
    PlayerCapabilities,
    Segment,
)

FORMAT = AudioFormat("s16le", 10)


def clip_of(*data: bytes, is_whole: bool = True) -> Clip:
    clip = Clip(Segment(0, "Hello."), FORMAT, [AudioChunk(piece) for piece in data])
    if is_whole:
        clip.end()
    return clip


def sound_in(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


def test_who_plays_the_file_hears_what_was_there_in_time_without_a_gap() -> None:
    async def main() -> None:
        player = FilePlayer(FORMAT, None)
        await anyio.sleep(1)
        first = await player.play(clip_of(bytes(2 * 15), bytes(2 * 5)))
        await anyio.sleep(1.5)
        second = await player.play(clip_of(bytes(2 * 10)))
        await player.clear()

        assert player.capabilities == PlayerCapabilities(formats=(FORMAT,))
        assert (await first.started(), await second.started()) == (1.0, 3.0)
        assert await first.finished() == PlaybackResult("completed", 2.0)
        assert (await second.finished(), second.position_s()) == (PlaybackResult("completed", 1.0), 1.0)
        assert anyio.current_time() == 2.5

    run_in_virtual_time(main)


def test_who_plays_the_file_waits_for_what_comes_late() -> None:
    async def main() -> None:
        player = FilePlayer(FORMAT, None)
        await player.play(clip_of(bytes(2 * 10)))
        await anyio.sleep(1.5)

        assert await (await player.play(clip_of(bytes(2)))).started() == 1.5

    run_in_virtual_time(main)


def test_what_is_not_in_the_file_is_never_heard() -> None:
    async def main() -> None:
        nothing = await FilePlayer(FORMAT, None).play(clip_of())

        with anyio.move_on_after(10) as scope:
            await nothing.started()
        assert scope.cancelled_caught
        assert await nothing.finished() == PlaybackResult("completed", 0.0)

    run_in_virtual_time(main)


def test_a_clip_is_in_the_file_while_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    async def main() -> None:
        clip = clip_of(b"\1\2", is_whole=False)
        with OutputFile(str(path)) as file:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(FilePlayer(FORMAT, WavFile(file, FORMAT)).play, clip)
                await anyio.wait_all_tasks_blocked()
                assert sound_in(path) == b"\1\2"
                await clip.put(AudioChunk(b"\3\4"))
                clip.end()
            assert sound_in(path) == b"\1\2\3\4"

    run_in_virtual_time(main)


class TakingPlayer:
    """Takes a chunk a second, and may be cleared or refuse."""

    def __init__(self, error: Exception | None = None) -> None:
        self.capabilities = PlayerCapabilities(formats=(FORMAT,))
        self.taken: list[bytes] = []
        self._error = error
        self._scope = anyio.CancelScope()

    async def play(self, clip: Clip, /) -> Playback:
        if self._error is not None:
            raise self._error
        with self._scope:
            async for chunk in clip:
                self.taken.append(chunk.data)
                await anyio.sleep(1)
        return await FilePlayer(FORMAT, None).play(clip_of())

    async def clear(self) -> None:
        self._scope.cancel()


def test_a_recorder_plays_and_writes_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    async def main() -> list[bytes]:
        player = TakingPlayer()
        with OutputFile(str(path)) as file:
            recorder = Recorder(player, WavFile(file, FORMAT))
            assert recorder.capabilities == player.capabilities
            await recorder.play(clip_of(b"\1\2", b"\3\4"))
        return player.taken

    assert run_in_virtual_time(main) == [b"\1\2", b"\3\4"]
    assert sound_in(path) == b"\1\2\3\4"


def test_a_recorder_whose_player_is_cleared_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    async def main() -> None:
        with OutputFile(str(path)) as file:
            recorder = Recorder(TakingPlayer(), WavFile(file, FORMAT))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(recorder.play, clip_of(b"\1\2", is_whole=False))
                await anyio.sleep(5)
                await recorder.clear()

    run_in_virtual_time(main)

    assert sound_in(path) == b"\1\2"


def test_a_recorder_fails_as_its_player_does(tmp_path: Path) -> None:
    async def main() -> None:
        with OutputFile(str(tmp_path / "a.wav")) as file:
            player = TakingPlayer(KeyError("mine"))
            await Recorder(player, WavFile(file, FORMAT)).play(clip_of(is_whole=False))

    with pytest.raises(KeyError, match="mine"):
        run_in_virtual_time(main)


def test_a_recorder_that_cannot_write_says_so() -> None:
    async def main() -> None:
        with OutputFile("/dev/full") as file:
            recorder = Recorder(TakingPlayer(), WavFile(file, FORMAT))
            await recorder.play(clip_of(b"\1\2", is_whole=False))

    with pytest.raises(Failure, match="cannot be written: No space left on device") as raised:
        run_in_virtual_time(main)

    assert raised.value.status == Exit.UNWRITABLE


def test_an_announcer_shows_what_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("COLUMNS", "30")
    terminal = Terminal()

    async def main() -> list[bytes]:
        player = TakingPlayer()
        announcer = Announcer(player, Progress(terminal))
        assert announcer.capabilities == player.capabilities
        await announcer.play(clip_of(b"\1\2"))
        await announcer.clear()
        return player.taken

    assert run_in_virtual_time(main) == [b"\1\2"]
    assert terminal.getvalue() == "\r▶ 1: Hello.\x1b[K"
