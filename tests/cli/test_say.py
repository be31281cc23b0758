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

from ordered_pipeline.voice import Timeline
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
    timeline = json.loads(out)["timeline"]
    assert [segment["text"].strip() for segment in timeline["segments"]] == [s.strip() for s in SENTENCES]
    ready = [segment["text_ready_s"] for segment in timeline["segments"]]
    assert timeline["first_audio_s"] < ready[1]
    assert ready == sorted(ready)


def test_the_report_accounts_for_every_sample(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    status, out, err = say("--out", str(path), "--json", TEXT)

    assert (status, err) == (0, "")
    report = json.loads(out)
    assert {name: report[name] for name in ("interrupted", "prefetch", "out", "played", "heard")} == {
        "interrupted": False,
        "prefetch": 3,
        "out": str(path),
        "played": False,
        "heard": {"text": TEXT, "unheard": "", "method": "marks", "error_s": 0.0},
    }
    assert json.loads(Timeline.from_dict(report["timeline"]).to_json()) == report["timeline"]
    segments = report["timeline"]["segments"]
    assert "".join(segment["text"] for segment in segments) == TEXT
    assert report["timeline"]["gaps"] == []
    assert report["timeline"]["first_audio_s"] == segments[0]["started_s"]
    assert sum(samples(segment) for segment in segments) == len(sound_in(path)) // 2
    end_s = segments[0]["started_s"]
    for index, segment in enumerate(segments):
        assert segment["index"] == index
        assert segment["started_s"] == pytest.approx(end_s, abs=1e-6)
        end_s = segment["ended_s"]
        assert round(22050 * (end_s - segment["started_s"])) == samples(segment)
        assert segment["text_ready_s"] <= segment["tts_asked_s"] <= segment["first_audio_s"]
        assert segment["first_audio_s"] <= segment["started_s"]


def samples(segment: dict[str, float]) -> int:
    assert segment["played_s"] == segment["audio_s"]
    return round(22050 * segment["played_s"])


def test_the_file_is_the_segments_in_order_and_nothing_else(tmp_path: Path) -> None:
    """What a copy of the voice says depends on what it said before: some of the earlier segments."""
    path = tmp_path / "a.wav"

    _, out, _ = say("--out", str(path), "--json", TEXT)

    rest = sound_in(path)
    segments = json.loads(out)["timeline"]["segments"]
    texts = [segment["text"] for segment in segments]
    for index, segment in enumerate(segments):
        earlier = [said for count in range(index + 1) for said in combinations(texts[:index], count)]
        possible = {spoken([*said, texts[index]])[-1] for said in earlier}
        clip, rest = rest[: 2 * samples(segment)], rest[2 * samples(segment) :]
        assert clip in possible
    assert rest == b""


def test_the_waterfall_tells_what_happened(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    status, out, err = say("--out", str(path), text=TEXT.encode())

    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["0", "1", "2", "3"]
    assert all("█" in line for line in lines[1:5])
    assert lines[6].startswith("first audio after ")
    assert "no gap" in lines
    assert lines[-1] == f"written to {path}; the times are those of a listener who plays it while it grows"
    assert "\x1b" not in out


def test_compare_does_it_the_gather_way_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    status, out, err = say("--out", str(path), "--compare", "--json", TEXT)
    sound = sound_in(path)
    _, table, _ = say("--out", str(path), "--compare", TEXT)

    assert (status, err) == (0, "")
    report = json.loads(out)
    ordered, gathered = report["timeline"]["segments"], report["gather"]["timeline"]["segments"]
    # The file holds the ordered way, once.
    assert sum(samples(segment) for segment in ordered) == len(sound) // 2
    assert [segment["text"] for segment in gathered] == [segment["text"] for segment in ordered]
    last_audio_s = max(segment["first_audio_s"] for segment in gathered)
    assert report["gather"]["timeline"]["first_audio_s"] == gathered[0]["started_s"]
    assert last_audio_s - gathered[0]["first_audio_s"] < 0.05
    assert "  in order " in table
    assert "  gather " in table
    assert table.count("first audio after") == 2


def test_the_page_and_the_trace_hold_every_way(tmp_path: Path) -> None:
    html, trace = tmp_path / "a.html", tmp_path / "a.json"
    files = ("--out", str(tmp_path / "a.wav"), "--html", str(html), "--trace", str(trace))

    status, _, err = say(*files, "--compare", TEXT)

    assert (status, err) == (0, "")
    page = html.read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "in order" in page
    assert "gather" in page
    names = [
        event["args"]["name"]
        for event in json.loads(trace.read_text("utf-8"))["traceEvents"]
        if event["name"] == "process_name"
    ]
    assert names == ["in order", "gather"]


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
        (["--html", "nowhere/a"], b"Hi.", 7, "'nowhere/a' cannot be written: No such file or directory"),
        (["--trace", "."], b"Hi.", 7, "'.' cannot be written: Is a directory"),
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

    status, out, err = say("--out", str(path), "--prefetch", "1", text=b"Hello there. How \xff")

    assert (status, out, one_line(err)) == (5, "", "standard input is not UTF-8 text (byte 17)")
    # What was there is said, though a word may be cut.
    assert sound_in(path) == b"".join(spoken(["Hello there.", " How "]))


def test_a_page_that_finds_no_room_is_told_after_the_report(tmp_path: Path) -> None:
    status, out, err = say("--out", str(tmp_path / "a.wav"), "--html", "/dev/full", "Hi.")

    assert (status, one_line(err)) == (7, "'/dev/full' cannot be written: No space left on device")
    assert "first audio after" in out


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
    page = ("--html", str(tmp_path / "a.html"))
    with started("--out", str(path), "--prefetch", "1", "--json", *page, environment=environment) as process:
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
    assert (report["heard"]["text"], report["heard"]["unheard"]) == ("Hello there.", " And then")
    assert report["timeline"]["interrupted_s"] > 0
    assert sound_in(path) == expected
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.html", "a.wav", "tmp"]


def test_ctrl_c_before_any_text_is_quick_and_leaves_nothing(tmp_path: Path) -> None:
    page = ("--html", str(tmp_path / "a.html"))
    with started("--out", str(tmp_path / "a.wav"), *page) as process:
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
    assert shown == ("\rwaiting for text\x1b[K\r▶ 1: Hello there.\x1b[K\r▶ 2: How are you?\x1b[K\r\x1b[K")


def test_on_a_terminal_without_text_it_says_what_to_do(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    result = subprocess.run(
        [*SAY, "--out", str(tmp_path / "a.wav")], stdin=follower, capture_output=True, text=True, check=False
    )
    os.close(leader)
    os.close(follower)

    assert result.returncode == 3
    assert one_line(result.stderr) == "there is no text; give TEXT or --file FILE, or write into a pipe"
