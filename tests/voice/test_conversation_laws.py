"""What holds for every conversation, whatever is said and whatever fails: 300 on asyncio and on trio."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from ordered_pipeline.testing import (
    ClipFault,
    RecordingPlayer,
    ReplyScript,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
    SpeechScript,
    scripted_audio,
)
from ordered_pipeline.voice import Transcript, VoiceActivity
from tests.conftest import Run
from tests.voice.talks import CHARACTER_S, FORMAT, CallerAudio, Talk, talk
from tests.voice.turns import laws, turns_on

# With the white space around it.
LONGEST_WORD_S = 10 * CHARACTER_S


class Failure(Exception):
    """What any service fails with."""


INSTANTS = st.integers(0, 160).map(lambda n: n / 16)
KINDS = st.sampled_from(["speech_started", "partial", "eager_final", "resumed", "final", "final"])
TRANSCRIPTS = st.builds(
    Transcript,
    st.sampled_from(["", "yes", "no", "where is it", "Where is it?"]),
    KINDS,
    end_s=st.sampled_from([None, 0.25, 1.0]),
)
SAID = st.lists(st.tuples(INSTANTS, TRANSCRIPTS), max_size=12).map(
    lambda said: sorted(said, key=lambda one: one[0])
)
ACTIVITIES = st.lists(INSTANTS, max_size=6).map(
    lambda times: [
        (at_s, VoiceActivity("stopped" if place % 2 else "started", at_s))
        for place, at_s in enumerate(sorted(times))
    ]
)
REPLIES = st.lists(
    st.builds(
        lambda text, first, gap, error: ReplyScript(
            deltas=ReplyScript.word_by_word(text, first_s=first, gap_s=gap).deltas, error=error
        ),
        st.sampled_from(["", "I see.", "It is late. Hold the line, please.", "One. Two. Three. Four. Five."]),
        st.sampled_from([0.0, 0.25, 1.0]),
        st.sampled_from([0.0, 0.0625, 0.25]),
        st.sampled_from([None, None, Failure()]),
    )
    | st.just(ReplyScript(end_s=math.inf)),
    min_size=1,
    max_size=4,
)
VOICES = st.builds(
    SpeechScript,
    first_audio_s=st.sampled_from([0.0, 0.25, 0.75, math.inf]),
    chunk_s=st.sampled_from([0.125, math.inf]),
    pace=st.sampled_from([0.0, 0.5]),
    word_times=st.booleans(),
    cleanup_s=st.sampled_from([0.0, 0.125]),
)
FAULTS = st.dictionaries(
    st.integers(0, 4),
    st.sampled_from([ClipFault(refused=Failure()), ClipFault(dies_after_s=0.25)]),
    max_size=2,
)


@dataclass(frozen=True)
class Drawn:
    """A conversation, to be held."""

    said: Sequence[tuple[float, Transcript]]
    activities: Sequence[tuple[float, VoiceActivity]] | None
    replies: Sequence[ReplyScript]
    voice: SpeechScript
    faults: dict[int, ClipFault]
    call_s: float
    clear_s: float
    ears_fail: bool
    greeting: str
    apology: str
    barge_in: bool
    left_s: float
    """When the block is left."""


DRAWN = st.builds(
    Drawn,
    said=SAID,
    activities=st.none() | ACTIVITIES,
    replies=REPLIES,
    voice=VOICES,
    faults=st.just({}) | FAULTS,
    call_s=st.sampled_from([0.0, 0.25]),
    clear_s=st.sampled_from([0.0, 0.125]),
    ears_fail=st.sampled_from([False, False, True]),
    greeting=st.sampled_from(["", "Good morning. What can I do for you?"]),
    apology=st.sampled_from(["", "Sorry."]),
    barge_in=st.sampled_from([True, True, False]),
    left_s=st.just(math.inf) | INSTANTS,
)


async def hold(drawn: Drawn) -> Talk:
    """Hold a drawn conversation, up to the instant at which it is left."""
    kept: list[Talk] = []
    error = Failure() if drawn.ears_fail else None
    vad = drawn.activities
    with anyio.move_on_after(drawn.left_s), anyio.fail_after(1000.0):
        await talk(
            ScriptedSpeechToText(drawn.said, audio_format=FORMAT, error=error),
            *drawn.replies,
            audio=CallerAudio(10.0),
            vad=None if vad is None else ScriptedVoiceActivityDetector(vad, audio_format=FORMAT),
            tts=ScriptedTextToSpeech(drawn.voice, audio_format=FORMAT),
            player=RecordingPlayer(faults=drawn.faults, call_s=drawn.call_s, clear_s=drawn.clear_s),
            greeting=drawn.greeting,
            apology=drawn.apology,
            barge_in=drawn.barge_in,
            kept=kept,
        )
    return kept[0]


def every_request_has_ended(it: Talk) -> None:
    for service in (it.stt, it.llm, it.tts, it.vad):
        if service is not None:
            assert service.running == 0
            assert all(request.outcome is not None for request in service.requests)


def turns_sound_one_after_another_and_each_in_order(it: Talk) -> None:
    sounds = it.player.sounds
    places = [(sound.segment.turn, sound.segment.index) for sound in sounds]
    # An apology has the turn and the indices of what it stands for.
    assert [turn for turn, _ in places] == sorted(turn for turn, _ in places)
    ends = [sound.end_s for sound in sounds]
    starts = [sound.start_s for sound in sounds]
    assert all(end_s <= start_s + 1e-9 for end_s, start_s in zip(ends, starts[1:], strict=False))


def what_sounds_is_of_the_turn_it_belongs_to(it: Talk) -> None:
    for sound in it.player.sounds:
        spoken = scripted_audio(sound.segment, FORMAT, len(sound.segment.text.strip()) * CHARACTER_S + 1)
        assert sound.data in spoken or not sound.data


def the_history_is_in_turns_and_has_what_was_heard(it: Talk) -> None:
    roles = [role for role, _ in it.said_and_heard if role != "system"]
    assert all(one != other for one, other in pairwise(roles))
    told = " ".join(content for role, content in it.said_and_heard if role == "assistant")
    heard = " ".join(turn.heard.text.strip() for turn in it.turns if turn.heard.text.strip())
    # Whoever leaves the block takes no turn that ends with it.
    assert told.startswith(heard)


def what_was_heard_is_what_sounded(it: Talk) -> None:
    """To a word: a word that sounded in part may be told or not."""
    for turn in it.turns:
        sounded_s = sum(
            sound.end_s - sound.start_s for sound in it.player.sounds if sound.segment.turn == turn.index
        )
        told_s = len(turn.heard.text.strip()) * CHARACTER_S
        longest_s = 10 * CHARACTER_S
        assert told_s <= sounded_s + turn.heard.error_s + longest_s


def indices_of_turns_count_up(it: Talk) -> None:
    assert [turn.index for turn in it.turns] == list(range(len(it.turns)))


def failures_are_told_as_themselves(it: Talk) -> None:
    for failure in it.failures:
        assert isinstance(failure.error, (Failure, TimeoutError)) or failure.role == "tts"
        assert not isinstance(failure.error, BaseExceptionGroup)


def test_every_conversation_keeps_the_laws(run: Run) -> None:
    held = 0

    @settings(laws, max_examples=turns_on(run))
    @given(drawn=DRAWN)
    def check(drawn: Drawn) -> None:
        nonlocal held
        held += 1
        it: Talk = run(hold, drawn)
        every_request_has_ended(it)
        turns_sound_one_after_another_and_each_in_order(it)
        what_sounds_is_of_the_turn_it_belongs_to(it)
        the_history_is_in_turns_and_has_what_was_heard(it)
        what_was_heard_is_what_sounded(it)
        indices_of_turns_count_up(it)
        failures_are_told_as_themselves(it)

    check()
    assert held >= turns_on(run)
