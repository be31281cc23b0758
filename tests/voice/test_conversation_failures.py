"""What fails in a conversation is told, once and as itself, and the conversation goes on."""

import math
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from typing import Any

import anyio
import pytest

from ordered_pipeline.testing import (
    ClipFault,
    RecordingPlayer,
    ReplyScript,
    ScriptedTextToSpeech,
    ScriptedVoiceActivityDetector,
    SpeechScript,
)
from ordered_pipeline.voice import Message, Transcript, VoiceActivity, converse
from tests.conftest import Run
from tests.voice.talks import FORMAT, CallerAudio, Talk, final, sounds, started, talk

THREE = "It is late. Hold on. We open soon. Never said."
# When the caller asks: twice, with time for an answer.
ASKED = [final(1.0, "Hello."), final(8.0, "Are you there?")]


class MindFailure(Exception):
    """What a language model fails with."""


class VoiceFailure(Exception):
    """What a voice fails with."""


class PlayerFailure(Exception):
    """What a player fails with."""


class EarFailure(Exception):
    """What those who listen fail with."""


def told(it: Talk) -> list[tuple[str, type[Exception]]]:
    return [(failure.role, type(failure.error)) for failure in it.failures]


def test_a_model_that_fails_at_once_ends_its_turn_only(run: Run) -> None:
    error = MindFailure("no idea")
    it: Talk = run(talk, ASKED, ReplyScript(error=error), "Yes.")

    assert [failure.error for failure in it.failures] == [error]
    assert [(turn.error, turn.heard.text) for turn in it.turns] == [(error, ""), (None, "Yes.")]
    # What was not answered is asked with what comes next.
    assert it.said_and_heard == [("user", "Hello. Are you there?"), ("assistant", "Yes.")]


def test_a_model_that_fails_after_three_sentences_was_heard_that_far(run: Run) -> None:
    text = ReplyScript.word_by_word("It is late. Hold on. We open soon. ", gap_s=0.0625)
    script = ReplyScript(deltas=text.deltas, error=MindFailure("no more"))
    it: Talk = run(talk, ASKED, script, "Yes.")

    first = it.turns[0]
    assert isinstance(first.error, MindFailure)
    assert first.heard.text.strip() == "It is late. Hold on. We open soon."
    assert it.said_and_heard[1] == ("assistant", "It is late. Hold on. We open soon.")
    assert told(it) == [("llm", MindFailure)]


def test_a_model_that_hangs_is_interrupted_by_the_caller(run: Run) -> None:
    it: Talk = run(talk, [*ASKED[:1], started(4.0), final(5.0, "Hm?")], ReplyScript(end_s=math.inf), "Yes.")

    assert [request.outcome for request in it.llm.requests] == ["cancelled", "completed"]
    assert [(turn.said, turn.heard.text) for turn in it.turns] == [("Hello.", ""), ("Hello. Hm?", "Yes.")]


def test_a_model_that_hangs_does_not_keep_a_conversation_whose_caller_has_hung_up(run: Run) -> None:
    it: Talk = run(lambda: talk(ASKED[:1], ReplyScript(end_s=math.inf), seconds=2.0))

    assert told(it) == [("llm", TimeoutError)]
    assert it.end_s == 31.0


def test_a_model_that_gives_no_text_is_told(run: Run) -> None:
    class Numbers:
        async def reply(self, messages: Sequence[Message], /) -> AsyncIterator[Any]:
            yield len(messages)

    it: Talk = run(lambda: talk(ASKED[:1], llm=Numbers()))

    assert told(it) == [("llm", TypeError)]
    assert str(it.failures[0].error) == "what the language model gives must be text, got 1"


def test_an_apology_is_spoken_where_nothing_was_heard(run: Run) -> None:
    it: Talk = run(lambda: talk(ASKED, ReplyScript(error=MindFailure()), "Yes.", apology="Sorry."))

    assert [turn.heard.text for turn in it.turns] == ["Sorry.", "Yes."]
    assert isinstance(it.turns[0].error, MindFailure)
    assert it.said_and_heard[:2] == [("user", "Hello."), ("assistant", "Sorry.")]


def test_nobody_apologises_for_what_was_heard_in_part(run: Run) -> None:
    script = ReplyScript(deltas=((0.0, "It is late. "),), end_s=3.0, error=MindFailure())
    it: Talk = run(lambda: talk(ASKED, script, "Yes.", apology="Sorry."))

    assert [turn.heard.text.strip() for turn in it.turns] == ["It is late.", "Yes."]


def test_a_voice_that_fails_in_all_is_told_and_the_apology_as_well(run: Run) -> None:
    script = SpeechScript(breaks_after_s=0.0, error=VoiceFailure())
    it: Talk = run(
        lambda: talk(ASKED[:1], tts=ScriptedTextToSpeech(script, audio_format=FORMAT), apology="Sorry.")
    )

    assert told(it) == [("tts", VoiceFailure)]
    assert isinstance(it.turns[0].error, VoiceFailure)
    assert it.turns[0].heard.text == ""


