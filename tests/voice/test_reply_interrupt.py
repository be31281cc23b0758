"""Barge-in, and every other way to leave a reply before its end: at any instant, whatever the services do."""

import asyncio
import inspect
import math
from collections.abc import AsyncIterator, Generator
from dataclasses import replace
from io import StringIO
from typing import Self

import anyio
import pytest

from ordered_pipeline.testing import (
    RecordingPlayer,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedTextToSpeech,
    SpeechScript,
)
from ordered_pipeline.voice import (
    AudioChunk,
    AudioFormat,
    HeardText,
    PlayerCapabilities,
    Prefetch,
    Reply,
    Segment,
    SpeechPolicy,
    speak,
)
from tests.conftest import Run
from tests.voice.players import HardPlayer
from tests.voice.turns import FORMAT, Bounded, Line, Turn, VoiceFailure, audio, play, voice_of


@pytest.fixture
def run_asyncio(run_asyncio: Run) -> Bounded:
    return Bounded(run_asyncio)


@pytest.fixture
def run(run: Run) -> Bounded:
    return Bounded(run)


TEXT = "It is late. Why not now? Good night to you."
# Each lasts for two seconds.
SPEAKS = SpeechScript(first_audio_s=0.25, audio_s=2.0, chunk_s=0.125, pace=0.5)

TURN = Turn(
    writing=ReplyScript.word_by_word(TEXT, first_s=0.25, gap_s=0.125),
    speaking=(
        (replace(SPEAKS, audio_s=1.0),),
        (SpeechScript(first_audio_s=0.5, breaks_after_s=0.0, error=VoiceFailure("voice")), SPEAKS),
        (replace(SPEAKS, audio_s=0.5),),
    ),
    grace_s=0.5,
)
# Between them lie all the instants at which anything happens in that turn.
GRID = [sixteenths / 16 for sixteenths in range(80)]

LINES = {
    "streaming": Line(call_s=0.25, start_s=0.125),
    "one by one": Line(queue_ahead=0, call_s=0.25, start_s=0.125),
    "whole clips": Line(streaming=False, call_s=0.25),
    "whole clips, one by one": Line(streaming=False, queue_ahead=0, call_s=0.25, start_s=0.125),
    "short lead": Line(lead_s=0.25),
}


# At any instant


@pytest.mark.parametrize("name", LINES)
def test_an_interruption_at_any_instant_leaves_what_had_sounded_by_then(run: Run, name: str) -> None:
    turn = replace(TURN, line=LINES[name])
    whole = run(play, turn)
    assert whole.player.heard_bytes() == audio(0, "It is late.", 1.0) + audio(
        1, " Why not now?", 2.0
    ) + audio(2, " Good night to you.", 0.5)

    for instant_s in GRID:
        cut = run(play, replace(turn, interrupt_s=instant_s))
        assert cut.player.heard_bytes() == whole.player.heard_bytes(instant_s)
        assert cut.heard_s == cut.left_s == min(instant_s, whole.left_s)
        assert (cut.voice.running, cut.model.running) == (0, 0)


def test_an_interruption_before_anything_has_happened(run: Run) -> None:
    model, player = ScriptedLanguageModel(TEXT), RecordingPlayer()
    voice = voice_of(SPEAKS)

    async def main() -> None:
        async with speak(model.reply([]), tts=voice, player=player) as reply:
            heard = await reply.interrupt()
            await reply.finished()
        assert heard.text == ""
        assert TEXT.startswith(heard.unheard)
        assert player.playbacks == []
        assert all(request.ended_s is not None for request in (*model.requests, *voice.requests))

    run(main)


def test_the_language_model_is_cancelled_at_once_however_long_voices_clean_up(run: Run) -> None:
    model = ScriptedLanguageModel(ReplyScript.word_by_word(TEXT, first_s=0.25, gap_s=0.25))
    voice = voice_of(SpeechScript(first_audio_s=5.0, cleanup_s=0.75))

    async def main() -> None:
        async with speak(model.reply([]), tts=voice, player=RecordingPlayer()) as reply:
            await anyio.sleep(1.125)
            heard = await reply.interrupt()
        assert heard == HeardText("", "It is late. Why", "marks", 0.0)
        assert reply.timeline.text_end_s is None

    run(main)
    assert [(request.outcome, request.ended_s) for request in model.requests] == [("cancelled", 1.125)]
    assert [(request.outcome, request.ended_s) for request in voice.requests] == [("cancelled", 1.875)]


