"""Silences inside a clip, found while its audio comes in, at the cost of looking at few of its samples.

Rules kept here:

1. A frame, one sample of each channel, is quiet if every sample fits in 8 signed bits: -128 to 127 of 32768,
   below -48 dBFS. Voices leave less noise than that in their pauses, and it can be told without arithmetic,
   by comparing the high bytes with what the signs of the low bytes make of them.
2. A silence of *n* frames that begins at *s* has the frame at *s + n - 1* in it. While that one is loud, *n*
   frames are passed over by one look.
3. Whether a stretch is quiet is asked of its bytes at once; single frames are found by halving.
"""

from collections.abc import Callable
from typing import Final, TypeAlias, final

from ordered_pipeline.voice._audio import AudioFormat
from ordered_pipeline.wire._g711 import alaw_to_s16, mulaw_to_s16

_IsQuiet: TypeAlias = Callable[[bytes], bool]

# What the high byte is beside a low byte if the sample fits in 8 signed bits.
_SIGNS: Final = bytes(128) + b"\xff" * 128
# Few enough for a waveform's passage through zero to be seen as one, enough to outweigh the price of a look.
_FIRST_LOOK: Final = 16


@final
class SilenceFinder:
    """Finds the silences of one clip: push its audio, and take them at the end."""

    def __init__(self, audio_format: AudioFormat, *, least_s: float = 0.1) -> None:
        """Begin with the clip's first sample.

        Args:
            audio_format: How the audio is to be read. In containers nothing is found.
            least_s: The shortest silence that counts, in seconds.
        """
        self._is_quiet: _IsQuiet | None = _is_quiet_in(audio_format)
        self._rate_hz: int = audio_format.sample_rate_hz
        self._least: int = max(1, round(least_s * audio_format.sample_rate_hz))
        self._frame_bytes: int = 1 if audio_format.is_container else audio_format.step_bytes
        self._found: list[tuple[float, float]] = []
        # What is pending begins at frame number `_offset`, and all before it is done with. Where a silence is
        # open, it began at `_silent_from`.
        self._pending: bytes = b""
        self._offset: int = 0
        self._silent_from: int | None = None

    def push(self, data: bytes) -> bool:
        """Take the next bytes of the clip; return whether there is any silence so far."""
        if self._is_quiet is not None:
            # A large chunk is not copied for the few frames before it.
            self._pending = self._pending + data if self._pending else data
            if self._silent_from is not None or len(self._pending) >= self._least * self._frame_bytes:
                self._search(self._is_quiet)
        return self._silent_from is not None or bool(self._found)

    def finish(self) -> tuple[tuple[float, float], ...]:
        """Return all silences so far as start and length in seconds, from the clip's first sample."""
        if self._silent_from is None:
            return tuple(self._found)
        return *self._found, self._silence(self._silent_from, self._offset)

    def _search(self, is_quiet: _IsQuiet) -> None:
        """Search what is pending, as far as it tells."""
        pending, frame_bytes = self._pending, self._frame_bytes
        frames = len(pending) // frame_bytes
        start = 0
        while True:
            if self._silent_from is not None:
                start = _first_loud(pending, start, frames, frame_bytes, is_quiet)
                if start == frames:
                    break
                self._close(self._offset + start)
                start += 1
            end = start + self._least
            if end > frames:
                break
            if not is_quiet(pending[(end - 1) * frame_bytes : end * frame_bytes]):
                start = end
                continue
            after_loud = _after_last_loud(pending, start, end, frame_bytes, is_quiet)
            if after_loud == start:
                self._silent_from, start = self._offset + start, end
            else:
                start = after_loud
        self._pending = pending[start * frame_bytes :]
        self._offset += start

    def _close(self, end: int) -> None:
        assert self._silent_from is not None  # noqa: S101  # for the type checker
        self._found.append(self._silence(self._silent_from, end))
        self._silent_from = None

    def _silence(self, start: int, end: int) -> tuple[float, float]:
        return start / self._rate_hz, (end - start) / self._rate_hz


def _is_quiet_in(audio_format: AudioFormat) -> _IsQuiet | None:
    if audio_format.is_container:
        return None
    if audio_format.encoding == "s16le":
        return _is_quiet_s16
    decode = mulaw_to_s16 if audio_format.encoding == "mulaw" else alaw_to_s16
    samples = decode(bytes(range(256)))
    quiet = bytes(code for code in range(256) if _SIGNS[samples[2 * code]] == samples[2 * code + 1])
    return lambda data: not data.translate(None, quiet)


def _is_quiet_s16(data: bytes) -> bool:
    return data[::2].translate(_SIGNS) == data[1::2]


def _first_loud(data: bytes, start: int, end: int, frame_bytes: int, is_quiet: _IsQuiet) -> int:
    """Return the first frame from *start* on that is not quiet, or *end*."""
    look = _FIRST_LOOK
    while start < end:
        stop = min(start + look, end)
        if is_quiet(data[start * frame_bytes : stop * frame_bytes]):
            start, look = stop, 2 * look
        elif stop == start + 1:
            return start
        else:
            look = (stop - start) // 2
    return end


def _after_last_loud(data: bytes, start: int, end: int, frame_bytes: int, is_quiet: _IsQuiet) -> int:
    """Return the frame after the last one before *end* that is not quiet, or *start*."""
    look = _FIRST_LOOK
    while start < end:
        stop = max(end - look, start)
        if is_quiet(data[stop * frame_bytes : end * frame_bytes]):
            end, look = stop, 2 * look
        elif stop == end - 1:
            return end
        else:
            look = (end - stop) // 2
    return start
