"""The scripted voice: chunks at stated instants, whose samples tell where they come from."""

import anyio
import pytest

from ordered_pipeline.testing import ScriptedTextToSpeech, SpeechScript, scripted_audio, word_times
from ordered_pipeline.voice import AudioChunk, AudioFormat, Segment, TextToSpeech, Word
from tests.conftest import Run

PCM = AudioFormat("s16le", 8000)
HELLO = Segment(0, "Hello you")


def chunks_of(
    run: Run, script: SpeechScript, segment: Segment = HELLO, audio_format: AudioFormat = PCM
) -> list[tuple[float, AudioChunk]]:
    voice: TextToSpeech = ScriptedTextToSpeech(script, audio_format=audio_format)

    async def main() -> list[tuple[float, AudioChunk]]:
        return [(anyio.current_time(), chunk) async for chunk in voice.synthesize(segment)]

    return run(main)


def test_the_first_chunk_and_the_pace_of_the_others_are_as_stated(run: Run) -> None:
    script = SpeechScript(first_audio_s=0.5, audio_s=0.625, chunk_s=0.25, pace=2.0)

    chunks = chunks_of(run, script)

    assert [(at_s, len(chunk.data)) for at_s, chunk in chunks] == [(0.5, 4000), (1.0, 4000), (1.25, 2000)]
    assert b"".join(chunk.data for _, chunk in chunks) == scripted_audio(HELLO, PCM, 0.625)


def test_audio_is_reckoned_from_the_text_and_comes_at_once_unless_stated(run: Run) -> None:
    [(at_s, chunk)] = chunks_of(run, SpeechScript())

    assert at_s == 0.0
    assert PCM.duration_s(len(chunk.data)) == 9 * 0.0625


@pytest.mark.parametrize("audio_format", [AudioFormat("mulaw", 8000), AudioFormat("s16le", 24000, 2)])
def test_any_format_of_samples_has_whole_samples(run: Run, audio_format: AudioFormat) -> None:
    script = SpeechScript(audio_s=0.1, chunk_s=0.03)

    chunks = chunks_of(run, script, audio_format=audio_format)

    lengths = [audio_format.duration_s(len(chunk.data)) for _, chunk in chunks]
    assert lengths == [0.03, 0.03, 0.03, 0.01]


def test_a_chunk_holds_a_sample_at_least(run: Run) -> None:
    chunks = chunks_of(run, SpeechScript(audio_s=0.00025, chunk_s=1e-9))

    assert [len(chunk.data) for _, chunk in chunks] == [2, 2]


def test_a_voice_may_give_nothing(run: Run) -> None:
    assert chunks_of(run, SpeechScript(audio_s=0.0)) == []


def test_a_voice_that_gives_nothing_takes_its_time_for_it(run: Run) -> None:
    voice = ScriptedTextToSpeech(SpeechScript(first_audio_s=0.5, audio_s=0.0))

    async def main() -> float:
        _ = [chunk async for chunk in voice.synthesize(HELLO)]
        return anyio.current_time()

    assert run(main) == 0.5


def test_words_come_with_the_chunk_in_which_they_end(run: Run) -> None:
    script = SpeechScript(audio_s=1.125, chunk_s=0.5, word_times=True)

    chunks = chunks_of(run, script)

    assert [chunk.words for _, chunk in chunks] == [
        (),
        (Word("Hello", 0.0, 0.625),),
        (Word("you", 0.75, 1.125),),
    ]
    assert word_times("Hello you", 1.125) == (Word("Hello", 0.0, 0.625), Word("you", 0.75, 1.125))


def test_the_last_word_is_told_even_if_it_ends_between_two_samples(run: Run) -> None:
    script = SpeechScript(seconds_per_character=0.1 / 3, word_times=True)

    [(_, chunk)] = chunks_of(run, script)

    assert [word.text for word in chunk.words] == ["Hello", "you"]


