"""The command as a process, writing files. `test_say_speaker` has the one that plays."""

import array
import fcntl
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import termios
from functools import partial
from itertools import combinations
from pathlib import Path

import pytest

from tests.adapters.sound_server import wait_until, without_sound
from tests.cli.commands import SAY, say, sound_in, spoken, started, write

SENTENCES = ["The quick brown fox jumps over the lazy dog.", " How are you?", " I am fine.", " See you."]
TEXT = "".join(SENTENCES)


def has_sound(path: Path, nbytes: int) -> bool:
    return len(sound_in(path)) >= nbytes


def test_through_a_slow_pipe_each_sentence_is_spoken_before_the_next_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    expected = b""

    with started("--out", str(path), "--prefetch", "1", "--json") as process:
        for sentence, sound in zip(SENTENCES, spoken(SENTENCES), strict=True):
            write(process, sentence + "\n")
            expected += sound
            wait_until(partial(has_sound, path, len(expected)))
        out, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (0, b"")
    assert sound_in(path) == expected
    report = json.loads(out)
    assert [segment["text"].strip() for segment in report["segments"]] == [s.strip() for s in SENTENCES]
    ready = [segment["text_ready_s"] for segment in report["segments"]]
    assert report["first_audio_s"] < ready[1]
    assert ready == sorted(ready)


def test_the_report_accounts_for_every_sample(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    status, out, err = say("--out", str(path), "--json", TEXT)

    assert (status, err) == (0, "")
    report = json.loads(out)
    segments = report["segments"]
    assert {name: report[name] for name in ("interrupted", "prefetch", "out", "played")} == {
        "interrupted": False,
        "prefetch": 3,
        "out": str(path),
        "played": False,
    }
    assert "".join(segment["text"] for segment in segments) == TEXT
    assert (report["spoken"], report["unspoken"], report["gaps_s"]) == (TEXT, "", [])
    assert report["first_audio_s"] == segments[0]["play_start_s"]
    assert sum(segment["samples"] for segment in segments) == len(sound_in(path)) // 2
    end_s = segments[0]["play_start_s"]
    for index, segment in enumerate(segments):
        assert segment["index"] == index
        assert segment["play_start_s"] == end_s
        end_s = segment["play_end_s"]
        assert round(22050 * (end_s - segment["play_start_s"])) == segment["samples"]
        assert segment["text_ready_s"] <= segment["tts_asked_s"] <= segment["first_chunk_s"]
        assert segment["first_chunk_s"] <= segment["play_start_s"]


def test_the_file_is_the_sentences_in_order_and_nothing_else(tmp_path: Path) -> None:
    """What a copy of the voice says depends on what it said before: some of the earlier sentences."""
    path = tmp_path / "a.wav"

    _, out, _ = say("--out", str(path), "--json", TEXT)

    rest = sound_in(path)
    for index, segment in enumerate(json.loads(out)["segments"]):
        earlier = [said for count in range(index + 1) for said in combinations(SENTENCES[:index], count)]
        possible = {spoken([*said, SENTENCES[index]])[-1] for said in earlier}
        clip, rest = rest[: 2 * segment["samples"]], rest[2 * segment["samples"] :]
        assert clip in possible
    assert rest == b""


def test_the_waterfall_tells_what_happened(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    status, out, err = say("--out", str(path), text=TEXT.encode())

    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["1", "2", "3", "4"]
    assert all("█" in line for line in lines[1:5])
    assert lines[6].startswith("first audio after ")
    assert lines[6].endswith(" s of speech · no gap")
    assert lines[-1] == f"written to {path}; the times are those of a listener who plays it while it grows"
    assert "\x1b" not in out


def test_compare_does_it_the_gather_way_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    status, out, err = say("--out", str(path), "--compare", "--json", TEXT)
    sound = sound_in(path)
    _, table, _ = say("--out", str(path), "--compare", TEXT)

    assert (status, err) == (0, "")
    report = json.loads(out)
    # The file holds the ordered way, once.
    assert sum(segment["samples"] for segment in report["segments"]) == len(sound) // 2
    assert [s["text"] for s in report["gather"]["segments"]] == [s["text"] for s in report["segments"]]
    assert report["gather"]["first_audio_s"] > 0
    assert "  in order " in table
    assert "  gather " in table
    assert table.count("first audio after") == 2


def one_line(err: str) -> str:
    assert err.startswith("ordered-pipeline: ")
    assert err.count("\n") == 1
    return err.removeprefix("ordered-pipeline: ").rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "text", "status", "told"),
    [
        ([], b"", 3, "there is no text: standard input is empty"),
        ([], b" \n", 3, "there is no text: standard input is blank"),
        ([""], b"", 3, "there is no text: TEXT is empty"),
        (["--file", "nowhere"], b"", 4, "'nowhere' cannot be read: No such file or directory"),
        (["--file", "."], b"", 4, "'.' cannot be read: Is a directory"),
        ([], b"\xff", 5, "standard input is not UTF-8 text (byte 0)"),
        (
            ["--out", "nowhere/a.wav"],
            b"Hi.",
            7,
            "'nowhere/a.wav' cannot be written: No such file or directory",
        ),
        (["--out", "/dev/full"], b"Hi.", 7, "'/dev/full' cannot be written: No space left on device"),
    ],
)
def test_what_goes_wrong_is_one_line_and_a_status(
    arguments: list[str], text: bytes, status: int, told: str, tmp_path: Path
) -> None:
    ended, out, err = say(*arguments, text=text, environment=without_sound(tmp_path), folder=tmp_path)

    assert (ended, out, one_line(err)) == (status, "", told)
    assert list(tmp_path.iterdir()) == []


