"""Each example runs as a reader would run it, and ends with the line that the table of examples shows."""

import importlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from pathlib import Path

import pytest

from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.testing.telnyx import TelnyxReadings

EXAMPLES = Path(__file__).parents[2] / "examples"

# A row: in the first cell a link to the script, in the last cell, as code, the last line that it prints.
ROW = re.compile(r"^\| *\[.*?\]\((?P<script>[^)]+\.py)\).*\| *`(?P<last>[^|]+)` *\|$", re.MULTILINE)

TABLE = {row["script"]: row["last"] for row in ROW.finditer((EXAMPLES / "README.md").read_text("utf-8"))}


def test_the_table_names_every_example() -> None:
    assert sorted(TABLE) == sorted(path.name for path in EXAMPLES.glob("[0-9]*.py"))


@pytest.mark.parametrize("script", TABLE)
def test_an_example_ends_with_the_line_in_the_table(script: str) -> None:
    command = [sys.executable, "-W", "error", script]
    ran = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1] == TABLE[script]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param((), r"\(something\)", id="loudness"),
        pytest.param(("--ears", "moonshine"), r".*\bat home\b.*", id="moonshine", marks=pytest.mark.parts),
    ],
)
def test_the_telephone_bot_is_heard_without_a_gap_hears_and_can_be_interrupted(
    arguments: tuple[str, ...], said: str
) -> None:
    command = [sys.executable, "-W", "error", "telnyx_call.py", *arguments]
    ran = subprocess.run(command, cwd=EXAMPLES, capture_output=True, text=True, timeout=110, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    _, greeting, answer, _, lengths = ran.stdout.splitlines()
    # She has barged in before its end.
    assert re.fullmatch(r"The caller said '' and heard 'Good morning, [^']*(?<!neighbour\.)'\.", greeting)
    assert re.fullmatch(rf"The caller said '{said}' and heard .+\.", answer)
    assert re.fullmatch(
        r"On the line there were 2 stretches of sound without a gap: \d\.\d\d s, \d\.\d\d s", lengths
    )


@pytest.mark.parametrize(
    ("readings", "answers"),
    [
        pytest.param(
            TelnyxReadings(),
            {
                "prepare": "on_enqueue",
                "client_state": "item",
                "ended_for_never_started": "yes",
                "stop_on_empty": "accepted",
                "overlay_alone": "refused",
                "duplicate_reply": "accepted",
                "most_content_bytes": "at least 2048 kB",
                "rate_limit": "100000",
                "caller_codec": "PCMU",
                "refused_while_streaming": "nothing",
                "short_chunks": "tolerated",
                "error_shape": "current",
                "after_error": "open",
                "obeys_stream_codec": "yes",
                "l16_byteorder": "little",
                "media_buffer_s": "at least 18 s",
                "media_overflow": "not told",
                "mark_delay": "0.00 s",
                "opposite_alone": "heard",
                "lost_socket": "goes_on",
            },
            id="usual",
        ),
        pytest.param(
            TelnyxReadings(
                prepare="on_head",
                client_state="latest",
                ended_for_never_started=False,
                stop_on_empty="refused",
                overlay_alone="accepted",
                duplicate_reply="refused",
                refused_while_streaming=frozenset({"playback_start", "speak"}),
                short_chunks="refused",
                error_shape="legacy",
                after_error="closed",
                l16_byteorder="big",
                media_buffer_s=5.0,
                most_content_bytes=300_000,
                opposite_alone="silent",
                lost_socket="connects",
            ),
            {
                "prepare": "on_head",
                "client_state": "latest",
                "ended_for_never_started": "no",
                "stop_on_empty": "refused",
                "overlay_alone": "accepted",
                "duplicate_reply": "refused",
                "refused_while_streaming": "playback_start, speak",
                "short_chunks": "refused",
                "error_shape": "legacy",
                "after_error": "closed",
                "obeys_stream_codec": "yes",
                "l16_byteorder": "big",
                "media_buffer_s": "about 5 s",
                "media_overflow": "dropped",
                "most_content_bytes": "at least 256 kB",
                "opposite_alone": "silent",
                "lost_socket": "connects",
            },
            id="opposite",
        ),
        pytest.param(
            TelnyxReadings(
                after_error="closed",
                obeys_stream_codec=False,
                media_buffer_s=5.0,
                media_overflow="closed",
                lost_socket="connects",
            ),
            {
                "short_chunks": "tolerated",
                "error_shape": "current",
                "after_error": "closed",
                "obeys_stream_codec": "no",
                "l16_byteorder": "not told",
                "media_buffer_s": "about 5 s",
                "media_overflow": "closed",
                "opposite_alone": "heard",
                "lost_socket": "connects",
            },
            id="streams that break",
        ),
        pytest.param(TelnyxReadings(lost_socket="ends"), {"lost_socket": "ends"}, id="calls that break"),
    ],
)
def test_the_probe_finds_out_what_telnyx_does(
    readings: TelnyxReadings, answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    probe = importlib.import_module("telnyx_probe")

    facts = run_in_virtual_time(probe.simulate, readings)

    assert sorted(fact.name for fact in facts) == sorted(probe.QUESTIONS)
    assert {fact.name: fact.answer for fact in facts if fact.name in answers} == answers


SERVERS = pytest.mark.parametrize(
    "command", [("telnyx_call.py", "serve"), ("telnyx_probe.py", "live")], ids=lambda command: command[0]
)
KEYS = {"TELNYX_API_KEY": "KEY", "TELNYX_PUBLIC_KEY": b64encode(bytes(range(32))).decode()}


@SERVERS
@pytest.mark.parametrize("missing", KEYS)
def test_a_server_without_a_key_says_which(command: tuple[str, str], missing: str) -> None:
    environment = {name: value for name, value in {**os.environ, **KEYS}.items() if name != missing}
    ran = subprocess.run(
        [sys.executable, *command, "8080"],
        cwd=EXAMPLES, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert ran.returncode == 1
    assert re.fullmatch(rf"{missing} must be set, to what Telnyx's portal shows; .+\n", ran.stderr)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@SERVERS
def test_a_server_ends_at_an_interrupt_and_shows_no_traceback(command: tuple[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, *command, str(port)],
        cwd=EXAMPLES, env={**os.environ, **KEYS}, stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        while not listens(port):
            assert server.poll() is None
            time.sleep(0.05)
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=30)

    assert server.returncode == 1
    assert "Traceback" not in said
