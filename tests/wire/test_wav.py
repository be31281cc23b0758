import io
import struct
import wave
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.wire._wav import MAX_DATA_BYTES, WavError, WavFormat, WavReader, wav_header


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


def chunk(kind: bytes, data: bytes, *, size: int | None = None) -> bytes:
    return kind + struct.pack("<I", len(data) if size is None else size) + data + bytes(len(data) % 2)


def format_chunk(*, tag: int = 1, channels: int = 1, rate_hz: int = 8000, bits: int = 16) -> bytes:
    step_bytes = channels * bits // 8
    return chunk(
        b"fmt ", struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * step_bytes, step_bytes, bits)
    )


def riff(*chunks: bytes) -> bytes:
    body = b"".join(chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def read(data: bytes, *, step: int = 1, any_width: bool = False) -> tuple[bytes, WavFormat | None]:
    reader = WavReader(any_width=any_width)
    samples = b"".join(reader.push(data[at : at + step]) for at in range(0, len(data), step))
    reader.finish()
    return samples, reader.format


@pytest.mark.parametrize("step", [1, 3, 44, 1000])
def test_a_file_is_read_however_its_bytes_are_cut(step: int) -> None:
    file = wav_header(sample_rate_hz=22050, channels=2, data_bytes=8) + b"\1\2\3\4\5\6\7\x08"

    assert read(file, step=step) == (b"\1\2\3\4\5\6\7\x08", WavFormat("s16le", 22050, 2))


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_other_chunks_are_passed_over_before_and_after_the_samples(step: int) -> None:
    file = riff(
        chunk(b"LIST", b"odd"),
        format_chunk(),
        chunk(b"fact", b"even"),
        chunk(b"data", b"\1\2"),
        chunk(b"LIST", b"more"),
    )

    assert read(file, step=step) == (b"\1\2", WavFormat("s16le", 8000, 1))


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_length_that_the_writer_did_not_know_means_up_to_the_end(size: int) -> None:
    assert read(riff(format_chunk(), chunk(b"data", b"\1\2\3\4", size=size)))[0] == b"\1\2\3\4"


@pytest.mark.parametrize(("tag", "encoding"), [(6, "alaw"), (7, "mulaw")])
def test_g711_is_read_by_its_tag(tag: int, encoding: Literal["alaw", "mulaw"]) -> None:
    file = riff(format_chunk(tag=tag, bits=8), chunk(b"data", b"\1\2\3"))

    assert read(file) == (b"\1\2\3", WavFormat(encoding, 8000, 1))


def test_an_extensible_format_is_what_its_sub_format_says() -> None:
    extension = struct.pack("<HHIHI8s", 22, 16, 3, 1, 0x00100000, b"\x80\0\0\xaa\0\x38\x9b\x71")
    plain = struct.pack("<HHIIHH", 0xFFFE, 2, 48000, 192000, 4, 16)

    file = riff(chunk(b"fmt ", plain + extension), chunk(b"data", b"\1\2\3\4"))

    assert read(file) == (b"\1\2\3\4", WavFormat("s16le", 48000, 2))


def test_what_the_standard_library_writes_is_read() -> None:
    written = io.BytesIO()
    with wave.open(written, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\1\2\3\4")

    assert read(written.getvalue()) == (b"\1\2\3\4", WavFormat("s16le", 16000, 1))


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"bits": 8}, "integers of 8 bits"),
        ({"bits": 24}, "integers of 24 bits"),
        ({"tag": 3, "bits": 32}, "floats of 32 bits"),
        ({"tag": 0x11, "bits": 4}, "samples of format tag 0x0011 of 4 bits"),
        ({"tag": 0xFFFE}, "samples of format tag 0xfffe of 16 bits"),
    ],
)
def test_other_samples_are_refused_by_name(options: dict[str, int], what: str) -> None:
    file = riff(format_chunk(**options), chunk(b"data", bytes(8)))

    with pytest.raises(
        WavError,
        match="^a WAV file must hold 16 bit integers, or mu-law or A-law of 8 bits, "
        f"got {what}; ask for 16 bit PCM$",
    ):
        read(file)


