import pytest

from ordered_pipeline.voice import AudioChunk, AudioFormat, Word


def test_a_duration_counts_whole_samples_of_all_channels() -> None:
    assert AudioFormat("s16le", 22050).duration_s(44100) == 1.0
    assert AudioFormat("s16le", 8000, 2).duration_s(8) == 0.00025
    assert AudioFormat("s16le", 8000, 2).samples_per_channel(8) == 2


@pytest.mark.parametrize("nbytes", [3, -4])
def test_bytes_that_end_inside_a_sample_have_no_duration(nbytes: int) -> None:
    with pytest.raises(ValueError, match=rf"^nbytes must be a multiple of 4 and not negative, got {nbytes}$"):
        AudioFormat("s16le", 8000, 2).duration_s(nbytes)


def test_a_chunk_has_no_words_where_the_voice_tells_none() -> None:
    assert AudioChunk(b"\0\0") == AudioChunk(b"\0\0", ())
    assert Word("so", 0.0, 0.25).end_s == 0.25
