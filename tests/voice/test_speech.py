"""What is tried when a voice fails or is slow: each part of the policy, to the instant."""

import anyio
import pytest

from ordered_pipeline.testing import RecordingPlayer, ScriptedTextToSpeech, SpeechScript
from ordered_pipeline.voice import (
    AudioFormat,
    NoAudioError,
    PlayerCapabilities,
    Prefetch,
    SpeechPolicy,
    speak,
)
from tests.conftest import Run
from tests.voice.turns import FORMAT, Bounded, Outcome, VoiceFailure, audio, hear, voice_of


@pytest.fixture
def run(run: Run) -> Bounded:
    return Bounded(run)


ONE = "It is late."
THREE = ("It is late. ", "Why not now? ", "Good night.")
PIECES = ("It is late.", " Why not now?", " Good night.")

FINE = SpeechScript(first_audio_s=0.25, audio_s=1.0)
FIRST, SECOND = VoiceFailure("first"), VoiceFailure("second")


def fails(after_s: float, error: Exception = FIRST) -> SpeechScript:
    """Return a script that fails before there is any audio."""
    return SpeechScript(first_audio_s=after_s, breaks_after_s=0.0, error=error)


HANGS = SpeechScript(breaks_after_s=0.0)
# Half of its second of audio comes after a quarter of a second; then it fails, or hangs.
BREAKS = SpeechScript(
    first_audio_s=0.25, audio_s=1.0, chunk_s=0.25, pace=1.0, breaks_after_s=0.5, error=FIRST
)
STALLS = SpeechScript(first_audio_s=0.25, audio_s=1.0, chunk_s=0.25, pace=1.0, breaks_after_s=0.5)


def asked(voice: ScriptedTextToSpeech) -> list[tuple[int, float, str | None]]:
    """Return of each request its segment, when it was begun, and how it ended; in their order."""
    return sorted((request.segment.index, request.asked_s, request.outcome) for request in voice.requests)


# Tries


def test_a_voice_that_fails_is_asked_again_at_once(run: Run) -> None:
    voice = voice_of(fails(0.5), FINE)

    told = run(hear, ONE, voice)

    assert asked(voice) == [(0, 0.0, "failed"), (0, 0.5, "completed")]
    assert told.started == [0.75]
    assert told.heard == audio(0, ONE, 1.0)
    assert (told.error, told.end_s) == (None, 1.75)
    (segment,) = told.timeline.segments
    assert (segment.tts_asked_s, segment.requests, segment.voice, segment.error) == (0.0, 2, 0, None)


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_a_voice_is_asked_as_often_as_the_policy_says(run: Run, tries: int) -> None:
    voice = voice_of(fails(0.5), others=FINE)

    async def main() -> Outcome:
        return await hear("".join(THREE), voice, policy=SpeechPolicy(tries=tries), prefetch=Prefetch(1))

    told = run(main)

    assert [segment.requests for segment in told.timeline.segments] == [tries, 1, 1]
    assert told.timeline.segments[0].outcome == "skipped"
    assert told.timeline.segments[0].error == "VoiceFailure: first"
    assert told.error is None


def test_what_a_failed_request_gave_is_dropped_while_none_of_it_was_handed_over(run: Run) -> None:
    """The player is busy with the segment before it: the one that broke off can begin anew."""
    voice = voice_of(BREAKS, FINE, others=SpeechScript(audio_s=2.0), segment=1)
    player = RecordingPlayer(PlayerCapabilities(queue_ahead=0))

    async def main() -> Outcome:
        return await hear("".join(THREE[:2]), voice, player=player)

    told = run(main)

    assert asked(voice) == [(0, 0.0, "completed"), (1, 0.0, "failed"), (1, 0.75, "completed")]
    assert told.heard == audio(0, PIECES[0], 2.0) + audio(1, PIECES[1], 1.0)
    assert told.started == [0.0, 2.0]


