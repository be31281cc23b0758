import pytest

from ordered_pipeline.cli._arguments import SayOptions, TalkOptions, parse


def test_say_plays_standard_input_three_segments_in_flight() -> None:
    assert parse(["say"]) == SayOptions(
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

    assert parse(arguments) == SayOptions(
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
    said = parse(["say", "Hello."])
    assert isinstance(said, SayOptions)
    assert said.text == "Hello."


def test_talk_is_with_eliza_by_microphone_and_speaker() -> None:
    assert parse(["talk"]) == TalkOptions(
        wav=None,
        out=None,
        voice="espeak",
        llm=None,
        model=None,
        key_from=None,
        system=None,
        greeting="",
        barge_in=True,
        html=None,
    )


def test_everything_else_can_be_talked_with() -> None:
    arguments = [
        "talk",
        "--wav",
        "a.wav",
        "--out",
        "b.wav",
        "--voice",
        "piper",
        "--llm",
        "http://localhost:8080/v1",
        "--model",
        "smollm2",
        "--key-from",
        "MY_KEY",
        "--system",
        "Be brief.",
        "--greeting",
        "Hello.",
        "--no-barge-in",
        "--html",
        "c.html",
    ]

    assert parse(arguments) == TalkOptions(
        wav="a.wav",
        out="b.wav",
        voice="piper",
        llm="http://localhost:8080/v1",
        model="smollm2",
        key_from="MY_KEY",
        system="Be brief.",
        greeting="Hello.",
        barge_in=False,
        html="c.html",
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["sing"], "invalid choice: 'sing'"),
        (["say", "--prefetch", "0", "Hello."], "--prefetch: must be a whole number from 1 up, got '0'"),
        (["say", "--prefetch", "1.5", "Hello."], "--prefetch: must be a whole number from 1 up, got '1.5'"),
        (["say", "--file", "a.txt", "Hello."], "not allowed with argument"),
        (["talk", "Hello."], "unrecognized arguments: Hello."),
        (["talk", "--voice", "mine"], "--voice: invalid choice: 'mine'"),
        (["talk", "--llm", "http://localhost"], "talk: error: --llm needs --model"),
        (["talk", "--model", "smollm2"], "talk: error: --model needs --llm"),
        (["talk", "--key-from", "MY_KEY"], "talk: error: --key-from needs --llm"),
        (["talk", "--system", "Be brief."], "talk: error: --system needs --llm"),
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


def test_help_says_when_barge_in_is_not_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(["talk", "--help"])

    assert raised.value.code == 0
    helped = " ".join(capsys.readouterr().out.split())
    assert "for a loudspeaker that the microphone hears" in helped
    assert " 3 nobody spoke 4 unreadable file 6 no sound device " in helped
