"""What happens in a conversation, instant by instant, in virtual time."""

import math
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import anyio
import pytest

from ordered_pipeline.testing import (
    RecordingPlayer,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedTextToSpeech,
    SpeechScript,
)
from ordered_pipeline.voice import AudioFormat, Message, Transcript, Turn, VoiceActivity, converse
from tests.conftest import Run
from tests.voice.talks import (
    FORMAT,
    CallerAudio,
    Talk,
    eager,
    final,
    resumed,
    sounds,
    started,
    talk,
)

# A character takes 1/16 s: the first sentence sounds for 0.6875 s, the whole for 2.0 s.
LATE = "It is late. Please hold the line"


def test_what_the_caller_says_is_answered(run: Run) -> None:
    it: Talk = run(talk, [final(1.0, "Hello.")], "I see.")

    [turn] = it.turns
    assert (turn.index, turn.said, turn.heard.text, turn.heard.unheard) == (0, "Hello.", "I see.", "")
    assert (turn.error, it.failures) == (None, [])
    # The voice took a quarter of a second.
    assert sounds(it) == [(0, 1.25, 1.625)]
    assert it.said_and_heard == [("user", "Hello."), ("assistant", "I see.")]
    assert it.audio.is_closed
    # The conversation lasts as long as the caller is there.
    assert it.end_s == 12.0


def test_turns_follow_one_another_and_the_model_is_asked_with_all_that_was_said(run: Run) -> None:
    it: Talk = run(
        lambda: talk(
            [final(1.0, "Hello."), final(4.0, "Who are you?")],
            "Hi.",
            "A machine.",
            history=[Message("system", "Be brief.")],
        )
    )

    assert [turn.index for turn in it.turns] == [0, 1]
    system = Message("system", "Be brief.")
    asked = (system, Message("user", "Hello."), Message("assistant", "Hi."), Message("user", "Who are you?"))
    assert [tuple(request.messages) for request in it.llm.requests] == [asked[:2], asked]
    assert it.history == (*asked, Message("assistant", "A machine."))


@pytest.mark.parametrize(
    "sign",
    [
        started(2.0),
        (2.0, Transcript("No", "partial")),
        eager(2.0, "No"),
        final(2.0, "No."),
    ],
)
def test_whatever_the_caller_says_interrupts_a_reply_that_sounds(
    run: Run, sign: tuple[float, Transcript]
) -> None:
    it: Talk = run(talk, [final(1.0, "Hello."), sign, final(4.0, "No.")], LATE, "Fine.")

    first = it.turns[0]
    # It sounded from 1.25 on: three quarters of a second.
    assert (first.heard.text, first.heard.unheard) == ("It is late.", " Please hold the line")
    assert first.timeline.interrupted_s == 1.0
    assert [end_s for turn, _, end_s in sounds(it) if turn == 0][-1] == 2.0
    assert it.said_and_heard[:3] == [("user", "Hello."), ("assistant", "It is late."), ("user", "No.")]


def test_a_detector_interrupts_before_speech_to_text_knows(run: Run) -> None:
    it: Talk = run(
        lambda: talk(
            [final(1.0, "Hello."), final(4.0, "No.")],
            LATE,
            "Fine.",
            vad=[(2.0, VoiceActivity("started", 1.9375)), (3.5, VoiceActivity("stopped", 3.0))],
        )
    )

    assert [turn.heard.text for turn in it.turns] == ["It is late.", "Fine."]
    assert [end_s for turn, _, end_s in sounds(it) if turn == 0][-1] == 2.0


def test_a_noise_that_stopped_a_reply_before_it_was_heard_does_not_leave_the_caller_without(run: Run) -> None:
    it: Talk = run(
        lambda: talk(
            [final(1.0, "Hello.")],
            "Never heard.",
            "I see.",
            vad=[(1.125, VoiceActivity("started", 1.0625)), (2.0, VoiceActivity("stopped", 1.5))],
        )
    )

    assert [(turn.said, turn.heard.text) for turn in it.turns] == [("Hello.", ""), ("Hello.", "I see.")]
    assert sounds(it) == [(1, 2.25, 2.625)]
    assert it.said_and_heard == [("user", "Hello."), ("assistant", "I see.")]


