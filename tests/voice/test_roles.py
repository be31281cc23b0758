import math

from ordered_pipeline.testing import (
    RecordingPlayer,
    ScriptedLanguageModel,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
)
from ordered_pipeline.voice import LanguageModel, Player, PlayerCapabilities, SpeechToText, TextToSpeech


def test_a_player_streams_and_queues_all_unless_it_says_otherwise() -> None:
    capabilities = PlayerCapabilities()

    assert capabilities == PlayerCapabilities((), True, math.inf, "clock", 0.0)  # noqa: FBT003  # in their order


def test_a_service_has_its_role_by_its_methods_alone() -> None:
    """That these assignments are right is for the type checkers to say."""
    model: LanguageModel = ScriptedLanguageModel("It is late.")
    voice: TextToSpeech = ScriptedTextToSpeech()
    ears: SpeechToText = ScriptedSpeechToText([])
    player: Player = RecordingPlayer()

    roles = (LanguageModel, TextToSpeech, SpeechToText, Player)
    assert not {role for service in (model, voice, ears, player) for role in type(service).__mro__} & {*roles}
