"""When text goes out that has not ended: the two waits, and what does not count as waiting."""

import math
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress

import anyio
import pytest

from ordered_pipeline.testing import RecordingPlayer, ReplyScript, ScriptedLanguageModel, SpeechScript
from ordered_pipeline.voice import PlayerCapabilities, Prefetch, speak
from tests.conftest import Run
from tests.voice.turns import Bounded, TextFailure, voice_of

AFTER_STOP_S = 1 / 32
QUICK = SpeechScript(audio_s=0.125)


@pytest.fixture
def run(run: Run) -> Bounded:
    return Bounded(run)


async def cut(
    deltas: Iterable[tuple[float, str]],
    *,
    end_s: float | None = None,
    flush_s: float = 2.0,
    prefetch: Prefetch | None = None,
    player: RecordingPlayer | None = None,
    voice: SpeechScript = QUICK,
    error: Exception | None = None,
) -> list[tuple[float | None, str]]:
    """Return when each segment was given out, and its text."""
    model = ScriptedLanguageModel(ReplyScript(deltas=tuple(deltas), end_s=end_s, error=error))
    async with speak(
        model.reply([]),
        tts=voice_of(voice),
        player=player or RecordingPlayer(),
        prefetch=prefetch or Prefetch(),
        after_stop_s=AFTER_STOP_S,
        flush_s=flush_s,
    ) as reply:
        with suppress(TextFailure):
            await reply.finished()
    return [(segment.text_ready_s, segment.text) for segment in reply.timeline.segments]


# A sentence that very likely has ended


def test_a_sentence_waits_for_the_character_after_its_stop_only_so_long(run: Run) -> None:
    assert run(cut, [(0.5, "It is late."), (1.5, " Why not now?")]) == [
        (0.5 + AFTER_STOP_S, "It is late."),
        (1.5, " Why not now?"),
    ]


def test_a_sentence_goes_out_at_once_when_the_next_word_comes(run: Run) -> None:
    deltas = [(0.5, "It is late."), (0.5 + 1 / 64, " Why"), (1.0, " not now?")]

    assert run(cut, deltas)[0] == (0.5 + 1 / 64, "It is late.")


def test_a_sentence_goes_out_at_once_when_the_text_ends(run: Run) -> None:
    assert run(cut, [(0.5, "It is late.")]) == [(0.5, "It is late.")]


def test_what_goes_on_in_time_is_not_cut(run: Run) -> None:
    deltas = [(0.0, "It costs 3."), (1 / 64, "50 in all."), (2 / 64, " Is that fine?")]

    assert [text for _, text in run(cut, deltas)] == ["It costs 3.50 in all.", " Is that fine?"]


def test_an_abbreviation_waits_for_more_than_that(run: Run) -> None:
    deltas = [(0.0, "Please ask Dr."), (1.0, " Smith about it.")]

    assert run(cut, deltas) == [(1.0, "Please ask Dr. Smith about it.")]


# Text that dribbles


def test_text_that_dribbles_goes_out_in_whole_words(run: Run) -> None:
    """A word every 3/4 s, without a stop: what is there goes out two seconds after the first of it."""
    words = ["one", " two", " three", " four", " five", " six"]
    deltas = [(0.75 * place, word) for place, word in enumerate(words)]

    segments = run(cut, deltas)

    assert segments[0] == (2.0, "one two")
    assert "".join(text for _, text in segments) == "".join(words)
    assert all(text == "".join(words) or not text[-1].isspace() for _, text in segments)


def test_a_word_that_may_go_on_stays(run: Run) -> None:
    deltas = [(0.0, "It is la"), (3.0, "te.")]

    assert run(cut, deltas) == [(2.0, "It is"), (3.0, " late.")]


def test_a_single_word_is_not_cut_however_long_it_takes(run: Run) -> None:
    deltas = [(0.0, "Don"), (10.0, "au"), (20.0, "dampf")]

    assert run(cut, deltas) == [(20.0, "Donaudampf")]


