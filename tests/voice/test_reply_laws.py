"""What holds for every turn, however its services behave: each law for 300 turns on asyncio and on trio."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ordered_pipeline.testing import ReplyScript, SpeechScript
from ordered_pipeline.voice import Prefetch
from tests.conftest import Run
from tests.voice.turns import (
    AFTER_STOP_S,
    SENTENCES,
    SPEECHES,
    TURNS,
    Line,
    Played,
    Turn,
    instants,
    laws,
    play,
    possible_audio,
    sounds_in_order,
    turns,
    turns_on,
    wild_lines,
    wild_turns,
)

# A law fails by an assertion of its own.
Law = Callable[[Played], None]


def hold(run: Run, drawn: st.SearchStrategy[Turn], *checked: Law) -> None:
    """Play so many drawn turns, and hold each of them against each law."""
    played_turns = 0

    @settings(laws, max_examples=turns_on(run))
    @given(turn=drawn)
    def check(turn: Turn) -> None:
        nonlocal played_turns
        played_turns += 1
        played = run(play, turn)
        for law in checked:
            law(played)

    check()
    assert played_turns >= turns_on(run)


def highest(changes: Iterable[tuple[float, int]]) -> int:
    """Return the highest sum over time; at one instant, what goes down goes first."""
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def in_flight(played: Played) -> list[tuple[float, float, int, float]]:
    """Return from when to when each segment was in flight, its characters and its seconds of audio.

    It leaves when its last audio is in a clip that the player was given.
    """
    return [
        (
            segment.tts_asked_s,
            max(segment.last_audio_s or 0.0, segment.play_asked_s),
            len(segment.text),
            segment.audio_s or 0.0,
        )
        for segment in played.timeline.segments
        if segment.tts_asked_s is not None and segment.play_asked_s is not None
    ]


# Turns in which nothing fails


def everything_written_is_heard_once_and_in_order(played: Played) -> None:
    segments = played.timeline.segments
    assert "".join(segment.text for segment in segments).rstrip() == played.turn.text.rstrip()
    assert [segment.outcome for segment in segments] == ["completed"] * len(segments)
    places = [possible_audio(played, segment.index, segment.text) for segment in segments]
    assert played.player.heard_bytes() == b"".join(audio for place in places for audio in place)
    assert (played.heard.text, played.heard.unheard) == (played.turn.text, "")


def no_more_segments_are_in_flight_than_prefetch_allows(played: Played) -> None:
    flights = in_flight(played)
    in_and_out = [(asked_s, 1) for asked_s, *_ in flights] + [(left_s, -1) for _, left_s, *_ in flights]
    assert highest(in_and_out) <= played.turn.prefetch.segments


def characters_exceed_their_bound_by_the_last_segment_only(played: Played) -> None:
    prefetch = played.turn.prefetch
    flights = in_flight(played)
    for place, (asked_s, *_) in enumerate(flights):
        others = [flight for flight in flights[:place] if flight[1] > asked_s]
        assert not others or sum(characters for _, _, characters, _ in others) < prefetch.characters


def test_laws_of_turns_in_which_nothing_fails(run: Run) -> None:
    hold(
        run,
        turns(failures=False),
        everything_written_is_heard_once_and_in_order,
        no_more_segments_are_in_flight_than_prefetch_allows,
        characters_exceed_their_bound_by_the_last_segment_only,
    )


def seconds_exceed_their_bound_by_the_last_segment_only(played: Played) -> None:
    flights = in_flight(played)
    for place, (asked_s, *_) in enumerate(flights):
        others = [flight for flight in flights[:place] if flight[1] > asked_s]
        assert not others or sum(audio_s for *_, audio_s in others) < played.turn.prefetch.audio_s


@st.composite
def even_turns(draw: st.DrawFn) -> Turn:
    """Draw a turn whose voice speaks at one speed, a little above the usual one."""
    script = replace(draw(st.sampled_from(SPEECHES)), audio_s=None)
    prefetch = Prefetch(draw(st.integers(1, 4)), draw(st.sampled_from((0.5, 1.0, 2.0, 4.0))))
    return replace(draw(turns(failures=False)), speaking=((script,),), prefetch=prefetch)


def test_seconds_in_flight_are_bounded_where_what_a_segment_gives_can_be_reckoned(run: Run) -> None:
    hold(run, even_turns(), seconds_exceed_their_bound_by_the_last_segment_only)


# Turns in which the services fail


def the_rest_is_heard_in_order(played: Played) -> None:
    segments = played.timeline.segments
    assert "".join(segment.text for segment in segments).rstrip() == played.turn.text.rstrip()
    places = [possible_audio(played, segment.index, segment.text) for segment in segments]
    assert sounds_in_order(played.player.heard_bytes(), places)


def test_whatever_fails_the_rest_is_heard_in_order(run: Run) -> None:
    hold(run, turns(), the_rest_is_heard_in_order)


# Turns that are interrupted, whatever else happens in them


def nothing_sounds_or_is_asked_after_the_interruption(played: Played) -> None:
    turn = played.turn
    assert turn.interrupt_s is not None
    silent_s = turn.interrupt_s + turn.line.clear_s
    assert played.player.heard_bytes(silent_s) == played.player.heard_bytes()
    assert all(request.asked_s <= turn.interrupt_s for request in played.voice.requests)


def what_was_heard_and_what_was_not_are_all_that_was_written(played: Played) -> None:
    turn, heard = played.turn, played.heard
    assert turn.interrupt_s is not None
    written = heard.text + heard.unheard
    assert turn.text.startswith(written)
    assert written.startswith("".join(segment.text for segment in played.timeline.segments))
    due = "".join(text for at_s, text in turn.writing.deltas if at_s <= turn.interrupt_s)
    assert len(written) <= len(due)
    if played.timeline.interrupted_s is None:
        assert written == turn.text


def the_interruption_ends_within_its_bound(played: Played) -> None:
    turn = played.turn
    assert turn.interrupt_s is not None
    assert played.heard_s <= turn.interrupt_s + 2 * turn.line.clear_s


def no_more_requests_run_than_prefetch_allows(played: Played) -> None:
    assert played.voice.most_running <= played.turn.prefetch.segments


def every_request_ends_before_the_block_is_left(played: Played) -> None:
    for request in (*played.voice.requests, *played.model.requests):
        assert request.ended_s is not None
        assert request.ended_s <= played.left_s


def test_laws_of_turns_that_are_interrupted(run: Run) -> None:
    hold(
        run,
        turns(hangs=True, interrupted=True),
        nothing_sounds_or_is_asked_after_the_interruption,
        what_was_heard_and_what_was_not_are_all_that_was_written,
        the_interruption_ends_within_its_bound,
        no_more_requests_run_than_prefetch_allows,
        every_request_ends_before_the_block_is_left,
    )


def test_an_interruption_leaves_exactly_what_had_sounded_by_then(run: Run) -> None:
    """No voice fails: where one does in the instant its first audio is handed over, two runs may differ."""
    played_turns = 0

    @settings(laws, max_examples=turns_on(run))
    @given(turn=turns(failures=False), instant_s=instants())
    def check(turn: Turn, instant_s: float) -> None:
        nonlocal played_turns
        played_turns += 1
        turn = replace(turn, line=replace(turn.line, clear_s=0.0))
        whole = run(play, turn)
        cut = run(play, replace(turn, interrupt_s=instant_s))
        assert cut.player.heard_bytes() == whole.player.heard_bytes(instant_s)

    check()
    assert played_turns >= turns_on(run)


def test_nothing_of_an_interrupted_turn_is_heard_in_the_next(run: Run) -> None:
    async def play_both(first: Turn, second: Turn) -> tuple[Played, Played, bytes]:
        player = first.line.player()
        interrupted = await play(first, player)
        before = player.heard_bytes()
        return interrupted, await play(replace(second, number=1), player), before

    played_turns = 0

    @settings(laws, max_examples=turns_on(run))
    @given(first=turns(hangs=True, interrupted=True), second=turns(failures=False))
    def check(first: Turn, second: Turn) -> None:
        nonlocal played_turns
        played_turns += 1
        _, played, before = run(play_both, first, second)
        segments = played.timeline.segments
        places = [possible_audio(played, segment.index, segment.text) for segment in segments]
        expected = b"".join(audio for place in places for audio in place)
        assert played.player.heard_bytes() == before + expected

    check()
    assert played_turns >= turns_on(run)


# A thousand turns on four loops, five in a row on one player.
CALLS = 50 if TURNS == 300 else 5  # fewer in a mutation run


def test_whatever_happens_in_a_turn_it_leaves_nothing_behind(run: Run) -> None:
    """No task, which `run` sees to; no request that is open; and no sound beyond the turn's own time."""
    turns_played = 0

    async def play_all(drawn: list[Turn], line: Line) -> list[Played]:
        player = line.player()
        return [await play(replace(turn, number=number), player) for number, turn in enumerate(drawn)]

    @settings(laws, max_examples=CALLS)
    @given(drawn=st.lists(wild_turns(), min_size=5, max_size=5), line=wild_lines())
    def check(drawn: list[Turn], line: Line) -> None:
        nonlocal turns_played
        turns_played += len(drawn)
        for played in run(play_all, drawn, line):
            requests = (*played.voice.requests, *played.fallback.requests, *played.model.requests)
            assert all(request.ended_s is not None for request in requests)
            for sound in played.player.sounds:
                if sound.segment.turn == played.turn.number:
                    assert played.begun_s <= sound.start_s
                    assert sound.end_s <= played.left_s

    check()
    assert turns_played >= 5 * CALLS


