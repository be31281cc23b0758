"""The other end of a media stream, as a script: it plays what it gets, and knows which sample sounds when."""

import heapq
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import anyio

from ordered_pipeline.adapters.telnyx import MediaStream
from ordered_pipeline.testing import ScriptedTextToSpeech, scripted_audio
from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, Segment
from ordered_pipeline.wire._telnyx_media import (
    AUTH_TOKEN_HEADER,
    Clear,
    Connected,
    Mark,
    Media,
    MediaCommand,
    MediaFormat,
    MediaMessage,
    Start,
    decode_media_command,
    encode_media_message,
)

TOKEN = "a secret"  # noqa: S105  # of a test
PCMU = AudioFormat("mulaw", 8000)
NOTHING_S = 1e-9


@dataclass
class Stretch:
    """Sound without a gap."""

    start_s: float
    data: bytearray


@dataclass
class Line:
    """A socket whose other end starts a stream at once, and plays what it is sent.

    Attributes:
        latency_s: How long a message is under way, in either direction.
        jitter_s: How long the other end waits before it plays, after silence.
        echo: When marks come back after their time, by their number from 0: none, one or more times.
    """

    headers: Mapping[str, str] = field(default_factory=lambda: {AUTH_TOKEN_HEADER: TOKEN})
    audio_format: AudioFormat = PCMU
    opening: Iterable[MediaMessage] = (
        Connected("1.0.0"),
        Start(call_control_id="v3:a", media_format=MediaFormat("PCMU", 8000)),
    )
    latency_s: float = 0.0
    jitter_s: float = 0.0
    echo: Callable[[int], tuple[float, ...]] = lambda _: (0.0,)
    stretches: list[Stretch] = field(default_factory=list[Stretch])
    sent: list[tuple[float, MediaCommand]] = field(default_factory=list[tuple[float, MediaCommand]])
    # How far the sound that was sent is ahead, when a message comes.
    leads: list[float] = field(default_factory=list[float])
    is_closed: bool = False
    is_stalled: bool = False

    def __post_init__(self) -> None:
        self._inbox: list[tuple[float, int, str | None]] = []
        self._count: int = 0
        self._marks: list[tuple[float, str, tuple[float, ...]]] = []
        self._marked: int = 0
        self._is_sending: bool = False
        self._changed: anyio.Event | None = None
        self._freed: anyio.Event | None = None
        self._ready_s: float = -math.inf
        for message in self.opening:
            self._push(0.0, encode_media_message(message))

    # ------------------------------------------------------------------ the socket

    async def receive_text(self) -> str:
        while True:
            if self.is_closed:
                raise anyio.EndOfStream
            due_s = self._inbox[0][0] if self._inbox else math.inf
            if due_s <= anyio.current_time() + NOTHING_S:
                text = heapq.heappop(self._inbox)[2]
                if text is None:
                    self._close()
                    raise anyio.EndOfStream
                return text
            self._changed = anyio.Event()
            with anyio.CancelScope(deadline=due_s):
                await self._changed.wait()

    async def send_text(self, text: str) -> None:
        assert not self._is_sending
        self._is_sending = True
        try:
            await self._send(text)
        finally:
            self._is_sending = False

    async def aclose(self) -> None:
        self._close()

    # ------------------------------------------------------------------ the other end

    def give(self, message: MediaMessage | str, at_s: float = 0.0) -> None:
        """Send *message* at an instant."""
        text = message if isinstance(message, str) else encode_media_message(message)
        self._push(at_s, text)

    def go_on(self) -> None:
        """Take messages again."""
        self.is_stalled = False
        if self._freed is not None:
            self._freed.set()

    def drop(self, at_s: float = 0.0) -> None:
        """Close the socket at an instant."""
        self._push(at_s, None)

    def heard(self) -> bytes:
        """Return all that has sounded or will."""
        return b"".join(bytes(stretch.data) for stretch in self.stretches)

    def silent_from_s(self) -> float:
        """Return when all sound is over."""
        last = self.stretches[-1]
        return last.start_s + self.audio_format.duration_s(len(last.data))

    async def _send(self, text: str) -> None:
        while self.is_stalled and not self.is_closed:
            self._freed = anyio.Event()
            await self._freed.wait()
        if self.is_closed:
            raise anyio.BrokenResourceError
        await anyio.lowlevel.checkpoint()
        command = decode_media_command(text)
        now_s = anyio.current_time() + self.latency_s
        self.sent.append((anyio.current_time(), command))
        match command:
            case Media():
                self._play(now_s, command.payload)
            case Mark():
                times = self.echo(self._marked)
                self._marked += 1
                at_s = max(self._ready_s, now_s)
                self._marks.append((at_s, command.name, times))
                for late_s in times:
                    self.give(Mark(command.name), at_s + self.latency_s + late_s)
            case Clear():
                self._clear(now_s)

    def _play(self, now_s: float, data: bytes) -> None:
        if now_s <= self._ready_s + NOTHING_S:
            self.stretches[-1].data += data
        else:
            self._ready_s = now_s + self.jitter_s
            self.stretches.append(Stretch(self._ready_s, bytearray(data)))
        stretch = self.stretches[-1]
        self._ready_s = stretch.start_s + self.audio_format.duration_s(len(stretch.data))
        self.leads.append(self._ready_s - self.jitter_s - now_s)

    def _clear(self, now_s: float) -> None:
        for stretch in self.stretches:
            samples = max(
                0, math.floor((now_s - stretch.start_s + NOTHING_S) * self.audio_format.sample_rate_hz)
            )
            del stretch.data[samples * self.audio_format.step_bytes :]
        self.stretches = [stretch for stretch in self.stretches if stretch.data]
        self._ready_s = -math.inf
        pending = [mark for mark in self._marks if mark[0] > now_s]
        names = {encode_media_message(Mark(name)) for _, name, _ in pending}
        self._inbox = [entry for entry in self._inbox if entry[2] not in names]
        heapq.heapify(self._inbox)
        for _, name, times in pending:
            for late_s in times:
                self.give(Mark(name), now_s + self.latency_s + late_s)

    def _close(self) -> None:
        self.is_closed = True
        self._wake()
        if self._freed is not None:
            self._freed.set()

    def _push(self, at_s: float, text: str | None) -> None:
        heapq.heappush(self._inbox, (at_s, self._count, text))
        self._count += 1
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()


def stream_on(line: Line) -> MediaStream:
    """Return a stream that lets the line in."""
    return MediaStream(line, auth_token=TOKEN, audio_format=line.audio_format)


def noise(seconds: float, seed: int = 0) -> bytes:
    """Return mu-law sound no byte of which is silence, and every place of which is different."""
    state, data = 12345 + seed, bytearray()
    for _ in range(round(seconds * 8000)):
        state = (state * 1103515245 + 12345) % 2**31
        data.append(state >> 16 & 0x7E)
    return bytes(data)


def clip_of(*data: bytes, is_whole: bool = True, audio_format: AudioFormat = PCMU) -> Clip:
    """Return a clip of these chunks, with or without its end."""
    clip = Clip(Segment(0, "Hello."), audio_format, [AudioChunk(piece) for piece in data])
    if is_whole:
        clip.end()
    return clip


def said_by(tts: ScriptedTextToSpeech) -> bytes:
    """Return all that a voice made of its segments, each asked for once, at its usual speed."""
    segments = sorted((request.segment for request in tts.requests), key=lambda segment: segment.index)
    return b"".join(scripted_audio(segment, tts.format, 0.0625 * len(segment.text)) for segment in segments)
