import pytest

from ordered_pipeline.cli._ledger import Gap, Ledger, SegmentReport
from ordered_pipeline.cli._text import Delta
from ordered_pipeline.voice import AudioChunk, AudioFormat, Block, Word

FORMAT = AudioFormat("s16le", 10)


def chunk(samples: int, *words: Word) -> AudioChunk:
    return AudioChunk(bytes(2 * samples), words)


def two_sentences() -> Ledger:
    """Return a ledger begun at 100 s: "Oh, you." sounds from 101 to 103 s, and " Hi." from 104 s on."""
    ledger = Ledger(FORMAT, 100.0)
    ledger.read(Delta(100.25, "Oh, you. "))
    ledger.found("Oh, you.", 100.25)
    ledger.asked(0, 100.5)
    ledger.answered(0, chunk(12, Word("Oh", 0.0, 0.75)), 100.75)
    ledger.answered(0, chunk(8, Word("you", 1.0, 1.5)), 101.0)
    ledger.made(0)
    ledger.wrote(0, Block(12, 0))
    ledger.wrote(0, Block(8, 12))
    ledger.read(Delta(103.0, "Hi.\n"))
    ledger.found(" Hi.", 103.0)
    ledger.read_all(103.5)
    ledger.asked(1, 103.5)
    ledger.answered(1, chunk(5, Word("Hi", 0.0, 0.5)), 104.0)
    ledger.made(1)
    ledger.wrote(1, Block(5, 30))
    return ledger


def test_times_count_from_the_beginning() -> None:
    ledger = two_sentences()
    ledger.stopped(101.0, None)

    report = ledger.report()

    assert report.segments == (
        SegmentReport(0, "Oh, you.", 0.25, 0.5, 0.75, 1.0, 3.0, 20),
        SegmentReport(1, " Hi.", 3.0, 3.5, 4.0, 4.0, 4.5, 5),
    )
    assert report.gaps == (Gap(3.0, 1.0, 1),)
    assert (report.first_audio_s, report.end_s, report.speech_s, report.text_end_s) == (1.0, 4.5, 2.5, 3.5)


def test_a_gap_inside_a_sentence_counts_as_well() -> None:
    ledger = Ledger(FORMAT, 0.0)
    ledger.found("Oh.", 0.0)
    ledger.wrote(0, Block(5, 0))
    ledger.wrote(0, Block(5, 7))
    ledger.stopped(1.0, None)

    assert ledger.report().gaps == (Gap(1.5, 0.2, 0),)


def test_all_that_was_heard_was_spoken() -> None:
    ledger = two_sentences()
    ledger.stopped(101.0, None)

    assert (ledger.report().spoken, ledger.report().unspoken) == ("Oh, you. Hi.\n", "")


@pytest.mark.parametrize(
    ("heard", "spoken"),
    [
        (0, ""),
        (7, ""),
        (8, "Oh"),
        (15, "Oh, you"),
        (19, "Oh, you"),
        (20, "Oh, you."),
        (34, "Oh, you."),
        (35, "Oh, you. Hi.\n"),
    ],
)
def test_a_word_was_spoken_once_it_was_over(heard: int, spoken: str) -> None:
    ledger = two_sentences()
    ledger.stopped(101.0, heard)

    report = ledger.report()

    assert report.spoken == spoken
    assert report.spoken + report.unspoken == "Oh, you. Hi.\n"


def test_what_was_not_heard_has_no_time() -> None:
    ledger = two_sentences()
    ledger.stopped(101.0, 15)

    report = ledger.report()

    assert report.segments == (
        SegmentReport(0, "Oh, you.", 0.25, 0.5, 0.75, 1.0, 2.5, 15),
        SegmentReport(1, " Hi.", 3.0, 3.5, 4.0, None, None, 0),
    )
    assert report.gaps == ()


def test_a_sentence_of_which_more_was_to_come_is_not_spoken_yet() -> None:
    ledger = Ledger(FORMAT, 0.0)
    ledger.read(Delta(0.0, "Oh, you."))
    ledger.found("Oh, you.", 0.0)
    ledger.answered(0, chunk(10, Word("Oh", 0.0, 0.5)), 0.0)
    ledger.wrote(0, Block(10, 0))
    ledger.stopped(0.0, 10)

    assert (ledger.report().spoken, ledger.report().unspoken) == ("Oh", ", you.")


def test_where_nothing_sounded_there_is_nothing_to_tell() -> None:
    ledger = Ledger(FORMAT, 0.0)
    ledger.read(Delta(0.0, "Oh"))

    report = ledger.report()

    assert (report.first_audio_s, report.end_s, report.speech_s, report.segments) == (None, 0.0, 0.0, ())
    assert (report.spoken, report.unspoken) == ("", "Oh")


def test_what_was_read_is_kept_to_be_said_again() -> None:
    ledger = two_sentences()

    assert ledger.deltas == (Delta(0.25, "Oh, you. "), Delta(3.0, "Hi.\n"))
    assert (ledger.text_end_s, ledger.count) == (3.5, 2)