def test_a_detector_that_is_slower_than_speech_to_text_interrupts_nothing(run: Run) -> None:
    it: Talk = run(
        lambda: talk(
            [final(1.0, "Hello.", end_s=0.75)],
            vad=[(1.125, VoiceActivity("started", 0.25)), (1.25, VoiceActivity("stopped", 0.75))],
        )
    )

    assert [turn.heard.text for turn in it.turns] == ["I see."]


def test_what_a_player_has_not_taken_when_it_is_interrupted_was_not_heard(run: Run) -> None:
    """It takes its time to accept a clip, and longer to be silent: what it accepts then is nothing."""
    player = RecordingPlayer(call_s=0.1875, clear_s=0.125)
    it: Talk = run(
        lambda: talk(
            [started(1.375)],
            player=player,
            greeting="Good morning.",
            tts=ScriptedTextToSpeech(SpeechScript(first_audio_s=1.25), audio_format=FORMAT),
        )
    )

    assert sounds(it) == []
    assert it.said_and_heard == []


def test_of_what_nobody_heard_there_is_no_trace_and_the_caller_goes_on(run: Run) -> None:
    it: Talk = run(talk, [final(1.0, "I want"), started(1.125), final(2.0, "a taxi.")], "Yes?", "At once.")

    told = [(turn.said, turn.heard.text) for turn in it.turns]
    assert told == [("I want", ""), ("I want a taxi.", "At once.")]
    assert it.said_and_heard == [("user", "I want a taxi."), ("assistant", "At once.")]
    assert it.llm.requests[1].messages == (Message("user", "I want a taxi."),)


def test_what_is_likely_the_end_prepares_a_reply_that_sounds_with_the_certainty(run: Run) -> None:
    it: Talk = run(
        lambda: talk(
            [eager(1.0, "where is it"), final(2.0, "Where is it?", end_s=0.875)],
            ReplyScript.word_by_word("In the post.", first_s=0.25),
        )
    )

    assert [request.asked_s for request in it.llm.requests] == [1.0]
    assert sounds(it) == [(0, 2.0, 2.75)]
    [turn] = it.turns
    assert turn.said == "Where is it?"
    assert turn.timeline.stt_final_s == 1.0
    assert turn.timeline.first_audio_s == 1.0
    # Nothing but the certainty was waited for.
    assert turn.timeline.segments[0].play_asked_s == 1.0
    assert it.said_and_heard == [("user", "Where is it?"), ("assistant", "In the post.")]


def test_whoever_resumes_cancels_the_reply_that_was_prepared_without_a_trace(run: Run) -> None:
    it: Talk = run(talk, [eager(1.0, "Where is"), resumed(1.5), final(3.0, "Where is it?")], "What?", "Here.")

    assert [request.outcome for request in it.llm.requests] == ["completed", "completed"]
    assert [turn.said for turn in it.turns] == ["Where is it?"]
    assert it.said_and_heard == [("user", "Where is it?"), ("assistant", "Here.")]
    assert sounds(it) == [(0, 3.25, 3.5625)]


def test_a_certainty_with_other_words_has_another_reply(run: Run) -> None:
    it: Talk = run(talk, [eager(1.0, "Where is"), final(1.5, "Where is it?")], "What?", "Here.")

    assert [tuple(request.messages) for request in it.llm.requests] == [
        (Message("user", "Where is"),),
        (Message("user", "Where is it?"),),
    ]
    assert [(turn.said, turn.heard.text) for turn in it.turns] == [("Where is it?", "Here.")]


def test_a_reply_that_hangs_is_cancelled_by_whoever_resumes(run: Run) -> None:
    hanging = ReplyScript(end_s=math.inf)
    it: Talk = run(talk, [eager(1.0, "Where is"), resumed(1.5), final(3.0, "Where is it?")], hanging, "Here.")

    assert [request.outcome for request in it.llm.requests] == ["cancelled", "completed"]


