"""Speech by Piper, a natural voice, in processes of its own (extra ``piper``)."""

from ordered_pipeline.adapters.piper._child import PiperError
from ordered_pipeline.adapters.piper._voice import Piper

__all__ = ["Piper", "PiperError"]