def test_a_generator_is_closed_where_reading_stops_and_a_file_is_not(run: Run) -> None:
    def write() -> Generator[str]:
        yield from ["It is late."] * 9

    generator, file = write(), StringIO("It is late.\n" * 9)

    async def main() -> None:
        for source in generator, file:
            async with speak(source, tts=voice_of(SPEAKS), player=RecordingPlayer()):
                await anyio.sleep(0.5)

    run(main)
    assert inspect.getgeneratorstate(generator) == inspect.GEN_CLOSED
    assert not file.closed


@pytest.mark.parametrize("segments", [1, 2])
def test_what_was_written_and_waited_for_room_was_not_heard(run: Run, segments: int) -> None:
    given: list[str] = []

    async def write() -> AsyncIterator[str]:
        for sentence in "It is late.", " Why not now?", " Good night.", " Good morning.", " How are you?":
            given.append(sentence)
            yield sentence

    async def main() -> None:
        prefetch = Prefetch(segments=segments)
        async with speak(write(), tts=voice_of(SPEAKS), player=RecordingPlayer(), prefetch=prefetch) as reply:
            await anyio.sleep(0.5)
            heard = await reply.interrupt()
        assert heard.text + heard.unheard == "".join(given)
        assert len(given) > len(reply.timeline.segments)

    run(main)


def test_an_interruption_after_the_end_tells_that_all_was_heard(run: Run) -> None:
    player = HardPlayer()

    async def main() -> None:
        async with speak(TEXT, tts=voice_of(SPEAKS), player=player) as reply:
            await reply.finished()
            heard = await reply.interrupt()
        assert heard == HeardText(TEXT, "", "marks", 0.0)
        assert reply.timeline.interrupted_s is None
        assert player.cleared == []

    run(main)


def test_a_second_interruption_tells_the_same_and_does_nothing(run: Run) -> None:
    player = HardPlayer()

    async def main() -> None:
        async with speak(TEXT, tts=voice_of(SPEAKS), player=player) as reply:
            await anyio.sleep(1.0)
            first = await reply.interrupt()
            calls = len(player.cleared)
            await anyio.sleep(1.0)
            assert await reply.interrupt() is first
        assert await reply.interrupt() is first
        assert len(player.cleared) == calls
        assert reply.timeline.interrupted_s == 1.0

    run(main)


def test_two_tasks_that_interrupt_at_once_are_told_the_same(run: Run) -> None:
    player = HardPlayer(clear_s=0.25)
    told: list[tuple[float, HeardText]] = []

    async def main() -> None:
        async with (
            speak(TEXT, tts=voice_of(SPEAKS), player=player) as reply,
            anyio.create_task_group() as tasks,
        ):
            await anyio.sleep(1.0)

            async def interrupt() -> None:
                heard = await reply.interrupt()
                told.append((anyio.current_time(), heard))

            tasks.start_soon(interrupt)
            tasks.start_soon(interrupt)

    run(main)

    assert len(told) == 2
    assert told[0] == told[1]


def test_an_interruption_by_another_task_is_over_before_the_block_is_left(run: Run) -> None:
    """Else its second clearing would silence the next reply."""
    player = HardPlayer(clear_s=0.25)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            async with speak(TEXT, tts=voice_of(SPEAKS), player=player) as reply:
                tasks.start_soon(barge_in, reply)
                await reply.finished()
            assert reply.timeline.interrupted_s == 1.0
            voice = voice_of(SpeechScript(audio_s=2.0))
            async with speak("It is late.", tts=voice, player=player, turn=1) as reply:
                await reply.finished()

    async def barge_in(reply: Reply) -> None:
        await anyio.sleep(1.0)
        await reply.interrupt()

    run(main)

    assert player.inner.heard_bytes().endswith(audio(0, "It is late.", 2.0, turn=1))


def test_whoever_waits_for_the_end_is_told_of_the_interruption(run: Run) -> None:
    ended: list[float] = []

    async def main() -> None:
        async with speak(TEXT, tts=voice_of(SPEAKS), player=RecordingPlayer()) as reply:

            async def wait() -> None:
                await reply.finished()
                ended.append(anyio.current_time())

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await anyio.sleep(1.0)
                await reply.interrupt()
        assert ended == [1.0]

    run(main)