def test_the_greeting_is_the_first_turn_and_is_in_the_history_as_far_as_it_was_heard(run: Run) -> None:
    it: Talk = run(lambda: talk([started(1.0), final(2.0, "Hello.")], greeting=LATE))

    greeting, answer = it.turns
    assert (greeting.index, greeting.said, greeting.heard.text) == (0, "", "It is late.")
    assert (answer.index, answer.said) == (1, "Hello.")
    assert it.said_and_heard == [("assistant", "It is late."), ("user", "Hello."), ("assistant", "I see.")]


def test_without_barge_in_a_reply_sounds_to_its_end_and_the_ears_get_silence(run: Run) -> None:
    class Ears:
        def __init__(self) -> None:
            self.heard = b""

        async def transcribe(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[Transcript]:
            # The sound begins and ends between two frames.
            await anyio.sleep(0.0625)
            yield Transcript("Hello.", "final")
            async for frame in audio:
                self.heard += frame
            yield Transcript("", "speech_started")

    it: Talk = run(lambda: talk(Ears(), LATE, seconds=4.0, barge_in=False))

    [turn] = it.turns
    assert turn.heard.text == LATE
    [(_, start_s, _), *_, (_, _, end_s)] = sounds(it)
    silent = [place for place, byte in enumerate(it.stt.heard[::256]) if byte == 0]
    # Frames of an eighth of a second, each given when it is over.
    assert (start_s, end_s) == (0.3125, 2.3125)
    assert silent == list(range(2, 18))


def test_the_timeline_begins_with_the_end_of_the_callers_words(run: Run) -> None:
    it: Talk = run(talk, [final(1.5, "Hello.", end_s=1.0)])

    timeline = it.turns[0].timeline
    assert timeline.origin_s == 1.0
    assert (timeline.caller_end_s, timeline.stt_final_s, timeline.first_audio_s) == (0.0, 0.5, 0.75)


def test_what_was_said_last_is_answered_after_the_caller_has_hung_up(run: Run) -> None:
    it: Talk = run(lambda: talk([final(2.0, "Bye.")], LATE, seconds=2.0))

    assert [turn.heard.text for turn in it.turns] == [LATE]
    assert it.end_s == 4.25


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_a_turn_without_words_is_no_turn(run: Run, text: str) -> None:
    it: Talk = run(talk, [started(0.5), final(1.0, text)])

    assert (it.events, it.history, it.llm.requests) == ([], (), [])


def test_ten_minutes_of_silence_are_nothing(run: Run) -> None:
    it: Talk = run(lambda: talk([], seconds=600.0, vad=[]))

    assert (it.events, it.end_s) == ([], 600.0)


def test_a_caller_who_talks_all_the_time_is_waited_for(run: Run) -> None:
    partials = [(n / 4, Transcript("and " * n, "partial")) for n in range(1, 200)]
    it: Talk = run(lambda: talk([started(0.125), *partials, final(51.0, "and so on")], seconds=52.0))

    assert [turn.said for turn in it.turns] == ["and so on"]


def test_leaving_the_block_ends_the_reply_that_sounds(run: Run) -> None:
    player = RecordingPlayer()

    async def main() -> tuple[Message, ...]:
        conversation = converse(
            CallerAudio(60.0),
            audio_format=FORMAT,
            stt=Finals([final(1.0, "Hello.")]),
            llm=ScriptedLanguageModel(LATE),
            tts=ScriptedTextToSpeech(audio_format=FORMAT),
            player=player,
        )
        async with conversation:
            await anyio.sleep(1.75)
        assert anyio.current_time() == 1.75
        return conversation.history

    history = run(main)

    assert history == (Message("user", "Hello."), Message("assistant", "It is late."))
    assert player.sounds[-1].end_s == 1.75


class Finals:
    """Speech-to-text with a script, whose clock is the audio's."""

    def __init__(self, said: list[tuple[float, Transcript]]) -> None:
        self._said = said

    async def transcribe(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[Transcript]:
        heard_s = 0.0
        said = iter(self._said)
        at_s, transcript = next(said)
        async for frame in audio:
            heard_s += FORMAT.duration_s(len(frame))
            if heard_s >= at_s:
                yield transcript
                at_s, transcript = next(said, (math.inf, transcript))


def make(**changes: Any) -> Any:
    services = {
        "audio_format": FORMAT,
        "stt": Finals([final(1.0, "Hello.")]),
        "llm": ScriptedLanguageModel("I see."),
        "tts": ScriptedTextToSpeech(audio_format=FORMAT),
        "player": RecordingPlayer(),
    }
    return converse(changes.pop("audio", CallerAudio(1.0)), **{**services, **changes})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"audio": b"sound"}, TypeError, "audio must be an async iterable of bytes, got b'sound'"),
        ({"audio_format": "s16le"}, TypeError, "audio_format must be an AudioFormat, got 's16le'"),
        ({"audio_format": AudioFormat("wav", 8000)}, ValueError, "audio_format must be no container, got "),
        ({"stt": 1}, TypeError, "stt must have a method 'transcribe', got 1"),
        ({"llm": 1}, TypeError, "llm must have a method 'reply', got 1"),
        ({"vad": 1}, TypeError, "vad must have a method 'detect', got 1"),
        ({"tts": 1}, TypeError, "tts must be a voice, got 1"),
        ({"player": 1}, TypeError, "player must be a player, got 1"),
        ({"history": ["Hello."]}, TypeError, "history must be messages, got 'Hello.'"),
        ({"greeting": 1}, TypeError, "greeting must be text, got 1"),
        ({"apology": None}, TypeError, "apology must be text, got None"),
        ({"grace_s": 0.0}, ValueError, "grace_s must be above 0, got 0.0"),
    ],
)
def test_what_cannot_be_is_refused_at_once(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        make(**changes)

    assert str(raised.value).startswith(message)


def test_ears_that_take_another_format_are_refused_with_the_way_out() -> None:
    class Picky(Finals):
        format = AudioFormat("s16le", 16000)

    told = r"^audio_format must be what stt takes, .*; convert the audio with convert_audio$"
    with pytest.raises(ValueError, match=told):
        make(stt=Picky([]))


def test_a_conversation_is_entered_once_and_iterated_inside_its_block(run: Run) -> None:
    async def main() -> None:
        conversation = make()
        with pytest.raises(RuntimeError, match=r"iterated before it was entered; use 'async with' first$"):
            await anext(conversation)
        async with conversation:
            with pytest.raises(RuntimeError, match=r"^the conversation was entered twice, "):
                await conversation.__aenter__()
        with pytest.raises(anyio.ClosedResourceError, match="after its 'async with' block ended"):
            await anext(conversation)

    run(main)


def test_what_nobody_takes_is_kept_up_to_a_number(run: Run) -> None:
    """A failing detector tells once; a failing speech-to-text at growing intervals: for hours here."""

    class Broken:
        async def transcribe(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[Transcript]:
            async for _ in audio:
                break
            raise OSError("broken")
            yield Transcript("", "final")

    async def main() -> int:
        async with make(stt=Broken(), audio=CallerAudio(36_000.0, frame_s=4.0)) as conversation:
            await anyio.sleep(36_100.0)
            return len([event async for event in conversation])

    assert run(main) == 1024


def test_the_conversation_goes_on_whether_or_not_anybody_iterates(run: Run) -> None:
    async def main() -> list[Turn]:
        async with make(stt=Finals([final(1.0, "Hello."), final(4.0, "Bye.")]), audio=CallerAudio(8.0)) as it:
            await anyio.sleep(60.0)
            return [event async for event in it if isinstance(event, Turn)]

    assert [turn.said for turn in run(main)] == ["Hello.", "Bye."]
