"""What media streams of Telnyx cost when many calls are in one process, and how late their frames are.

How it measures:

1. Each call hears speech without a pause, frames of 20 ms of PCMU, while a frame of caller audio comes each
   20 ms and is read, as long as the speech sounds. Calls begin at random instants within a second.
2. The sockets are in memory and take what they are given: what a WebSocket costs depends on the server, and
   comes on top. What comes in was made before.
3. `line` does nothing but wait and send what was made before; it is the floor. `ours` is `MediaStream`, with
   speech and ears in PCMU; `ours, converted` has both in 16 bit samples of 8 kHz. `pipecat` has them so, too:
   it is its serializer for Telnyx, without its pipeline, paced as its transport for WebSockets is: 40 ms at a
   time, twice as fast as it sounds. It has an environment of its own, made when it is not there.
4. The processor's share is CPU time of the whole process, of one core, all calls together.
5. Late is how much later than due a frame is sent; it is not heard while it is less than the lead, 0.2 s.
   Two frames of ours are due when the first of them is. pipecat has no such time. Ahead is how much audio
   more than has sounded is at Telnyx: what a caller who barges in would still hear without a ``clear``.

Run it: ``python benchmarks/telnyx_media.py``, on a quiet machine, a minute; the first time it needs a package
index, and two minutes more. In seconds: ``python benchmarks/telnyx_media.py --quick --only line ours``.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

import anyio
import frameworks

from ordered_pipeline.adapters.telnyx import MediaStream
from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, Segment, convert_audio
from ordered_pipeline.voice._convert import converter
from ordered_pipeline.wire._telnyx_media import (
    Connected,
    Media,
    Start,
    encode_media,
    encode_media_message,
)

PCMU: Final = AudioFormat("mulaw", 8000)
PCM: Final = AudioFormat("s16le", 8000)
FRAME_S: Final = 0.02
LEAD_S: Final = 0.2
FRAME: Final = bytes(range(160))
CHUNK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run showed: CPU time by time, milliseconds of 99 % of all frames and of all, seconds."""

    share: float
    late_ms: float | None
    latest_ms: float | None
    ahead_s: float


