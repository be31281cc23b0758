"""The WAV header: 44 bytes in front of the samples, which say how many there are.

A file stays valid while it grows if its samples are written first and a new header over the old one after:
bytes behind what the header counts are not part of the sound.
"""

import struct
from typing import Final

HEADER_BYTES: Final[int] = 44
# Sizes in the header are 32 bit, and the first one counts 36 bytes of the header itself.
MAX_DATA_BYTES: Final[int] = 2**32 - 1 - 36


def wav_header(*, sample_rate_hz: int, channels: int, data_bytes: int) -> bytes:
    """Return the header of a WAV file with 16 bit samples.

    Args:
        sample_rate_hz: Samples a second, of each channel.
        channels: How many channels.
        data_bytes: Length of the samples after the header; whole samples of all channels.

    Raises:
        ValueError: *data_bytes* is negative, ends inside a sample, or is more than a WAV file holds (4 GiB).

    Source:
        Multimedia Programming Interface and Data Specifications 1.0 (IBM and Microsoft, 1991), "Waveform
        Audio File Format".
    """
    step_bytes = 2 * channels
    if not 0 <= data_bytes <= MAX_DATA_BYTES or data_bytes % step_bytes:
        raise ValueError(
            f"data_bytes must be a multiple of {step_bytes} from 0 to {MAX_DATA_BYTES}, got {data_bytes!r}"
        )
    pcm = 1
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + data_bytes,
        b"WAVE",
        b"fmt ",
        16,
        pcm,
        channels,
        sample_rate_hz,
        sample_rate_hz * step_bytes,
        step_bytes,
        16,
        b"data",
        data_bytes,
    )
