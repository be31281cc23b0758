import pytest

from ordered_pipeline.cli._arguments import Options, parse


def test_say_plays_standard_input_three_segments_in_flight() -> None:
    assert parse(["say"]) == Options(
        text=None,
        file=None,
        out=None,
        play=False,
        prefetch=3,
        json=False,
        compare=False,
        html=None,
        trace=None,
    )


def test_everything_can_be_asked_for() -> None:
    arguments = [
        "say",
        "--file",
        "a.txt",
        "--out",
        "b.wav",
        "--play",
        "--prefetch",
        "7",
        "--json",
        "--compare",
        "--html",
        "c.html",
        "--trace",
        "d.json",
    ]

    assert parse(arguments) == Options(
        text=None,
        file="a.txt",
        out="b.wav",
        play=True,
        prefetch=7,
        json=True,
        compare=True,
        html="c.html",
        trace="d.json",
    )
    assert parse(["say", "Hello."]).text == "Hello."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["sing"], "invalid choice: 'sing'"),
        (["say", "--prefetch", "0", "Hello."], "--prefetch: must be a whole number from 1 up, got '0'"),
        (["say", "--prefetch", "1.5", "Hello."], "--prefetch: must be a whole number from 1 up, got '1.5'"),
        (["say", "--file", "a.txt", "Hello."], "not allowed with argument"),
    ],
)
def test_wrong_arguments_are_told(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(arguments)

    assert raised.value.code == 2
    assert told in capsys.readouterr().err


def test_help_names_every_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(["say", "--help"])

    assert raised.value.code == 0
    helped = capsys.readouterr().out
    assert "some-llm | ordered-pipeline say" in helped
    assert "\n  7   output cannot be written\n  8   an extra is not installed\n" in helped
