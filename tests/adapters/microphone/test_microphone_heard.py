"""Against a real sound server, whose microphone a test speaks into. Each test takes the time it speaks."""

import ctypes
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.adapters.microphone import Microphone, MicrophoneError
from ordered_pipeline.voice import AudioFormat
from tests.adapters.leftovers import nothing_new, threads
from tests.adapters.sound_server import (
    MICROPHONE_RATE_HZ,
    SoundServer,
    running_sound_server,
)
from tests.adapters.speaker.sounds import enter, noise

pytestmark = [pytest.mark.parts, pytest.mark.usefixtures("ahead_of_others")]

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
FRAME_BYTES = 640


def speech(seconds: float) -> bytes:
    return noise(seconds, rate_hz=MICROPHONE_RATE_HZ)


async def heard(microphone: AsyncIterator[bytes], *, until: bytes) -> bytes:
    """Return what is heard up to and with the last sample of *until*."""
    frames = bytearray()
    async for frame in microphone:
        frames += frame
        if until[-FRAME_BYTES:] in frames[-2 * FRAME_BYTES :]:
            break
    return bytes(frames)


def test_ten_seconds_are_heard_to_the_sample(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)
    said = speech(10.0)

    async def main() -> bytes:
        async with Microphone() as microphone:
            with sound_server.say(said):
                sound = await heard(microphone, until=said)
            assert microphone.dropped_s == 0.0
            return sound

    assert said in anyio.run(main)


