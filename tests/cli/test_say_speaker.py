"""The command as a process that plays to a real sound server, which records what it plays."""

import json
import signal
from pathlib import Path

import pytest

from tests.adapters.sound_server import SoundServer, common_length, wait_until
from tests.cli.commands import say, sound_in, started, write

pytestmark = [pytest.mark.parts, pytest.mark.usefixtures("ahead_of_others")]


def test_the_sentences_sound_as_one_stream_to_the_last_sample(
    sound_server: SoundServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"

    with sound_server.recording() as stop:
        status, out, err = say(
            *("--play", "--out", str(path), "--json"),
            text=b"Hello there. How are you? See you.\n",
            environment=sound_server.environment,
        )
        recorded = stop()

    assert (status, err) == (0, "")
    assert sound_in(path) in recorded
    report = json.loads(out)
    assert (report["played"], report["timeline"]["gaps"]) == (True, [])
    assert len(report["timeline"]["segments"]) == 3


def test_sound_comes_while_text_still_does_and_a_gap_is_told(
    sound_server: SoundServer, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"

    arguments = ("--play", "--out", str(path), "--json", "--prefetch", "1")
    with (
        sound_server.recording() as stop,
        started(*arguments, environment=sound_server.environment) as process,
    ):
        write(process, "Hello there.\n")
        wait_until(lambda: sound_in(path) != b"")
        # The second sentence is written when the first has long been heard: its recording is there.
        wait_until(
            lambda: (
                sound_in(path) in (sound_server.folder / "recording").read_bytes() and bool(sound_in(path))
            )
        )
        first = sound_in(path)
        write(process, "So long.\n")
        out, err = process.communicate(timeout=20)
        recorded = stop()

    assert (process.returncode, err) == (0, b"")
    (gap,) = json.loads(out)["timeline"]["gaps"]
    end_of_first = recorded.index(first) + len(first)
    silence = recorded.index(sound_in(path)[len(first) :]) - end_of_first
    assert not any(recorded[end_of_first : end_of_first + silence])
    assert gap["length_s"] == pytest.approx(silence / 2 / 22050, abs=0.03)


def test_ctrl_c_is_silence_at_once(sound_server: SoundServer, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    arguments = ("--play", "--out", str(path), "--json")
    with (
        sound_server.recording() as stop,
        started(*arguments, environment=sound_server.environment) as process,
    ):
        write(process, "The quick brown fox jumps over the lazy dog near the river. It barks. And")
        # It has been heard for half a second.
        wait_until(lambda: bytes_heard(sound_server, path) > 22050)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        recorded = stop()

    assert process.returncode == 130
    sound = sound_in(path)
    start_of_sound = recorded.index(sound[:2000])
    played = common_length(recorded[start_of_sound:], sound)
    assert 22050 <= played < len(sound)
    assert not any(recorded[start_of_sound + played :])
    heard = json.loads(out)["heard"]
    assert heard["text"].startswith("The quick")
    assert heard["text"] + heard["unheard"] == (
        "The quick brown fox jumps over the lazy dog near the river. It barks. And"
    )
    assert err.decode().splitlines()[1] == f"spoken:     {heard['text']}"


def bytes_heard(sound_server: SoundServer, path: Path) -> int:
    """Return how many bytes of the sound in *path* have been recorded so far."""
    beginning = sound_in(path)[:2000]
    recorded = sound_server.recorded
    place = recorded.find(beginning) if beginning else -1
    return len(recorded) - place if place >= 0 else 0
