import pytest

from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._terminal import Progress
from ordered_pipeline.cli._turns import Log, turn_name, turn_text
from ordered_pipeline.voice import HeardText, Message, ServiceFailure, Timeline, Turn


class Closed:
    """A terminal that is none."""

    def isatty(self) -> bool:
        return False

    def write(self, _: str) -> int:
        return 0

    def flush(self) -> None:
        pass


def log() -> Log:
    return Log(Progress(Closed()))  # type: ignore[arg-type]  # all that it uses


def turn(index: int = 0, *, said: str = "Hello.", heard: str = "Hi", unheard: str = "") -> Turn:
    return Turn(
        index=index,
        said=said,
        heard=HeardText(heard, unheard, "marks", 0.0),
        timeline=Timeline(origin_s=0.0, turn=index, asked_s=0.0),
        error=None,
    )


def test_a_turn_tells_what_was_said_heard_and_not_heard() -> None:
    text = turn_text(turn(heard="Hi,\nthere.", unheard=" How are you?"), width=60)

    assert text.splitlines()[:3] == [
        "caller:  Hello.",
        "heard:   Hi, there.",
        "unheard: How are you?",
    ]


def test_what_there_was_none_of_is_left_out() -> None:
    assert "caller:" not in turn_text(turn(said=""), width=60)
    assert "heard:" not in turn_text(turn(heard=" "), width=60)


def test_each_turn_has_a_name() -> None:
    assert turn_name(turn(3, said="Hello,\nyou.")) == "Turn 3: Hello, you."
    assert turn_name(turn(said="")) == "Turn 0: the greeting"


@pytest.mark.parametrize(
    ("role", "told", "status"),
    [
        ("stt", "speech-to-text failed: broken", Exit.NO_EARS),
        ("vad", "the voice activity detector failed: broken", Exit.NO_EARS),
        ("llm", "the language model failed: broken", Exit.NO_MIND),
        ("tts", "the voice failed: broken", Exit.NO_VOICE),
        ("player", "the speaker failed: broken", Exit.NO_DEVICE),
    ],
)
def test_a_failure_is_told_and_gives_the_status(
    capsys: pytest.CaptureFixture[str], role: str, told: str, status: Exit
) -> None:
    it = log()

    it.add(ServiceFailure(role=role, error=ValueError("broken"), at_s=1.0))  # type: ignore[arg-type]  # one of them
    it.add(ServiceFailure(role="llm", error=ValueError(), at_s=2.0))
    it.add(turn())

    captured = capsys.readouterr()
    assert captured.err.splitlines() == [
        f"ordered-pipeline: {told}",
        "ordered-pipeline: the language model failed: ValueError()",
    ]
    # The first one counts, and turns are told all the same.
    assert it.status == status
    assert captured.out.startswith("caller:  Hello.\nheard:   Hi\n")


def test_a_failure_of_the_command_ends_it() -> None:
    with pytest.raises(Failure, match=r"^the disk is full$"):
        log().add(ServiceFailure(role="player", error=Failure(Exit.UNWRITABLE, "the disk is full"), at_s=1.0))


def test_an_interruption_tells_what_was_heard_of_the_answer_that_nobody_has_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    it = log()
    it.add(turn())
    it.history = (
        Message("system", "Be brief."),
        Message("user", "Hello."),
        Message("assistant", "Hi"),
        Message("user", "Bye."),
        Message("assistant", "See"),
    )

    it.interrupt()

    captured = capsys.readouterr()
    assert "ordered-pipeline: interrupted" in captured.err
    assert captured.err.rstrip().endswith("heard:   See")
    assert it.status == Exit.INTERRUPTED


def test_an_interruption_between_turns_tells_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    it = log()
    it.add(turn())
    it.history = (Message("user", "Hello."), Message("assistant", "Hi"))

    it.interrupt()

    assert capsys.readouterr().err == "ordered-pipeline: interrupted\n"