def test_a_segment_is_not_begun_anew_once_a_part_of_it_was_handed_over(run: Run) -> None:
    voice = voice_of(BREAKS, others=FINE)

    async def main() -> Outcome:
        return await hear("".join(THREE[:2]), voice)

    told = run(main)

    assert asked(voice) == [(0, 0.0, "failed"), (1, 0.0, "completed")]
    assert told.heard == audio(0, PIECES[0], 1.0)[: len(audio(0, PIECES[0], 0.5))] + audio(1, PIECES[1], 1.0)
    assert told.timeline.segments[0].error == "VoiceFailure: first"
    assert told.error is None


# Deadlines


def test_the_first_audio_is_waited_for_so_long_and_no_longer(run: Run) -> None:
    voice = voice_of(HANGS, FINE)

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(first_audio_s=1.5))

    told = run(main)

    assert asked(voice) == [(0, 0.0, "cancelled"), (0, 1.5, "completed")]
    assert told.started == [1.75]


def test_a_voice_that_hangs_costs_its_deadlines_and_the_next_segment_nothing(run: Run) -> None:
    voice = voice_of(HANGS, others=FINE)

    async def main() -> Outcome:
        return await hear("".join(THREE), voice, policy=SpeechPolicy(first_audio_s=1.5))

    told = run(main)

    assert [segment.outcome for segment in told.timeline.segments] == ["skipped", "completed", "completed"]
    assert told.started == [None, 3.0, 4.0]
    assert told.heard == audio(1, PIECES[1], 1.0) + audio(2, PIECES[2], 1.0)
    error = told.timeline.segments[0].error
    assert error is not None
    assert error.startswith("TimeoutError: ")


def test_a_voice_that_stalls_in_a_segment_is_given_up_at_its_deadline(run: Run) -> None:
    voice = voice_of(STALLS, others=FINE)

    async def main() -> Outcome:
        return await hear("".join(THREE[:2]), voice, policy=SpeechPolicy(segment_s=2.0))

    told = run(main)

    assert asked(voice)[0] == (0, 0.0, "cancelled")
    assert [request.ended_s for request in voice.requests if request.segment.index == 0] == [2.0]
    assert told.started == [0.25, 2.0]
    assert (
        told.timeline.segments[0].error == f"TimeoutError: the voice had not spoken {PIECES[0]!r} after 2.0 s"
    )
    assert told.timeline.segments[0].audio_s == 0.5


def test_the_time_a_voice_waits_for_its_turn_is_not_its_own(run: Run) -> None:
    """The first sounds for ten seconds, the second is wanted only then, and has a deadline of three."""
    frames = SpeechScript(first_audio_s=0.25, audio_s=2.0, chunk_s=1 / 1024, pace=0.5)
    voice = voice_of(SpeechScript(audio_s=10.0), others=frames)
    player = RecordingPlayer(PlayerCapabilities(queue_ahead=0))

    async def main() -> Outcome:
        return await hear("".join(THREE[:2]), voice, player=player, policy=SpeechPolicy(segment_s=3.0))

    told = run(main)

    assert [segment.error for segment in told.timeline.segments] == [None, None]
    assert told.heard == audio(0, PIECES[0], 10.0) + audio(1, PIECES[1], 2.0)


# Hedges


def test_a_hedge_asks_a_second_time_and_takes_the_first_answer(run: Run) -> None:
    voice = voice_of(SpeechScript(first_audio_s=3.0, audio_s=1.0), FINE)

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(hedge_after_s=0.5))

    told = run(main)

    assert asked(voice) == [(0, 0.0, "cancelled"), (0, 0.5, "completed")]
    assert voice.requests[0].ended_s == 0.75
    assert told.started == [0.75]
    assert told.timeline.segments[0].requests == 2


def test_the_first_request_may_win_after_all(run: Run) -> None:
    voice = voice_of(SpeechScript(first_audio_s=0.75, audio_s=1.0), SpeechScript(first_audio_s=3.0))

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(hedge_after_s=0.5))

    told = run(main)

    assert asked(voice) == [(0, 0.0, "completed"), (0, 0.5, "cancelled")]
    assert told.started == [0.75]
    assert told.heard == audio(0, ONE, 1.0)