def test_silence_is_heard_as_silence_in_frames_of_20_ms(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> tuple[list[bytes], list[float]]:
        async with Microphone() as microphone:
            frames = [await anext(microphone)]
            begun_s = [microphone.begun_s]
            while len(frames) < 50:
                frames.append(await anext(microphone))
                begun_s.append(microphone.begun_s)
            assert None not in begun_s
            return frames, [time_s - anyio.current_time() for time_s in begun_s if time_s is not None]

    frames, ages_s = anyio.run(main)

    assert frames == 50 * [bytes(FRAME_BYTES)]
    assert sorted(ages_s) == ages_s
    # The last one is just over, and the others lie before it.
    assert -0.1 < ages_s[-1] < 0.0
    assert 0.8 < ages_s[-1] - ages_s[0] < 1.2


def test_other_formats_are_made_by_the_sound_system(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)
    stereo = AudioFormat("s16le", 48_000, channels=2)

    async def main() -> set[int]:
        async with Microphone(stereo) as microphone:
            assert microphone.format == stereo
            return {len(await anext(microphone)) for _ in range(10)}

    assert anyio.run(main) == {3840}


def test_a_rate_that_no_device_has_is_an_error(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> None:
        async with Microphone(AudioFormat("s16le", 10_000_000)):
            pass

    with pytest.raises(
        MicrophoneError, match=r"^no microphone could be opened \(failed to init device, -\d+\)$"
    ):
        anyio.run(main)


def test_a_program_that_is_held_up_hears_all_the_same(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interpreter's lock is held: not even the device's thread runs."""
    enter(sound_server.environment, monkeypatch)
    said = speech(2.0)

    async def main() -> bytes:
        async with Microphone() as microphone:
            with sound_server.say(said):
                sound = await heard(microphone, until=said[: MICROPHONE_RATE_HZ // 50 * 2 * 25])
                ctypes.PyDLL(None).usleep(400_000)
                return sound + await heard(microphone, until=said)

    assert said in anyio.run(main)


def test_what_nobody_takes_for_5_s_is_dropped_and_counted(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> tuple[float, float]:
        async with Microphone() as microphone:
            await anext(microphone)
            first_s = microphone.begun_s
            await anyio.sleep(6)
            assert microphone.dropped_s == 0.0
            await anext(microphone)
            dropped_s = microphone.dropped_s
            second_s = microphone.begun_s
            for _ in range(249):
                await anext(microphone)
            assert first_s is not None
            assert second_s is not None
            assert microphone.dropped_s - dropped_s < 0.2
            return dropped_s, second_s - first_s

    dropped_s, passed_s = anyio.run(main)

    assert 0.8 < dropped_s < 1.4
    # The frame that is handed over next tells how long the hole is.
    assert passed_s == pytest.approx(dropped_s + 0.02, abs=0.1)


@BACKENDS
def test_a_call_that_is_cancelled_at_any_instant_loses_nothing(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    enter(sound_server.environment, monkeypatch)
    said = speech(1.5)
    sound = bytearray()

    async def main() -> None:
        async with Microphone() as microphone:
            with sound_server.say(said):
                step = 0
                while said[-FRAME_BYTES:] not in sound[-2 * FRAME_BYTES :]:
                    step = (step + 1) % 30
                    with anyio.move_on_after(step / 1000):
                        sound.extend(await anext(microphone))

    anyio.run(main, backend=backend)

    assert said in sound


@BACKENDS
def test_who_waits_when_it_is_closed_is_let_go(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    enter(sound_server.environment, monkeypatch)
    ended: list[bool] = []

    async def main() -> None:
        async def listen() -> None:
            async for _ in microphone:
                pass
            ended.append(True)

        async with Microphone() as microphone, anyio.create_task_group() as tasks:
            for _ in range(2):
                tasks.start_soon(listen)
            await anext(microphone)
            await microphone.aclose()
        assert [frame async for frame in microphone] == []

        # It can be opened again, and hears what is said from then on.
        async with microphone:
            with pytest.raises(RuntimeError, match=r"^a microphone was entered that is open already"):
                await microphone.__aenter__()
            assert len(await anext(microphone)) == FRAME_BYTES

    anyio.run(main, backend=backend)

    assert ended == [True, True]


@pytest.mark.parametrize(
    ("backend", "fault"),
    [("asyncio", signal.SIGKILL), ("trio", signal.SIGKILL), ("trio", signal.SIGSTOP)],
)
def test_a_microphone_that_is_lost_is_an_error_after_what_it_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, fault: signal.Signals
) -> None:
    said = speech(0.5)
    sound = bytearray()

    async def main() -> None:
        async with Microphone() as microphone:
            with server.say(said):
                pass
            await anyio.sleep(0.3)
            server.process.send_signal(fault)
            lost_s = anyio.current_time()
            with pytest.raises(
                MicrophoneError, match=r"^the microphone stopped working: it gave nothing in 3\.0 s$"
            ):
                async for frame in microphone:
                    sound.extend(frame)
            assert 2.0 < anyio.current_time() - lost_s < 5.0
            with pytest.raises(MicrophoneError):
                await anext(microphone)
            left_s = anyio.current_time()
        assert anyio.current_time() - left_s < 2.0

    with running_sound_server(tmp_path) as server:
        enter(server.environment, monkeypatch)
        anyio.run(main, backend=backend)
        server.process.send_signal(signal.SIGCONT)

    assert said in sound


def test_a_sound_server_that_hangs_keeps_nobody_who_enters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with Microphone():
            pass

    with running_sound_server(tmp_path) as server:
        enter(server.environment, monkeypatch)
        server.process.send_signal(signal.SIGSTOP)
        with pytest.raises(MicrophoneError, match=r"^the sound system does not answer$"):
            anyio.run(main)
        server.process.send_signal(signal.SIGCONT)


@BACKENDS
def test_nothing_is_left_behind(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """Neither a thread nor a connection: a server has 64 of them."""
    enter(sound_server.environment, monkeypatch)

    async def main() -> None:
        for step in range(35):
            async with Microphone() as microphone:
                await anext(microphone)
            # Cancelled while it opens, starts, or closes.
            with anyio.move_on_after(step / 2000):
                async with Microphone():
                    pass

    with nothing_new(threads), nothing_new(sound_server.clients):
        anyio.run(main, backend=backend)

    assert not [thread for thread in threading.enumerate() if thread.name == "ordered-pipeline"]
