import io
import wave

import pytest

from ordered_pipeline.wire._wav import MAX_DATA_BYTES, wav_header


def test_a_header_before_its_samples_is_a_wav_file() -> None:
    data = b"\1\2\3\4" * 5

    with wave.open(io.BytesIO(wav_header(sample_rate_hz=8000, channels=2, data_bytes=20) + data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 2, 2)
        assert file.readframes(100) == data


def test_the_header_is_the_one_that_the_standard_library_writes() -> None:
    expected = io.BytesIO()
    with wave.open(expected, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(bytes(6))

    assert wav_header(sample_rate_hz=22050, channels=1, data_bytes=6) + bytes(6) == expected.getvalue()


def test_bytes_behind_what_the_header_counts_are_no_sound() -> None:
    """A file is read while it grows: the header lags behind the samples."""
    grown = wav_header(sample_rate_hz=8000, channels=1, data_bytes=4) + b"\1\2\3\4\5\6\7"

    with wave.open(io.BytesIO(grown)) as file:
        assert file.readframes(100) == b"\1\2\3\4"


@pytest.mark.parametrize("data_bytes", [-4, 3, MAX_DATA_BYTES + 1])
def test_a_length_that_no_header_can_tell_is_refused(data_bytes: int) -> None:
    with pytest.raises(
        ValueError, match=rf"^data_bytes must be a multiple of 4 from 0 to 4294967259, got {data_bytes}$"
    ):
        wav_header(sample_rate_hz=8000, channels=2, data_bytes=data_bytes)
