from ordered_pipeline.adapters.microphone._frames import Frame, Frames
from ordered_pipeline.voice import AudioFormat

FORMAT = AudioFormat("s16le", 1000)


def frames_of_two(*, most: int = 10) -> Frames:
    return Frames(FORMAT, samples=2, most=most)


def test_pieces_of_any_size_become_frames_of_one() -> None:
    frames = frames_of_two()

    for piece in (b"aa", b"bbccdd", b"", b"eeff", bytearray(b"gg")):
        frames.put(piece, 0.0)

    taken = [frame.data for frame in iter(frames.take, None)]
    assert taken == [b"aabb", b"ccdd", b"eeff"]
    frames.put(b"hhii", 0.0)
    assert frames.take() == Frame(3, -0.003, b"gghh")


def test_a_frame_began_as_long_before_its_piece_came_as_the_piece_has_samples_from_there_on() -> None:
    frames = frames_of_two()

    frames.put(b"aa", 10.0)
    frames.put(b"bbccddee", 20.0)

    assert [frame.begun_s for frame in iter(frames.take, None)] == [19.995, 19.997]


def test_when_too_many_wait_the_oldest_give_way_and_are_counted() -> None:
    frames = frames_of_two(most=3)

    frames.put(b"0000111122223333444455556666", 0.0)
    taken = [frames.take()]
    assert frames.dropped == 4
    frames.put(b"777788889999", 0.0)
    taken += iter(frames.take, None)

    assert [frame.data for frame in taken if frame] == [b"4444", b"7777", b"8888", b"9999"]
    assert frames.dropped == 6


def test_frames_have_all_channels() -> None:
    frames = Frames(AudioFormat("s16le", 1000, channels=2), samples=2, most=1)

    frames.put(b"llrrLLRRllrr", 0.0)

    assert frames.take() == Frame(0, -0.003, b"llrrLLRR")
    assert frames.take() is None