def test_there_is_no_hedge_where_the_first_answer_comes_in_time(run: Run) -> None:
    voice = voice_of(FINE)

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(hedge_after_s=0.5))

    told = run(main)

    assert asked(voice) == [(0, 0.0, "completed")]
    assert told.timeline.segments[0].requests == 1


def test_the_clean_up_of_the_slower_request_delays_no_audio(run: Run) -> None:
    slow = SpeechScript(first_audio_s=3.0, cleanup_s=0.75)
    frames = SpeechScript(first_audio_s=0.25, audio_s=1.0, chunk_s=0.25, pace=0.5)
    voice = voice_of(slow, frames)

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(hedge_after_s=0.5))

    told = run(main)

    assert told.started == [0.75]
    assert told.player.gaps() == []
    assert voice.requests[0].ended_s == 1.5
    assert told.heard == audio(0, ONE, 1.0)


def test_a_first_request_that_fails_leaves_it_to_the_hedge(run: Run) -> None:
    voice = voice_of(fails(0.75), SpeechScript(first_audio_s=1.0, audio_s=1.0))

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(hedge_after_s=0.5, tries=1))

    told = run(main)

    assert asked(voice) == [(0, 0.0, "failed"), (0, 0.5, "completed")]
    assert told.started == [1.5]


def test_if_both_fail_the_voice_has_failed_with_what_came_first(run: Run) -> None:
    voice = voice_of(fails(1.5, FIRST), fails(0.5, SECOND))

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(hedge_after_s=0.5, tries=1))

    told = run(main)

    assert told.error is SECOND
    assert told.end_s == 1.5


def test_a_request_that_fails_before_the_hedge_is_tried_again_as_ever(run: Run) -> None:
    voice = voice_of(fails(0.25), FINE)

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(hedge_after_s=0.5))

    told = run(main)

    assert asked(voice) == [(0, 0.0, "failed"), (0, 0.25, "completed")]
    assert told.started == [0.5]


def test_a_hedge_that_breaks_off_later_is_cut_like_any_other_request(run: Run) -> None:
    voice = voice_of(HANGS, BREAKS)

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(hedge_after_s=0.5))

    told = run(main)

    assert told.heard == audio(0, ONE, 1.0)[: len(audio(0, ONE, 0.5))]
    assert told.timeline.segments[0].error == "VoiceFailure: first"


# Fallbacks


def test_fallback_voices_are_asked_in_turn(run: Run) -> None:
    voice, second, third = voice_of(fails(0.5)), voice_of(fails(0.25, SECOND)), voice_of(FINE)

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(tries=2, fallback=(second, third)))

    told = run(main)

    assert asked(voice) == [(0, 0.0, "failed"), (0, 0.5, "failed")]
    assert asked(second) == [(0, 1.0, "failed"), (0, 1.25, "failed")]
    assert asked(third) == [(0, 1.5, "completed")]
    assert told.started == [1.75]
    (segment,) = told.timeline.segments
    assert (segment.requests, segment.voice, segment.error) == (5, 2, None)


def test_a_fallback_may_speak_another_format(run: Run) -> None:
    mulaw = AudioFormat("mulaw", FORMAT.sample_rate_hz)
    fallback = ScriptedTextToSpeech(FINE, audio_format=mulaw)

    async def main() -> Outcome:
        return await hear(ONE, voice_of(fails(0.5)), policy=SpeechPolicy(tries=1, fallback=(fallback,)))

    told = run(main)

    (sound,) = told.player.sounds
    assert sound.format == FORMAT
    assert len(sound.data) == len(audio(0, ONE, 1.0))
    assert told.started == [0.75]


def test_each_segment_is_asked_of_the_first_voice_first(run: Run) -> None:
    fallback = voice_of(FINE)
    voice = voice_of(fails(0.25), others=FINE)

    async def main() -> Outcome:
        policy = SpeechPolicy(tries=1, fallback=(fallback,))
        return await hear("".join(THREE), voice, policy=policy)

    told = run(main)

    assert [segment.voice for segment in told.timeline.segments] == [1, 0, 0]
    assert [request.segment.index for request in fallback.requests] == [0]


# When nothing helps


