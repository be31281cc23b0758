import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.adapters.piper._frames import (
    LONGEST_PAYLOAD_BYTES,
    Decoder,
    Frame,
    FrameError,
    Kind,
    encode,
)

FRAMES = st.lists(st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=20)), max_size=6)


def test_a_frame_is_its_kind_its_length_and_its_payload() -> None:
    assert encode(Frame(Kind.AUDIO, b"\1\2\3")) == b"A\0\0\0\3\1\2\3"


@given(FRAMES, st.data())
def test_frames_come_out_as_they_went_in_wherever_their_bytes_are_cut(
    frames: list[Frame], data: st.DataObject
) -> None:
    sent = b"".join(map(encode, frames))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)))))
    decoder = Decoder()

    received = [
        frame
        for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)
        for frame in decoder.push(sent[start:end])
    ]

    assert received == frames


def test_a_frame_comes_out_with_its_last_byte() -> None:
    decoder = Decoder()

    assert decoder.push(b"A\0\0\0\2a") == []
    assert decoder.push(b"b") == [Frame(Kind.AUDIO, b"ab")]


@given(FRAMES, st.binary(max_size=40))
def test_garbage_is_refused_or_waits_for_more(frames: list[Frame], garbage: bytes) -> None:
    decoder = Decoder()
    decoder.push(b"".join(map(encode, frames)))

    try:
        decoder.push(garbage)
    except FrameError as error:
        assert len(str(error)) < 500  # noqa: PT017  # whether there is one depends on the bytes


def test_what_is_no_frame_is_shown_from_where_it_begins() -> None:
    decoder = Decoder()

    with pytest.raises(
        FrameError, match=r"^a frame must begin with its kind, got b'Hello, I am the voice\.'$"
    ):
        decoder.push(b"R\0\0\0\0Hello, I am the voice.")


def test_a_length_that_no_frame_has_is_refused_before_its_payload_is_awaited() -> None:
    decoder = Decoder()

    with pytest.raises(
        FrameError, match=r"^a payload must have at most 1048576 bytes, got b'A\\x00\\x10\\x00"
    ):
        decoder.push(b"A\0\x10\0\1")


def test_the_longest_payload_goes_through() -> None:
    frame = Frame(Kind.AUDIO, bytes(LONGEST_PAYLOAD_BYTES))

    assert Decoder().push(encode(frame)) == [frame]


def test_a_payload_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(FrameError, match=r"^a payload must have at most 1048576 bytes, got 1048577$"):
        encode(Frame(Kind.SPEAK, bytes(LONGEST_PAYLOAD_BYTES + 1)))
