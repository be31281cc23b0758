"""When which frame is sent, and where each clip sounds. Instants are told, nothing waits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.adapters.telnyx._media._pacing import Frame, Pacing, Sound
from ordered_pipeline.voice import AudioFormat

PCMU = AudioFormat("mulaw", 8000)


def test_with_nothing_there_nothing_is_due() -> None:
    pacing = Pacing(PCMU, lead_s=0.2)

    assert pacing.due_s() == math.inf
    assert pacing.take(1e9) is None


def test_frames_are_sent_by_twos_one_lead_before_they_play_and_the_first_ones_at_once() -> None:
    pacing, sound = Pacing(PCMU, lead_s=0.05), Sound()
    pacing.put(sound, b"a" * 160 * 6)

    sent_s: list[float] = []
    while (due_s := pacing.due_s()) < math.inf:
        sent_s.append(max(5.0, due_s))
        assert pacing.take(sent_s[-1]) == Frame(b"a" * 160, ())

    assert sent_s == pytest.approx([5.0, 5.0, 5.0, 5.0, 5.03, 5.03])
    assert len(sound.spans) == 1
    assert sound.spans[0] == pytest.approx((5.0, 5.12))


def test_a_late_taker_does_not_shift_the_schedule_while_there_is_a_lead() -> None:
    pacing, sound = Pacing(PCMU, lead_s=0.1), Sound()
    pacing.put(sound, b"a" * 160 * 20)
    while pacing.take(0.0):
        pass

    taken = 0
    while pacing.take(0.119):
        taken += 1

    assert taken == 6
    assert pacing.due_s() == pytest.approx(0.14)
    assert len(sound.spans) == 1


def test_once_all_was_played_the_next_frame_plays_when_it_is_taken() -> None:
    pacing, sound = Pacing(PCMU, lead_s=0.1), Sound()
    pacing.put(sound, b"a" * 160)
    pacing.take(0.0)

    pacing.put(sound, b"a" * 160)
    pacing.take(0.03)

    assert sound.spans[:-1] == [(0.0, 0.02)]
    assert sound.spans[-1] == pytest.approx((0.03, 0.05))
    assert sound.played_s(0.025) == pytest.approx(0.02)
    assert sound.played_s(0.04) == pytest.approx(0.03)


def test_an_end_goes_with_the_frame_that_holds_the_last_byte() -> None:
    pacing = Pacing(PCMU, lead_s=1.0)
    first, second, empty, third = (Sound() for _ in range(4))
    for sound, size in ((first, 160), (second, 100), (empty, 0), (third, 220)):
        pacing.put(sound, b"a" * size)
        pacing.end(sound)

    frames = [pacing.take(0.0) for _ in range(4)]

    whole = b"a" * 160
    assert frames == [Frame(whole, (first,)), Frame(whole, (second, empty)), Frame(whole, (third,)), None]
    assert third.spans[0] == pytest.approx((0.0325, 0.06))


def test_an_end_without_audio_before_it_is_due_at_once() -> None:
    pacing, sound = Pacing(PCMU, lead_s=0.2), Sound()
    pacing.end(sound)

    assert pacing.take(0.0) == Frame(b"", (sound,))
    assert pacing.take(0.0) is None


@pytest.mark.parametrize(("encoding", "silence"), [("mulaw", b"\xff"), ("alaw", b"\xd5"), ("s16le", b"\0\0")])
def test_the_rest_of_a_clip_is_filled_up_with_silence_when_half_of_the_lead_is_left(
    encoding: str, silence: bytes
) -> None:
    audio_format = AudioFormat(encoding, 8000)  # type: ignore[arg-type]
    pacing, sound = Pacing(audio_format, lead_s=0.2), Sound()
    pacing.put(sound, silence * 160 + b"ab" * len(silence))
    pacing.take(0.0)
    assert pacing.due_s() == math.inf

    pacing.end(sound)

    assert pacing.due_s() == pytest.approx(0.02 - 0.1)
    assert pacing.take(0.0) == Frame(b"ab" * len(silence) + silence * 158, (sound,))
    assert sound.length_s == pytest.approx(0.02 + 2 / 8000)


def test_what_is_dropped_is_not_sent_and_nothing_is_to_be_played_any_more() -> None:
    pacing, sound = Pacing(PCMU, lead_s=0.2), Sound()
    pacing.put(sound, b"a" * 1600)
    pacing.take(0.0)
    pacing.end(sound)

    pacing.drop()

    assert pacing.due_s() == math.inf
    assert pacing.queued_s == 0.0
    pacing.put(sound, b"b" * 160)
    assert pacing.take(0.01) == Frame(b"b" * 160, ())
    assert pacing.end_s == pytest.approx(0.03)


def test_audio_that_ends_inside_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="nbytes must be a multiple of 2"):
        Pacing(AudioFormat("s16le", 8000), lead_s=0.2).put(Sound(), b"abc")


@given(
    st.lists(st.lists(st.binary(max_size=500), max_size=4), max_size=6),
    st.sampled_from([0.0, 0.02, 0.2]),
    st.lists(st.floats(0.0, 0.3), max_size=40),
)
def test_whatever_comes_goes_out_in_whole_frames_in_order_and_never_too_early(
    clips: list[list[bytes]], lead_s: float, waits_s: list[float]
) -> None:
    pacing = Pacing(PCMU, lead_s=lead_s)
    sounds = [Sound() for _ in clips]
    now_s = 0.0
    frames: list[Frame] = []

    def take() -> None:
        while (frame := pacing.take(now_s)) is not None:
            assert not frame.data or pacing.end_s <= now_s + lead_s + 0.04 + 1e-9
            frames.append(frame)

    for sound, chunks in zip(sounds, clips, strict=True):
        for chunk in chunks:
            pacing.put(sound, chunk)
            now_s += waits_s.pop() if waits_s else 0.0
            take()
        pacing.end(sound)
    while (due_s := pacing.due_s()) < math.inf:
        now_s = max(now_s, due_s)
        take()

    sent = b"".join(frame.data for frame in frames)
    said = b"".join(chunk for chunks in clips for chunk in chunks)
    assert [ended for frame in frames for ended in frame.ended] == sounds
    assert {len(frame.data) for frame in frames} <= {0, 160}
    # Silence may be anywhere behind a clip; nothing else is added, and nothing is lost.
    assert sum(map(len, (frame.data for frame in frames))) - len(said) < 160 * (len(clips) + 1)
    assert sent.replace(b"\xff", b"") == said.replace(b"\xff", b"")
    assert sum(sound.played_s(math.inf) for sound in sounds) == pytest.approx(len(said) / 8000)
    assert pacing.queued_s == 0.0
