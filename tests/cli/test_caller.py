"""WAV files as callers. `tests/wire/test_wav.py` has what is read of one; here is what is made of it."""

import math
import os
import struct
import wave
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.cli._caller import open_caller
from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.voice import AudioFormat, convert_audio

EARS = AudioFormat("s16le", 16000)


def wav(
    data: bytes,
    *,
    tag: int = 1,
    channels: int = 1,
    rate_hz: int = 16000,
    bits: int = 16,
    data_bytes: int | None = None,
) -> bytes:
    step_bytes = channels * bits // 8
    return (
        b"RIFF\0\0\0\0WAVEfmt "
        + struct.pack("<IHHIIHH", 16, tag, channels, rate_hz, rate_hz * step_bytes, step_bytes, bits)
        + b"data"
        + struct.pack("<I", len(data) if data_bytes is None else data_bytes)
        + data
    )


def heard(path: Path) -> tuple[AudioFormat, bytes, float]:
    """Return the format, the samples and what is missing, by a clock that does not wait."""

    async def main() -> tuple[AudioFormat, bytes, float]:
        async with open_caller(str(path)) as caller:
            # Long ago: every frame is late.
            frames = [frame async for frame in caller.speak(-1e6)]
            return caller.format, b"".join(frames), caller.missing_s

    return anyio.run(main)


def refused(path: Path) -> Failure:
    with pytest.raises(Failure) as raised:
        heard(path)
    return raised.value


def test_the_caller_speaks_in_frames_of_20_ms_each_when_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(bytes(range(250)) * 6, rate_hz=11025))

    async def main() -> None:
        begin_s = anyio.current_time() + 1
        frames: list[bytes] = []
        times_s: list[float] = []
        async with open_caller(str(path)) as caller:
            async for frame in caller.speak(begin_s):
                times_s.append(anyio.current_time() - begin_s)
                frames.append(frame)

        assert [len(frame) for frame in frames] == [440, 440, 440, 180]
        assert times_s == pytest.approx([220 / 11025, 440 / 11025, 660 / 11025, 750 / 11025])
        assert b"".join(frames) == bytes(range(250)) * 6

    run_in_virtual_time(main)


def test_who_takes_a_frame_late_catches_up(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(bytes(640 * 4)))

    async def main() -> None:
        begin_s = anyio.current_time()
        times_s: list[float] = []
        async with open_caller(str(path)) as caller:
            async for _ in caller.speak(begin_s):
                times_s.append(anyio.current_time() - begin_s)
                if len(times_s) == 1:
                    await anyio.sleep(0.05)

        assert times_s == pytest.approx([0.02, 0.07, 0.07, 0.08])

    run_in_virtual_time(main)


TONE = [math.sin(2 * math.pi * 440 * place / 96_000) / 2 for place in range(9_600)]


def integers(bits: int, values: list[float]) -> bytes:
    loudest = 2 ** (bits - 1) - 1
    return b"".join(int(value * loudest).to_bytes(bits // 8, "little", signed=True) for value in values)


@pytest.mark.parametrize(
    ("options", "encode", "error"),
    [
        ({"bits": 8}, lambda values: bytes(128 + int(value * 127) for value in values), 400),
        ({"bits": 16}, lambda values: integers(16, values), 1),
        ({"bits": 24}, lambda values: integers(24, values), 2),
        ({"bits": 32}, lambda values: integers(32, values), 2),
        ({"tag": 3, "bits": 32}, lambda values: struct.pack(f"<{len(values)}f", *values), 2),
        ({"tag": 3, "bits": 64}, lambda values: struct.pack(f"<{len(values)}d", *values), 2),
    ],
)
def test_samples_of_every_width_are_heard_as_what_they_are(
    tmp_path: Path, options: dict[str, int], encode: Callable[[list[float]], bytes], error: int
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(encode(TONE), rate_hz=96_000, **options))

    audio_format, data, missing_s = heard(path)

    assert (audio_format, missing_s) == (AudioFormat("s16le", 96_000), 0.0)
    samples = struct.unpack(f"<{len(TONE)}h", data)
    assert max(abs(value * 32767 - sample) for value, sample in zip(TONE, samples, strict=True)) <= error


def test_the_ears_get_96_khz_stereo_as_they_want_it(tmp_path: Path) -> None:
    """Both sides are mixed: the mean of them."""
    path = tmp_path / "a.wav"
    sides = [sample for value in TONE for sample in (int(value * 32767), 0)]
    path.write_bytes(wav(struct.pack(f"<{len(sides)}h", *sides), rate_hz=96_000, channels=2))

    async def main() -> bytes:
        async with open_caller(str(path)) as caller:
            frames = convert_audio(caller.speak(-1e6), caller.format, to=EARS)
            return b"".join([frame async for frame in frames])

    samples = struct.unpack("<1600h", anyio.run(main))
    expected = [math.sin(2 * math.pi * 440 * place / 16_000) * 8192 for place in range(1600)]
    # Away from the ends, where the resampler hears silence beside the tone.
    assert max(abs(a - b) for a, b in list(zip(expected, samples, strict=True))[200:-200]) < 30


def test_a_file_that_was_cut_is_heard_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(bytes(16_001), data_bytes=64_000))

    _, data, missing_s = heard(path)

    assert len(data) == 16_000
    assert missing_s == pytest.approx(1.5, abs=0.001)


@pytest.mark.parametrize("data_bytes", [0, 0x7FFFF000, 0xFFFFFFFF])
def test_nothing_is_missing_where_the_writer_did_not_know_the_length(tmp_path: Path, data_bytes: int) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(bytes(640), data_bytes=data_bytes))

    assert heard(path) == (EARS, bytes(640), 0.0)


