"""The voice layer's vocabulary: audio, segments of text, the playout. Nothing here waits."""

from ordered_pipeline.voice._audio import AudioChunk, AudioFormat, Word
from ordered_pipeline.voice._playout import Block, Playout
from ordered_pipeline.voice._segments import Segment, SentenceSplitter

__all__ = ["AudioChunk", "AudioFormat", "Block", "Playout", "Segment", "SentenceSplitter", "Word"]
