"""The caller's audio, made into the format that ears take, while it comes."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Self, final

from ordered_pipeline.voice._audio import AudioFormat
from ordered_pipeline.voice._convert import Converter, WholeSamples, converter


def convert_audio(
    audio: AsyncIterable[bytes], audio_format: AudioFormat, *, to: AudioFormat
) -> "ConvertedAudio":
    """Return the caller's audio in another format: an async iterator of frames.

    It reads a frame of *audio* when it is asked for one, and nothing ahead. Frames may be cut anywhere,
    inside a sample as well; none that comes out is empty or ends inside one. The resampler keeps its state
    from frame to frame, and what it holds back comes when *audio* ends. If that is inside a sample, the
    sample is dropped with a `RuntimeWarning`.

    *audio* stays its maker's, unless you call ``aclose`` on the result: that closes the iterator of *audio*
    too, if it can be closed. A wait that is cancelled loses nothing that *audio* does not lose.

    Args:
        audio: The caller's audio. Whatever it raises comes out.
        audio_format: The format it is in: samples, no container.
        to: The format that is wanted: samples, no container.

    Raises:
        ValueError: A format is a container.
        AudioError: *audio_format* cannot be made into *to*.
        ModuleNotFoundError: The rate is to be changed, and the package for it is not installed.
    """
    for name, value in (("audio_format", audio_format), ("to", to)):
        if value.is_container:
            raise ValueError(
                f"{name} must be an encoding of samples, got {value.encoding!r}; take them out of the file"
            )
    return ConvertedAudio(audio, converter(audio_format, to), WholeSamples(audio_format))


@final
class ConvertedAudio:
    """What `convert_audio` returns."""

    def __init__(self, audio: AsyncIterable[bytes], convert: Converter | None, whole: WholeSamples) -> None:
        """Use `convert_audio` instead."""
        self._audio: AsyncIterable[bytes] = audio
        self._frames: AsyncIterator[bytes] | None = None
        self._convert: Converter | None = convert
        self._whole: WholeSamples = whole
        self._is_over: bool = False

    def __aiter__(self) -> Self:
        """Return itself: it is iterated once."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next frame that is not empty.

        Raises:
            StopAsyncIteration: The audio is over, or this was closed.
        """
        if self._frames is None:
            self._frames = aiter(self._audio)
        data = b""
        while not data and not self._is_over:
            try:
                frame = await anext(self._frames)
            except StopAsyncIteration:
                self._is_over = True
                data = self._finish()
            else:
                data = self._whole(frame) if self._convert is None else self._convert.convert(frame)
        if not data:
            raise StopAsyncIteration
        return data

    async def aclose(self) -> None:
        """Give nothing more, and close the iterator of the audio, if it has begun and can be closed."""
        self._is_over = True
        close: Callable[[], Awaitable[object]] | None = getattr(self._frames, "aclose", None)
        if close is not None:
            await close()

    def _finish(self) -> bytes:
        return self._whole(b"", is_last=True) if self._convert is None else self._convert.finish()