def test_telephone_samples_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(bytes(range(200)), tag=7, bits=8, rate_hz=8000))

    assert heard(path) == (AudioFormat("mulaw", 8000), bytes(range(200)), 0.0)


def test_a_pipe_is_heard_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    async def main() -> list[bytes]:
        # Opened to read as well, so that nobody waits for the other end.
        writer = os.open(path, os.O_RDWR)
        os.write(writer, wav(bytes(300), data_bytes=0xFFFFFFFF))
        async with open_caller(str(path)) as caller, aclosing(caller.speak(-1e6)) as frames:
            os.write(writer, b"\1" * 400)
            first = await anext(frames)
            os.write(writer, b"\2" * 600)
            second = await anext(frames)
        os.close(writer)
        return [first, second]

    assert anyio.run(main) == [bytes(300) + b"\1" * 340, b"\1" * 60 + b"\2" * 580]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "nobody speaks: '{}' is empty"),
        (wav(b""), "nobody speaks: there is no sound in '{}'"),
        (wav(b"\1"), "nobody speaks: there is no sound in '{}'"),
    ],
)
def test_a_file_without_sound_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)

    failure = refused(path)

    assert (str(failure), failure.status) == (told.format(path), Exit.NOTHING)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (
            b"ID3\4" + bytes(100),
            r"a WAV file must begin with RIFF and WAVE, got b'ID3\x04\x00\x00\x00\x00\x00\x00\x00\x00'",
        ),
        (b"Hello there.", "a WAV file must begin with RIFF and WAVE, got b'Hello there.'"),
        (wav(b"")[:30], "the WAV file ended inside its header"),
        (
            wav(bytes(8), tag=0x11, bits=4),
            (
                "a WAV file must hold integers or floats, or mu-law or A-law of 8 bits, "
                "got samples of format tag 0x0011 of 4 bits; ask for 16 bit PCM"
            ),
        ),
        (wav(bytes(600), channels=6), "it must have 1 or 2 channels, got 6"),
        (wav(bytes(600), rate_hz=100), "it must have 4000 to 768000 Hz, got 100"),
        (wav(bytes(600), rate_hz=2_000_000_000), "it must have 4000 to 768000 Hz, got 2000000000"),
    ],
)
def test_a_file_that_cannot_be_heard_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)

    failure = refused(path)

    assert (str(failure), failure.status) == (f"'{path}' cannot be heard: {told}", Exit.NO_WAV)


@pytest.mark.parametrize(("name", "why"), [("nowhere", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, why: str) -> None:
    path = tmp_path / name

    failure = refused(path)

    assert (str(failure), failure.status) == (f"'{path}' cannot be read: {why}", Exit.UNREADABLE)


def test_what_the_standard_library_writes_is_heard(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(48_000)
        file.writeframes(b"\1\2\3" * 960)

    assert heard(path) == (AudioFormat("s16le", 48_000), b"\2\3" * 960, 0.0)
