"""`ordered-pipeline` as a process of its own."""

import os
import subprocess
import sys
import wave
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import anyio

from ordered_pipeline.adapters.espeak import Espeak
from ordered_pipeline.voice import Segment

# A warning would be a second line on standard error, and a traceback here.
COMMAND = (sys.executable, "-W", "error", "-m", "ordered_pipeline")
SAY = (*COMMAND, "say")


@contextmanager
def started(
    *arguments: str,
    command: str = "say",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command with pipes at its ends, and see to it that it ends with the block."""
    with subprocess.Popen(
        [*COMMAND, command, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**(environment or os.environ), "COLUMNS": "100"},
        cwd=folder,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def say(
    *arguments: str,
    text: bytes = b"",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> tuple[int, str, str]:
    """Run the command to its end and return its status, its output and its complaints."""
    with started(*arguments, environment=environment, folder=folder) as process:
        out, err = process.communicate(text, timeout=60)
    return process.returncode, out.decode(), err.decode()


def write(process: subprocess.Popen[bytes], text: str) -> None:
    """Write into the command's standard input, which stays open."""
    assert process.stdin is not None
    process.stdin.write(text.encode())
    process.stdin.flush()


def sound_in(path: Path) -> bytes:
    """Return the samples of a WAV file; none as long as there is none."""
    try:
        with wave.open(str(path)) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (22050, 1, 2)
            return bytes(file.readframes(file.getnframes()))
    except (FileNotFoundError, EOFError):
        return b""


def spoken(texts: Sequence[str]) -> list[bytes]:
    """Return what the voice says, one text after another: the same as in any process that says the same."""

    async def main() -> list[bytes]:
        async with Espeak(concurrency=1) as voice:
            return [
                b"".join([chunk.data async for chunk in voice.synthesize(Segment(index, text))])
                for index, text in enumerate(texts)
            ]

    return anyio.run(main)
