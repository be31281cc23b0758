import pytest

from ordered_pipeline.adapters.telnyx._queue_clips import join, read_sound
from tests.adapters.telnyx.phone import samples, wav


def test_a_file_tells_how_long_it_sounds() -> None:
    sound = read_sound(wav(samples(0, 0.5)))

    assert sound is not None
    assert sound.part.length_s == 0.5
    assert sound.samples == samples(0, 0.5)


def test_what_is_joined_is_one_file() -> None:
    sounds = [read_sound(wav(samples(index, 0.25))) for index in range(3)]

    joined = join([sound for sound in sounds if sound is not None])

    assert joined == wav(b"".join(samples(index, 0.25) for index in range(3)))


def test_a_header_that_counts_wrong_is_put_right() -> None:
    file = bytearray(wav(samples(0, 0.25)))
    file[40:44] = b"\xff\xff\xff\xff"
    # A last sample that is not whole is left out.
    sound = read_sound(bytes(file) + b"\0")

    assert sound is not None
    assert join([sound]) == wav(samples(0, 0.25))


@pytest.mark.parametrize("file", [b"", wav(b""), wav(b"")[:44] + b"\0"])
def test_a_file_without_a_sample_is_no_sound(file: bytes) -> None:
    assert read_sound(file) is None


@pytest.mark.parametrize("file", [b"RIFF", b"ID3\x04" + bytes(100), wav(b"")[:40]])
def test_what_is_no_wav_file_is_refused(file: bytes) -> None:
    with pytest.raises(ValueError, match="clip must hold a WAV file, got something else"):
        read_sound(file)
