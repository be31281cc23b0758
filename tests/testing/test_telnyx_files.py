import pytest

from ordered_pipeline.testing._telnyx._files import BadFileError, read_file
from ordered_pipeline.voice import AudioFormat
from tests.testing.telnyx_lines import mp3, wav


def test_the_length_of_a_wav_file_is_that_of_its_samples() -> None:
    file = read_file(wav(1.25, sample=3, sample_rate_hz=16000))

    assert (file.kind, file.duration_s, file.format) == ("wav", 1.25, AudioFormat("s16le", 16000))
    assert file.data == b"\x03\x00" * 20000


@pytest.mark.parametrize(
    ("header", "size", "duration_s", "audio_format"),
    [
        ("fffb9064", 417, 1152 / 44100, AudioFormat("mp3", 44100, 2)),  # 128 kbit/s
        ("fffb9264", 418, 1152 / 44100, AudioFormat("mp3", 44100, 2)),  # the same, with a byte of padding
        ("fffb14c4", 96, 1152 / 48000, AudioFormat("mp3", 48000, 1)),  # 32 kbit/s
        ("fff348c4", 144, 576 / 16000, AudioFormat("mp3", 16000, 1)),  # MPEG 2, 32 kbit/s
        ("ffe318c4", 72, 576 / 8000, AudioFormat("mp3", 8000, 1)),  # MPEG 2.5, 8 kbit/s
    ],
)
def test_the_length_of_an_mp3_file_is_that_of_its_frames(
    header: str, size: int, duration_s: float, audio_format: AudioFormat
) -> None:
    frame = bytes.fromhex(header) + bytes(size - 4)

    file = read_file(frame * 10)

    assert file.duration_s == pytest.approx(10 * duration_s)
    assert (file.kind, file.format) == ("mp3", audio_format)


def test_a_tag_before_the_frames_is_passed_over() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x00" + b"\xff" * 128

    assert read_file(tag + mp3(5)).duration_s == pytest.approx(0.18)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfb",
        b"no sound at all",
        b"\xff\xfb\xf0\x64" + bytes(400),  # no such bit rate
        b"\xff\xfb\x9c\x64" + bytes(400),  # no such sample rate
        b"\xff\xed\x90\x64" + bytes(400),  # a reserved version
        b"\xff\xff\x90\x64" + bytes(400),  # another layer
        wav(1.0)[:20],
        wav(0.0),
        b"RIFF\x00\x00\x00\x00AVI ",
    ],
)
def test_what_is_no_sound_is_refused(data: bytes) -> None:
    with pytest.raises(BadFileError):
        read_file(data)