@pytest.mark.parametrize(
    ("options", "data", "expected"),
    [
        ({"bits": 8}, b"\x80\x01\xff", "0000 0081 007f"),
        ({"bits": 24}, b"\1\2\3\4\5\6", "0203 0506"),
        ({"bits": 32}, b"\1\2\3\4\5\6\7\x08", "0304 0708"),
        ({"tag": 3, "bits": 32}, struct.pack("<2f", 1, -1), "ff7f 0180"),
        ({"tag": 3, "bits": 64}, struct.pack("<2d", 1, -1), "ff7f 0180"),
    ],
)
@pytest.mark.parametrize("step", [1, 5, 1000])
def test_samples_of_any_width_are_made_16_bit_ones_where_that_is_wanted(
    options: dict[str, int], data: bytes, expected: str, step: int
) -> None:
    file = riff(format_chunk(**options), chunk(b"data", data))

    assert read(file, step=step, any_width=True) == (bytes.fromhex(expected), WavFormat("s16le", 8000, 1))


def test_of_samples_that_are_made_16_bit_ones_a_last_half_one_is_left_out() -> None:
    file = riff(format_chunk(bits=24), chunk(b"data", b"\1\2\3\4\5", size=100))

    assert read(file[:-1], any_width=True)[0] == b"\2\3"


def test_samples_that_are_no_integers_or_floats_are_refused_at_any_width() -> None:
    file = riff(format_chunk(tag=0x11, bits=4), chunk(b"data", bytes(8)))

    with pytest.raises(
        WavError,
        match=r"^a WAV file must hold integers or floats, or mu-law or A-law of 8 bits, "
        "got samples of format tag 0x0011 of 4 bits; ask for 16 bit PCM$",
    ):
        read(file, any_width=True)


@pytest.mark.parametrize(("size", "missing_s"), [(16_000, 0.75), (4_000, 0.0), (0, 0.0), (0x7FFFF000, 0.0)])
def test_what_the_header_promised_and_did_not_come_is_told_in_seconds(size: int, missing_s: float) -> None:
    reader = WavReader()

    reader.push(riff(format_chunk(), chunk(b"data", bytes(4_000), size=size)))

    assert reader.missing_s == missing_s


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ID3\4\0\0\0\0\0\0\0\0", r"a WAV file must begin with RIFF and WAVE, got b'ID3\\x04"),
        (b"RIFF\0\0\0\0AVI \0\0", r"a WAV file must begin with RIFF and WAVE, got b'RIFF"),
        (riff(chunk(b"data", b"\1\2")), "a WAV file must tell its format before its samples, got none"),
        (riff(chunk(b"fmt ", b"short")), "a WAV file's format must have 16 to 40 bytes, got 5"),
        (
            riff(chunk(b"fmt ", b"", size=2**31)),
            "a WAV file's format must have 16 to 40 bytes, got 2147483648",
        ),
        (riff(format_chunk(channels=0)), "a WAV file must have channels and a rate, got 0 and 8000 Hz"),
        (riff(format_chunk(rate_hz=0)), "a WAV file must have channels and a rate, got 1 and 0 Hz"),
        (b"RIFF", "the WAV file ended inside its header"),
        (riff(format_chunk()), "the WAV file ended inside its header"),
    ],
)
def test_what_is_no_wav_file_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(WavError, match=f"^{message}"):
        read(data)


def test_a_file_of_no_bytes_is_no_error() -> None:
    assert read(b"") == (b"", None)


def test_a_file_that_ends_early_gives_what_there_is() -> None:
    assert read(riff(format_chunk(), chunk(b"data", b"\1\2\3", size=100)))[0] == b"\1\2\3\0"


@given(data=st.binary(max_size=200))
def test_no_bytes_whatever_cause_another_error(data: bytes) -> None:
    for start in (b"", riff(), riff(format_chunk())):
        try:
            samples, _ = read(start + data, step=9)
        except WavError:
            continue
        assert samples in data
