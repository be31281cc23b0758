"""Against a real sound server, which records what it plays. Each test takes the time that its sound takes."""

import ctypes
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.abc import TaskStatus

from ordered_pipeline.adapters.speaker import Speaker, SpeakerError
from ordered_pipeline.testing import check_player
from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, Playback, PlaybackResult, Segment
from tests.adapters.sound_server import (
    RATE_HZ,
    SoundServer,
    common_length,
    running_sound_server,
    wait_until,
)
from tests.adapters.speaker.sounds import FORMAT, clip_of, enter, noise, pieces_of

pytestmark = [pytest.mark.parts, pytest.mark.usefixtures("ahead_of_others")]

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])


async def never_ends(function: Callable[[], Awaitable[object]]) -> bool:
    with anyio.move_on_after(0.05) as patience:
        await function()
    return patience.cancelled_caught


@BACKENDS
def test_it_keeps_the_promises_of_a_player(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> None:
        async with Speaker(FORMAT) as speaker:
            await check_player(speaker, FORMAT)

    anyio.run(main, backend=backend)


@BACKENDS
def test_clips_sound_without_a_seam_to_the_last_sample(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    enter(sound_server.environment, monkeypatch)
    sounds = [noise(0.7), noise(0.9), noise(0.5)]

    async def main() -> tuple[list[float], list[PlaybackResult]]:
        async with Speaker(FORMAT) as speaker:
            playbacks = [await speaker.play(clip_of(*pieces_of(sound, 997))) for sound in sounds]
            starts = [await playback.started() for playback in playbacks]
            return starts, [await playback.finished() for playback in playbacks]

    with sound_server.recording() as stop:
        starts, results = anyio.run(main, backend=backend)
        recorded = stop()

    assert b"".join(sounds) in recorded
    assert results == [PlaybackResult("completed", seconds) for seconds in (0.7, 0.9, 0.5)]
    assert [later - starts[0] for later in starts] == pytest.approx([0.0, 0.7, 1.6], abs=1e-9)


def test_leaving_the_block_lets_sound_what_was_accepted(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)
    sound = noise(0.8)

    async def main() -> PlaybackResult:
        async with Speaker(FORMAT) as speaker:
            playback = await speaker.play(clip_of(sound))
        return await playback.finished()

    with sound_server.recording() as stop:
        result = anyio.run(main)
        recorded = stop()

    assert sound in recorded
    assert result == PlaybackResult("completed", 0.8)


def test_sound_that_is_held_up_is_an_underrun_and_later_places_are_known(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter's lock is held: not even the device's thread runs."""
    enter(sound_server.environment, monkeypatch)
    early, late = noise(1.2), noise(1.0)

    async def main() -> float:
        async with Speaker(FORMAT) as speaker:
            first = await speaker.play(clip_of(early))
            second = await speaker.play(clip_of(late))
            started_s = await first.started()
            await anyio.sleep_until(started_s + 0.5)
            assert speaker.underruns == 0
            ctypes.PyDLL(None).usleep(600_000)
            second_s = await second.started()
            assert speaker.underruns == 1
            await anyio.sleep_until(second_s + 0.2)
            await speaker.clear()
        assert speaker.underruns == 1
        return second_s - started_s

    with sound_server.recording() as stop:
        apart_s = anyio.run(main)
        recorded = stop()

    between = recorded.index(late[:200]) - recorded.index(early[:200])
    assert between / 2 / RATE_HZ > 1.3
    assert apart_s == pytest.approx(between / 2 / RATE_HZ, abs=Speaker(FORMAT).capabilities.position_error_s)


def test_a_rate_that_no_device_has_is_an_error(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> None:
        async with Speaker(AudioFormat("s16le", 10_000_000)):
            pass

    with pytest.raises(
        SpeakerError, match=r"^no sound device could be opened \(failed to init device, -\d+\)$"
    ):
        anyio.run(main)


@BACKENDS
def test_to_clear_is_silence_at_once_and_later_clips_sound(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    enter(sound_server.environment, monkeypatch)
    before, sounding, waiting, later = noise(0.5), noise(1.5), noise(0.6), noise(0.4)
    results: list[PlaybackResult] = []

    async def main() -> None:
        async with Speaker(FORMAT) as speaker:
            playbacks = [await speaker.play(clip_of(sound)) for sound in (before, sounding, waiting)]
            started_s = await playbacks[1].started()
            await anyio.sleep_until(started_s + 0.3)
            position_s = playbacks[1].position_s()
            await speaker.clear()
            cleared_s = anyio.current_time()
            results.extend([await playback.finished() for playback in playbacks])
            assert cleared_s - started_s < 0.5
            assert position_s is not None
            assert 0.29 < position_s <= results[1].played_s
            assert await never_ends(playbacks[2].started)
            # It was heard, and this is still known.
            assert await playbacks[1].started() == started_s
            await speaker.clear()
            results.append(await (await speaker.play(clip_of(later))).finished())

    with sound_server.recording() as stop:
        anyio.run(main, backend=backend)
        recorded = stop()

    start = recorded.index(before + sounding[:200]) + len(before)
    heard = common_length(recorded[start:], sounding)
    again = recorded.index(later)
    assert not any(recorded[start + heard : again])
    assert not any(recorded[again + len(later) :])
    assert [result.outcome for result in results] == ["completed", "cleared", "cleared", "completed"]
    assert results[2].played_s == 0.0
    assert abs(results[1].played_s - heard / 2 / RATE_HZ) < Speaker(FORMAT).capabilities.position_error_s


def test_a_clip_that_is_being_taken_is_dropped_with_the_rest(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)
    playbacks: list[Playback] = []
    outcomes: list[str] = []

    async def main() -> None:
        async def play(clip: Clip) -> None:
            playbacks.append(await speaker.play(clip))

        async with Speaker(FORMAT) as speaker:
            async with anyio.create_task_group() as tasks:
                # The first has no end yet, and the second waits for it.
                tasks.start_soon(play, endless)
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(play, clip_of(noise(0.2)))
                await anyio.wait_all_tasks_blocked()
                await speaker.clear()
            await endless.put(AudioChunk(noise(0.1)))
            outcomes.extend([(await playback.finished()).outcome for playback in playbacks])

    endless = clip_of(noise(0.4), is_whole=False)
    anyio.run(main)

    assert outcomes == ["cleared", "cleared"]


@BACKENDS
def test_to_clear_at_any_instant_ends_every_clip(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """Above all in the few milliseconds in which a device is opened and started."""
    enter(sound_server.environment, monkeypatch)

    async def main() -> list[str]:
        outcomes: list[str] = []

        async def play(*, task_status: TaskStatus[None]) -> None:
            # What is played after the clearing would be heard.
            task_status.started()
            outcomes.append((await (await speaker.play(clip_of(noise(0.5)))).finished()).outcome)

        async with Speaker(FORMAT) as speaker:
            for step in range(40):
                with anyio.fail_after(10):
                    async with anyio.create_task_group() as tasks:
                        await tasks.start(play)
                        await tasks.start(play)
                        await anyio.sleep(step / 5000)
                        await speaker.clear()
        return outcomes

    assert anyio.run(main, backend=backend) == 80 * ["cleared"]


def test_no_more_than_a_second_waits(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(sound_server.environment, monkeypatch)
    sound = noise(2.5)

    async def main() -> float:
        async with Speaker(FORMAT) as speaker:
            begin_s = anyio.current_time()
            await speaker.play(clip_of(*pieces_of(sound, RATE_HZ // 10)))
            accepted_s = anyio.current_time() - begin_s
            await speaker.clear()
            return accepted_s

    # Less than a second waits, the device has two periods of it, and asks for a third at a time.
    assert 0.9 < anyio.run(main) < 2.0


def test_a_voice_that_dribbles_is_heard(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(sound_server.environment, monkeypatch)
    first, rest = noise(0.1), noise(0.2)

    async def main() -> None:
        async def play() -> None:
            await (await speaker.play(clip)).finished()

        clip = clip_of(first, is_whole=False)
        async with Speaker(FORMAT) as speaker, anyio.create_task_group() as tasks:
            tasks.start_soon(play)
            await anyio.to_thread.run_sync(wait_until, lambda: first in sound_server.recorded)
            await clip.put(AudioChunk(rest))
            clip.end()
        assert speaker.underruns == 1

    with sound_server.recording() as stop:
        anyio.run(main)
        recorded = stop()

    assert rest in recorded


def test_an_empty_clip_is_over_at_once_and_never_starts(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> PlaybackResult:
        async with Speaker(FORMAT) as speaker:
            playback = await speaker.play(clip_of())
            assert await never_ends(playback.started)
            return await playback.finished()

    assert anyio.run(main) == PlaybackResult("completed", 0.0)


@BACKENDS
def test_an_error_in_the_block_is_silence_at_once_and_comes_out_bare(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    enter(sound_server.environment, monkeypatch)
    playbacks: list[Playback] = []
    sound = noise(2.0)

    async def main() -> PlaybackResult:
        with pytest.raises(KeyError, match="mine"):
            async with Speaker(FORMAT) as speaker:
                playbacks.append(await speaker.play(clip_of(sound)))
                await playbacks[0].started()
                raise KeyError("mine")
        return await playbacks[0].finished()

    with sound_server.recording() as stop:
        result = anyio.run(main, backend=backend)
        recorded = stop()

    assert result.outcome == "cleared"
    assert len(recorded.rstrip(b"\0").lstrip(b"\0")) < RATE_HZ // 2


@BACKENDS
def test_a_device_that_is_lost_is_an_error_for_all_who_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    errors: list[str] = []

    async def main() -> None:
        async def wait(function: Callable[[], Awaitable[object]]) -> None:
            with pytest.raises(SpeakerError) as raised:
                await function()
            errors.append(str(raised.value))

        async with Speaker(FORMAT) as speaker:
            first = await speaker.play(clip_of(noise(0.6)))
            second = await speaker.play(clip_of(noise(0.9)))
            await first.started()
            os.kill(server.process.pid, signal.SIGSTOP)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait, second.started)
                tasks.start_soon(wait, second.finished)
                tasks.start_soon(wait, lambda: speaker.play(clip_of(noise(1.1), noise(1.2))))
            # The next clip would open another device, if there were one.
            await wait(lambda: speaker.play(clip_of(noise(0.1))))
            await wait(second.finished)
            os.kill(server.process.pid, signal.SIGCONT)
            assert (await (await speaker.play(clip_of(noise(0.1)))).finished()).outcome == "completed"

    with running_sound_server(tmp_path) as server:
        enter(server.environment, monkeypatch)
        anyio.run(main, backend=backend)

    lost = "the sound device stopped taking audio: it asked for none in 3.0 s"
    assert errors == [lost, lost, lost, "the sound system does not answer", lost]


def test_a_cancelled_call_leaves_what_it_took_to_be_heard_or_cleared(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)
    sound, later = noise(0.5), noise(0.3)

    async def main() -> None:
        async with Speaker(FORMAT) as speaker:
            with anyio.move_on_after(0.05):
                await speaker.play(clip_of(sound, is_whole=False))
            await speaker.play(clip_of(later))

    with sound_server.recording() as stop:
        anyio.run(main)
        recorded = stop()

    assert sound + later in recorded


def test_a_speaker_that_is_not_open_takes_nothing() -> None:
    async def main() -> None:
        speaker = Speaker(FORMAT)
        await speaker.clear()
        await speaker.play(clip_of(bytes(2)))

    with pytest.raises(RuntimeError, match="a clip was played on a speaker that is not open"):
        anyio.run(main)


def test_what_it_cannot_play_is_refused(sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> None:
        async with Speaker(FORMAT) as speaker:
            assert speaker.capabilities.formats == (FORMAT,)
            with pytest.raises(ValueError, match=r"^clip must have the speaker's format .*, got .*8000"):
                await speaker.play(Clip(Segment(0, "Hello."), AudioFormat("s16le", 8000)))
            with pytest.raises(ValueError, match="must be a multiple of 2"):
                await speaker.play(clip_of(b"\1"))
            assert (await (await speaker.play(clip_of(bytes(2)))).finished()).outcome == "completed"

    anyio.run(main)

    with pytest.raises(ValueError, match=r"^audio_format must be of s16le samples, got .*'mulaw'"):
        Speaker(AudioFormat("mulaw", 8000))


@BACKENDS
def test_a_clip_that_comes_late_sounds_soon_and_cuts_off_nothing(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    enter(sound_server.environment, monkeypatch)
    early, late, later = noise(0.8), noise(0.6), noise(0.4)

    async def main() -> list[float]:
        async with Speaker(FORMAT) as speaker:
            first = await speaker.play(clip_of(early))
            started_s = await first.started()
            # All of it was taken, with silence behind it, and some of it is still to be heard.
            await anyio.sleep_until(started_s + 0.75)
            second = await speaker.play(clip_of(late))
            second_s = await second.started() - started_s - 0.8
            await second.finished()
            await anyio.sleep(0.3)
            before_s = anyio.current_time()
            third = await speaker.play(clip_of(later))
            return [second_s, await third.started() - before_s]

    with sound_server.recording() as stop:
        gaps_s = anyio.run(main, backend=backend)
        recorded = stop()

    ends = recorded.index(early) + len(early)
    assert 0 < (recorded.index(late) - ends) / 2 / RATE_HZ < 0.2
    assert later in recorded
    assert max(gaps_s) < 0.2