def test_a_segment_that_fails_costs_itself_only_and_is_no_failure_of_the_turn(run: Run) -> None:
    def choose(segment: Any, attempt: int) -> SpeechScript:
        broken = SpeechScript(breaks_after_s=0.0, error=VoiceFailure())
        return broken if segment.index == 1 else SpeechScript()

    voice = ScriptedTextToSpeech(choose, audio_format=FORMAT)
    it: Talk = run(lambda: talk(ASKED[:1], "It is late. Please hold the line. We open soon.", tts=voice))

    assert it.turns[0].error is None
    assert [segment.outcome for segment in it.turns[0].timeline.segments] == [
        "completed",
        "skipped",
        "completed",
    ]


@pytest.mark.parametrize("fault", [ClipFault(refused=PlayerFailure()), ClipFault(dies_after_s=0.25)])
def test_a_player_that_fails_ends_its_turn_only(run: Run, fault: ClipFault) -> None:
    it: Talk = run(
        lambda: talk(
            ASKED, "It is late.", "Yes.", player=RecordingPlayer(faults={0: fault}), apology="Sorry."
        )
    )

    assert it.turns[0].heard.text in {"", "It"}
    assert it.turns[-1].heard.text == "Yes."
    if fault.refused is not None:
        assert told(it) == [("player", PlayerFailure)]
        assert it.turns[0].error is fault.refused


def test_a_player_that_hangs_holds_up_an_interruption_for_a_bounded_time(run: Run) -> None:
    class Stuck:
        """A player that accepts nothing, and does not get silent."""

        capabilities = RecordingPlayer().capabilities

        async def play(self, _: object, /) -> Any:
            await anyio.sleep_forever()

        async def clear(self) -> None:
            await anyio.sleep_forever()

    it: Talk = run(lambda: talk([*ASKED[:1], started(3.0)], player=Stuck(), seconds=20.0, grace_s=0.5))

    [turn] = it.turns
    assert turn.heard.text == ""
    assert it.events[0][0] <= 5.0
    assert it.end_s == 20.0


def test_a_player_that_hangs_does_not_keep_a_conversation_whose_caller_has_hung_up(run: Run) -> None:
    class Stuck:
        """A player that accepts nothing."""

        capabilities = RecordingPlayer().capabilities

        async def play(self, _: object, /) -> Any:
            await anyio.sleep_forever()

        async def clear(self) -> None:
            pass

    it: Talk = run(lambda: talk(ASKED[:1], player=Stuck(), seconds=2.0, apology="Sorry."))

    assert told(it) == [("player", TimeoutError)]
    assert [turn.heard.text for turn in it.turns] == [""]
    # Asked at 1.0, and given the voice's first audio a quarter of a second later.
    assert it.end_s == 301.25


def test_a_player_that_gives_no_playback_is_told(run: Run) -> None:
    class Mute:
        """A player that tells nothing."""

        capabilities = RecordingPlayer().capabilities

        async def play(self, _: object, /) -> Any:
            pass

        async def clear(self) -> None:
            pass

    it: Talk = run(lambda: talk(ASKED[:1], player=Mute()))

    assert told(it) == [("player", TypeError)]


# Ears


