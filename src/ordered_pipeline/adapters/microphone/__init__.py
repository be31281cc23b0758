"""The local microphone, by miniaudio (extra ``microphone``): caller audio in frames of 20 ms."""

from ordered_pipeline.adapters.microphone._microphone import Microphone, MicrophoneError

__all__ = ["Microphone", "MicrophoneError"]
