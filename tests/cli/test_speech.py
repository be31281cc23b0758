"""The command's way through a text, in virtual time: every instant is exact."""

import asyncio
import wave
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.adapters.espeak import Espeak
from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._ledger import Ledger, Report
from ordered_pipeline.cli._outputs import Listener, WavFile
from ordered_pipeline.cli._progress import Progress
from ordered_pipeline.cli._speech import Run, replay, speak_gathered, speak_in_order
from ordered_pipeline.cli._text import Delta
from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.voice import AudioChunk, AudioFormat, Segment

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


async def written(*deltas: tuple[float, str]) -> AsyncGenerator[Delta, None]:
    """Give each delta after as many seconds as stand before it."""
    for wait_s, text in deltas:
        await anyio.sleep(wait_s)
        yield Delta(anyio.current_time(), text)


def new_run(voice: ScriptedVoice, wav: WavFile | None = None) -> Run:
    return Run(voice, Listener(FORMAT), wav, Ledger(FORMAT, anyio.current_time()), Progress(None))


def times(report: Report) -> list[tuple[float | None, ...]]:
    return [
        (s.text_ready_s, s.tts_asked_s, s.first_chunk_s, s.play_start_s, s.play_end_s)
        for s in report.segments
    ]


REPLY = ((0.0, "One. Tw"), (1.0, "o. Three."), (1.0, " "), (0.5, "Four."))


def test_sentences_are_made_ahead_and_sound_one_after_the_other() -> None:
    async def main() -> Report:
        run = new_run(ScriptedVoice())
        await speak_in_order(written(*REPLY), run, prefetch=3)
        return run.ledger.report()

    report = run_in_virtual_time(main)

    assert times(report) == [
        (0.0, 0.0, 1.0, 1.0, 3.0),
        (1.0, 1.0, 2.0, 3.0, 5.0),
        (2.0, 2.0, 3.0, 5.0, 7.0),
        (2.5, 2.5, 3.5, 7.0, 9.0),
    ]
    assert report.gaps == ()
    assert (report.first_audio_s, report.text_end_s) == (1.0, 2.5)
    assert (report.spoken, report.unspoken) == ("One. Two. Three. Four.", "")


def test_the_gather_way_waits_for_all_text_and_all_audio() -> None:
    async def main() -> Report:
        run = new_run(ScriptedVoice())
        await speak_gathered(written(*REPLY), run)
        return run.ledger.report()

    report = run_in_virtual_time(main)

    assert times(report) == [
        (0.0, 2.5, 3.5, 4.0, 6.0),
        (1.0, 2.5, 3.5, 6.0, 8.0),
        (2.0, 2.5, 3.5, 8.0, 10.0),
        (2.5, 2.5, 3.5, 10.0, 12.0),
    ]
    assert report.first_audio_s == 4.0


def test_no_more_sentences_are_made_than_are_to_be_in_flight() -> None:
    async def main(prefetch: int) -> int:
        voice = ScriptedVoice()
        await speak_in_order(written((0.0, "A a. B b. C c. D d. E e.")), new_run(voice), prefetch=prefetch)
        return voice.most_running

    assert [run_in_virtual_time(main, prefetch) for prefetch in (1, 2, 4)] == [1, 2, 4]


def test_a_text_is_replayed_as_it_came() -> None:
    async def main() -> Report:
        await anyio.sleep(7)
        first = new_run(ScriptedVoice())
        await speak_in_order(written(*REPLY, (2.0, "\n")), first, prefetch=3)
        second = new_run(ScriptedVoice())
        await speak_in_order(replay(first.ledger.deltas, first.ledger.text_end_s), second, prefetch=3)
        assert second.ledger.report() == first.ledger.report()
        return second.ledger.report()

    assert run_in_virtual_time(main).text_end_s == 4.5


def test_the_file_holds_the_sentences_in_order_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    async def main() -> None:
        with WavFile(str(path), FORMAT) as wav:
            await speak_in_order(written((0.0, "A a. B b. C c.")), new_run(ScriptedVoice(), wav), prefetch=2)

    run_in_virtual_time(main)

    with wave.open(str(path)) as file:
        assert file.readframes(100) == b"\1" * 32 + b"\2" * 32 + b"\3" * 32


def test_what_was_said_before_the_text_went_wrong_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"

    async def broken() -> AsyncGenerator[Delta, None]:
        yield Delta(0.0, "A a. B b. And")
        raise Failure(Exit.NOT_TEXT, "no text")

    async def main() -> None:
        with WavFile(str(path), FORMAT) as wav:
            await speak_in_order(broken(), new_run(ScriptedVoice(), wav), prefetch=2)

    with pytest.raises(Failure, match="no text"):
        run_in_virtual_time(main)

    with wave.open(str(path)) as file:
        assert file.readframes(100) == b"\1" * 32 + b"\2" * 32


def test_who_is_interrupted_falls_silent_before_anything_is_tidied_up() -> None:
    order: list[str] = []

    class Output(Listener):
        def stop(self) -> None:
            order.append("silence")

    class SlowVoice(ScriptedVoice):
        async def synthesize(self, segment: Segment, /) -> AsyncGenerator[AudioChunk, None]:
            try:
                yield AudioChunk(bytes([segment.index]) * 16)
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(1)
                order.append("tidied up")

    async def main() -> Report:
        run = Run(SlowVoice(), Output(FORMAT), None, Ledger(FORMAT, 0.0), Progress(None))
        speaking = asyncio.create_task(speak_in_order(written((0.0, "A a. B b.")), run, prefetch=2))
        await anyio.sleep(1)
        speaking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await speaking
        return run.ledger.report()

    report = run_in_virtual_time(main)

    assert order == ["silence", "tidied up", "tidied up"]
    assert (report.segments[0].samples, report.unspoken) == (8, "A a. B b.")


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

    async def main() -> tuple[dict[int, bytes], Report]:
        async with Espeak(concurrency=prefetch) as espeak:
            voice = RecordedVoice(espeak)
            ledger = Ledger(voice.format, anyio.current_time())
            with WavFile(str(path), voice.format) as wav:
                run = Run(voice, Listener(voice.format), wav, ledger, Progress(None))
                text = "Hello there. How are you today? I am fine, thanks. See you. Never mind, Dr. Who. Bye."
                await speak_in_order(written(*((0.0, char) for char in text)), run, prefetch=prefetch)
            return voice.given, ledger.report()

    given, report = anyio.run(main)

    assert sorted(given) == [0, 1, 2, 3, 4, 5]
    with wave.open(str(path)) as file:
        assert file.readframes(file.getnframes()) == b"".join(given[index] for index in range(6))
    assert [segment.samples for segment in report.segments] == [len(given[index]) // 2 for index in range(6)]
    assert report.gaps == ()
