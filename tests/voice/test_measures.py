"""How deep a window is that follows its voice, and what is known of a voice."""

import pytest

from ordered_pipeline.testing import RecordingPlayer, SpeechScript
from ordered_pipeline.voice import PlayerCapabilities, Prefetch, speak
from ordered_pipeline.voice._measures import VoiceMeasures, measures_of
from tests.conftest import Run
from tests.voice.turns import voice_of

SENTENCES = "It is rather late. " * 12


def measured(first_audio_s: list[float], audio_s: list[float]) -> VoiceMeasures:
    """Return what is known of a voice whose segments have 20 characters."""
    measures = VoiceMeasures()
    for late_s in first_audio_s:
        measures.add_first_audio(late_s)
    for long_s in audio_s:
        measures.add_segment(20, long_s)
    return measures


@pytest.mark.parametrize(
    ("late_s", "audio_s", "depth"),
    [
        (0.25, 1.0, 2),
        (1.0, 1.0, 2),
        (1.25, 1.0, 3),
        (3.0, 1.0, 4),
        (3.0, 0.5, 6),
        (100.0, 1.0, 6),
        (0.0, 1.0, 2),
    ],
)
def test_the_depth_is_one_and_as_many_segments_as_the_first_audio_takes(
    late_s: float, audio_s: float, depth: int
) -> None:
    assert measured([late_s], [audio_s]).depth(Prefetch.auto()) == depth


@pytest.mark.parametrize(("late", "depth"), [(0, 2), (1, 2), (2, 6)])
def test_one_late_answer_in_twenty_is_not_reckoned_with(late: int, depth: int) -> None:
    times = [0.5] * (20 - late) + [5.0] * late

    assert measured(times, [1.0]).depth(Prefetch.auto()) == depth


def test_the_depth_keeps_to_its_limits() -> None:
    assert measured([0.0], [1.0]).depth(Prefetch.auto(least=3, most=4)) == 3
    assert measured([9.0], [1.0]).depth(Prefetch.auto(least=3, most=4)) == 4


def test_the_depth_is_the_least_before_anything_was_measured() -> None:
    assert VoiceMeasures().depth(Prefetch.auto(least=3)) == 3
    assert measured([9.0], []).depth(Prefetch.auto(least=3)) == 3


def test_a_fixed_depth_follows_nothing() -> None:
    assert measured([9.0], [1.0]).depth(Prefetch(2)) == 2


def test_old_times_are_forgotten() -> None:
    measures = measured([9.0] * 200, [1.0] * 200)
    for _ in range(200):
        measures.add_first_audio(0.5)
        measures.add_segment(20, 4.0)

    assert measures.depth(Prefetch.auto()) == 2
    assert measures.s_a_character == 0.2


def test_a_usual_speed_is_assumed_before_one_is_known() -> None:
    assert VoiceMeasures().s_a_character == 1 / 15


def test_a_voice_is_known_again_and_others_are_not_mistaken_for_it() -> None:
    voice, other = voice_of(SpeechScript()), voice_of(SpeechScript())

    assert measures_of(voice) is measures_of(voice)
    assert measures_of(voice) is not measures_of(other)


def test_a_voice_that_cannot_be_remembered_is_new_each_time() -> None:
    class Slotted:
        __slots__ = ("format", "synthesize")

    voice = Slotted()

    assert measures_of(voice) is not measures_of(voice)  # type: ignore[arg-type]  # never called


def test_a_window_grows_with_a_voice_that_answers_late(run: Run) -> None:
    """First audio after three seconds, one second a segment: four in flight are what it takes."""
    voice = voice_of(SpeechScript(first_audio_s=3.0, audio_s=1.0))
    capabilities = PlayerCapabilities(queue_ahead=1)

    async def main() -> list[int]:
        depths: list[int] = []
        for _ in range(2):
            player = RecordingPlayer(capabilities)
            async with speak(SENTENCES, tts=voice, player=player, prefetch=Prefetch.auto()) as reply:
                await reply.finished()
            depths.append(len(player.gaps()))
        return depths

    first, second = run(main)

    assert voice.most_running == 4
    assert first > 0
    assert second < first
