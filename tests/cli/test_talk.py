"""The command with scripted parts, in virtual time; other files have real ones."""

import re
import signal
import wave
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from ordered_pipeline.cli._arguments import TalkOptions, parse
from ordered_pipeline.cli._failures import Exit
from ordered_pipeline.cli._talk import talk
from ordered_pipeline.testing import (
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedSpeechToText,
    ScriptedTextToSpeech,
    SpeechScript,
    run_in_virtual_time,
    scripted_audio,
)
from ordered_pipeline.voice import (
    AudioFormat,
    LanguageModel,
    Message,
    Segment,
    SpeechToText,
    TextToSpeech,
    Transcript,
    VoiceActivity,
)

LINE = AudioFormat("s16le", 8000)


class Silent:
    """A detector that never hears anybody."""

    async def detect(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[VoiceActivity]:
        async for _ in audio:
            pass
        return
        yield


class Talk(Protocol):
    def __call__(
        self,
        *arguments: str,
        said: Sequence[tuple[float, Transcript]] = (),
        stt: SpeechToText | None = None,
        llm: LanguageModel | None = None,
        tts: TextToSpeech | None = None,
    ) -> Exit: ...


@pytest.fixture
def run_talk_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Talk:
    """Return what runs the command with scripted parts, in virtual time."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("ordered_pipeline.cli._talk.run", run_in_virtual_time)
    monkeypatch.chdir(tmp_path)

    def give(name: str, part: object) -> None:
        @asynccontextmanager
        async def open_part(*_: object, **__: object) -> AsyncGenerator[object, None]:
            yield part

        monkeypatch.setattr(f"ordered_pipeline.cli._talk.{name}", open_part)

    def run(
        *arguments: str,
        said: Sequence[tuple[float, Transcript]] = (),
        stt: SpeechToText | None = None,
        llm: LanguageModel | None = None,
        tts: TextToSpeech | None = None,
    ) -> Exit:
        give("open_ears", (stt or ScriptedSpeechToText(said), Silent(), LINE))
        give("open_mind", llm or ScriptedLanguageModel("I see."))
        give("open_voice", tts or ScriptedTextToSpeech())
        options = parse(["talk", *arguments])
        assert isinstance(options, TalkOptions)
        return talk(options)

    return run


def write_wav(path: Path, length_s: float) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(round(16_000 * length_s)))


def sound_in(path: Path) -> bytes:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        return bytes(file.readframes(file.getnframes()))


def said(text: str, end_s: float) -> tuple[float, Transcript]:
    """Return that the ears are sure of *text* a fifth of a second after its end."""
    return end_s + 0.2, Transcript(text, "final", start_s=end_s - 0.5, end_s=end_s)


def test_what_is_said_in_one_file_is_answered_in_the_other(
    run_talk_here: Talk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_wav(tmp_path / "in.wav", 5)

    status = run_talk_here(
        *("--wav", "in.wav", "--out", "out.wav"),
        said=[said("Hello.", 0.8), said("How are you?", 2.8)],
        llm=ScriptedLanguageModel("Hello. Who are you?", "I am fine."),
    )

    captured = capsys.readouterr()
    assert (status, captured.err) == (Exit.DONE, "")
    turns = [line.rstrip() for line in captured.out.splitlines() if re.match(r"(caller|heard|  turn)", line)]
    assert [re.sub(r"  +text .*", "", line) for line in turns] == [
        "caller:  Hello.",
        "heard:   Hello. Who are you?",
        "  turn 0",
        "caller:  How are you?",
        "heard:   I am fine.",
        "  turn 1",
    ]
    sound = sound_in(tmp_path / "out.wav")
    # Each answer stands where it is heard: 1.0 s and 3.0 s after the beginning, and ends with its last word.
    answers = [
        b"".join(
            scripted_audio(Segment(index, text, turn=turn), LINE, len(text) / 16)
            for index, text in enumerate(texts)
        )
        for turn, texts in enumerate((("Hello.", " Who are you?"), ("I am fine.",)))
    ]
    first, second = 16_000, 48_000
    assert len(sound) == 80_000
    assert sound == (
        bytes(first)
        + answers[0]
        + bytes(second - first - len(answers[0]))
        + answers[1]
        + bytes(80_000 - second - len(answers[1]))
    )


def test_the_greeting_comes_first_and_can_be_interrupted(
    run_talk_here: Talk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_wav(tmp_path / "in.wav", 4)

    status = run_talk_here(
        *("--wav", "in.wav", "--out", "out.wav", "--greeting", "Good morning. What can I do for you?"),
        said=[(0.5, Transcript("", "speech_started")), said("Hello.", 1.8)],
    )

    out = capsys.readouterr().out
    assert status == Exit.DONE
    heard, unheard = re.findall(r"^(?:heard|unheard): +(.*)$", out, re.MULTILINE)[:2]
    assert f"{heard} {unheard}" == "Good morning. What can I do for you?"
    assert "interrupted at 0.500 s" in out
    # Nothing of it sounds after that.
    assert not any(sound_in(tmp_path / "out.wav")[8_000:32_000])


def test_without_barge_in_the_ears_hear_nothing_while_an_answer_sounds(
    run_talk_here: Talk, tmp_path: Path
) -> None:
    class Listening:
        """Speech-to-text that keeps what it hears, and takes a first noise for a question."""

        def __init__(self) -> None:
            self.heard = b""

        async def transcribe(self, audio: AsyncIterable[bytes], /) -> AsyncIterator[Transcript]:
            async for frame in audio:
                if not self.heard.strip(b"\0") and frame.strip(b"\0"):
                    yield Transcript("What?", "final")
                self.heard += frame

    with wave.open(str(tmp_path / "in.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\1\1" * 24_000)
    stt = Listening()

    assert run_talk_here("--wav", "in.wav", "--out", "out.wav", "--no-barge-in", stt=stt) == Exit.DONE

    sounds = sound_in(tmp_path / "out.wav").strip(b"\0")
    assert len(sounds) > 4000
    assert stt.heard.count(b"\0") == pytest.approx(len(sounds), abs=2 * 320)


def test_all_turns_stand_on_one_page(run_talk_here: Talk, tmp_path: Path) -> None:
    write_wav(tmp_path / "in.wav", 5)

    run_talk_here(
        *("--wav", "in.wav", "--out", "out.wav", "--html", "page.html"),
        said=[said("Hello.", 0.8), said("<b>Bye.</b>", 2.8)],
    )

    page = (tmp_path / "page.html").read_text("utf-8")
    assert "Turn 0: Hello." in page
    assert "Turn 1: &lt;b&gt;Bye.&lt;/b&gt;" in page


def test_a_service_that_fails_is_told_and_the_conversation_goes_on(
    run_talk_here: Talk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_wav(tmp_path / "in.wav", 8)

    status = run_talk_here(
        *("--wav", "in.wav", "--out", "out.wav"),
        said=[said("Hello.", 0.8), said("Are you there?", 5.0)],
        llm=ScriptedLanguageModel(ReplyScript(error=ValueError("no idea")), "Yes."),
    )

    captured = capsys.readouterr()
    assert status == Exit.NO_MIND
    assert captured.err == "ordered-pipeline: the language model failed: no idea\n"
    assert re.findall(r"^heard: +(.*)$", captured.out, re.MULTILINE) == [
        "I am sorry, I have no answer to that.",
        "Yes.",
    ]


def test_a_voice_that_fails_is_told(
    run_talk_here: Talk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_wav(tmp_path / "in.wav", 3)

    status = run_talk_here(
        *("--wav", "in.wav", "--out", "out.wav"),
        said=[said("Hello.", 0.8)],
        tts=ScriptedTextToSpeech(SpeechScript(breaks_after_s=0.0, error=ValueError("hoarse"))),
    )

    assert status == Exit.NO_VOICE
    assert "ordered-pipeline: the voice failed: hoarse\n" in capsys.readouterr().err


def test_a_file_in_which_nobody_speaks_is_told(
    run_talk_here: Talk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_wav(tmp_path / "in.wav", 1)

    assert run_talk_here("--wav", "in.wav", "--out", "out.wav") == Exit.NOTHING

    told = "ordered-pipeline: nobody spoke: no words were heard in 'in.wav'\n"
    assert capsys.readouterr().err == told
    # The file is valid all the same, and as long as what was heard.
    assert sound_in(tmp_path / "out.wav") == bytes(16_000)


def test_ctrl_c_ends_the_conversation_and_tells_what_was_heard(
    run_talk_here: Talk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_wav(tmp_path / "in.wav", 60)

    class Interrupting:
        """A language model before whose second answer somebody presses Ctrl-C."""

        async def reply(self, messages: Sequence[Message], /) -> AsyncIterator[str]:
            if len(messages) > 1:
                signal.raise_signal(signal.SIGINT)
            yield "I see."

    status = run_talk_here(
        *("--wav", "in.wav", "--out", "out.wav"),
        said=[said("Hello.", 0.8), said("Bye.", 5.0)],
        llm=Interrupting(),
    )

    captured = capsys.readouterr()
    assert (status, captured.err) == (Exit.INTERRUPTED, "ordered-pipeline: interrupted\n")
    assert re.findall(r"^heard: +(.*)$", captured.out, re.MULTILINE) == ["I see."]


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [
        (b"", Exit.NOTHING, "nobody speaks: "),
        (b"Hello.", Exit.NO_WAV, "cannot be heard: "),
        (None, Exit.UNREADABLE, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_heard_is_told_before_anything_is_loaded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes | None, status: Exit, told: str
) -> None:
    path = tmp_path / "in.wav"
    if content is not None:
        path.write_bytes(content)
    options = parse(["talk", "--wav", str(path), "--out", str(tmp_path / "out.wav")])
    assert isinstance(options, TalkOptions)

    assert talk(options) == status

    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_a_page_that_cannot_be_written_is_told_before_anybody_speaks(
    run_talk_here: Talk, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_wav(tmp_path / "in.wav", 60)

    status = run_talk_here("--wav", "in.wav", "--out", "out.wav", "--html", "nowhere/page.html")

    assert status == Exit.UNWRITABLE
    assert "nowhere/page.html" in capsys.readouterr().err
