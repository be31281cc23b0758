"""The command's way through a text, in virtual time: every instant is exact."""

import wave
from collections.abc import AsyncGenerator, Callable, Coroutine
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.adapters.espeak import Espeak
from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._files import OutputFile, WavFile
from ordered_pipeline.cli._outputs import FilePlayer
from ordered_pipeline.cli._speech import Run, Tape, speak_gathered, speak_in_order
from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.voice import AudioChunk, AudioFormat, Segment, Timeline

FORMAT = AudioFormat("s16le", 8)


class ScriptedVoice:
    """Answers after a second with a second of sound, and half a second later with another."""

    format = FORMAT

    def __init__(self) -> None:
        self.running = 0
        self.most_running = 0

    async def synthesize(self, segment: Segment, /) -> AsyncGenerator[AudioChunk, None]:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            for wait_s in (1.0, 0.5):
                await anyio.sleep(wait_s)
                yield AudioChunk(bytes([segment.index + 1]) * 16)
        finally:
            self.running -= 1


async def written(*deltas: tuple[float, str]) -> AsyncGenerator[str, None]:
    """Give each delta after as many seconds as stand before it."""
    for wait_s, text in deltas:
        await anyio.sleep(wait_s)
        yield text


async def in_order(source: AsyncGenerator[str, None], voice: ScriptedVoice, *, prefetch: int = 3) -> Run:
    runs: list[Run] = []
    await speak_in_order(source, tts=voice, player=FilePlayer(FORMAT, None), prefetch=prefetch, runs=runs)
    (run,) = runs
    return run


async def gathered(source: AsyncGenerator[str, None], voice: ScriptedVoice) -> Run:
    runs: list[Run] = []
    await speak_gathered(source, tts=voice, player=FilePlayer(FORMAT, None), runs=runs)
    (run,) = runs
    return run


def times(timeline: Timeline) -> list[tuple[float | None, ...]]:
    return [
        (s.text_ready_s, s.tts_asked_s, s.first_audio_s, s.started_s, s.ended_s) for s in timeline.segments
    ]


REPLY = ((0.0, "One, two. Thr"), (1.0, "ee, four. Five, six. "), (1.5, "Seven, eight."))


def test_segments_are_made_ahead_and_sound_one_after_the_other() -> None:
    async def main() -> Run:
        return await in_order(written(*REPLY), ScriptedVoice())

    run = run_in_virtual_time(main)

    assert times(run.timeline) == [
        (0.0, 0.0, 1.0, 1.0, 3.0),
        (1.0, 1.0, 2.0, 3.0, 5.0),
        (1.0, 1.0, 2.0, 5.0, 7.0),
        (2.5, 2.5, 3.5, 7.0, 9.0),
    ]
    assert run.timeline.gaps == ()
    assert (run.timeline.first_audio_s, run.timeline.text_end_s) == (1.0, 2.5)
    assert (run.heard.text, run.heard.unheard) == ("One, two. Three, four. Five, six. Seven, eight.", "")


def test_the_gather_way_waits_for_all_text_and_all_audio() -> None:
    async def main() -> Run:
        return await gathered(written(*REPLY), ScriptedVoice())

    run = run_in_virtual_time(main)

    assert times(run.timeline) == [
        (2.5, 2.5, 4.0, 4.0, 6.0),
        (2.5, 2.5, 4.0, 6.0, 8.0),
        (2.5, 2.5, 4.0, 8.0, 10.0),
        (2.5, 2.5, 4.0, 10.0, 12.0),
    ]
    assert run.timeline.first_audio_s == 4.0
    assert run.heard.unheard == ""


def test_no_more_segments_are_made_than_are_to_be_in_flight() -> None:
    text = "One, two. Three, four. Five, six. Seven, eight. Nine, ten."

    async def main(prefetch: int) -> int:
        voice = ScriptedVoice()
        await in_order(written((0.0, text)), voice, prefetch=prefetch)
        return voice.most_running

    async def all_at_once() -> int:
        voice = ScriptedVoice()
        await gathered(written((0.0, text)), voice)
        return voice.most_running

    assert [run_in_virtual_time(main, prefetch) for prefetch in (1, 2, 4)] == [1, 2, 4]
    assert run_in_virtual_time(all_at_once) == 5


