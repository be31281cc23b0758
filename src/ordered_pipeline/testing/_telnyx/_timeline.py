"""What is heard on a call, and when. Whoever makes sound writes it down here as it is accepted."""

import math
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal, TypeAlias, final

from ordered_pipeline.voice import AudioFormat

SoundKind: TypeAlias = Literal["playback", "speak", "overlay", "media"]

# Less than a sample of any rate, more than what adding up times rounds away.
_NOTHING_S: Final = 1e-6


@dataclass(frozen=True, slots=True)
class PlayedAudio:
    """A stretch of sound without a gap.

    Attributes:
        start_s: When its first sample sounds, on the event loop's clock.
        end_s: When its last one has sounded; infinity while it repeats without end.
        item: The ``command_id`` of the command that played it, or if it had none ``"item-<n>"``; of a media
            stream its ``stream_id``.
        kind: What it is.
        data: Its samples as they sound, cut where it was stopped; nothing for ``speak``, whole for MP3.
        format: How they are to be read, L16 always as ``"s16le"``; None if that is not known here.
    """

    start_s: float
    end_s: float
    item: str
    kind: SoundKind
    data: bytes = field(repr=False)
    format: AudioFormat | None

    @property
    def duration_s(self) -> float:
        """How long it sounds."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class HeardGap:
    """Silence between two sounds, overlays aside."""

    start_s: float
    end_s: float
    before: str
    after: str

    @property
    def duration_s(self) -> float:
        """How long it lasts."""
        return self.end_s - self.start_s


@final
class Run:
    """Sound that is being accepted, and may yet be stopped."""

    def __init__(self, item: str, kind: SoundKind, start_s: float, audio_format: AudioFormat | None) -> None:
        """Begin one."""
        self.item: str = item
        self.kind: SoundKind = kind
        self.start_s: float = start_s
        self.format: AudioFormat | None = audio_format
        # Each with the seconds from the start of the run to its own end.
        self._pieces: list[tuple[float, bytes]] = []
        self._repeats: float = 1

    @property
    def end_s(self) -> float:
        """When all of it has sounded."""
        return self.start_s + self._length_s * self._repeats

    @property
    def _length_s(self) -> float:
        return self._pieces[-1][0] if self._pieces else 0.0

    def add(self, data: bytes, length_s: float) -> None:
        """Go on with *data*; the run is then *length_s* long."""
        self._pieces.append((length_s, data))

    def repeat(self, times: float) -> None:
        """Sound *times* times in all, infinity included."""
        self._repeats = times

    def cut(self, at_s: float) -> None:
        """Be silent from an instant on."""
        if at_s >= self.end_s:
            return
        left_s = max(at_s - self.start_s, 0.0)
        if self._repeats > 1 and self._length_s:
            data, length_s = self.data(), self._length_s
            self._pieces = [(length_s * (n + 1), data) for n in range(math.ceil(left_s / length_s))]
            self._repeats = 1
        kept: list[tuple[float, bytes]] = []
        begin_s = 0.0
        for end_s, data in self._pieces:
            if begin_s >= left_s:
                break
            kept.append(
                (end_s, data) if end_s <= left_s else (left_s, self._shortened(data, left_s - begin_s))
            )
            begin_s = end_s
        self._pieces = kept

    def data(self) -> bytes:
        """Return what it sounds like once."""
        return b"".join(data for _, data in self._pieces)

    def _shortened(self, data: bytes, length_s: float) -> bytes:
        audio_format = self.format
        if audio_format is None or audio_format.is_container:
            return data
        return data[: round(length_s * audio_format.sample_rate_hz) * audio_format.step_bytes]

    def snapshot(self) -> PlayedAudio:
        """Return it as it is now."""
        times = 1 if math.isinf(self._repeats) else int(self._repeats)
        return PlayedAudio(self.start_s, self.end_s, self.item, self.kind, self.data() * times, self.format)


@final
class CallTimeline:
    """All that is heard on one call. What was accepted and is not stopped will sound: it is here already."""

    def __init__(self) -> None:
        """Begin with silence."""
        self._runs: list[Run] = []

    def begin(self, run: Run) -> Run:
        """Write *run* down."""
        self._runs.append(run)
        return run

    @property
    def sounds(self) -> list[PlayedAudio]:
        """What is heard, by when it begins."""
        played = [run.snapshot() for run in self._runs if run.end_s > run.start_s]
        return sorted(played, key=lambda sound: sound.start_s)

    def order(self) -> list[str]:
        """Return the items that are heard, by when they begin; one that sounds twice in a row stands once."""
        items = [sound.item for sound in self.sounds]
        return [item for index, item in enumerate(items) if index == 0 or items[index - 1] != item]

    def gaps(self) -> list[HeardGap]:
        """Return the silences between what is heard, overlays aside."""
        found: list[HeardGap] = []
        last: PlayedAudio | None = None
        for sound in self._main():
            if last is not None and sound.start_s - last.end_s > _NOTHING_S:
                found.append(HeardGap(last.end_s, sound.start_s, last.item, sound.item))
            if last is None or sound.end_s > last.end_s:
                last = sound
        return found

    def overlaps(self) -> list[tuple[PlayedAudio, PlayedAudio]]:
        """Return the neighbours that are heard at once, overlays aside."""
        return [
            (one, other) for one, other in pairwise(self._main()) if one.end_s - other.start_s > _NOTHING_S
        ]

    def data(self) -> bytes:
        """Return all samples that are heard, overlays aside, in one piece."""
        return b"".join(sound.data for sound in self._main())

    def _main(self) -> list[PlayedAudio]:
        return [sound for sound in self.sounds if sound.kind != "overlay"]
