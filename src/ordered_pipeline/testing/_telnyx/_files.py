"""Sound files: what is in them, and how long it sounds.

Source:
    ISO/IEC 11172-3 and 13818-3 for the header of MP3 frames; MPEG 2.5 as encoders write it.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.wire._wav import WavError, WavReader

# Kilobits a second of layer III, of MPEG 1 and of MPEG 2 and 2.5.
_KILOBITS_1: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KILOBITS_2: Final = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# By the two bits that tell the version; the second is reserved.
_RATES_HZ: Final = ((11025, 12000, 8000), (), (22050, 24000, 16000), (44100, 48000, 32000))
_MPEG_1: Final = 3
_LAYER_III: Final = 1
_ID3_HEADER: Final = 10


class BadFileError(Exception):
    """The bytes are no sound file."""


@dataclass(frozen=True, slots=True)
class SoundFile:
    """What is in a file.

    Attributes:
        kind: Which kind of file.
        duration_s: How long it sounds.
        data: Its samples, or all of an MP3 file.
        format: How they are to be read.
    """

    kind: Literal["wav", "mp3"]
    duration_s: float
    data: bytes = field(repr=False)
    format: AudioFormat | None


def read_file(data: bytes) -> SoundFile:
    """Return what is in a WAV or MP3 file.

    Raises:
        BadFileError: It is neither, or has no sound in it.
    """
    return _read_wav(data) if data[:4] == b"RIFF" else read_mp3(data)


def _read_wav(data: bytes) -> SoundFile:
    reader = WavReader()
    try:
        samples = reader.push(data)
        reader.finish()
    except WavError as error:
        raise BadFileError(str(error)) from error
    if reader.format is None or not samples:
        raise BadFileError("a WAV file must have samples, got none")
    audio_format = AudioFormat(reader.format.encoding, reader.format.sample_rate_hz, reader.format.channels)
    whole = samples[: len(samples) - len(samples) % audio_format.step_bytes]
    return SoundFile("wav", audio_format.duration_s(len(whole)), whole, audio_format)


def read_mp3(data: bytes) -> SoundFile:
    """Return what is in an MP3 file.

    Raises:
        BadFileError: It is none.
    """
    position = _behind_tag(data)
    duration_s, rate_hz, channels = 0.0, 0, 1
    while (frame := _frame(data[position : position + 4])) is not None:
        size, samples, rate_hz, channels = frame
        duration_s += samples / rate_hz
        position += size
    if not duration_s:
        raise BadFileError(f"a sound file must be WAV or MP3, got {data[:16]!r}")
    return SoundFile("mp3", duration_s, data, AudioFormat("mp3", rate_hz, channels))


def _behind_tag(data: bytes) -> int:
    if data[:3] != b"ID3" or len(data) < _ID3_HEADER:
        return 0
    size = 0
    for byte in data[6:_ID3_HEADER]:  # 7 bits each
        size = size << 7 | byte & 0x7F
    return _ID3_HEADER + size


def _frame(header: bytes) -> tuple[int, int, int, int] | None:
    """Return the size, samples, rate and channels of the frame that *header* begins; None if none."""
    bits = int.from_bytes(header, "big")
    version, layer = bits >> 19 & 3, bits >> 17 & 3
    bitrate_index, rate_index = bits >> 12 & 15, bits >> 10 & 3
    rates_hz = _RATES_HZ[version]
    kilobits = _KILOBITS_1 if version == _MPEG_1 else _KILOBITS_2
    well_made = len(header) == 4 and bits >> 21 == 0x7FF and layer == _LAYER_III  # noqa: PLR2004  # 32 bits
    if not well_made or rate_index >= len(rates_hz) or not 0 < bitrate_index < len(kilobits):
        return None
    samples = 1152 if version == _MPEG_1 else 576
    rate_hz = rates_hz[rate_index]
    size = samples // 8 * kilobits[bitrate_index] * 1000 // rate_hz + (bits >> 9 & 1)
    return size, samples, rate_hz, 1 if bits >> 6 & 3 == 3 else 2  # noqa: PLR2004  # 3: single channel
