"""The speaker's device: how much it asks for at a time, and what it fails with."""

from typing import Final

from ordered_pipeline.voice import AudioFormat

try:
    from ordered_pipeline.adapters._miniaudio import Device, Feed, open_playback
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the package of the local speaker is not installed; pip install 'ordered-pipeline[speaker]'",
        name=_missing.name,
    ) from _missing

# What the device asks for at a time. Two such periods wait in its buffer (measured with PulseAudio): that is
# how long the threads that feed it may be held up unheard, and how late sound begins after silence. With
# twice as many busy threads as cores, two of three recordings had holes at 50 ms, one of nine at 100 ms, none
# of six at 150 ms; few runs, and the last six had the sound server at lower priority as well.
PERIOD_MS: Final = 150


class SpeakerError(Exception):
    """There is no sound device, or it stopped working."""


async def open_device(audio_format: AudioFormat) -> Device[Feed]:
    """Open the default device.

    Raises:
        SpeakerError: There is none, or it does not open.
    """
    return await open_playback(audio_format, period_ms=PERIOD_MS, failure=SpeakerError)
