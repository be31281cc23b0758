"""The caller's audio in another format. What the conversion itself does is `test_convert.py`'s."""

import re
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Literal

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.voice import AudioError, AudioFormat, convert_audio
from ordered_pipeline.wire._g711 import alaw_to_s16, mulaw_to_s16
from tests.conftest import Run

TELEPHONE = AudioFormat("mulaw", 8000)
NARROW = AudioFormat("s16le", 8000)
WIDE = AudioFormat("s16le", 16000)
TELEPHONE_WIDE = AudioFormat("mulaw", 16000)
# 160 ms of a slow ramp, which no resampler rings on.
RAMP = struct.pack("<1280h", *range(0, 12800, 10))


async def frames_of(frames: Sequence[bytes]) -> AsyncGenerator[bytes, None]:
    for frame in frames:
        yield frame


async def converted(frames: Sequence[bytes], source: AudioFormat, target: AudioFormat) -> list[bytes]:
    return [frame async for frame in convert_audio(frames_of(frames), source, to=target)]


def test_a_telephones_frames_become_samples_one_by_one(run: Run) -> None:
    frames = [b"\xff\x80", b"\x00"]

    assert run(converted, frames, TELEPHONE, NARROW) == [mulaw_to_s16(frame) for frame in frames]
    assert run(converted, frames, AudioFormat("alaw", 8000), NARROW) == [
        alaw_to_s16(frame) for frame in frames
    ]


def test_audio_in_the_wanted_format_passes_in_whole_samples_and_without_empty_frames(run: Run) -> None:
    assert run(converted, [b"12", b"", b"345", b"6"], WIDE, WIDE) == [b"12", b"34", b"56"]


@given(cuts=st.lists(st.integers(0, len(RAMP)), max_size=8).map(sorted))
def test_no_cut_between_frames_changes_anything(cuts: list[int]) -> None:
    frames = [RAMP[start:end] for start, end in zip([0, *cuts], [*cuts, len(RAMP)], strict=True)]

    for target in (NARROW, TELEPHONE):
        (whole,) = run_in_virtual_time(converted, [RAMP], NARROW, target)
        assert b"".join(run_in_virtual_time(converted, frames, NARROW, target)) == whole
    wide, whole_wide = (
        struct.unpack("<2560h", b"".join(run_in_virtual_time(converted, pieces, NARROW, WIDE)))
        for pieces in (frames, [RAMP])
    )
    # The resampler adds noise of a bit before it rounds, which no two runs share.
    assert max(abs(one - other) for one, other in zip(wide, whole_wide, strict=True)) <= 2


def test_what_the_resampler_held_back_comes_when_the_audio_ends(run: Run) -> None:
    frames = run(converted, [RAMP[start : start + 320] for start in range(0, len(RAMP), 320)], NARROW, WIDE)

    assert all(frames)
    assert len(b"".join(frames)) == 2 * len(RAMP)


def test_half_a_sample_at_the_end_is_dropped_with_a_warning(run: Run) -> None:
    with pytest.warns(RuntimeWarning, match=r"ended inside a sample, which was dropped$"):
        assert run(converted, [b"12", b"3"], WIDE, WIDE) == [b"12"]


def test_nothing_is_read_before_it_is_asked_for_nor_ahead(run: Run) -> None:
    read: list[int] = []

    async def counted() -> AsyncGenerator[bytes, None]:
        for index in range(4):
            read.append(index)
            yield b"\xff"

    async def main() -> None:
        async with aclosing(convert_audio(counted(), TELEPHONE, to=NARROW)) as frames:
            assert read == []
            await anext(frames)
            assert read == [0]

    run(main)


class Line:
    """Audio that can be closed, and that waits when its frames are taken."""

    def __init__(self, *frames: bytes) -> None:
        self.frames: list[bytes] = list(frames)
        self.is_closed: bool = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self.frames:
            await anyio.sleep_forever()
        return self.frames.pop(0)

    async def aclose(self) -> None:
        self.is_closed = True


def test_closing_it_closes_the_audio_and_ends_it(run: Run) -> None:
    line = Line(b"\xff", b"\xff")

    async def main() -> None:
        frames = convert_audio(line, TELEPHONE, to=NARROW)
        await anext(frames)
        assert not line.is_closed
        await frames.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(frames)

    run(main)

    assert line.is_closed
    assert line.frames == [b"\xff"]


def test_closing_what_was_never_iterated_leaves_the_audio_alone(run: Run) -> None:
    line = Line()

    run(convert_audio(line, TELEPHONE, to=NARROW).aclose)

    assert not line.is_closed


def test_audio_that_cannot_be_closed_is_left(run: Run) -> None:
    class Frames:
        def __aiter__(self) -> "Frames":
            return self

        async def __anext__(self) -> bytes:
            return b"\xff"

    async def main() -> None:
        frames = convert_audio(Frames(), TELEPHONE, to=NARROW)
        assert await anext(frames) == b"\0\0"
        await frames.aclose()

    run(main)


def test_a_cancelled_wait_loses_nothing(run: Run) -> None:
    line = Line(b"1")

    async def main() -> bytes:
        frames = convert_audio(line, WIDE, to=TELEPHONE_WIDE)
        with anyio.move_on_after(1.0):
            await anext(frames)
        line.frames.append(b"\0")
        return await anext(frames)

    # Half a sample came before the cancellation, its other half after it.
    assert run(main) == b"\xf9"


def test_an_error_of_the_audio_comes_out(run: Run) -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"\xff"
        raise ConnectionError("the line is dead")

    async def main() -> None:
        frames = convert_audio(broken(), TELEPHONE, to=NARROW)
        await anext(frames)
        with pytest.raises(ConnectionError, match="the line is dead"):
            await anext(frames)

    run(main)


@pytest.mark.parametrize("encoding", ["wav", "mp3"])
def test_files_are_refused(encoding: Literal["wav", "mp3"]) -> None:
    file = AudioFormat(encoding, 16000)

    for source, target, name in ((file, WIDE, "audio_format"), (WIDE, file, "to")):
        message = f"{name} must be an encoding of samples, got {encoding!r}; take them out of the file"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            convert_audio(frames_of([]), source, to=target)


def test_channels_that_cannot_be_mixed_are_refused_before_anything_is_read() -> None:
    with pytest.raises(AudioError, match=r"^target must be a format that"):
        convert_audio(frames_of([]), AudioFormat("s16le", 16000, 6), to=WIDE)
