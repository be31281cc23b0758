# ruff: noqa: RUF001  # stops and quotes are meant as they stand

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.voice import Segment, SentenceSplitter


def split(*deltas: str) -> list[str]:
    splitter = SentenceSplitter()
    return [piece for delta in deltas for piece in splitter.push(delta)] + splitter.flush()


@pytest.mark.parametrize(
    "sentences",
    [
        ["Hello there.", " How are you?", " Fine!"],
        ["Dr. Smith paid 3.14 dollars to J. R. Jones.", " He left."],
        ["Mr. and Mrs. Bean vs. St. Paul, e.g. twice.", " Done."],
        ["It costs $2.50, v1.2.3 does, at www.example.com or me@example.com.", " Yes."],
        ["At 5 p.m. today.", " At 5 p.m.", " Then it rains."],
        ["Cars, bikes, etc. are here.", " Cars, bikes, etc.", " Then more."],
        ["No. 5 is alive.", " No.", " Never."],
        ["It was 1999.", " Then came 2000."],
        ['He said "Stop."', ' Then "Go!" he cried.', " (A note.)", " Next."],
        ["“Really?”", " ‘Yes.’", " «Non!»", " End."],
        ["Well... maybe.", " Wait...", " Yes… no…", " Then."],
        ["Really?!", " What!!!", " So."],
        ["1. Mix the flour.", " 2. Bake it.", " a. or not."],
        ["你好。", "我很好！", "「是。」", "好"],
        ["A title", "\n\nIts text.", "\n\nMore", "\n \nand more"],
        ["It was I.", " Who else?"],
        ["No stop at all"],
        ["Great 😀!", " Yes."],
    ],
)
def test_sentences_are_cut_where_they_end(sentences: list[str]) -> None:
    text = "".join(sentences)

    assert split(text) == sentences
    assert split(*text) == sentences


def test_a_sentence_goes_out_with_the_white_space_after_its_stop() -> None:
    splitter = SentenceSplitter()

    assert splitter.push("Hello") == []
    assert splitter.push(" there.") == []
    assert splitter.push("\n") == ["Hello there."]


def test_a_stop_that_may_not_be_the_end_waits_for_the_next_character() -> None:
    splitter = SentenceSplitter()

    assert splitter.push("Well... ") == []
    assert splitter.push("Yes") == ["Well..."]


def test_what_is_left_at_the_end_goes_out_as_it_is() -> None:
    assert split("One. ", "Two", "\n") == ["One.", " Two\n"]
    assert split("One.\n") == ["One.", "\n"]
    assert split("") == []


def test_a_text_without_stops_is_cut_between_words() -> None:
    pieces = split("word " * 250)

    assert [len(piece) for piece in pieces] == [499, 500, 251]
    assert [piece[:5] for piece in pieces] == ["word ", " word", " word"]
    assert [len(piece) for piece in split("y" * 1200)] == [500, 500, 200]


@given(
    st.lists(st.sampled_from([*"aB1.!?…\"')。 \n", "e.g", "Mr", "etc", "word word", "x" * 300]), max_size=60),
    st.data(),
)
def test_where_the_cuts_are_depends_on_the_text_alone(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    deltas = [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]

    pieces = split(*deltas)

    assert pieces == split(text)
    assert "".join(pieces) == text
    assert all(piece.strip() for piece in pieces[:-1])


def test_a_segment_is_a_text_and_its_place() -> None:
    assert Segment(1, "Hello.") == Segment(index=1, text="Hello.")
