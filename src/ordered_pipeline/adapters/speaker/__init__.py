"""The local speaker, by miniaudio (extra ``speaker``): a player of one continuous stream."""

from ordered_pipeline.adapters.speaker._device import SpeakerError
from ordered_pipeline.adapters.speaker._player import Speaker

__all__ = ["Speaker", "SpeakerError"]
