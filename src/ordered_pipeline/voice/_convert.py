"""Conversion of audio between the formats of voices and players, chunk by chunk.

Rules kept here:

1. A clip has a converter of its own. It is given chunks cut anywhere, and gives whole samples only.
2. The steps are: unpack a container, decode to 16 bit, mix down, change the rate, mix up, encode, pack; each
   only where it is needed. What a step holds back comes out when the clip ends.
3. Nothing but the change of the rate needs a package, and that is loaded at the first such clip.
"""

import struct
import warnings
from collections.abc import Callable, Sequence
from typing import Final, Protocol, final

from ordered_pipeline.voice._audio import AudioFormat
from ordered_pipeline.wire._g711 import alaw_to_s16, mulaw_to_s16, s16_to_alaw, s16_to_mulaw
from ordered_pipeline.wire._wav import WavError, WavReader, wav_header

_DECODERS: Final = {"mulaw": mulaw_to_s16, "alaw": alaw_to_s16}
_ENCODERS: Final = {"mulaw": s16_to_mulaw, "alaw": s16_to_alaw}


class _Step(Protocol):
    def __call__(self, data: bytes, /, *, is_last: bool) -> bytes:
        """Return what comes of the next bytes."""
        ...


class AudioError(ValueError):
    """Audio is not what its format says, or cannot be made into what is wanted."""


def choose_format(source: AudioFormat, accepted: Sequence[AudioFormat]) -> AudioFormat:
    """Return the format in which a player that takes *accepted* is to be given audio made in *source*.

    That is *source* itself if it is accepted, or if nothing is listed. Else it is what keeps most: the same
    rate, or the nearest higher one, or the highest lower one; of those the same encoding, or one without
    loss; of those the same number of channels; and of those the one that the player lists first.

    Args:
        source: The voice's format.
        accepted: The player's formats.

    Raises:
        AudioError: *source* can be made into none of them.
    """
    if not accepted or source in accepted:
        return source
    possible = [target for target in accepted if _can_convert(source, target)]
    if not possible:
        way_out = "s16le or wav" if source.encoding == "mp3" else "another format"
        raise AudioError(
            f"the player must take a format that {source!r} can be made into, got {list(accepted)!r}; "
            f"ask the voice for {way_out}"
        )
    return min(possible, key=lambda target: _losses(source, target))


def _can_convert(source: AudioFormat, target: AudioFormat) -> bool:
    if "mp3" in {source.encoding, target.encoding}:
        return source.encoding == target.encoding
    return source.channels == target.channels or {source.channels, target.channels} == {1, 2}


def _losses(source: AudioFormat, target: AudioFormat) -> tuple[bool, int, int, bool]:
    step_hz = target.sample_rate_hz - source.sample_rate_hz
    encodings = (source.encoding, "s16le", "wav")
    return (
        step_hz < 0,
        abs(step_hz),
        encodings.index(target.encoding) if target.encoding in encodings else len(encodings),
        target.channels != source.channels,
    )


def converter(source: AudioFormat, target: AudioFormat) -> "Converter | None":
    """Return what makes a clip's audio in *source* into *target*, or None where nothing is to be done.

    An MP3 file is never touched, whatever rate is stated: who can play it reads that from the file.

    Raises:
        AudioError: There is no way from *source* to *target*.
        ModuleNotFoundError: The rate is to be changed, and the package for it is not installed.
    """
    if not _can_convert(source, target):
        raise AudioError(f"target must be a format that {source!r} can be made into, got {target!r}")
    if source == target or source.encoding == "mp3":
        return None
    return Converter(source, target)


@final
class Converter:
    """Converts the audio of one clip."""

    def __init__(self, source: AudioFormat, target: AudioFormat) -> None:
        """Use `converter` instead."""
        self._target: AudioFormat = target
        self._wav: WavReader | None = None
        self._steps: list[_Step] = []
        if source.encoding == "wav":
            self._wav = WavReader()
            if source.sample_rate_hz != target.sample_rate_hz:
                # For its error, which is to come now and not in the middle of the clip.
                _resampler(source.sample_rate_hz, target.sample_rate_hz, 1)
        else:
            self._steps = _steps(source, target)

    def convert(self, data: bytes) -> bytes:
        """Return what is ready after *data*, in whole samples; a WAV file is made when all is there.

        Raises:
            AudioError: *data* is not in the source's format.
            ModuleNotFoundError: The rate of a WAV file is not the one stated, and is to be changed.
        """
        return self._run(data if self._wav is None else self._unpack(self._wav, data), is_last=False)

    def finish(self) -> bytes:
        """Return what was held back; the clip is over.

        If it ended inside a sample, as an aborted download does, that sample is dropped with a
        `RuntimeWarning`: the rest is sound, and a caller would rather hear it than nothing.

        Raises:
            AudioError: The clip ended before its samples began.
        """
        if self._wav is not None:
            try:
                self._wav.finish()
            except WavError as error:
                raise AudioError(str(error)) from error
        return self._run(b"", is_last=True)

    def _unpack(self, wav: WavReader, data: bytes) -> bytes:
        try:
            samples = wav.push(data)
        except WavError as error:
            raise AudioError(str(error)) from error
        if samples and not self._steps:
            # The file knows better than the voice how it is to be read.
            assert wav.format is not None  # noqa: S101  # samples come after the format
            inner = AudioFormat(wav.format.encoding, wav.format.sample_rate_hz, wav.format.channels)
            if not _can_convert(inner, self._target):
                raise AudioError(f"a WAV file must have 1 or 2 channels, got {inner.channels}")
            self._steps = _steps(inner, self._target)
        return samples

    def _run(self, data: bytes, *, is_last: bool) -> bytes:
        for step in self._steps:
            data = step(data, is_last=is_last)
        return data