@pytest.mark.parametrize("flush_s", [0.5, 1.0, 4.0])
def test_how_long_text_waits_is_an_option(run: Run, flush_s: float) -> None:
    async def main() -> list[tuple[float | None, str]]:
        return await cut([(0.25, "It is rather "), (20.0, "late.")], flush_s=flush_s)

    assert run(main)[0] == (0.25 + flush_s, "It is rather")


def test_text_that_never_dribbles_out_is_awaited_for_ever(run: Run) -> None:
    async def main() -> list[tuple[float | None, str]]:
        return await cut([(0.0, "It is rather "), (500.0, "late.")], flush_s=math.inf)

    assert run(main) == [(500.0, "It is rather late.")]


def test_white_space_alone_does_not_go_out(run: Run) -> None:
    assert run(cut, [(0.0, " "), (5.0, "\n"), (10.0, "Now."), (20.0, "  ")]) == [
        (10.0 + AFTER_STOP_S, " \nNow.")
    ]


def test_the_time_without_room_is_no_waiting(run: Run) -> None:
    """The window is full until the first clip is over, after four seconds; more text comes meanwhile."""
    player = RecordingPlayer(PlayerCapabilities(queue_ahead=0))
    deltas = [(0.0, "It is late. "), (0.5, "Why not now? "), (1.0, "And one "), (4.5, "more sentence.")]

    async def main() -> list[tuple[float | None, str]]:
        return await cut(deltas, player=player, prefetch=Prefetch(1), voice=SpeechScript(audio_s=4.0))

    # What came in the meantime is not two seconds late when there is room: the text goes on in time.
    assert run(main) == [(0.0, "It is late."), (0.5, " Why not now?"), (4.5, " And one more sentence.")]


def test_a_full_window_reads_at_most_one_delta_ahead(run: Run) -> None:
    read: list[str] = []

    async def main() -> None:
        async def write() -> AsyncIterator[str]:
            for word in ("It is late. ", "Why not now? ", "Good night. ", "And more. "):
                read.append(word)
                yield word

        player = RecordingPlayer(PlayerCapabilities(queue_ahead=0))
        voice = voice_of(SpeechScript(audio_s=8.0))
        async with speak(write(), tts=voice, player=player, prefetch=Prefetch(1)):
            await anyio.sleep(4.0)
            assert read == ["It is late. ", "Why not now? ", "Good night. "]

    run(main)


# The record


def test_what_came_before_an_error_of_the_text_goes_out_at_once(run: Run) -> None:
    async def main() -> list[tuple[float | None, str]]:
        return await cut([(0.0, "It is rather ")], end_s=0.5, error=TextFailure("text"))

    assert run(main) == [(0.5, "It is rather ")]


def test_each_segment_is_told_what_came_before_it(run: Run) -> None:
    voice = voice_of(QUICK)

    async def main() -> None:
        text = "It is late. Why not now? Good night."
        async with speak(text, tts=voice, player=RecordingPlayer(), turn=7) as reply:
            await reply.finished()

    run(main)

    told = [(request.segment.index, request.segment.previous_text) for request in voice.requests]
    assert sorted(told) == [(0, ""), (1, "It is late."), (2, " Why not now?")]
    assert {request.segment.turn for request in voice.requests} == {7}


def test_the_last_delta_of_each_segment_has_its_time(run: Run) -> None:
    deltas = ((0.25, "It is "), (0.5, "late. Why"), (1.5, " not now?"), (2.0, " "))
    model = ScriptedLanguageModel(ReplyScript(deltas=deltas))

    async def main() -> None:
        async with speak(model.reply([]), tts=voice_of(QUICK), player=RecordingPlayer()) as reply:
            await reply.finished()
        timeline = reply.timeline
        assert (timeline.first_delta_s, timeline.text_end_s) == (0.25, 2.0)
        assert [segment.last_delta_s for segment in timeline.segments] == [0.5, 1.5]

    run(main)
