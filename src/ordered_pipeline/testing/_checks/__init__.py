"""What the roles promise, as checks that the tests of an adapter run."""

from ordered_pipeline.testing._checks._broken import ContractBroken
from ordered_pipeline.testing._checks._language_model import check_llm
from ordered_pipeline.testing._checks._player import check_player
from ordered_pipeline.testing._checks._speech_to_text import check_stt
from ordered_pipeline.testing._checks._text_to_speech import check_tts
from ordered_pipeline.testing._checks._voice_activity import check_vad

__all__ = ["ContractBroken", "check_llm", "check_player", "check_stt", "check_tts", "check_vad"]