def test_a_break_with_an_error_comes_when_the_next_chunk_would(run: Run) -> None:
    error = ConnectionError("gone")
    script = SpeechScript(
        first_audio_s=0.5, audio_s=2.0, chunk_s=0.5, pace=1.0, breaks_after_s=0.75, error=error
    )
    voice = ScriptedTextToSpeech(script)

    async def main() -> tuple[list[int], float]:
        sizes: list[int] = []
        with pytest.raises(ConnectionError) as caught:
            async for chunk in voice.synthesize(HELLO):
                sizes.append(len(chunk.data))  # noqa: PERF401  # it fails in between
        assert caught.value is error
        return sizes, anyio.current_time()

    assert run(main) == ([8000, 4000], 1.25)
    assert voice.requests[0].outcome == "failed"


@pytest.mark.parametrize(("breaks_after_s", "chunks"), [(0.0, 0), (0.5, 2)])
def test_a_break_without_an_error_hangs(run: Run, breaks_after_s: float, chunks: int) -> None:
    voice = ScriptedTextToSpeech(SpeechScript(audio_s=1.0, chunk_s=0.25, breaks_after_s=breaks_after_s))
    given: list[AudioChunk] = []

    async def main() -> float:
        with anyio.move_on_after(60.0):
            async for chunk in voice.synthesize(HELLO):
                given.append(chunk)  # noqa: PERF401  # it hangs in between
        return anyio.current_time()

    assert run(main) == 60.0
    assert len(given) == chunks
    assert voice.requests[0].outcome == "cancelled"


def test_a_function_tells_each_script_from_the_segment_and_the_attempt(run: Run) -> None:
    def script(segment: Segment, attempt: int) -> SpeechScript:
        return SpeechScript(audio_s=float(1 + segment.index + 10 * attempt))

    voice = ScriptedTextToSpeech(script)

    async def main() -> list[float]:
        requests = [Segment(0, "a"), Segment(1, "b"), Segment(1, "b")]
        lengths: list[float] = []
        for segment in requests:
            lengths += [PCM.duration_s(len(chunk.data)) async for chunk in voice.synthesize(segment)]
        return lengths

    assert run(main) == [1.0, 2.0, 12.0]
    assert [(request.segment.text, request.attempt) for request in voice.requests] == [
        ("a", 0),
        ("b", 0),
        ("b", 1),
    ]


def test_requests_and_characters_are_counted(run: Run) -> None:
    voice = ScriptedTextToSpeech(SpeechScript(first_audio_s=1.0, audio_s=1.0))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for index in range(3):
                tasks.start_soon(voice.synthesize(Segment(index, "five!")).__anext__)
            await anyio.sleep(0.5)
            assert voice.running == 3
            tasks.cancel_scope.cancel()
        voice.synthesize(HELLO)

    run(main)
    assert voice.characters == 15
    assert (voice.running, voice.most_running) == (0, 3)
    assert [request.ended_s for request in voice.requests] == [0.5, 0.5, 0.5]


def test_each_segment_sounds_different_and_a_shorter_one_is_the_beginning_of_itself() -> None:
    audio = scripted_audio(HELLO, PCM, 1.0)

    assert audio == scripted_audio(Segment(0, "Hello you"), PCM, 1.0)
    for other in (Segment(1, "Hello you"), Segment(0, "Hello me"), Segment(0, "Hello you", turn=1)):
        assert scripted_audio(other, PCM, 1.0) != audio
    assert audio.startswith(scripted_audio(HELLO, PCM, 0.500125))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^chunk_s must be above 0, got 0\.0$"):
        SpeechScript(chunk_s=0.0)
    with pytest.raises(ValueError, match=r"^error must come with breaks_after_s; use breaks_after_s=0\.0"):
        SpeechScript(error=ValueError())
    with pytest.raises(ValueError, match=r"^audio_format must be no container, got 'mp3'$"):
        ScriptedTextToSpeech(audio_format=AudioFormat("mp3", 8000))
