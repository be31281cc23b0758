"""What changing the sample rate does to sound, by tones whose level is known."""

import itertools
import math
import struct

import pytest

from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.voice._convert import converter
from ordered_pipeline.wire._wav import wav_header

VOICE, LINE = AudioFormat("s16le", 22050), AudioFormat("s16le", 8000)
AMPLITUDE = 10000


def tone(frequency_hz: float, rate_hz: int, samples: int) -> list[int]:
    step = 2 * math.pi * frequency_hz / rate_hz
    return [round(AMPLITUDE * math.sin(step * index)) for index in range(samples)]


def packed(samples: list[int]) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


def unpacked(data: bytes) -> list[int]:
    return list(struct.unpack(f"<{len(data) // 2}h", data))


def converted(
    data: bytes, *, chunk_bytes: int, source: AudioFormat = VOICE, target: AudioFormat = LINE
) -> bytes:
    convert = converter(source, target)
    assert convert is not None
    starts = range(0, len(data), chunk_bytes)
    return b"".join([convert.convert(data[at : at + chunk_bytes]) for at in starts]) + convert.finish()


def level_db(samples: list[int]) -> float:
    """Return the level of the middle of *samples*, against a tone of the amplitude used here."""
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    power = sum(sample * sample for sample in middle) / len(middle)
    return 10 * math.log10(max(power, 1e-9) / (AMPLITUDE**2 / 2))


def test_a_tone_that_a_telephone_carries_keeps_its_level() -> None:
    line = unpacked(converted(packed(tone(1000, 22050, 22050)), chunk_bytes=44100))

    assert abs(level_db(line)) < 0.1


def test_a_tone_above_what_the_new_rate_holds_is_gone_and_does_not_come_back_as_another() -> None:
    line = unpacked(converted(packed(tone(5000, 22050, 22050)), chunk_bytes=44100))

    assert level_db(line) < -40


def test_a_tone_goes_up_in_rate_and_is_where_it_was() -> None:
    wide = unpacked(
        converted(
            packed(tone(1000, 8000, 8000)), chunk_bytes=800, source=LINE, target=AudioFormat("s16le", 16000)
        )
    )

    middle = slice(4000, 12000)
    pairs = zip(wide[middle], tone(1000, 16000, 16000)[middle], strict=True)
    assert max(abs(got - expected) for got, expected in pairs) < AMPLITUDE / 1000


@pytest.mark.parametrize("chunk_bytes", [1, 317, 882, 20000])
def test_chunks_sound_like_the_whole(chunk_bytes: int) -> None:
    """Within 2 of 32768: the resampler rounds its integers with a little noise."""
    data = packed(
        [a // 2 + b // 2 for a, b in zip(tone(440, 22050, 11025), tone(1900, 22050, 11025), strict=True)]
    )

    whole = unpacked(converted(data, chunk_bytes=len(data)))
    chunked = unpacked(converted(data, chunk_bytes=chunk_bytes))

    assert max(abs(a - b) for a, b in zip(whole, chunked, strict=True)) <= 2


def test_each_clip_has_a_converter_of_its_own() -> None:
    loud, quiet = packed(tone(440, 22050, 5000)), bytes(10000)

    converted(loud, chunk_bytes=882)

    assert max(map(abs, unpacked(converted(quiet, chunk_bytes=882)))) <= 1


@pytest.mark.parametrize(
    ("source_hz", "target_hz"),
    list(itertools.permutations([8000, 16000, 22050, 24000, 44100, 48000], 2)),
)
def test_a_clip_keeps_its_length_to_the_sample(source_hz: int, target_hz: int) -> None:
    source, target = AudioFormat("s16le", source_hz), AudioFormat("s16le", target_hz)

    for samples in (1, 10, 441, 9001):
        made = converted(bytes(2 * samples), chunk_bytes=500, source=source, target=target)

        assert abs(len(made) / 2 - samples * target_hz / source_hz) <= 1


def test_a_voice_of_44_khz_stereo_reaches_a_telephone() -> None:
    left = tone(1000, 44100, 44100)
    stereo = packed([sample for pair in zip(left, left, strict=True) for sample in pair])

    source, target = AudioFormat("s16le", 44100, 2), AudioFormat("mulaw", 8000)
    codes = converted(stereo, chunk_bytes=1001, source=source, target=target)
    back = converter(target, LINE)
    assert back is not None

    assert len(codes) == 8000
    assert abs(level_db(unpacked(back.convert(codes)))) < 0.1


def test_stereo_keeps_its_sides_apart() -> None:
    left, right = tone(1000, 22050, 11025), [0] * 11025
    stereo = packed([sample for pair in zip(left, right, strict=True) for sample in pair])

    made = unpacked(
        converted(
            stereo,
            chunk_bytes=1000,
            source=AudioFormat("s16le", 22050, 2),
            target=AudioFormat("s16le", 8000, 2),
        )
    )

    assert abs(level_db(made[::2])) < 0.1
    assert max(map(abs, made[1::2])) <= 2


def test_a_wav_file_whose_rate_is_not_the_one_stated_is_read_right() -> None:
    data = packed(tone(1000, 22050, 22050))
    file = wav_header(sample_rate_hz=22050, channels=1, data_bytes=len(data)) + data

    line = converted(file, chunk_bytes=4096, source=AudioFormat("wav", 8000))

    assert len(line) == 2 * 8000
    assert abs(level_db(unpacked(line))) < 0.1