def test_text_is_refused_from_an_interruption_on(run: Run) -> None:
    refused: list[float] = []

    async def main() -> None:
        async with speak(tts=voice_of(SPEAKS), player=RecordingPlayer(), prefetch=Prefetch(1)) as reply:

            async def talk() -> None:
                try:
                    while True:
                        await reply.say("And one more sentence.")
                except anyio.ClosedResourceError:
                    refused.append(anyio.current_time())

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(talk)
                await anyio.sleep(1.0)
                await reply.interrupt()
            with pytest.raises(anyio.ClosedResourceError, match="takes no more of it"):
                await reply.say("And one more.")
        assert refused == [1.0]

    run(main)


def test_a_cancelled_interruption_is_carried_out_first(run: Run) -> None:
    player = HardPlayer(clear_s=0.25)

    async def main() -> None:
        async with speak(TEXT, tts=voice_of(SPEAKS), player=player) as reply:
            await anyio.sleep(1.0)
            with anyio.move_on_after(0.125):
                await reply.interrupt()
            assert anyio.current_time() == 1.5
        assert player.inner.heard_bytes(1.5) == player.inner.heard_bytes()

    run(main)


# Players that do not answer


@pytest.mark.parametrize(
    ("player", "answers_s"),
    [
        (HardPlayer(), 0.0),
        # Once at once, and once when the call that was under way had ended.
        (HardPlayer(clear_s=0.25), 0.5),
        (HardPlayer(finished_s=0.25), 0.25),
        (HardPlayer(clear_s=math.inf), 1.0),
        (HardPlayer(finished_s=math.inf), 0.5),
        (HardPlayer(clear_s=math.inf, finished_s=math.inf), 1.5),
        (HardPlayer(play_s=math.inf), 0.5),
        (HardPlayer(play_s=math.inf, clear_s=math.inf), 1.0),
    ],
    ids=lambda value: (
        f"{value.play_s},{value.clear_s},{value.finished_s}" if isinstance(value, HardPlayer) else ""
    ),
)
def test_a_player_that_does_not_answer_is_waited_for_within_the_bound(
    run: Run, player: HardPlayer, answers_s: float
) -> None:
    wait_for_an_answer(run, player, answers_s)


@pytest.mark.parametrize("clear_s", [0.0, math.inf])
def test_a_call_that_shields_itself_is_waited_for_within_the_bound_as_well(
    run_trio: Run, clear_s: float
) -> None:
    """On asyncio a native cancellation goes through such a shield: that call is like any other."""
    wait_for_an_answer(run_trio, HardPlayer(play_s=3.0, shields_play=True, clear_s=clear_s), 2.0)


def wait_for_an_answer(run: Run, player: HardPlayer, answers_s: float) -> None:
    """Interrupt a reply by *player* after a second, and assert how long that takes."""
    player = replace(player, inner=RecordingPlayer(), cleared=[])

    async def main() -> None:
        async with speak(TEXT, tts=voice_of(SPEAKS), player=player, grace_s=0.5) as reply:
            await anyio.sleep(1.0)
            heard = await reply.interrupt()
            assert anyio.current_time() <= 1.0 + 4 * 0.5
            assert anyio.current_time() == 1.0 + answers_s
        assert TEXT.startswith(heard.text + heard.unheard)
        assert player.cleared[0] == 1.0

    run(main)


def test_what_a_late_call_gave_to_the_player_is_cleared_as_well(run: Run) -> None:
    player = HardPlayer(play_s=0.75, shields_play=True)

    async def main() -> None:
        async with speak(TEXT, tts=voice_of(SPEAKS), player=player, grace_s=1.0) as reply:
            await anyio.sleep(0.5)
            await reply.interrupt()
        assert player.inner.heard_bytes() == b""

    run(main)


def test_a_player_whose_clearing_fails_says_so_once(run: Run) -> None:
    gone = ConnectionError("the line is gone")
    player = HardPlayer(clear_error=gone)

    async def main() -> None:
        with pytest.raises(ConnectionError) as raised:
            async with speak(TEXT, tts=voice_of(SPEAKS), player=player, grace_s=0.5) as reply:
                await anyio.sleep(1.0)
                await reply.interrupt()
        assert raised.value is gone
        await reply.finished()

    run(main)


# Other ways out