def test_a_segment_that_fails_is_skipped_and_costs_the_others_nothing(run: Run) -> None:
    voice = voice_of(fails(0.25), others=FINE, segment=1)

    async def main() -> Outcome:
        return await hear("".join(THREE), voice)

    told = run(main)

    assert told.started == [0.25, None, 1.25]
    assert told.player.gaps() == []
    assert told.heard == audio(0, PIECES[0], 1.0) + audio(2, PIECES[2], 1.0)
    assert told.error is None


def test_stop_ends_the_reply_once_what_was_before_is_heard(run: Run) -> None:
    voice = voice_of(fails(0.25), others=FINE, segment=1)

    async def main() -> Outcome:
        return await hear("".join(THREE), voice, policy=SpeechPolicy(on_failure="stop"))

    told = run(main)

    assert told.error is FIRST
    assert told.end_s == 1.25
    assert told.heard == audio(0, PIECES[0], 1.0)


def test_a_filler_is_spoken_in_the_place_of_what_failed(run: Run) -> None:
    policy = SpeechPolicy(on_failure="filler", filler="Sorry, what?")
    filling = ScriptedTextToSpeech(
        lambda segment, _: fails(0.25) if segment.text == PIECES[1] else FINE, audio_format=FORMAT
    )

    async def main() -> Outcome:
        return await hear("".join(THREE), filling, policy=policy)

    told = run(main)

    assert told.heard == audio(0, PIECES[0], 1.0) + audio(1, "Sorry, what?", 1.0) + audio(2, PIECES[2], 1.0)
    assert told.player.gaps() == []
    assert told.error is None


def test_a_filler_that_fails_too_is_skipped(run: Run) -> None:
    voice = voice_of(fails(0.25), others=FINE, segment=1)

    async def main() -> Outcome:
        policy = SpeechPolicy(on_failure="filler", filler="Sorry, what?", tries=1)
        return await hear("".join(THREE), voice, policy=policy)

    told = run(main)

    assert [request.segment.text for request in voice.requests if request.segment.index == 1] == [
        PIECES[1],
        "Sorry, what?",
    ]
    assert told.heard == audio(0, PIECES[0], 1.0) + audio(2, PIECES[2], 1.0)
    assert told.error is None


def test_a_filler_that_was_heard_is_not_the_text_that_was_to_be_said(run: Run) -> None:
    filling = ScriptedTextToSpeech(
        lambda segment, _: fails(0.25) if segment.text == PIECES[0] else FINE, audio_format=FORMAT
    )
    text = "".join(THREE[:2])

    async def main() -> None:
        policy = SpeechPolicy(on_failure="filler", filler="Sorry, what?", tries=1)
        async with speak(text, tts=filling, player=RecordingPlayer(), policy=policy) as reply:
            # The filler begins after half a second and lasts for one.
            await anyio.sleep(1.0)
            heard = await reply.interrupt()
        assert (heard.text, heard.unheard) == ("", text)

    run(main)


def test_a_text_that_is_the_filler_is_a_text_like_any_other(run: Run) -> None:
    filler = "Sorry, what?"

    async def main() -> None:
        policy = SpeechPolicy(on_failure="filler", filler=filler)
        async with speak(filler, tts=voice_of(FINE), player=RecordingPlayer(), policy=policy) as reply:
            await anyio.sleep(1.0)
            heard = await reply.interrupt()
        assert heard.text == "Sorry,"

    run(main)


def test_if_nothing_at_all_can_be_spoken_the_first_error_comes_out(run: Run) -> None:
    errors = [VoiceFailure(str(index)) for index in range(3)]
    voice = ScriptedTextToSpeech(
        lambda segment, _: fails(0.25 * (3 - segment.index), errors[segment.index]), audio_format=FORMAT
    )

    async def main() -> Outcome:
        return await hear("".join(THREE), voice, policy=SpeechPolicy(tries=1), prefetch=Prefetch(3))

    told = run(main)

    assert told.error is errors[0]
    assert [segment.outcome for segment in told.timeline.segments] == ["skipped"] * 3


