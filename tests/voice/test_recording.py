import anyio
import pytest

from ordered_pipeline.voice import AudioChunk, AudioFormat, Clip, Segment, Word
from ordered_pipeline.voice._clip import MOST_CHUNKS
from ordered_pipeline.voice._recording import Recording
from ordered_pipeline.voice._take import Take
from tests.conftest import Run
from tests.voice.turns import FORMAT

LOUD = b"\x10\x40"


def new_take() -> Take:
    return Take(Segment(0, "It is late."), last_delta_s=0.0, text_ready_s=0.0)


def recording_of(
    take: Take, audio_format: AudioFormat = FORMAT, *, source: AudioFormat = FORMAT, is_streaming: bool = True
) -> Recording:
    recording = Recording(take, audio_format, is_streaming=is_streaming)
    recording.begin(source)
    return recording


async def chunks_of(clip: Clip | None) -> list[AudioChunk]:
    assert clip is not None
    clip.end()
    return [chunk async for chunk in clip]


def test_whole_samples_are_given_out_and_measured(run: Run) -> None:
    async def main() -> None:
        take = new_take()
        recording = recording_of(take)

        await recording.add(AudioChunk((LOUD * 512)[:1023]))
        await recording.add(AudioChunk((LOUD * 512)[1023:]))
        await recording.finish()

        assert [chunk.data for chunk in await chunks_of(recording.clip)] == [LOUD * 511, LOUD]
        assert take.audio_s == 0.5
        assert recording.has_sound

    run(main)


def test_a_chunk_of_whole_samples_passes_as_it_is(run: Run) -> None:
    async def main() -> None:
        chunk = AudioChunk(LOUD * 16, (Word("It", 0.0, 0.015625),))
        take = new_take()
        recording = recording_of(take)

        await recording.add(chunk)

        (passed,) = await chunks_of(recording.clip)
        assert passed is chunk
        assert take.words == (Word("It", 0.0, 0.015625),)

    run(main)


def test_a_streaming_player_may_have_the_clip_with_its_first_audio(run: Run) -> None:
    async def main() -> None:
        recording = recording_of(new_take())
        assert recording.clip is None
        await recording.add(AudioChunk(b""))
        assert recording.clip is None

        await recording.add(AudioChunk(LOUD))

        assert recording.clip is not None

    run(main)


def test_a_player_of_whole_clips_may_have_it_when_all_is_there(run: Run) -> None:
    async def main() -> None:
        recording = recording_of(new_take(), is_streaming=False)
        for _ in range(MOST_CHUNKS + 1):
            await recording.add(AudioChunk(LOUD))
        assert recording.clip is None

        await recording.finish()

        assert len(await chunks_of(recording.clip)) == MOST_CHUNKS + 1

    run(main)


def test_a_player_that_has_enough_holds_the_recording_up(run: Run) -> None:
    async def main() -> None:
        recording = recording_of(new_take())
        for _ in range(MOST_CHUNKS):
            assert not recording.is_full
            await recording.add(AudioChunk(LOUD))
        assert recording.is_full
        assert recording.clip is not None

        with anyio.move_on_after(1.0) as waiting:
            await recording.add(AudioChunk(LOUD))
        assert waiting.cancelled_caught
        await anext(recording.clip)

        assert not recording.is_full

    run(main)


def test_silences_are_found_across_chunks_and_told_as_they_grow(run: Run) -> None:
    async def main() -> None:
        take = new_take()
        recording = recording_of(take)

        await recording.add(AudioChunk(LOUD * 256 + bytes(2 * 128)))
        before = take.silences
        await recording.add(AudioChunk(bytes(2 * 128) + LOUD * 256))

        assert before == ((0.25, 0.125),)
        assert take.silences == ((0.25, 0.25),)

    run(main)


def test_audio_of_a_second_voice_follows_that_of_the_first(run: Run) -> None:
    """As where the rest of a segment is spoken by another: the first ended inside a sample."""

    async def main() -> None:
        take = new_take()
        recording = recording_of(take)
        await recording.add(AudioChunk(LOUD * 256 + b"\x10"))
        recording.begin(AudioFormat("mulaw", FORMAT.sample_rate_hz))
        await recording.add(AudioChunk(bytes(256), (Word("late.", 0.0, 0.25),)))
        await recording.finish()

        first, second = await chunks_of(recording.clip)
        assert first.data == LOUD * 256
        assert len(second.data) == 512
        assert take.audio_s == 0.5
        assert take.words == (Word("late.", 0.25, 0.5),)

    run(main)


def test_audio_is_converted_to_what_the_player_takes(run: Run) -> None:
    async def main() -> None:
        take = new_take()
        recording = recording_of(take, AudioFormat("mulaw", FORMAT.sample_rate_hz))
        await recording.add(AudioChunk(LOUD * 512))
        await recording.finish()

        assert sum(len(chunk.data) for chunk in await chunks_of(recording.clip)) == 512
        assert take.audio_s == 0.5

    run(main)


def test_the_length_of_a_file_is_not_told_by_its_size(run: Run) -> None:
    async def main() -> None:
        take = new_take()
        mp3 = AudioFormat("mp3", 24000)
        recording = recording_of(take, mp3, source=mp3)
        await recording.add(AudioChunk(b"an odd number"))
        await recording.finish()

        assert await chunks_of(recording.clip) == [AudioChunk(b"an odd number")]
        assert recording.has_sound
        assert (take.audio_s, take.silences) == (None, ())

    run(main)


def test_a_sample_that_was_never_whole_is_dropped_with_a_warning(run: Run) -> None:
    async def main() -> None:
        recording = recording_of(new_take())
        await recording.add(AudioChunk(b"\x10"))
        with pytest.warns(RuntimeWarning, match="ended inside a sample, which was dropped"):
            await recording.finish()
        assert not recording.has_sound
        assert recording.clip is None

    run(main)