def test_leaving_the_block_interrupts(run: Run) -> None:
    model, player = ScriptedLanguageModel(TURN.writing), RecordingPlayer()
    voice = voice_of(SPEAKS)

    async def main() -> None:
        async with speak(model.reply([]), tts=voice, player=player) as reply:
            await anyio.sleep(1.5)
        assert anyio.current_time() == 1.5
        assert reply.timeline.interrupted_s == 1.5
        assert player.heard_bytes(1.5) == player.heard_bytes()
        assert (voice.running, model.running) == (0, 0)

    run(main)


@pytest.mark.parametrize("at_s", [0.0, 0.25, 1.0, 3.0])
def test_the_error_of_the_block_comes_out_bare(run: Run, at_s: float) -> None:
    error = ValueError("of the block")
    player = RecordingPlayer()
    voice = voice_of(SPEAKS)

    async def main() -> None:
        with pytest.raises(ValueError, match="of the block") as raised:
            async with speak(TEXT, tts=voice, player=player):
                await anyio.sleep(at_s)
                raise error
        assert raised.value is error
        assert error.__cause__ is None
        assert error.__context__ is None
        assert anyio.current_time() == at_s
        assert player.heard_bytes(at_s) == player.heard_bytes()
        assert voice.running == 0

    run(main)


@pytest.mark.parametrize("at_s", GRID[:64:4])
def test_a_block_that_is_cancelled_from_outside_is_silent_at_once(run: Run, at_s: float) -> None:
    model, voice = ScriptedLanguageModel(TURN.writing), ScriptedTextToSpeech(TURN.script, audio_format=FORMAT)
    player = RecordingPlayer()

    async def main() -> None:
        with anyio.move_on_after(at_s) as scope:
            async with speak(model.reply([]), tts=voice, player=player) as reply:
                await reply.finished()
        assert scope.cancelled_caught
        assert anyio.current_time() == at_s
        assert player.heard_bytes(at_s) == player.heard_bytes()
        assert (voice.running, model.running) == (0, 0)

    run(main)


@pytest.mark.parametrize("at_s", GRID[::4])
def test_a_task_that_is_cancelled_natively_leaves_nothing(run_asyncio: Run, at_s: float) -> None:
    model, voice = ScriptedLanguageModel(TURN.writing), ScriptedTextToSpeech(TURN.script, audio_format=FORMAT)
    player = RecordingPlayer()

    async def talk() -> None:
        async with speak(model.reply([]), tts=voice, player=player) as reply:
            await reply.finished()

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(talk())
        await asyncio.sleep(at_s)
        was_cancelled = task.cancel()
        if was_cancelled:
            with pytest.raises(asyncio.CancelledError):
                await task
        assert anyio.current_time() == at_s
        assert player.heard_bytes(at_s) == player.heard_bytes()
        assert (voice.running, model.running) == (0, 0)

    run_asyncio(main)


# Clean-up


def test_clean_up_of_services_may_wait(run: Run) -> None:
    model = ScriptedLanguageModel(replace(TURN.writing, end_s=math.inf, cleanup_s=0.25))
    voice = voice_of(replace(SPEAKS, first_audio_s=3.0, cleanup_s=0.5))

    async def main() -> None:
        async with speak(model.reply([]), tts=voice, player=RecordingPlayer(), grace_s=1.0) as reply:
            await anyio.sleep(2.0)
            await reply.interrupt()
            assert anyio.current_time() == 2.0
        assert {request.ended_s for request in voice.requests} == {2.5}
        assert {request.outcome for request in voice.requests} == {"cancelled"}
        (written,) = model.requests
        assert (written.ended_s, anyio.current_time()) == (2.25, 2.5)

    run(main)


def test_voices_are_cancelled_at_once_however_long_the_text_cleans_up(run: Run) -> None:
    model = ScriptedLanguageModel(replace(TURN.writing, end_s=math.inf, cleanup_s=0.5))
    voice = voice_of(SpeechScript(first_audio_s=5.0))

    async def main() -> None:
        prefetch = Prefetch(segments=9)
        async with speak(model.reply([]), tts=voice, player=RecordingPlayer(), prefetch=prefetch) as reply:
            await anyio.sleep(2.0)
            await reply.interrupt()
        assert {request.ended_s for request in voice.requests} == {2.0}
        assert anyio.current_time() == 2.5

    run(main)