def test_if_all_requests_hang_the_reply_ends_with_a_time_out(run: Run) -> None:
    async def main() -> Outcome:
        return await hear("".join(THREE), voice_of(HANGS), policy=SpeechPolicy(first_audio_s=1.0, tries=1))

    told = run(main)

    assert isinstance(told.error, TimeoutError)
    assert told.end_s == 2.0


# The rest of a segment

WORDS = "one two three four five six"
# All characters last for a sixteenth of a second: it breaks off inside "three".
HALF = SpeechScript(chunk_s=0.25, pace=1.0, breaks_after_s=0.75, error=FIRST, word_times=True)
REST = " three four five six"


def breaking(script: SpeechScript, rest: SpeechScript) -> ScriptedTextToSpeech:
    """Return a voice that does the one with a text from "one" on, and the other with every other text."""
    return ScriptedTextToSpeech(
        lambda segment, _: script if segment.text.strip().startswith("one") else rest, audio_format=FORMAT
    )


def test_the_rest_of_a_segment_is_spoken_from_the_last_whole_word_on(run: Run) -> None:
    voice = breaking(HALF, SpeechScript(first_audio_s=0.5, word_times=True))

    async def main() -> Outcome:
        return await hear(WORDS, voice, policy=SpeechPolicy(speaks_rest=True))

    told = run(main)

    assert [request.segment.text for request in voice.requests] == [WORDS, REST]
    assert told.heard == audio(0, WORDS, 0.75) + audio(0, REST, 1.25)
    (segment,) = told.timeline.segments
    assert segment.audio_s == 2.0
    assert [(word.text, word.end_s) for word in segment.words] == [
        ("one", 0.1875),
        ("two", 0.4375),
        ("three", 0.75 + 0.375),
        ("four", 0.75 + 0.6875),
        ("five", 0.75 + 1.0),
        ("six", 0.75 + 1.25),
    ]
    assert (segment.requests, segment.error, segment.outcome) == (2, None, "completed")


def test_without_word_times_the_rest_goes_by_the_speaking_rate(run: Run) -> None:
    """The voice has spoken 16 characters a second before."""
    voice = breaking(SpeechScript(chunk_s=0.25, pace=1.0, breaks_after_s=0.75, error=FIRST), SpeechScript())

    async def main() -> Outcome:
        text = "This is the first of them. " + WORDS
        return await hear(text, voice, policy=SpeechPolicy(speaks_rest=True), prefetch=Prefetch(1))

    told = run(main)

    assert voice.requests[-1].segment.text == REST
    assert told.error is None


def test_a_rest_that_fails_is_asked_of_the_next_voice(run: Run) -> None:
    voice = breaking(HALF, fails(0.25, SECOND))
    fallback = voice_of(SpeechScript(first_audio_s=0.5, word_times=True))

    async def main() -> Outcome:
        return await hear(WORDS, voice, policy=SpeechPolicy(speaks_rest=True, fallback=(fallback,)))

    told = run(main)

    assert [request.segment.text for request in fallback.requests] == [REST]
    assert told.heard == audio(0, WORDS, 0.75) + audio(0, REST, 1.25)
    assert told.timeline.segments[0].voice == 1


def test_a_rest_of_almost_nothing_is_not_spoken(run: Run) -> None:
    text = "one two three four five ?!"
    voice = breaking(
        SpeechScript(chunk_s=0.25, pace=1.0, breaks_after_s=1.5, error=FIRST, word_times=True), SpeechScript()
    )

    async def main() -> Outcome:
        return await hear(text, voice, policy=SpeechPolicy(speaks_rest=True))

    told = run(main)

    assert [request.segment.text for request in voice.requests] == [text]
    assert told.error is None


# What is no audio


@pytest.mark.parametrize("tries", [1, 2])
def test_a_voice_that_gives_nothing_has_failed(run: Run, tries: int) -> None:
    voice = voice_of(SpeechScript(audio_s=0.0))

    async def main() -> Outcome:
        return await hear(ONE, voice, policy=SpeechPolicy(tries=tries))

    told = run(main)

    assert len(voice.requests) == tries
    assert isinstance(told.error, NoAudioError)
    assert str(told.error) == "the voice gave no audio for 'It is late.'"
    assert told.player.playbacks == []
