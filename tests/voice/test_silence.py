import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.voice._silence import SilenceFinder
from ordered_pipeline.wire._g711 import alaw_to_s16, mulaw_to_s16

# At 1 kHz a silence of 10 ms is one of 10 frames: short enough to be drawn, long enough to be passed over.
SLOW = AudioFormat("s16le", 1000)


def s16le(*samples: int) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


def found(
    audio_format: AudioFormat, chunks: Sequence[bytes], *, least_s: float = 0.1
) -> tuple[tuple[float, float], ...]:
    finder = SilenceFinder(audio_format, least_s=least_s)
    for chunk in chunks:
        finder.push(chunk)
    return finder.finish()


def naive(frames: Sequence[tuple[int, ...]], least: int) -> list[tuple[int, int]]:
    """Return start and length of each silence, by looking at every sample."""
    silences: list[tuple[int, int]] = []
    start = 0
    for index in range(len(frames) + 1):
        if index == len(frames) or not all(-128 <= sample < 128 for sample in frames[index]):
            if index - start >= least:
                silences.append((start, index - start))
            start = index + 1
    return silences


def test_a_pause_is_found_to_the_sample() -> None:
    audio = s16le(*[9000] * 5000 + [0] * 2205 + [9000] * 500)

    assert found(AudioFormat("s16le", 22050), [audio]) == ((5000 / 22050, 0.1),)


def test_a_pause_that_is_one_sample_too_short_is_none() -> None:
    audio = s16le(*[9000] * 5000 + [0] * 2204 + [9000] * 5000)

    assert found(AudioFormat("s16le", 22050), [audio]) == ()


def test_silence_at_both_ends_counts() -> None:
    audio = s16le(*[0] * 100 + [9000] * 50 + [0] * 200)

    assert found(SLOW, [audio]) == ((0.0, 0.1), (0.15, 0.2))


def test_a_clip_of_nothing_has_no_silence() -> None:
    assert found(SLOW, []) == ()


def test_a_silence_may_go_on_over_many_chunks() -> None:
    audio = s16le(*[9000] * 30 + [0] * 450 + [9000] * 20)

    assert found(SLOW, [audio[at : at + 10] for at in range(0, 1000, 10)]) == ((0.03, 0.45),)


@pytest.mark.parametrize(("sample", "is_silent"), [(127, True), (128, False), (-128, True), (-129, False)])
def test_a_sample_is_silent_if_it_fits_in_8_bits(sample: int, *, is_silent: bool) -> None:
    assert bool(found(SLOW, [s16le(*[sample] * 100)])) == is_silent


def test_both_channels_must_be_silent() -> None:
    stereo = AudioFormat("s16le", 1000, 2)
    both, left, right = (0, 0), (0, 9000), (9000, 0)

    audio = s16le(*[sample for frame in [left] * 50 + [both] * 100 + [right] * 150 for sample in frame])

    assert found(stereo, [audio]) == ((0.05, 0.1),)


def test_in_a_container_nothing_is_found() -> None:
    assert found(AudioFormat("wav", 1000), [bytes(5000)]) == ()


# What stands for silence, for a passage through zero, and for sound.
RUNS = st.lists(
    st.tuples(st.sampled_from([0, -128, 127, 128, -129, 256, -32768, 32767, 9000]), st.integers(1, 40)),
    max_size=12,
)
CUTS = st.lists(st.integers(1, 120), max_size=12)


def cut_up(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    chunks: list[bytes] = []
    for cut in cuts:
        chunks.append(data[:cut])
        data = data[cut:]
    return [*chunks, data]


@given(runs=RUNS, cuts=CUTS, channels=st.sampled_from([1, 2]))
def test_what_is_found_is_what_looking_at_every_sample_finds(
    runs: list[tuple[int, int]], cuts: list[int], channels: int
) -> None:
    samples = [sample for sample, count in runs for _ in range(count)]
    samples = samples[: len(samples) // channels * channels]
    frames = list(zip(*(samples[channel::channels] for channel in range(channels)), strict=True))

    silences = found(AudioFormat("s16le", 1000, channels), cut_up(s16le(*samples), cuts), least_s=0.01)

    assert silences == tuple((start / 1000, length / 1000) for start, length in naive(frames, 10))


@given(data=st.lists(st.sampled_from(range(256)), max_size=300), cuts=CUTS)
def test_telephone_audio_is_as_silent_as_what_it_is_decoded_to(data: list[int], cuts: list[int]) -> None:
    codes = bytes(data)

    for coded, decode in (
        (AudioFormat("mulaw", 1000), mulaw_to_s16),
        (AudioFormat("alaw", 1000), alaw_to_s16),
    ):
        as_decoded = found(SLOW, [decode(codes)], least_s=0.002)

        assert found(coded, cut_up(codes, cuts), least_s=0.002) == as_decoded