def test_a_source_that_has_ended_is_closed_in_peace(run: Run) -> None:
    closed: list[float] = []

    class Text:
        """One delta; closing takes a while."""

        def __init__(self) -> None:
            self.left: list[str] = [TEXT]

        def __aiter__(self) -> Self:
            return self

        async def __anext__(self) -> str:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop()

        async def aclose(self) -> None:
            await anyio.sleep(3.0)
            closed.append(anyio.current_time())

    async def main() -> None:
        async with speak(Text(), tts=voice_of(SPEAKS), player=RecordingPlayer(), grace_s=0.5) as reply:
            await reply.finished()

    run(main)
    assert closed == [3.0]


def test_clean_up_may_wait_when_a_scope_around_the_reply_is_cancelled(run: Run) -> None:
    model = ScriptedLanguageModel(replace(TURN.writing, end_s=math.inf, cleanup_s=0.25))
    voice = voice_of(replace(SPEAKS, first_audio_s=3.0, cleanup_s=0.5))

    async def main() -> None:
        with anyio.move_on_after(2.0):
            async with speak(model.reply([]), tts=voice, player=RecordingPlayer()) as reply:
                await reply.finished()
        assert {request.ended_s for request in (*model.requests, *voice.requests)} == {2.25, 2.5}
        assert anyio.current_time() == 2.5

    run(main)


def test_clean_up_written_against_plain_asyncio_runs_to_its_end(run_asyncio: Run) -> None:
    done: list[tuple[str, float]] = []

    async def write() -> AsyncIterator[str]:
        try:
            yield TEXT
            await asyncio.sleep(100.0)
        finally:
            await asyncio.sleep(0.25)
            done.append(("text", anyio.current_time()))

    class Voice:
        format: AudioFormat = FORMAT

        async def synthesize(self, segment: Segment, /) -> AsyncIterator[AudioChunk]:
            try:
                yield AudioChunk(audio(segment.index, segment.text, 0.5))
                await asyncio.sleep(100.0)
            finally:
                await asyncio.sleep(0.25)
                done.append((segment.text, anyio.current_time()))

    async def main() -> None:
        async with speak(write(), tts=Voice(), player=RecordingPlayer()) as reply:
            await asyncio.sleep(1.0)
            await reply.interrupt()
        assert sorted(done) == [(" Why not now?", 1.25), ("It is late.", 1.25), ("text", 1.25)]

    run_asyncio(main)


def test_clean_up_that_never_ends_is_cut(run_asyncio: Run) -> None:
    """On trio nothing can be cut that shields itself."""

    async def write() -> AsyncIterator[str]:
        try:
            yield TEXT
            await asyncio.sleep(100.0)
        finally:
            await asyncio.sleep(1000.0)

    class Voice:
        format: AudioFormat = FORMAT

        async def synthesize(self, segment: Segment, /) -> AsyncIterator[AudioChunk]:
            try:
                yield AudioChunk(audio(segment.index, segment.text, 0.5))
                await asyncio.sleep(100.0)
            finally:
                await asyncio.sleep(1000.0)

    async def main() -> None:
        async with speak(write(), tts=Voice(), player=RecordingPlayer(), grace_s=0.5) as reply:
            await asyncio.sleep(1.0)
            await reply.interrupt()
            assert anyio.current_time() == 1.0
        assert anyio.current_time() <= 1.0 + 2 * 0.5

    run_asyncio(main)


def test_an_interruption_during_a_hedge_closes_both_requests(run: Run) -> None:
    voice = voice_of(SpeechScript(breaks_after_s=0.0, cleanup_s=0.25))

    async def main() -> None:
        policy = SpeechPolicy(hedge_after_s=0.5)
        async with speak("It is late.", tts=voice, player=RecordingPlayer(), policy=policy) as reply:
            await anyio.sleep(1.0)
            await reply.interrupt()
        assert [request.outcome for request in voice.requests] == ["cancelled", "cancelled"]
        assert [request.ended_s for request in voice.requests] == [1.25, 1.25]

    run(main)


def test_a_player_without_marks_has_a_capability_for_it(run: Run) -> None:
    player = RecordingPlayer(PlayerCapabilities(acknowledges="nothing"))

    async def main() -> None:
        async with speak(TEXT, tts=voice_of(SPEAKS), player=player) as reply:
            await reply.finished()
        assert {segment.outcome for segment in reply.timeline.segments} == {"presumed"}
        assert await reply.interrupt() == HeardText(TEXT, "", "marks", 2.0)

    run(main)