def test_without_a_device_it_says_to_write_a_file(tmp_path: Path) -> None:
    status, out, err = say("Hello.", environment=without_sound(tmp_path))

    assert (status, out) == (6, "")
    assert one_line(err).startswith("no sound device could be opened (")
    assert one_line(err).endswith("; write a file with --out FILE instead")


def test_bytes_that_are_no_text_end_it_after_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    status, out, err = say("--out", str(path), text=b"Hello there. How \xff")

    assert (status, out, one_line(err)) == (5, "", "standard input is not UTF-8 text (byte 17)")
    assert sound_in(path) == spoken(["Hello there."])[0]


def test_a_full_disk_leaves_the_sound_that_fitted(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    # More than the copy of the voice's library takes for a moment, and less than the sound.
    room = 800_000
    sentences = [*SENTENCES, *(f" {sentence}" for sentence in 3 * SENTENCES)]

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    result = subprocess.run(
        [*SAY, "--out", str(path), "--prefetch", "1", "".join(sentences)],
        preexec_fn=little_room,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout) == (7, "")
    assert one_line(result.stderr) == f"'{path}' cannot be written: File too large"
    sound = sound_in(path)
    assert len(sound) == room - 44
    assert b"".join(spoken(sentences)).startswith(sound)


def test_without_an_extra_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['miniaudio'] = None; "
        "from ordered_pipeline.__main__ import main; sys.exit(main(['say', 'Hello.']))"
    )

    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert (result.returncode, result.stdout) == (8, "")
    assert one_line(result.stderr) == (
        "the package of the local speaker is not installed; pip install 'ordered-pipeline[speaker]', "
        "or write a file with --out FILE"
    )


