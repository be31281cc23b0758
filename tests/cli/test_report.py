import json

import pytest

from ordered_pipeline.cli._ledger import Gap, Report, SegmentReport
from ordered_pipeline.cli._report import as_data, in_encoding, summary, waterfall

REPORT = Report(
    segments=(
        SegmentReport(0, "The first sentence.", 0.0, 0.0, 0.5, 0.5, 2.0, 33075),
        SegmentReport(1, " The second.", 0.5, 0.5, 1.0, 2.0, 3.0, 22050),
        SegmentReport(2, " The third, late.", 3.25, 3.25, 3.5, 3.5, 4.0, 11025),
        SegmentReport(3, " Never said.", 3.5, None, None, None, None, 0),
    ),
    gaps=(Gap(3.0, 0.5, 2),),
    text_end_s=3.5,
    spoken="The first sentence. The second. The third, late.",
    unspoken=" Never said.",
)
NOTHING = Report((), (), None, "", "Oh")


def test_a_waterfall_has_a_line_for_each_sentence() -> None:
    assert waterfall(REPORT, title="in order", width=86, end_s=4.0).splitlines() == [
        "  in order                   text    tts  audio          sound  0 s              4.0 s",
        "1 The first sentence.       0.000  0.000  0.500  0.500 – 2.000  ░░░████████",
        "2 The second.               0.500  0.500  1.000  2.000 – 3.000     ░░░▒▒▒▒▒█████",
        "3 The third, late.          3.250  3.250  3.500  3.500 – 4.000                    ░███",
        "4 Never said.               3.500",
        "  ░ text waits for its audio   ▒ audio waits for its turn   █ sound",
    ]


def test_where_there_is_no_room_there_are_no_bars() -> None:
    assert waterfall(REPORT, title="", width=56, end_s=4.0).splitlines() == [
        "                       text    tts  audio          sound",
        "1 The first sentenc…  0.000  0.000  0.500  0.500 – 2.000",
        "2 The second.         0.500  0.500  1.000  2.000 – 3.000",
        "3 The third, late.    3.250  3.250  3.500  3.500 – 4.000",
        "4 Never said.         3.500",
    ]


@pytest.mark.parametrize("width", range(40, 200))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = waterfall(REPORT, title="in order", width=width, end_s=4.0).splitlines()

    assert max(map(len, lines)) <= max(width, 50)


def test_a_sound_that_is_shorter_than_a_column_is_seen() -> None:
    report = Report((SegmentReport(0, "Hi.", 0.0, 0.0, 0.0, 0.0, 0.001, 22),), (), 0.0, "Hi.", "")

    assert waterfall(report, title="", width=100, end_s=4.0).splitlines()[1].endswith("0.000 – 0.001  █")


def test_the_summary_tells_the_first_sound_and_every_gap() -> None:
    assert summary(REPORT) == (
        "first audio after 0.500 s · 3 sentences, 3.000 s of speech · 1 gap: 0.500 s before 3"
    )
    assert summary(NOTHING) == "no sound"


def test_no_gap_is_told_as_well() -> None:
    report = Report(REPORT.segments[:1], (), 0.0, "The first sentence.", "")

    assert summary(report) == "first audio after 0.500 s · 1 sentence, 1.500 s of speech · no gap"


def test_the_data_are_json_with_microseconds() -> None:
    report = Report((SegmentReport(0, "Hi.", 0.1234567, 0.2, None, None, None, 0),), (), None, "", "Hi.")

    assert json.loads(json.dumps(as_data(report))) == {
        "first_audio_s": None,
        "gaps_s": [],
        "speech_s": 0.0,
        "text_end_s": None,
        "spoken": "",
        "unspoken": "Hi.",
        "segments": [
            {
                "index": 0,
                "text": "Hi.",
                "text_ready_s": 0.123457,
                "tts_asked_s": 0.2,
                "first_chunk_s": None,
                "play_start_s": None,
                "play_end_s": None,
                "samples": 0,
            }
        ],
    }
    assert as_data(REPORT)["gaps_s"] == [0.5]


def test_output_that_has_no_blocks_gets_plain_characters() -> None:
    assert in_encoding("░▒█ 你 é", "latin-1") == ".-# ? é"
    assert in_encoding("░▒█ é", "utf-8") == "░▒█ é"
    assert in_encoding("a – b", "ascii") == "a - b"
