"""Tools for testing code that uses `ordered_pipeline`."""

from ordered_pipeline.testing._checks import (
    ContractBroken,
    check_llm,
    check_player,
    check_stt,
    check_tts,
    check_vad,
)
from ordered_pipeline.testing._language_model import ReplyRequest, ReplyScript, ScriptedLanguageModel
from ordered_pipeline.testing._playback import ClipFault, RecordedPlayback, Sound
from ordered_pipeline.testing._player import RecordingPlayer, Silence
from ordered_pipeline.testing._simulate import TurnScript, simulate
from ordered_pipeline.testing._speech_to_text import ScriptedSpeechToText, TranscriptionRequest
from ordered_pipeline.testing._stream import ScriptedStream, ServiceRequest
from ordered_pipeline.testing._text_to_speech import (
    ChooseScript,
    ScriptedTextToSpeech,
    SpeechRequest,
    SpeechScript,
    scripted_audio,
    word_times,
)
from ordered_pipeline.testing._virtual_time import LoopName, run_in_virtual_time, virtual_time
from ordered_pipeline.testing._voice_activity import ScriptedVoiceActivityDetector

__all__ = [
    "ChooseScript",
    "ClipFault",
    "ContractBroken",
    "LoopName",
    "RecordedPlayback",
    "RecordingPlayer",
    "ReplyRequest",
    "ReplyScript",
    "ScriptedLanguageModel",
    "ScriptedSpeechToText",
    "ScriptedStream",
    "ScriptedTextToSpeech",
    "ScriptedVoiceActivityDetector",
    "ServiceRequest",
    "Silence",
    "Sound",
    "SpeechRequest",
    "SpeechScript",
    "TranscriptionRequest",
    "TurnScript",
    "check_llm",
    "check_player",
    "check_stt",
    "check_tts",
    "check_vad",
    "run_in_virtual_time",
    "scripted_audio",
    "simulate",
    "virtual_time",
    "word_times",
]