class Line:
    """A socket that takes everything and notes when, and gives a frame of caller audio each 20 ms."""

    headers: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.opening: list[str] = [
            encode_media_message(Start(call_control_id="v3:a")),
            encode_media_message(Connected()),
        ]
        # All that comes is made before the clock runs.
        self.frames: list[str] = [
            encode_media_message(Media(FRAME, "inbound", chunk=n + 1)) for n in range(50)
        ]
        self.received: int = 0
        self.start_s: float | None = None
        self.sent: list[tuple[float, int]] = []

    async def receive_text(self) -> str:
        if self.opening:
            return self.opening.pop()
        now_s = time.perf_counter()
        if self.start_s is None:
            self.start_s = now_s
        await asyncio.sleep(self.start_s + self.received * FRAME_S - now_s)
        self.received += 1
        return self.frames[self.received % 50]

    async def send_text(self, text: str, /) -> None:
        # The audio in the message, in bytes: base64 has four characters for three.
        self.sent.append((time.perf_counter(), (len(text) - 42) * 3 // 4))

    async def aclose(self) -> None:
        pass

    def ahead_s(self) -> float:
        """Return the most audio that was there and had not sounded, when a message came."""
        most_s = end_s = 0.0
        for sent_s, size in self.sent:
            end_s = max(end_s, sent_s) + size / 8000
            most_s = max(most_s, end_s - sent_s)
        return most_s

    def late_s(self, *, together: int) -> list[float]:
        """Return how late each frame was, by the first; so many are due with the first of them."""
        first_s = self.sent[0][0]
        return [
            sent_s - max(first_s, first_s + (n - n % together) * FRAME_S - LEAD_S)
            for n, (sent_s, _) in enumerate(self.sent)
        ]


async def only_the_line(line: Line, seconds: float) -> list[float]:
    async def hear() -> None:
        while True:
            await line.receive_text()

    message = encode_media(FRAME)
    async with asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(hear())
        start_s = time.perf_counter()
        for n in range(round(seconds / FRAME_S)):
            await asyncio.sleep(start_s + n * FRAME_S - LEAD_S - time.perf_counter())
            await line.send_text(message)
        hearing.cancel()
    return line.late_s(together=1)


async def ours(line: Line, seconds: float) -> list[float]:
    speech = FRAME * round(CHUNK_S / FRAME_S)
    return await spoken(line, lambda: speech, seconds)


async def converted(line: Line, seconds: float) -> list[float]:
    to_line = converter(PCM, PCMU)
    assert to_line is not None
    speech = bytes(round(CHUNK_S * PCM.sample_rate_hz) * PCM.step_bytes)
    return await spoken(line, lambda: to_line.convert(speech), seconds, ears=PCM)


async def spoken(
    line: Line, chunk: Callable[[], bytes], seconds: float, *, ears: AudioFormat = PCMU
) -> list[float]:
    """Have *line* hear what *chunk* makes, while *ears* listen."""

    async def hear(stream: MediaStream) -> None:
        audio = stream.caller_audio()
        async for _ in audio if ears == PCMU else convert_audio(audio, PCMU, to=ears):
            pass

    # As by a voice that is four times as fast as its speech.
    async def say(clip: Clip) -> None:
        for _ in range(round(seconds / CHUNK_S)):
            await clip.put(AudioChunk(chunk()))
            await asyncio.sleep(CHUNK_S / 4)
        clip.end()

    async with MediaStream(line, auth_token=None, lead_s=LEAD_S) as stream, asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(hear(stream))
        clip = Clip(Segment(0, "Hello."), PCMU)
        tasks.create_task(say(clip))
        await stream.play(clip)
        await anyio.sleep(seconds)
        hearing.cancel()
    # The last message is the mark.
    del line.sent[round(seconds / FRAME_S) :]
    return line.late_s(together=2)


async def pipecat(line: Line, seconds: float) -> list[float]:
    from pipecat.frames.frames import OutputAudioRawFrame  # noqa: PLC0415  # in its environment alone
    from pipecat.processors.frame_processor import FrameProcessorSetup  # noqa: PLC0415
    from pipecat.serializers.telnyx import TelnyxFrameSerializer  # noqa: PLC0415

    serializer = TelnyxFrameSerializer(
        stream_id="s",
        outbound_encoding="PCMU",
        inbound_encoding="PCMU",
        params=TelnyxFrameSerializer.InputParams(auto_hang_up=False),
    )
    # Of what it is told it wants the rate alone.
    await serializer.setup(FrameProcessorSetup(None, None, None, audio_in_sample_rate=8000))

    async def hear() -> None:
        while True:
            await serializer.deserialize(await line.receive_text())

    async with asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(hear())
        # What its pipeline has is 16 bit samples.
        frame = OutputAudioRawFrame(bytes(640), 8000, 1)
        next_s = 0.0
        end_s = time.perf_counter() + seconds
        for _ in range(round(seconds / (2 * FRAME_S))):
            text = await serializer.serialize(frame)
            assert isinstance(text, str)
            await line.send_text(text)
            pause_s = max(0.0, next_s - time.perf_counter())
            await asyncio.sleep(pause_s)
            next_s = next_s + FRAME_S if pause_s else time.perf_counter() + FRAME_S
        await asyncio.sleep(end_s - time.perf_counter())
        hearing.cancel()
    return []


CONTENDERS: Final[dict[str, Callable[[Line, float], Awaitable[list[float]]]]] = {
    "line": only_the_line,
    "ours": ours,
    "ours, converted": converted,
    "pipecat": pipecat,
}
# What it has in benchmarks/frameworks.py, and this package, whose sockets are measured.
PIPECAT: Final = frameworks.Contender(
    "telnyx_media",
    "pipecat-ai",
    (*frameworks.CONTENDERS["pipecat"].requirements, "--editable", f"{frameworks.ROOT}[telnyx]"),
)


def measure(name: str, calls: int, seconds: float) -> Figures:
    """Return what *calls* calls at once cost in this process, which does nothing else."""
    lines = [Line() for _ in range(calls)]
    late_s: list[float] = []
    starts = random.Random(0)  # noqa: S311  # no secret

    async def call(line: Line, begin_s: float) -> None:
        await asyncio.sleep(begin_s)
        late_s.extend(await CONTENDERS[name](line, seconds))

    async def crowd() -> None:
        async with asyncio.TaskGroup() as tasks:
            for line in lines:
                tasks.create_task(call(line, starts.random()))

    cpu_s, wall_s = time.process_time(), time.perf_counter()
    asyncio.run(crowd())
    share = (time.process_time() - cpu_s) / (time.perf_counter() - wall_s)
    late_s.sort()
    return Figures(
        share=share,
        late_ms=late_s[len(late_s) * 99 // 100] * 1000 if late_s else None,
        latest_ms=late_s[-1] * 1000 if late_s else None,
        ahead_s=max(line.ahead_s() for line in lines),
    )


def measure_here(name: str, calls: int, seconds: float) -> None:
    """Print what *calls* calls cost as JSON, in the last line."""
    named = f"{name} {version('pipecat-ai')}" if name == "pipecat" else name
    print("\n" + json.dumps({named: asdict(measure(name, calls, seconds))}))


def measure_there(python: Path, name: str, calls: int, seconds: float) -> dict[str, Figures]:
    """Return what *calls* calls cost in a process of another Python, by the contender's full name."""
    command = [str(python), "-W", "ignore", __file__, "--measure", name, str(calls), str(seconds)]
    ran = subprocess.run(  # noqa: S603  # this script
        command, check=False, stdout=subprocess.PIPE, text=True, timeout=10 * seconds + 60
    )
    if ran.returncode:
        sys.exit(f"{name} could not be measured")
    return {named: Figures(**row) for named, row in json.loads(ran.stdout.splitlines()[-1]).items()}


def table(figures: Mapping[str, Figures]) -> str:
    """Return the figures as a Markdown table."""

    def shown(late_ms: float | None) -> str:
        return "–" if late_ms is None else f"{late_ms:.1f} ms"

    rows = [
        f"| {name} | {row.share:.0%} | {shown(row.late_ms)} | {shown(row.latest_ms)} | {row.ahead_s:.2f} s |"
        for name, row in figures.items()
    ]
    head = "| | of a core | late, p99 | at most | ahead, at most |"
    return "\n".join([head, "|---|--:|--:|--:|--:|", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=200, help="calls at once (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each is (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="10 calls of 1 s")
    parser.add_argument(
        "--only", nargs="+", choices=[*CONTENDERS], default=[*CONTENDERS], help="contenders (all)"
    )
    parser.add_argument("--environments", type=Path, help="the folder for them (one for temporary files)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--measure", nargs=3, metavar=("CONTENDER", "CALLS", "SECONDS"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.measure:
        name, calls, seconds = options.measure
        measure_here(name, int(calls), float(seconds))
        return
    calls, seconds = (10, 1.0) if options.quick else (options.calls, options.seconds)
    folder = options.environments or Path(tempfile.gettempdir()) / "ordered-pipeline-frameworks"
    pythons = {
        name: frameworks.environment(folder, PIPECAT) if name == "pipecat" else Path(sys.executable)
        for name in options.only
    }
    figures: dict[str, Figures] = {}
    for name in options.only:
        figures |= measure_there(pythons[name], name, calls, seconds)
    if options.json:
        print(json.dumps({name: asdict(row) for name, row in figures.items()}))
    else:
        print(f"{calls} calls\n\n{table(figures)}")


if __name__ == "__main__":
    main()
