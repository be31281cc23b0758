from ordered_pipeline.cli._failures import MEANINGS, Exit, Failure


def test_every_status_has_a_number_and_a_meaning_of_its_own() -> None:
    assert sorted(MEANINGS) == sorted(Exit)
    assert len(set(MEANINGS.values())) == len(Exit)
    assert [int(status) for status in Exit] == [0, 2, 3, 4, 5, 6, 7, 8, 9, 130, 141]


def test_a_failure_is_a_line_and_a_status() -> None:
    failure = Failure(Exit.NO_TEXT, "there is no text")

    assert (str(failure), failure.status) == ("there is no text", 3)
