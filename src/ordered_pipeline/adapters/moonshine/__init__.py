"""English speech-to-text by Moonshine, offline, from the package moonshine-voice (extra ``moonshine``)."""

from ordered_pipeline.adapters.moonshine._moonshine import Moonshine, MoonshineError

__all__ = ["Moonshine", "MoonshineError"]
