# ruff: noqa: RUF001  # stops and quotes are meant as they stand

import gc
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.voice import SentenceSplitter

PIECES = [
    *"aBIi15.!?…\"'”»«)](*_`~|#-:;,。？，「」। ؟\n\t\xa0",
    *[
        "e.g",
        "Mr",
        "etc",
        "U.S",
        "a.m",
        "No",
        "vol",
        "XX",
        "The",
        "Bob",
        "word word",
        "z. B",
        "Oktober",
        "am",
    ],
    *[
        "x" * 30,
        " " * 30,
        "." * 20,
        "```",
        "\n\n",
        "\n- ",
        "\n1. ",
        "**",
        "[1]",
        "](",
        "😀",
        "❤️",
        "👩\u200d👧",
        "ครับ",
        "α;",
        "字字",
    ],
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)
SPLITTERS = st.builds(
    lambda language, clause, shortest, longest: (
        lambda: SentenceSplitter(
            language=language, first_clause_characters=clause, shortest=shortest, longest=longest
        )
    ),
    st.sampled_from([None, "en", "de", "fr", "el", "zh"]),
    st.integers(1, 40),
    st.integers(1, 20),
    st.sampled_from([1, 2, 7, 40, 300]),
)


def cut(text: str, data: st.DataObject) -> list[str]:
    places = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


@given(SPLITTERS, TEXTS, st.data())
def test_where_the_cuts_are_depends_on_the_text_alone(
    make: Callable[[], SentenceSplitter], text: str, data: st.DataObject
) -> None:
    whole, by_character, by_delta = make(), make(), make()

    segments = whole.push(text) + whole.flush()

    assert "".join(segments) == text
    assert segments == [s for c in text for s in by_character.push(c)] + by_character.flush()
    assert segments == [s for delta in cut(text, data) for s in by_delta.push(delta)] + by_delta.flush()


@given(SPLITTERS, TEXTS, st.data())
def test_releases_lose_nothing_and_repeat_nothing(
    make: Callable[[], SentenceSplitter], text: str, data: st.DataObject
) -> None:
    splitter = make()
    segments: list[str] = []

    for delta in cut(text, data):
        segments += splitter.push(delta)
        if data.draw(st.booleans()):
            pending = splitter.pending
            released = splitter.release()
            assert len(released) == 1 if pending == "ended" else len(released) <= 1
            assert pending != "nothing" or not released
            segments += released

    assert "".join(segments + splitter.flush()) == text


@given(SPLITTERS, TEXTS, st.data())
def test_a_release_cuts_no_word(make: Callable[[], SentenceSplitter], text: str, data: st.DataObject) -> None:
    splitter = make()
    for delta in cut(text, data):
        splitter.push(delta)

    released = "".join(splitter.release())
    rest = "".join(splitter.flush())

    assert not (released[-1:].isalnum() and rest[:1].isalnum())


@given(TEXTS)
def test_no_segment_but_the_last_is_white_space_alone(text: str) -> None:
    splitter = SentenceSplitter(longest=5000)

    assert all(segment.strip() for segment in (splitter.push(text) + splitter.flush())[:-1])


@given(TEXTS, st.integers(1, 60))
def test_no_segment_is_longer_than_the_limit(text: str, longest: int) -> None:
    splitter = SentenceSplitter(longest=longest, shortest=1)

    assert all(len(segment) <= longest for segment in splitter.push(text) + splitter.flush())


@pytest.mark.parametrize(
    "unit", ["y", ".", " ", "`", "字", "word ", "(", "```\n", "U.S. ", "- a\n", "« ", "\n"]
)
def test_what_is_held_does_not_grow_with_the_text(unit: str) -> None:
    splitter = SentenceSplitter()
    for character in unit * 2_000:
        splitter.push(character)

    assert len("".join(splitter.flush())) <= 500


def test_time_is_linear_in_a_text_without_stops() -> None:
    def spent(characters: int) -> float:
        splitter = SentenceSplitter()
        gc.collect()
        start = time.process_time()
        for _ in range(characters):
            splitter.push("y")
        return time.process_time() - start

    # Quadratic time would be sixty-four times as much; the least of three runs counts.
    assert min(spent(80_000) for _ in range(3)) < 24 * min(spent(10_000) for _ in range(3))


def test_memory_is_bounded() -> None:
    splitter = SentenceSplitter()
    tracemalloc.start()
    for _ in range(20_000):
        splitter.push("word ")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 100_000