def test_ctrl_c_says_what_was_spoken_and_leaves_a_valid_file(tmp_path: Path) -> None:
    """The pipe stays open: what is read from it would never come."""
    path = tmp_path / "a.wav"
    (tmp_path / "tmp").mkdir()
    expected = spoken(["Hello there."])[0]

    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    with started("--out", str(path), "--prefetch", "1", "--json", environment=environment) as process:
        write(process, "Hello there. And then")
        wait_until(lambda: len(sound_in(path)) == len(expected))
        process.send_signal(signal.SIGINT)
        # Before the pipe is closed.
        process.wait(20)
        out, err = process.communicate()

    assert process.returncode == 130
    assert err.decode().splitlines()[0].startswith("ordered-pipeline: interrupted after 0.9")
    assert err.decode().splitlines()[1:] == ["spoken:     Hello there.", "not spoken: And then"]
    report = json.loads(out)
    assert report["interrupted"]
    assert (report["spoken"], report["unspoken"]) == ("Hello there.", " And then")
    assert sound_in(path) == expected
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.wav", "tmp"]


def test_ctrl_c_before_any_text_is_quick_and_leaves_nothing(tmp_path: Path) -> None:
    with started("--out", str(tmp_path / "a.wav")) as process:
        write(process, "\n")
        wait_until(lambda: is_read(process))
        process.send_signal(signal.SIGINT)
        process.wait(20)
        out, err = process.communicate()

    assert process.returncode == 130
    assert (out, err) == (b"", b"ordered-pipeline: interrupted before anything was spoken\n")
    assert list(tmp_path.iterdir()) == []


def is_read(process: subprocess.Popen[bytes]) -> bool:
    """Tell whether the command has read all that was written into its standard input."""
    assert process.stdin is not None
    unread = array.array("i", [0])
    fcntl.ioctl(process.stdin, termios.FIONREAD, unread)
    return unread[0] == 0


def test_a_killed_process_leaves_a_valid_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    expected = spoken(["Hello there."])[0]

    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with started("--out", str(path), "--prefetch", "1", environment=environment) as process:
        write(process, "Hello there. And then")
        wait_until(lambda: len(sound_in(path)) == len(expected))
        process.kill()

    assert sound_in(path) == expected
    assert list(tmp_path.iterdir()) == [path]


def test_standard_input_may_be_closed(tmp_path: Path) -> None:
    result = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *SAY, "--out", str(tmp_path / "a.wav")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (result.returncode, result.stdout) == (3, "")
    assert one_line(result.stderr) == "there is no text; give TEXT or --file FILE, or write into a pipe"


def test_a_report_that_nobody_reads_is_no_noise(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    with started("--out", str(path)) as process:
        assert process.stdout is not None
        process.stdout.close()
        write(process, "Hello there.")
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)
        assert process.stderr is not None
        err = process.stderr.read()

    assert (process.returncode, err) == (141, b"")
    assert sound_in(path) == spoken(["Hello there."])[0]


def test_a_report_that_finds_no_room_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with open("/dev/full", "wb") as full:  # noqa: PTH123  # a device
        result = subprocess.run(
            [*SAY, "--out", str(path), "Hi."], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )

    assert result.returncode == 7
    assert one_line(result.stderr) == "the report cannot be written: No space left on device"


def test_on_a_terminal_it_shows_where_it_is(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*SAY, "--out", str(tmp_path / "a.wav"), "Hello there. How are you?"],
        stdout=subprocess.DEVNULL,
        stderr=follower,
        stdin=subprocess.DEVNULL,
    )
    process.wait(20)
    shown = os.read(leader, 10_000).decode()
    os.close(leader)
    os.close(follower)

    assert process.returncode == 0
    assert shown.startswith("\rwaiting for text\x1b[K\r▶ 1 of 2 so far: Hello there.\x1b[K")
    assert shown.endswith("How are you?\x1b[K\r\x1b[K")


def test_on_a_terminal_without_text_it_says_what_to_do(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    result = subprocess.run(
        [*SAY, "--out", str(tmp_path / "a.wav")], stdin=follower, capture_output=True, text=True, check=False
    )
    os.close(leader)
    os.close(follower)

    assert result.returncode == 3
    assert one_line(result.stderr) == "there is no text; give TEXT or --file FILE, or write into a pipe"
