"""How a media stream plays what a bot sends: as a number of seconds that is still to sound, and marks in it.

Rules kept here:

1. Sound plays at the codec's rate from when it comes; what comes before the last of it has sounded follows
   without a gap.
2. A mark comes back when what was sent before it has sounded: at once if that is so already.
3. ``clear`` ends all sound now, and all marks come back, in order.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from ordered_pipeline.testing._telnyx._agenda import Agenda
from ordered_pipeline.testing._telnyx._faults import MarkFault, Rules
from ordered_pipeline.testing._telnyx._files import BadFileError, read_mp3
from ordered_pipeline.testing._telnyx._options import TelnyxReadings, TelnyxTiming
from ordered_pipeline.testing._telnyx._timeline import CallTimeline, Run
from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.wire._telnyx_l16 import in_byteorder
from ordered_pipeline.wire._telnyx_media import (
    INVALID_MEDIA,
    MALFORMED_FRAME,
    RATE_LIMIT_REACHED,
    Clear,
    Mark,
    Media,
    TelnyxMessageError,
    TelnyxPayloadError,
    decode_media_command,
)

_FRAME_S: Final = 0.02
_MOST_CHUNK_S: Final = 30.0
_MESSAGE_S: Final = 1.0
# What adding up times rounds away is no gap.
_ROUNDING_S: Final = 1e-9
# G.722 has 64 kbit/s, whatever its rate is said to be.
_G722_BYTES_A_SECOND: Final = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayoutFormat:
    """What a bot sends.

    Attributes:
        mode: ``"rtp"``, a codec's bytes, or ``"mp3"``, whole files.
        codec: Such as ``"PCMU"``.
        sample_rate_hz: Of the codec.
    """

    mode: str
    codec: str
    sample_rate_hz: int

    @property
    def audio_format(self) -> AudioFormat | None:
        """How samples are written down; None if the codec is not read here."""
        match self.mode, self.codec:
            case "rtp", "PCMU":
                return AudioFormat("mulaw", self.sample_rate_hz)
            case "rtp", "PCMA":
                return AudioFormat("alaw", self.sample_rate_hz)
            case "rtp", "L16":
                return AudioFormat("s16le", self.sample_rate_hz)
            case _:
                return None


@dataclass(eq=False, slots=True)
class _Waiting:
    name: str
    is_done: bool = False


@final
class Playout:
    """Plays what one media stream brings."""

    def __init__(
        self,
        agenda: Agenda,
        *,
        timing: TelnyxTiming,
        readings: TelnyxReadings,
        timeline: CallTimeline,
        item: str,
        sent: PlayoutFormat,
        faults: Rules[MarkFault],
        on_mark: Callable[[str], None],
        on_error: Callable[[int, str, str], None],
        on_overflow: Callable[[], None],
    ) -> None:
        """Begin in silence. *on_error* gets an error's code, title and detail."""
        self._agenda: Agenda = agenda
        self._timing: TelnyxTiming = timing
        self._readings: TelnyxReadings = readings
        self._timeline: CallTimeline = timeline
        self._item: str = item
        self._sent: PlayoutFormat = sent
        self._format: AudioFormat | None = sent.audio_format
        self._faults: Rules[MarkFault] = faults
        self._on_mark: Callable[[str], None] = on_mark
        self._on_error: Callable[[int, str, str], None] = on_error
        self._on_overflow: Callable[[], None] = on_overflow
        self._run: Run | None = None
        self._run_samples: int = 0
        self._run_s: float = 0.0
        self._marks: deque[_Waiting] = deque()
        self._last_message_s: float = -math.inf
        # How often sound was wanted and none was there, after there had been some.
        self.underruns: int = 0
        self.is_cleared: bool = True

    def receive(self, message: str) -> None:
        """Take what the bot sent."""
        try:
            command = decode_media_command(message)
        except TelnyxPayloadError as error:
            self._on_error(INVALID_MEDIA, "invalid_media", str(error))
            return
        except TelnyxMessageError as error:
            self._on_error(MALFORMED_FRAME, "malformed_frame", str(error))
            return
        match command:
            case Media():
                self._play(command.payload)
            case Mark():
                self._mark(command.name)
            case Clear():
                self.clear()

    def clear(self) -> None:
        """Be silent, and return all marks."""
        self.stop()
        while self._marks:
            self._reach(self._marks[0])

    def stop(self) -> None:
        """Be silent."""
        if self._run is not None:
            self._run.cut(self._agenda.now_s)
        self._run = None
        self.is_cleared = True

    def _play(self, payload: bytes) -> None:
        if self._sent.mode == "mp3":
            self._play_file(payload)
            return
        length_s = self._length_s(payload)
        if length_s is None or (
            self._readings.short_chunks == "refused"
            and not _FRAME_S - _ROUNDING_S <= length_s <= _MOST_CHUNK_S + _ROUNDING_S
        ):
            detail = f"a chunk must be whole samples of 20 ms to 30 s, got {len(payload)} bytes"
            self._on_error(MALFORMED_FRAME, "malformed_frame", detail)
            return
        is_l16 = self._sent.codec == "L16"
        self._accept(in_byteorder(payload, self._readings.l16_byteorder) if is_l16 else payload, length_s)

    def _play_file(self, payload: bytes) -> None:
        if self._agenda.now_s - self._last_message_s < _MESSAGE_S - _ROUNDING_S:
            self._on_error(RATE_LIMIT_REACHED, "rate_limit_reached", "Too many requests")
            return
        self._last_message_s = self._agenda.now_s
        try:
            file = read_mp3(payload)
        except BadFileError:
            return  # raw audio in this mode is not heard, and nothing says so
        self._accept(file.data, file.duration_s)

    def _accept(self, data: bytes, length_s: float) -> None:
        if self._left_s() + length_s > self._readings.media_buffer_s + _ROUNDING_S:
            if self._readings.media_overflow == "closed":
                self._on_overflow()
            return
        run = self._run
        if run is None or self._agenda.now_s > run.end_s + _ROUNDING_S:
            self.underruns += not self.is_cleared
            start_s = self._agenda.now_s + self._timing.jitter_buffer_s
            run = self._run = self._timeline.begin(Run(self._item, "media", start_s, self._format))
            self._run_samples, self._run_s = 0, 0.0
        self.is_cleared = False
        if self._format is None:
            self._run_s += length_s
        else:
            # Counted in samples: adding up seconds would drift.
            self._run_samples += self._format.samples_per_channel(len(data))
            self._run_s = self._run_samples / self._format.sample_rate_hz
        run.add(data, self._run_s)

    def _left_s(self) -> float:
        return 0.0 if self._run is None else max(self._run.end_s - self._agenda.now_s, 0.0)

    def _length_s(self, payload: bytes) -> float | None:
        """Return how long *payload* sounds; None if it ends inside a sample."""
        if self._format is not None:
            whole = len(payload) % self._format.step_bytes == 0 and bool(payload)
            return self._format.duration_s(len(payload)) if whole else None
        # A message is one frame of the other codecs.
        return len(payload) / _G722_BYTES_A_SECOND if self._sent.codec == "G722" else _FRAME_S

    def _mark(self, name: str) -> None:
        waiting = _Waiting(name)
        self._marks.append(waiting)
        if self._left_s() > 0 and self._run is not None:
            self._agenda.at(self._run.end_s, lambda: self._reach(waiting))
        else:
            self._reach(waiting)

    def _reach(self, waiting: _Waiting) -> None:
        if waiting.is_done:
            return
        waiting.is_done = True
        self._marks.remove(waiting)
        faults = self._faults.met_by(waiting.name)
        if any(fault.is_swallowed for fault in faults):
            return
        delay_s = sum(fault.delay_s for fault in faults)
        for _ in range(1 + sum(fault.copies for fault in faults)):
            if delay_s:
                self._agenda.after(delay_s, lambda: self._on_mark(waiting.name))
            else:
                self._on_mark(waiting.name)
