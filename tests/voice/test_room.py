from ordered_pipeline.voice import Prefetch, Segment
from ordered_pipeline.voice._measures import VoiceMeasures
from ordered_pipeline.voice._room import Room
from ordered_pipeline.voice._take import Take


def take(text: str = "It is late.") -> Take:
    return Take(Segment(0, text), last_delta_s=0.0, text_ready_s=0.0)


def room(prefetch: Prefetch, *takes: Take) -> Room:
    """Return a room with *takes* in it, for a voice that speaks eight characters a second."""
    measures = VoiceMeasures()
    measures.add_segment(80, 10.0)
    full = Room(prefetch, measures)
    full.takes.extend(takes)
    return full


def test_there_is_room_for_so_many_segments() -> None:
    assert room(Prefetch(2), take()).has_room()
    assert not room(Prefetch(2), take(), take()).has_room()


def test_one_segment_has_room_always() -> None:
    assert room(Prefetch(1, audio_s=0.001, characters=1)).has_room()


def test_a_segment_that_is_handed_over_and_wholly_made_leaves_room() -> None:
    one = take()
    full = room(Prefetch(1), one)

    one.is_handed_over = True
    assert not full.has_room()
    one.is_over = True
    assert full.has_room()


def test_a_segment_that_is_skipped_leaves_room_in_its_turn() -> None:
    one, two = take(), take()
    full = room(Prefetch(2), one, two)

    two.is_over = two.is_skipped = True
    assert not full.has_room()
    one.is_over = one.is_handed_over = True
    assert full.has_room()


def test_there_is_room_until_there_are_so_many_characters() -> None:
    assert room(Prefetch(9, characters=12), take("It is late.")).has_room()
    assert not room(Prefetch(9, characters=11), take("It is late.")).has_room()


def test_what_a_segment_will_sound_is_reckoned_from_those_before_it() -> None:
    assert room(Prefetch(9, audio_s=2.0), take("a" * 15)).has_room()
    assert not room(Prefetch(9, audio_s=2.0), take("a" * 16)).has_room()


def test_what_was_made_counts_as_it_is() -> None:
    short, long = take("a" * 16), take("a" * 8)
    short.audio_s, short.is_made = 1.0, True
    long.audio_s = 3.0

    assert room(Prefetch(9, audio_s=2.0), short).has_room()
    assert not room(Prefetch(9, audio_s=2.0), long).has_room()