@final
class WholeSamples:
    """Carries what of a sample stands at the end of one chunk over to the next."""

    def __init__(self, audio_format: AudioFormat) -> None:
        """Begin a clip; in containers all chunks pass as they are."""
        self._step_bytes: int = 1 if audio_format.is_container else audio_format.step_bytes
        self._rest: bytes = b""

    def __call__(self, data: bytes, /, *, is_last: bool = False) -> bytes:
        """Return the whole samples that there are with *data*; warn if the last one is not whole."""
        if self._rest:
            data = self._rest + data
        cut = len(data) % self._step_bytes
        self._rest = data[len(data) - cut :]
        if cut and is_last:
            warnings.warn(
                "the audio of a segment ended inside a sample, which was dropped",
                RuntimeWarning,
                stacklevel=2,
            )
        return data[: len(data) - cut] if cut else data


def _steps(source: AudioFormat, target: AudioFormat) -> list[_Step]:
    """Return the steps from samples in *source* to *target*."""
    steps: list[_Step] = [WholeSamples(source)]
    rates = source.sample_rate_hz, target.sample_rate_hz
    is_same_law = source.encoding == target.encoding
    if is_same_law and rates[0] == rates[1] and source.channels == target.channels:
        return steps
    if source.encoding in _DECODERS:
        steps.append(_stateless(_DECODERS[source.encoding]))
    if source.channels > target.channels:
        steps.append(_stateless(_mixed_down))
    if rates[0] != rates[1]:
        steps.append(_resampler(*rates, min(source.channels, target.channels)))
    if source.channels < target.channels:
        steps.append(_stateless(_mixed_up))
    if target.encoding in _ENCODERS:
        steps.append(_stateless(_ENCODERS[target.encoding]))
    elif target.encoding == "wav":
        steps.append(_Packer(target))
    return steps


def _stateless(function: Callable[[bytes], bytes]) -> _Step:
    def step(data: bytes, /, *, is_last: bool) -> bytes:  # noqa: ARG001  # holds nothing back
        return function(data)

    return step


def _mixed_up(data: bytes) -> bytes:
    """Return mono samples as stereo, the same on both sides."""
    stereo = bytearray(2 * len(data))
    stereo[0::4] = stereo[2::4] = data[0::2]
    stereo[1::4] = stereo[3::4] = data[1::2]
    return bytes(stereo)


def _mixed_down(data: bytes) -> bytes:
    """Return stereo samples as mono: the mean of both sides, which is never too loud."""
    pairs = struct.iter_unpack("<hh", data)
    return struct.pack(f"<{len(data) // 4}h", *[(left + right) >> 1 for left, right in pairs])


def _resampler(source_hz: int, target_hz: int, channels: int) -> _Step:
    """Return a step that changes the rate, and lets nothing through that the new rate cannot hold."""
    try:
        import numpy as np  # noqa: PLC0415  # only where it is needed
        import soxr  # noqa: PLC0415  # as numpy
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"{source_hz} Hz cannot be made {target_hz} Hz, for the package that does it is not installed; "
            "pip install 'ordered-pipeline[convert]'",
            name=missing.name,
        ) from missing
    stream = soxr.ResampleStream(source_hz, target_hz, channels, dtype="int16", quality="HQ")

    def step(data: bytes, /, *, is_last: bool) -> bytes:
        samples = np.ndarray((len(data) // (2 * channels), channels), "<i2", data).astype(
            np.int16, copy=False
        )
        return stream.resample_chunk(samples, last=is_last).astype("<i2", copy=False).tobytes()

    return step


@final
class _Packer:
    """Puts a WAV header in front, when the length is known: at the end."""

    def __init__(self, target: AudioFormat) -> None:
        self._target: AudioFormat = target
        self._samples: bytearray = bytearray()

    def __call__(self, data: bytes, /, *, is_last: bool) -> bytes:
        self._samples += data
        if not (is_last and self._samples):
            return b""
        header = wav_header(
            sample_rate_hz=self._target.sample_rate_hz,
            channels=self._target.channels,
            data_bytes=len(self._samples),
        )
        return header + self._samples
