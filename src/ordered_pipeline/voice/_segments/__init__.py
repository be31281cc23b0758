"""Segments: pieces of a text that is still being written, each given out as soon as it may be spoken."""

from ordered_pipeline.voice._segments._splitter import SentenceSplitter

__all__ = ["SentenceSplitter"]