class Ears:
    """Speech-to-text, or a detector, that does something else each time it is asked."""

    def __init__(self, *ways: Callable[[AsyncIterable[bytes]], AsyncIterator[Any]]) -> None:
        self._ways = ways
        self.asked_s: list[float] = []

    def transcribe(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[Any]:
        self.asked_s.append(anyio.current_time())
        return self._ways[min(len(self.asked_s), len(self._ways)) - 1](audio)

    detect = transcribe


async def failing(audio: AsyncIterable[bytes]) -> AsyncIterator[Any]:
    async for _ in audio:
        raise EarFailure
    yield


async def ending(audio: AsyncIterable[bytes]) -> AsyncIterator[Any]:
    async for _ in audio:
        return
    yield


async def hearing(audio: AsyncIterable[bytes]) -> AsyncIterator[Any]:
    """Hear a turn of one second, which begins with the first frame."""
    heard_s = 0.0
    async for frame in audio:
        heard_s += FORMAT.duration_s(len(frame))
        if heard_s == 1.0:
            yield Transcript("Hello.", "final", start_s=0.25, end_s=0.75)


@pytest.mark.parametrize(("broken", "error"), [(failing, EarFailure), (ending, EOFError)])
def test_ears_that_fail_or_end_are_asked_anew_at_growing_intervals_and_times_stay_right(
    run: Run, broken: Any, error: type[Exception]
) -> None:
    ears = Ears(broken, broken, broken, hearing)
    it: Talk = run(lambda: talk(ears, seconds=8.0))

    assert told(it) == [("stt", error)] * 3
    pauses = [later - sooner for sooner, later in zip(ears.asked_s, ears.asked_s[1:], strict=False)]
    # A frame of an eighth is heard each time, if none waits.
    assert pauses[0] < pauses[1] < pauses[2]
    [turn] = it.turns
    assert turn.said == "Hello."
    # Three frames had been heard before, and the words ended three quarters of a second later.
    assert turn.timeline.origin_s == 3 * 0.125 + 0.75


def test_ears_that_hang_are_given_up_when_they_lag_too_far(run: Run) -> None:
    async def hanging(audio: AsyncIterable[bytes]) -> AsyncIterator[Any]:
        await anyio.sleep_forever()
        yield

    ears = Ears(hanging, hearing)
    it: Talk = run(lambda: talk(ears, seconds=60.0))

    assert told(it) == [("stt", TimeoutError)]
    assert [turn.said for turn in it.turns] == ["Hello."]


@pytest.mark.parametrize("nonsense", ["Hello.", None, Transcript("Hello.", "end"), Transcript(1, "final")])  # type: ignore[arg-type]  # the breach
def test_ears_that_tell_nonsense_are_told_of_and_heard_on(run: Run, nonsense: object) -> None:
    async def telling(audio: AsyncIterable[bytes]) -> AsyncIterator[Any]:
        yield nonsense
        async for transcript in hearing(audio):
            yield transcript

    it: Talk = run(lambda: talk(Ears(telling), seconds=4.0))

    assert [role for role, _ in told(it)] == ["stt"]
    assert [turn.said for turn in it.turns] == ["Hello."]


@pytest.mark.parametrize(("broken", "error"), [(failing, EarFailure), (ending, EOFError)])
def test_a_detector_that_fails_is_done_without(run: Run, broken: Any, error: type[Exception]) -> None:
    detector = Ears(broken)
    it: Talk = run(lambda: talk([final(1.0, "Hello.")], vad=detector))

    assert told(it) == [("vad", error)]
    assert len(detector.asked_s) == 1
    assert [turn.heard.text for turn in it.turns] == ["I see."]


def test_a_detector_that_tells_nonsense_is_told_of(run: Run) -> None:
    vad = ScriptedVoiceActivityDetector(
        [(0.5, VoiceActivity("talking", 0.25))],  # type: ignore[arg-type]  # the breach
        audio_format=FORMAT,
    )
    it: Talk = run(lambda: talk([final(1.0, "Hello.")], vad=vad))

    assert told(it) == [("vad", ValueError)]
    assert [turn.heard.text for turn in it.turns] == ["I see."]


def test_what_the_callers_audio_fails_with_comes_out_once_when_all_was_answered(run: Run) -> None:
    lost = OSError("the line is dead")

    async def main() -> list[str]:
        heard: list[str] = []
        talked = talk(ASKED[:1], audio=CallerAudio(1.0, error=lost))
        with pytest.raises(OSError, match="the line is dead") as raised:
            await talked
        assert raised.value is lost
        return heard

    run(main)


def test_audio_that_is_no_bytes_is_told(run: Run) -> None:
    async def words() -> AsyncIterator[Any]:
        yield "Hello."

    async def main() -> None:
        with pytest.raises(TypeError, match=r"^what the caller's audio gives must be bytes, got 'Hello\.'$"):
            await talk([], audio=words())  # type: ignore[arg-type]  # the breach

    run(main)


# Ways out


@pytest.mark.parametrize("instant", [n / 16 for n in range(0, 64, 3)])
def test_whenever_a_conversation_is_cancelled_nothing_is_left(run: Run, instant: float) -> None:
    """That no task is, `run` sees."""
    player = RecordingPlayer()
    said = [final(0.5, "Hello."), started(1.5), final(2.0, "Wait."), final(2.75, "Yes?")]

    async def main() -> None:
        with anyio.move_on_after(instant) as scope:
            await talk(
                said, "It is late. Hold on.", "Fine. And you?", player=player, greeting="Good morning."
            )
        assert scope.cancelled_caught

    run(main)

    assert all(sound.end_s <= instant for sound in player.sounds)


def test_the_error_of_the_block_comes_out_as_itself(run: Run) -> None:
    class Mine(Exception):
        """What the block fails with."""

    class Bad:
        """What fails while it is cleaned up."""

        async def reply(self, _: Sequence[Message], /) -> AsyncIterator[str]:
            try:
                await anyio.sleep_forever()
                yield ""
            finally:
                raise MindFailure

    async def main() -> None:

        conversation = converse(
            CallerAudio(60.0),
            audio_format=FORMAT,
            stt=Ears(hearing),
            llm=Bad(),
            tts=ScriptedTextToSpeech(audio_format=FORMAT),
            player=RecordingPlayer(),
        )
        with pytest.raises(Mine):
            async with conversation:
                await anyio.sleep(2.0)
                raise Mine

    run(main)


def test_nothing_sounds_after_the_caller_has_interrupted_though_the_model_goes_on(run: Run) -> None:
    slow = ReplyScript.word_by_word(THREE, first_s=0.125, gap_s=0.25)
    it: Talk = run(talk, [final(1.0, "Hello."), started(2.5)], slow)

    # To a sample.
    assert 2.5 - 1 / 1024 < max(end_s for _, _, end_s in sounds(it)) <= 2.5
    assert it.llm.requests[0].outcome in {"cancelled", "closed"}
