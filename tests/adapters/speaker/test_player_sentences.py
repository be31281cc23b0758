"""On a real sound server, which records: ten sentences in one stream, and clips with a play call for each."""

import subprocess
import threading
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import final

import anyio
import miniaudio
import pytest

from ordered_pipeline.adapters._miniaudio import Feed
from ordered_pipeline.adapters.espeak import Espeak
from ordered_pipeline.adapters.speaker import Speaker
from ordered_pipeline.voice import AudioChunk, AudioFormat, Prefetch, Segment, Timeline, speak
from tests.adapters.sound_server import RATE_HZ, SoundServer
from tests.adapters.speaker.sounds import FORMAT, enter, noise

pytestmark = [pytest.mark.parts, pytest.mark.usefixtures("ahead_of_others")]

SENTENCES = (
    "Good morning. Your order is here. It comes on Friday. Be at home. The driver rings twice. He will wait. "
    "Then he goes on. You can choose a day. It costs nothing. Shall I do that?"
)


@final
class Recorded:
    """A voice, and what it said of each segment."""

    def __init__(self, voice: Espeak) -> None:
        self.voice = voice
        self.said: dict[int, bytes] = {}

    @property
    def format(self) -> AudioFormat:
        return self.voice.format

    async def synthesize(self, segment: Segment, /) -> AsyncIterator[AudioChunk]:
        async for chunk in self.voice.synthesize(segment):
            self.said[segment.index] = self.said.get(segment.index, b"") + chunk.data
            yield chunk


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_ten_sentences_sound_as_one_without_a_sample_between_them(
    sound_server: SoundServer, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    enter(sound_server.environment, monkeypatch)

    async def main() -> tuple[dict[int, bytes], Timeline, int]:
        async with Espeak(concurrency=2) as espeak, Speaker(FORMAT) as speaker:
            voice = Recorded(espeak)
            async with speak(SENTENCES, tts=voice, player=speaker, prefetch=Prefetch(segments=2)) as reply:
                await reply.finished()
        return voice.said, reply.timeline, speaker.underruns

    with sound_server.recording() as stop:
        said, timeline, underruns = anyio.run(main, backend=backend)
        recorded = stop()

    assert sorted(said) == list(range(10))
    assert b"".join(said[index] for index in range(10)) in recorded
    assert timeline.gaps == ()
    assert underruns == 0


def play_by_a_device_of_its_own(sound: bytes, folder: Path) -> None:
    """Play as a call does that opens a device, of periods of 40 ms, and gives it twice that to end."""
    is_taken = threading.Event()

    def feed() -> Feed:
        samples = yield b""
        place = 0
        while place < len(sound):
            data = sound[place : place + 2 * samples]
            place += len(data)
            samples = yield data
        is_taken.set()
        while True:
            samples = yield bytes(2 * samples)

    device = miniaudio.PlaybackDevice(
        output_format=miniaudio.SampleFormat.SIGNED16,
        nchannels=1,
        sample_rate=RATE_HZ,
        buffersize_msec=40,
    )
    with device:
        source = feed()
        next(source)
        device.start(source)
        assert is_taken.wait(10)
        time.sleep(0.08)


def play_by_a_program(sound: bytes, folder: Path) -> None:
    path = str(folder / "clip.wav")
    with wave.open(path, "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(sound)
    subprocess.run(["paplay", path], check=True)


def gaps_ms(recorded: bytes, clips: list[bytes]) -> Iterator[float]:
    """Return how long it was silent between two clips and the next."""
    end = recorded.index(clips[0]) + len(clips[0])
    for clip in clips[1:]:
        start = recorded.index(clip, end)
        assert not any(recorded[end:start])
        yield (start - end) / 2 / RATE_HZ * 1000
        end = start + len(clip)


@pytest.mark.parametrize("play", [play_by_a_device_of_its_own, play_by_a_program])
def test_a_play_call_for_each_clip_puts_silence_between_them(
    sound_server: SoundServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    play: Callable[[bytes, Path], None],
) -> None:
    """PulseAudio on an idle machine: 70 ms by devices, 20 ms by programs."""
    enter(sound_server.environment, monkeypatch)
    clips = [noise(0.5), noise(0.4), noise(0.3)]

    with sound_server.recording() as stop:
        for clip in clips:
            play(clip, tmp_path)
        recorded = stop()

    gaps = list(gaps_ms(recorded, clips))
    assert min(gaps) > 10.0, gaps
