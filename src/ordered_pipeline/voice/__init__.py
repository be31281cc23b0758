"""The voice layer: a reply that starts early, never stutters, and can be interrupted."""

from ordered_pipeline.voice._audio import AudioChunk, AudioFormat, Word
from ordered_pipeline.voice._caller_audio import convert_audio
from ordered_pipeline.voice._clip import Clip
from ordered_pipeline.voice._conversation import Conversation, ServiceFailure, Turn, converse
from ordered_pipeline.voice._convert import AudioError
from ordered_pipeline.voice._functions import player_from, tts_from
from ordered_pipeline.voice._gaps import Cause, Gap, Part
from ordered_pipeline.voice._page import html_page
from ordered_pipeline.voice._policy import Prefetch, SpeechPolicy
from ordered_pipeline.voice._reply import Reply, speak
from ordered_pipeline.voice._roles import (
    LanguageModel,
    Playback,
    PlaybackResult,
    Player,
    PlayerCapabilities,
    SpeechToText,
    TextToSpeech,
    VoiceActivityDetector,
)
from ordered_pipeline.voice._segment_times import SegmentTimes
from ordered_pipeline.voice._segments import SentenceSplitter
from ordered_pipeline.voice._speech import NoAudioError
from ordered_pipeline.voice._talk import HeardText, Message, Segment, Transcript, VoiceActivity
from ordered_pipeline.voice._timeline import Timeline, TimelineCheckError
from ordered_pipeline.voice._trace import chrome_trace

__all__ = [
    "AudioChunk",
    "AudioError",
    "AudioFormat",
    "Cause",
    "Clip",
    "Conversation",
    "Gap",
    "HeardText",
    "LanguageModel",
    "Message",
    "NoAudioError",
    "Part",
    "Playback",
    "PlaybackResult",
    "Player",
    "PlayerCapabilities",
    "Prefetch",
    "Reply",
    "Segment",
    "SegmentTimes",
    "SentenceSplitter",
    "ServiceFailure",
    "SpeechPolicy",
    "SpeechToText",
    "TextToSpeech",
    "Timeline",
    "TimelineCheckError",
    "Transcript",
    "Turn",
    "VoiceActivity",
    "VoiceActivityDetector",
    "Word",
    "chrome_trace",
    "converse",
    "convert_audio",
    "html_page",
    "player_from",
    "speak",
    "tts_from",
]
