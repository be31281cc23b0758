import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.adapters.speaker._playout import Block, Playout
from ordered_pipeline.voice import AudioFormat

FORMAT = AudioFormat("s16le", 10)
MOST_PIECE = 7


def samples(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "little") for number in numbers)


def put(playout: Playout, *numbers: int) -> Block:
    """Put a whole block."""
    block = Block()
    playout.put(block, samples(*numbers))
    block.is_whole = True
    return block


def test_blocks_sound_in_order_with_nothing_between() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    first, second = put(playout, 1, 2, 3), put(playout, 4, 5)

    taken = [playout.take(2), playout.take(2), playout.take(1)]

    assert taken == [samples(1, 2), samples(3, 4), samples(5)]
    assert (first.spans, second.spans) == ([(0, 3)], [(3, 5)])
    assert (first.start, first.end, second.start, second.end) == (0, 3, 3, 5)
    assert (playout.taken, playout.queued, playout.sound_end) == (5, 0, 5)


def test_what_is_missing_is_silence_and_has_its_place() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    put(playout, 1)
    taken = playout.take(3)
    second = put(playout, 2)
    taken += playout.take(2)

    assert taken == samples(1, 0, 0, 2, 0)
    assert second.start == 3
    assert playout.underruns == 0
    assert (playout.taken, playout.sound_end) == (5, 4)


def test_a_block_may_come_in_pieces_and_run_dry() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    block = Block()
    playout.put(block, samples(1, 2))
    playout.put(block, samples(3))
    taken = playout.take(5)
    playout.put(block, samples(4, 5))
    taken += playout.take(1)
    ends = [block.end]
    taken += playout.take(1)
    ends.append(block.end)
    block.is_whole = True
    ends.append(block.end)

    assert taken == samples(1, 2, 3, 0, 0, 4, 5)
    assert block.spans == [(0, 3), (5, 7)]
    assert playout.underruns == 1
    assert ends == [None, None, 7]
    assert [block.sounded(position) for position in (0, 2, 4, 6, 9)] == [0, 2, 3, 4, 5]


def test_a_block_that_is_not_taken_yet_has_no_place() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    first, second = put(playout, 1, 2), put(playout, 3)

    playout.take(1)

    assert (first.start, first.end, second.start, second.sounded(9)) == (0, None, None, 0)


def test_sound_begins_once_the_lead_is_there() -> None:
    playout = Playout(FORMAT, lead_s=0.4)
    put(playout, 1, 2)
    early = playout.take(2)
    put(playout, 3, 4)

    assert early == samples(0, 0)
    assert playout.take(4) == samples(1, 2, 3, 4)


def test_what_waits_alone_sounds_after_as_long_as_the_lead() -> None:
    playout = Playout(FORMAT, lead_s=0.4)
    put(playout, 1)

    assert [playout.take(2), playout.take(2), playout.take(2)] == [
        samples(0, 0),
        samples(0, 0),
        samples(1, 0),
    ]


def test_an_empty_piece_is_no_sound() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    empty = put(playout)
    put(playout, 1)

    assert playout.take(1) == samples(1)
    assert (empty.samples, empty.start, empty.end) == (0, None, None)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a multiple of 2"):
        Playout(FORMAT, lead_s=0.1).put(Block(), b"\1")


@given(
    st.lists(st.integers(0, MOST_PIECE) | st.integers(-5, -1), max_size=40),
    st.integers(0, 10),
    st.integers(1, 3),
)
def test_every_piece_sounds_whole_where_its_block_says(steps: list[int], lead: int, pieces: int) -> None:
    """A step puts that many samples, or takes as many as its negative; so many pieces make a block."""
    playout = Playout(FORMAT, lead_s=lead / 10)
    blocks: list[tuple[Block, bytes]] = []
    heard = b""
    number = 0
    for index, step in enumerate(steps):
        if step < 0:
            heard += playout.take(-step)
        else:
            data = samples(*range(number + 1, number + step + 1))
            number += step
            if index % pieces == 0 or not blocks:
                blocks.append((Block(), b""))
            block, before = blocks[-1]
            playout.put(block, data)
            blocks[-1] = block, before + data
    while playout.queued:
        heard += playout.take(1)

    silence = bytearray(heard)
    for block, data in blocks:
        assert b"".join(heard[2 * start : 2 * end] for start, end in block.spans) == data
        assert block.sounded(playout.taken) == block.samples == len(data) // 2
        for start, end in block.spans:
            silence[2 * start : 2 * end] = bytes(2 * (end - start))
    assert not any(silence)
    places = [span for block, _ in blocks for span in block.spans]
    assert places == sorted(places)
    assert playout.taken == len(heard) // 2
