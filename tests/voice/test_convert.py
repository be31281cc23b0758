import io
import itertools
import re
import struct
import sys
import wave
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.voice._convert import AudioError, WholeSamples, choose_format, converter
from ordered_pipeline.wire._g711 import alaw_to_s16, mulaw_to_s16, s16_to_alaw, s16_to_mulaw
from ordered_pipeline.wire._wav import wav_header

Function: TypeAlias = Callable[[bytes], bytes]

S16, STEREO = AudioFormat("s16le", 8000), AudioFormat("s16le", 8000, 2)
MULAW, ALAW = AudioFormat("mulaw", 8000), AudioFormat("alaw", 8000)
WAV, MP3 = AudioFormat("wav", 8000), AudioFormat("mp3", 8000)


def s16le(*samples: int) -> bytes:
    return struct.pack(f"<{len(samples)}h", *samples)


def converted(source: AudioFormat, target: AudioFormat, chunks: Iterable[bytes]) -> bytes:
    convert = converter(source, target)
    assert convert is not None
    return b"".join([convert.convert(chunk) for chunk in chunks]) + convert.finish()


def cut_up(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    ends = [*itertools.accumulate(cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise([0, *ends])]


@pytest.mark.parametrize("accepted", [[], [MULAW, S16], [S16]])
def test_a_format_that_is_accepted_is_kept(accepted: list[AudioFormat]) -> None:
    assert choose_format(S16, accepted) == S16


@pytest.mark.parametrize(
    ("source", "accepted", "chosen"),
    [
        (S16, [AudioFormat("s16le", 16000), MULAW], MULAW),
        (S16, [AudioFormat("s16le", 48000), AudioFormat("s16le", 16000)], AudioFormat("s16le", 16000)),
        (
            AudioFormat("s16le", 22050),
            [AudioFormat("s16le", 16000), AudioFormat("s16le", 48000)],
            AudioFormat("s16le", 48000),
        ),
        (AudioFormat("s16le", 22050), [MULAW, AudioFormat("s16le", 16000)], AudioFormat("s16le", 16000)),
        (AudioFormat("mulaw", 16000), [S16, MULAW], MULAW),
        (MULAW, [ALAW, WAV, S16], S16),
        (MULAW, [ALAW, WAV], WAV),
        (S16, [ALAW, MULAW], ALAW),
        (STEREO, [MULAW, AudioFormat("mulaw", 8000, 2)], AudioFormat("mulaw", 8000, 2)),
        (S16, [MP3, STEREO], STEREO),
        (AudioFormat("mp3", 24000), [S16, AudioFormat("mp3", 44100)], AudioFormat("mp3", 44100)),
    ],
)
def test_the_format_that_keeps_most_is_chosen(
    source: AudioFormat, accepted: list[AudioFormat], chosen: AudioFormat
) -> None:
    assert choose_format(source, accepted) == chosen


def test_mp3_for_a_player_that_does_not_take_it_is_refused_with_the_way_out() -> None:
    message = (
        f"the player must take a format that {MP3!r} can be made into, got {[S16]!r}; "
        "ask the voice for s16le or wav"
    )

    with pytest.raises(AudioError, match=f"^{re.escape(message)}$"):
        choose_format(MP3, [S16])


@pytest.mark.parametrize(("source", "target"), [(S16, MP3), (MP3, S16), (AudioFormat("s16le", 8000, 6), S16)])
def test_what_cannot_be_converted_is_refused(source: AudioFormat, target: AudioFormat) -> None:
    with pytest.raises(
        AudioError, match=r"^target must be a format that AudioFormat\(.* can be made into, got"
    ):
        converter(source, target)


@pytest.mark.parametrize("source", [S16, MULAW, WAV, MP3])
def test_where_nothing_is_to_be_done_there_is_no_converter(source: AudioFormat) -> None:
    assert converter(source, source) is None


def test_mp3_files_tell_their_rate_themselves() -> None:
    assert converter(MP3, AudioFormat("mp3", 44100)) is None


@pytest.mark.parametrize(
    ("target", "encode", "decode"), [(MULAW, s16_to_mulaw, mulaw_to_s16), (ALAW, s16_to_alaw, alaw_to_s16)]
)
def test_telephone_audio_goes_there_and_back(target: AudioFormat, encode: Function, decode: Function) -> None:
    audio = s16le(0, 8, 1000, -1000, 32767, -32768)

    there = converted(S16, target, [audio])

    assert there == encode(audio)
    assert converted(target, S16, [there]) == decode(there)
    assert converted(S16, target, [decode(there)]) == there


def test_one_law_becomes_the_other() -> None:
    assert converted(MULAW, ALAW, [b"\x80\xff"]) == s16_to_alaw(mulaw_to_s16(b"\x80\xff"))


def test_mono_sounds_on_both_sides() -> None:
    assert converted(S16, STEREO, [s16le(1, -300)]) == s16le(1, 1, -300, -300)


def test_stereo_becomes_the_mean_of_both_sides() -> None:
    assert converted(STEREO, S16, [s16le(100, 300, 32767, 32767, -32768, 0)]) == s16le(200, 32767, -16384)


@given(
    data=st.binary(max_size=80).map(lambda data: data[: len(data) // 4 * 4]), cuts=st.lists(st.integers(0, 9))
)
def test_no_cut_between_chunks_changes_anything(data: bytes, cuts: list[int]) -> None:
    for target in (S16, MULAW, WAV):
        assert converted(STEREO, target, cut_up(data, cuts)) == converted(STEREO, target, [data])


def test_chunks_hold_whole_samples_wherever_they_were_cut() -> None:
    whole = WholeSamples(STEREO)

    chunks = [whole(chunk) for chunk in (b"123", b"4", b"", b"56789", b"abc")]

    assert chunks == [b"", b"1234", b"", b"5678", b"9abc"]
    assert whole(b"", is_last=True) == b""


def test_a_container_has_no_samples_to_be_cut() -> None:
    assert WholeSamples(MP3)(b"123", is_last=True) == b"123"


def test_half_a_sample_at_the_end_is_dropped_with_a_warning() -> None:
    convert = converter(S16, MULAW)
    assert convert is not None

    assert convert.convert(b"\0\0\0") == b"\xff"
    with pytest.warns(
        RuntimeWarning, match=r"^the audio of a segment ended inside a sample, which was dropped$"
    ):
        assert convert.finish() == b""


def test_a_wav_file_is_made_when_all_is_there() -> None:
    convert = converter(MULAW, AudioFormat("wav", 8000, 2))
    assert convert is not None

    assert convert.convert(b"\xff\x80") == b""
    file = convert.finish()

    with wave.open(io.BytesIO(file)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 2, 2)
        assert sound.readframes(10) == s16le(0, 0, 32124, 32124)


def test_nothing_becomes_nothing_and_no_file() -> None:
    assert converted(S16, WAV, [b""]) == b""
    assert converted(WAV, S16, []) == b""


def test_a_wav_file_is_unpacked_as_it_comes() -> None:
    file = wav_header(sample_rate_hz=8000, channels=1, data_bytes=6) + s16le(1, 2, 3)
    convert = converter(WAV, S16)
    assert convert is not None

    chunks = [convert.convert(file[:40]), convert.convert(file[40:47]), convert.convert(file[47:])]

    assert chunks == [b"", s16le(1), s16le(2, 3)]
    assert convert.finish() == b""


def test_a_wav_file_is_read_as_its_header_says_and_not_the_voice() -> None:
    file = wav_header(sample_rate_hz=8000, channels=2, data_bytes=4) + s16le(100, 300)

    assert converted(AudioFormat("wav", 8000, 1), S16, [file]) == s16le(200)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ID3\4" + bytes(10), r"a WAV file must begin with RIFF and WAVE, got b'ID3"),
        (b"RIFF", "the WAV file ended inside its header"),
        (
            wav_header(sample_rate_hz=8000, channels=6, data_bytes=12) + bytes(12),
            "a WAV file must have 1 or 2 channels",
        ),
    ],
)
def test_what_is_no_wav_file_or_one_of_another_kind_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(AudioError, match=f"^{message}"):
        converted(WAV, S16, [data])


@pytest.mark.parametrize("package", ["numpy", "soxr"])
@pytest.mark.parametrize("source", ["s16le", "wav"])
def test_a_change_of_rate_without_its_package_says_what_to_install(
    package: str, source: Literal["s16le", "wav"], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ModuleNotFoundError) as caught:
        converter(AudioFormat(source, 22050), MULAW)

    assert str(caught.value) == (
        "22050 Hz cannot be made 8000 Hz, for the package that does it is not installed; "
        "pip install 'ordered-pipeline[convert]'"
    )
    assert caught.value.name == package