# Time


@st.composite
def steady_turns(draw: st.DrawFn) -> Turn:
    """Draw a turn whose text is there at once, and whose voice is no later than the depth rule allows."""
    segments = draw(st.integers(1, 4))
    audio_s = draw(st.sampled_from((0.5, 1.0, 1.5)))
    return Turn(
        writing=ReplyScript(deltas=((0.0, SENTENCES[1] * draw(st.integers(2, 8))),)),
        speaking=(
            (
                SpeechScript(
                    first_audio_s=draw(st.integers(0, int(segments * audio_s * 8))) / 8,
                    audio_s=audio_s,
                    chunk_s=draw(st.sampled_from((0.125, math.inf))),
                ),
            ),
        ),
        prefetch=Prefetch(segments),
        line=Line(
            streaming=draw(st.booleans()),
            queue_ahead=draw(st.sampled_from((1, 2, math.inf))),
            call_s=draw(st.sampled_from((0.0, 0.25, 0.5))),
            start_s=draw(st.sampled_from((0.0, 0.125))),
        ),
    )


def test_there_is_no_gap_where_the_depth_rule_holds(run: Run) -> None:
    def check(played: Played) -> None:
        assert played.player.gaps() == []

    hold(run, steady_turns(), check)


def first_segment_ready_s(deltas: tuple[tuple[float, str], ...], end_s: float) -> float:
    """Return when the first of several short sentences is known to be over."""
    written = ""
    for place, (at_s, text) in enumerate(deltas):
        written += text
        if any(stop in written for stop in (". ", "! ", "? ")):
            return at_s
        if written.endswith((".", "!", "?")):
            next_s = deltas[place + 1][0] if place + 1 < len(deltas) else end_s
            return min(at_s + AFTER_STOP_S, next_s)
    return end_s


def test_the_first_audio_sounds_as_soon_as_it_can(run: Run) -> None:
    """The text of its segment, the first audio of the voice, the player's call and start: no more."""

    def check(played: Played) -> None:
        turn, line = played.turn, played.turn.line
        script = turn.speaking[0][0]
        ready_s = first_segment_ready_s(turn.writing.deltas, turn.writing.end_s or 0.0)
        whole_s = 0.0 if line.streaming else script.pace * max(script.length_s("") - script.chunk_s, 0.0)
        assert played.timeline.segments[0].text_ready_s == ready_s
        assert (
            played.player.sounds[0].start_s
            == ready_s + script.first_audio_s + whole_s + line.call_s + line.start_s
        )

    # The last sentence begins with a clause, which may go out alone.
    hold(run, turns(failures=False, sentences=SENTENCES[:-1], flush_s=1000.0), check)
