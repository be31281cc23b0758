import pytest

from ordered_pipeline.cli._failures import MEANINGS, Exit, Failure


@pytest.mark.parametrize(
    ("command", "statuses"),
    [
        ("say", [0, 2, 3, 4, 5, 6, 7, 8, 9, 130, 141]),
        ("talk", [0, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 130, 141]),
    ],
)
def test_every_status_of_a_command_has_a_meaning_of_its_own(command: str, statuses: list[int]) -> None:
    meanings = MEANINGS[command]

    assert list(meanings) == statuses
    assert len(set(meanings.values())) == len(statuses)


def test_no_status_is_for_nothing() -> None:
    assert {status for meanings in MEANINGS.values() for status in meanings} == set(Exit)


def test_a_failure_is_a_line_and_a_status() -> None:
    failure = Failure(Exit.NOTHING, "there is no text")

    assert (str(failure), failure.status) == ("there is no text", 3)
