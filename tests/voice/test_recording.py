import pytest

from ordered_pipeline.voice import AudioFormat, Segment
from ordered_pipeline.voice._recording import Recording
from ordered_pipeline.voice._take import Take
from tests.voice.turns import FORMAT

LOUD = b"\x10\x40"


def new_take() -> Take:
    return Take(Segment(0, "It is late."), last_delta_s=0.0, text_ready_s=0.0)


def test_whole_samples_are_given_out_and_measured() -> None:
    take = new_take()
    recording = Recording(take, FORMAT)
    recording.begin(FORMAT)

    given = [recording.add((LOUD * 512)[:1023]), recording.add((LOUD * 512)[1023:]), recording.finish()]

    assert [len(data) for data in given] == [1022, 2, 0]
    assert b"".join(given) == LOUD * 512
    assert take.audio_s == 0.5
    assert recording.has_sound


def test_silences_are_found_across_chunks_and_told_as_they_grow() -> None:
    take = new_take()
    recording = Recording(take, FORMAT)
    recording.begin(FORMAT)

    recording.add(LOUD * 256 + bytes(2 * 128))
    before = take.silences
    recording.add(bytes(2 * 128) + LOUD * 256)

    assert before == ((0.25, 0.125),)
    assert take.silences == ((0.25, 0.25),)


def test_audio_of_a_second_voice_follows_that_of_the_first() -> None:
    """As where the rest of a segment is spoken by another: the first ended inside a sample."""
    take = new_take()
    recording = Recording(take, FORMAT)
    recording.begin(FORMAT)
    first = recording.add(LOUD * 256 + b"\x10")
    recording.begin(AudioFormat("mulaw", FORMAT.sample_rate_hz))
    second = recording.add(bytes(256)) + recording.finish()

    assert first == LOUD * 256
    assert len(second) == 512
    assert take.audio_s == 0.5


def test_audio_is_converted_to_what_the_player_takes() -> None:
    take = new_take()
    recording = Recording(take, AudioFormat("mulaw", FORMAT.sample_rate_hz))
    recording.begin(FORMAT)

    assert len(recording.add(LOUD * 512) + recording.finish()) == 512
    assert take.audio_s == 0.5


def test_the_length_of_a_file_is_not_told_by_its_size() -> None:
    take = new_take()
    mp3 = AudioFormat("mp3", 24000)
    recording = Recording(take, mp3)
    recording.begin(mp3)

    assert recording.add(b"an odd number") == b"an odd number"
    assert recording.finish() == b""
    assert recording.has_sound
    assert (take.audio_s, take.silences) == (None, ())


def test_a_sample_that_was_never_whole_is_dropped_with_a_warning() -> None:
    recording = Recording(new_take(), FORMAT)
    recording.begin(FORMAT)

    assert recording.add(b"\x10") == b""
    with pytest.warns(RuntimeWarning, match="ended inside a sample, which was dropped"):
        assert recording.finish() == b""
    assert not recording.has_sound
