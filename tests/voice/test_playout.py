import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.voice import AudioFormat, Block, Playout

FORMAT = AudioFormat("s16le", 10)
MOST_BLOCK = 7


def samples(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(2, "little") for number in numbers)


def test_blocks_sound_in_order_with_nothing_between() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    first, second = playout.put(samples(1, 2, 3)), playout.put(samples(4, 5))

    taken = [playout.take(2), playout.take(2), playout.take(1)]

    assert taken == [samples(1, 2), samples(3, 4), samples(5)]
    assert (first.first_sample, second.first_sample) == (0, 3)
    assert (playout.taken, playout.queued) == (5, 0)


def test_what_is_missing_is_silence_and_counts() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    first = playout.put(samples(1))
    taken = playout.take(3)
    second = playout.put(samples(2))
    taken += playout.take(2)

    assert taken == samples(1, 0, 0, 2, 0)
    assert (first, second.first_sample) == (first, 3)


def test_a_block_that_is_not_taken_yet_has_no_place() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    first, second = playout.put(samples(1, 2)), playout.put(samples(3))

    playout.take(1)

    assert (first.first_sample, second.first_sample) == (0, None)


def test_sound_begins_once_the_lead_is_there() -> None:
    playout = Playout(FORMAT, lead_s=0.4)
    playout.put(samples(1, 2))
    early = playout.take(2)
    playout.put(samples(3, 4))

    assert early == samples(0, 0)
    assert playout.take(4) == samples(1, 2, 3, 4)


def test_what_waits_alone_sounds_after_as_long_as_the_lead() -> None:
    playout = Playout(FORMAT, lead_s=0.4)
    playout.put(samples(1))

    assert [playout.take(2), playout.take(2), playout.take(2)] == [
        samples(0, 0),
        samples(0, 0),
        samples(1, 0),
    ]


def test_the_last_block_needs_no_lead() -> None:
    playout = Playout(FORMAT, lead_s=0.4)
    playout.put(samples(1))

    playout.finish()

    assert playout.take(2) == samples(1, 0)


def test_a_cleared_playout_is_silent_whatever_waits() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    playout.put(samples(1, 2, 3))
    playout.take(1)

    playout.clear()

    assert playout.take(3) == samples(0, 0, 0)


def test_an_empty_block_is_no_sound() -> None:
    playout = Playout(FORMAT, lead_s=0.1)
    empty = playout.put(b"")
    playout.put(samples(1))

    assert playout.take(1) == samples(1)
    assert (empty.samples, empty.first_sample) == (0, None)


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a multiple of 2"):
        Playout(FORMAT, lead_s=0.1).put(b"\1")


@given(
    st.lists(st.integers(0, MOST_BLOCK) | st.integers(-5, -1), max_size=40),
    st.integers(0, 10),
)
def test_every_block_sounds_whole_where_it_says(steps: list[int], lead: int) -> None:
    """A step puts that many samples, or takes as many as its negative."""
    playout = Playout(FORMAT, lead_s=lead / 10)
    blocks: list[tuple[Block, bytes]] = []
    heard = b""
    number = 0
    for step in steps:
        if step < 0:
            heard += playout.take(-step)
        else:
            data = samples(*range(number + 1, number + step + 1))
            number += step
            blocks.append((playout.put(data), data))
    playout.finish()
    heard += playout.take(playout.queued)

    silence = bytearray(heard)
    for block, data in blocks:
        if block.samples:
            assert block.first_sample is not None
            place = 2 * block.first_sample
            assert heard[place : place + len(data)] == data
            silence[place : place + len(data)] = bytes(len(data))
    assert not any(silence)
    places = [block.first_sample for block, _ in blocks if block.first_sample is not None]
    assert places == sorted(places)
    assert playout.taken == len(heard) // 2
