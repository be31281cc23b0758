import pytest

from ordered_pipeline.voice import HeardText, PlaybackResult, Segment, Word
from ordered_pipeline.voice._heard import end_of_words, heard_text, whole_words
from ordered_pipeline.voice._take import Take

TEXT = "one two three four"
# A quarter of a second each, and one of silence between the second and the third.
WORDS = (Word("one", 0.0, 0.25), Word("two", 0.25, 0.5), Word("three", 0.75, 1.0), Word("four", 1.0, 1.25))


def take(
    text: str = TEXT,
    *,
    index: int = 0,
    audio_s: float | None = 2.0,
    result: PlaybackResult | None = None,
    is_made: bool = True,
) -> Take:
    segment = Segment(index, text)
    return Take(segment, last_delta_s=0.0, text_ready_s=0.0, is_made=is_made, audio_s=audio_s, result=result)


def cleared(played_s: float) -> PlaybackResult:
    return PlaybackResult("cleared", played_s)


def heard(*takes: Take, text: str = TEXT, position_error_s: float = 0.0) -> HeardText:
    return heard_text(takes, text, s_a_character=0.125, position_error_s=position_error_s)


def test_of_nothing_nothing_was_heard() -> None:
    assert heard(text="") == HeardText("", "", "marks", 0.0)
    assert heard() == HeardText("", TEXT, "marks", 0.0)


def test_a_clip_that_was_over_was_heard() -> None:
    over = take("one two", result=PlaybackResult("completed", 2.0))

    assert heard(over, position_error_s=0.25) == HeardText("one two", " three four", "marks", 0.25)


def test_a_clip_that_is_presumed_to_be_over_may_not_have_been_heard_at_all() -> None:
    over = take("one two", result=PlaybackResult("presumed", 2.0))

    assert heard(over) == HeardText("one two", " three four", "marks", 2.0)


@pytest.mark.parametrize(
    ("played_s", "text", "error_s"),
    [(0.125, "", 0.125), (0.25, "one", 0.0), (0.625, "one two", 0.125), (1.125, "one two three", 0.125)],
)
def test_words_with_times_were_heard_if_they_were_over(played_s: float, text: str, error_s: float) -> None:
    cut = take(result=cleared(played_s))
    cut.words = WORDS

    assert heard(cut) == HeardText(text, TEXT[len(text) :], "words", error_s)


def test_without_word_times_characters_are_spread_over_the_audio() -> None:
    """Eighteen characters in 2.25 seconds: eight of them in the first, in the midst of a word."""
    told = heard(take(audio_s=2.25, result=cleared(1.0)))

    assert (told.text, told.method) == ("one two", "rate")
    assert told.error_s == pytest.approx(0.5625)


def test_silence_at_the_ends_of_a_clip_holds_no_characters() -> None:
    cut = take(audio_s=4.25, result=cleared(2.0))
    cut.silences = ((0.0, 1.0), (3.25, 1.0))

    assert heard(cut).text == "one two"


def test_a_clip_that_is_all_silence_is_spread_like_any_other() -> None:
    cut = take(audio_s=2.25, result=cleared(1.0))
    cut.silences = ((0.0, 2.25),)

    assert heard(cut).text == "one two"


def test_while_a_clip_is_being_made_the_speed_of_the_voice_counts() -> None:
    told = heard(take(audio_s=None, is_made=False, result=cleared(1.0)))

    assert told == HeardText("one two", " three four", "rate", 0.75)


def test_a_filler_is_no_part_of_the_text() -> None:
    filler = take("one two", result=PlaybackResult("completed", 2.0))
    filler.is_filler = True

    assert heard(filler).text == ""


def test_what_was_skipped_between_two_that_were_heard_counts_as_heard() -> None:
    first = take("one", result=PlaybackResult("completed", 1.0))
    skipped = take(" two", index=1, is_made=False, audio_s=None)
    skipped.is_skipped = True
    third = take(" three", index=2, result=PlaybackResult("completed", 1.0))

    assert heard(first, skipped, third).text == "one two three"


def test_a_clip_behind_one_that_was_cut_did_not_sound_whatever_it_says() -> None:
    first = take("one two", result=cleared(0.25))
    second = take(" three four", index=1, result=cleared(0.25))

    assert heard(first, second, position_error_s=0.25).text == ""


def test_a_clip_of_which_nothing_is_known_to_have_sounded_may_have_sounded_a_little() -> None:
    assert heard(take(result=cleared(0.0)), position_error_s=0.25) == HeardText("", TEXT, "marks", 0.25)


def test_white_space_that_is_left_counts_as_heard() -> None:
    over = take("one", result=PlaybackResult("completed", 1.0))

    assert heard(over, text="one \n") == HeardText("one \n", "", "marks", 0.0)


def test_words_are_found_where_they_stand_in_the_text() -> None:
    words = [Word("is", 0.0, 0.25), Word("unknown", 0.25, 0.5), Word("it", 0.5, 0.75)]

    assert end_of_words("is it? It is.", words, 1.0) == (5, 0.75)


@pytest.mark.parametrize(
    ("text", "end", "whole"),
    [
        ("one two", 0, 0),
        ("one two", 2, 0),
        ("one two", 3, 3),
        ("one two", 6, 3),
        ("one two", 7, 7),
        ("one-two", 5, 4),
        ("今日は晴れ", 2, 2),
        ("한국어 문장", 5, 5),
    ],
)
def test_a_text_is_cut_between_words(text: str, end: int, whole: int) -> None:
    assert whole_words(text, end) == whole
