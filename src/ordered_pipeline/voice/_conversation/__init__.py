"""Conversations: turn after turn, with a history of what was heard."""

from ordered_pipeline.voice._conversation._conversation import Conversation
from ordered_pipeline.voice._conversation._converse import converse
from ordered_pipeline.voice._conversation._events import ServiceFailure, Turn

__all__ = ["Conversation", "ServiceFailure", "Turn", "converse"]