def test_a_text_is_replayed_as_it_came() -> None:
    async def main() -> None:
        tape = Tape()
        await anyio.sleep(7)
        came = [(anyio.current_time() - 7, text) async for text in tape.record(written(*REPLY, (2.0, "\n")))]
        end_s = anyio.current_time()
        again = [(anyio.current_time() - end_s, text) async for text in tape.replay()]

        assert again == came
        assert anyio.current_time() - end_s == end_s - 7 == 4.5

    run_in_virtual_time(main)


@pytest.mark.parametrize("speak", [in_order, gathered])
def test_what_a_voice_fails_with_comes_out(
    speak: Callable[[AsyncGenerator[str, None], ScriptedVoice], Coroutine[None, None, Run]],
) -> None:
    class FailingVoice(ScriptedVoice):
        async def synthesize(self, segment: Segment, /) -> AsyncGenerator[AudioChunk, None]:
            if segment.index == 1:
                raise KeyError("mine")
            async for chunk in super().synthesize(segment):
                yield chunk

    async def main() -> None:
        await speak(written(*REPLY), FailingVoice())

    with pytest.raises(KeyError, match="mine"):
        run_in_virtual_time(main)


def test_what_was_said_before_the_text_went_wrong_is_said_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    runs: list[Run] = []

    async def broken() -> AsyncGenerator[str, None]:
        yield "One, two. Three, four. "
        raise Failure(Exit.NOT_TEXT, "no text")

    async def main() -> None:
        with OutputFile(str(path)) as file:
            player = FilePlayer(FORMAT, WavFile(file, FORMAT))
            await speak_in_order(broken(), tts=ScriptedVoice(), player=player, prefetch=2, runs=runs)

    with pytest.raises(Failure, match="no text"):
        run_in_virtual_time(main)

    with wave.open(str(path)) as file:
        assert file.readframes(100) == b"\1" * 32 + b"\2" * 32
    assert [run.heard.text for run in runs] == ["One, two. Three, four. "]


def test_who_is_cancelled_tells_what_was_heard() -> None:
    runs: list[Run] = []

    async def main() -> None:
        with anyio.move_on_after(1.2):
            await speak_in_order(
                written(*REPLY), tts=ScriptedVoice(), player=FilePlayer(FORMAT, None), prefetch=1, runs=runs
            )

    run_in_virtual_time(main)

    (run,) = runs
    assert run.timeline.interrupted_s == 1.2
    # The second half of the first segment was not there yet; one delta was read ahead, and no more.
    assert run.timeline.segments[0].played_s == 1.0
    assert (run.heard.text, run.heard.unheard) == ("One, two.", " Three, four. Five, six. ")


class RecordedVoice:
    """The real voice, with all that it gave."""

    def __init__(self, voice: Espeak) -> None:
        self._voice = voice
        self.given: dict[int, bytes] = {}

    @property
    def format(self) -> AudioFormat:
        return self._voice.format

    async def synthesize(self, segment: Segment, /) -> AsyncGenerator[AudioChunk, None]:
        call = self._voice.synthesize(segment)
        try:
            async for chunk in call:
                self.given[segment.index] = self.given.get(segment.index, b"") + chunk.data
                yield chunk
        finally:
            await call.aclose()


@pytest.mark.parametrize("prefetch", [1, 3])
def test_the_file_is_what_the_real_voice_gave_to_the_sample(tmp_path: Path, prefetch: int) -> None:
    path = tmp_path / "a.wav"
    text = "Hello there. How are you today? I am fine, thanks. See you. Never mind, Dr. Who. Bye."
    runs: list[Run] = []

    async def main() -> dict[int, bytes]:
        async with Espeak(concurrency=prefetch) as espeak:
            voice = RecordedVoice(espeak)
            with OutputFile(str(path)) as file:
                player = FilePlayer(voice.format, WavFile(file, voice.format))
                source = written(*((0.0, char) for char in text))
                await speak_in_order(source, tts=voice, player=player, prefetch=prefetch, runs=runs)
            return voice.given

    given = anyio.run(main)

    (run,) = runs
    segments = run.timeline.segments
    assert "".join(segment.text for segment in segments) == text
    assert sorted(given) == list(range(len(segments)))
    with wave.open(str(path)) as file:
        assert file.readframes(file.getnframes()) == b"".join(given[segment.index] for segment in segments)
    assert [segment.audio_s for segment in segments] == [
        len(given[segment.index]) / 2 / 22050 for segment in segments
    ]
    assert run.timeline.gaps == ()
