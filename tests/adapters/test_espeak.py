"""Against the real library. A copy of it gives the same bytes for the same calls since it was loaded."""

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from ordered_pipeline.adapters.espeak import Espeak, EspeakError
from ordered_pipeline.testing import check_tts
from ordered_pipeline.voice import AudioChunk, AudioFormat, Segment

TEXT = "The quick brown fox jumps over the lazy dog near the river."
# Minutes of speech: whoever makes it is still at it when the first chunk comes.
LONG_TEXT = f"{TEXT} " * 200


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def chunks_of(voice: Espeak, text: str) -> list[AudioChunk]:
    return [chunk async for chunk in voice.synthesize(Segment(0, text))]


def spoken(*texts: str) -> list[list[AudioChunk]]:
    """Return what a voice that was just loaded says, one text after another."""

    async def main() -> list[list[AudioChunk]]:
        async with Espeak() as voice:
            return [await chunks_of(voice, text) for text in texts]

    return anyio.run(main)


def data_of(chunks: list[AudioChunk]) -> bytes:
    return b"".join(chunk.data for chunk in chunks)


def test_it_keeps_the_promises_of_a_voice(backend: str) -> None:
    async def main() -> None:
        async with Espeak() as voice:
            await check_tts(voice)

    anyio.run(main, backend=backend)


def test_a_sentence_becomes_audio_in_chunks_with_a_pause_behind(backend: str) -> None:
    async def main() -> list[AudioChunk]:
        async with Espeak() as voice:
            assert voice.format == AudioFormat("s16le", 22050)
            return await chunks_of(voice, TEXT)

    chunks = anyio.run(main, backend=backend)

    data = data_of(chunks)
    assert len(chunks) > 5
    assert 3.0 < AudioFormat("s16le", 22050).duration_s(len(data)) < 4.0
    assert not any(data[-2 * 6000 :])
    assert any(data[: 2 * 6000])


def test_words_are_told_with_the_times_when_they_sound() -> None:
    chunks = spoken(TEXT)[0]

    words = [word for chunk in chunks for word in chunk.words]
    assert " ".join(word.text for word in words) == TEXT.rstrip(".")
    assert words[0].start_s == 0.0
    assert [word.end_s for word in words[:-1]] == [word.start_s for word in words[1:]]
    reached = 0
    for chunk in chunks:
        reached += len(chunk.data) // 2
        assert all(round(word.end_s * 22050) <= reached for word in chunk.words)


def test_parts_of_a_number_or_of_an_emoji_are_no_words_of_their_own() -> None:
    words = [word.text for chunk in spoken("Yes, 25 naïve 😀 people. Bye")[0] for word in chunk.words]

    assert words == ["Yes", "25", "naïve", "😀", "people", "Bye"]


def test_what_cannot_be_said_keeps_its_place() -> None:
    words = [word.text for chunk in spoken("One\0two \ud800 three")[0] for word in chunk.words]

    assert words[:2] == ["One", "two"]
    assert words[-1] == "three"


def test_calls_side_by_side_give_what_they_give_alone(backend: str) -> None:
    # Long enough that no call can end, and leave its library to another, before all have begun.
    texts = [4 * text for text in (TEXT, "How are you today? ", "It barks, and 25 run away. ", "So long. ")]
    alone = [spoken(text)[0] for text in texts]
    together: dict[int, list[AudioChunk]] = {}

    async def main() -> None:
        async def take(index: int, text: str) -> None:
            call = voice.synthesize(Segment(index, text))
            first = await anext(call)
            all_began.append(index)
            # Every call has begun before any goes on.
            if len(all_began) == len(texts):
                everybody.set()
            await everybody.wait()
            together[index] = [first, *[chunk async for chunk in call]]

        all_began: list[int] = []
        everybody = anyio.Event()
        async with Espeak(concurrency=4) as voice, anyio.create_task_group() as tasks:
            for index, text in enumerate(texts):
                tasks.start_soon(take, index, text)

    anyio.run(main, backend=backend)

    assert [together[index] for index in range(4)] == alone


def test_more_calls_than_concurrency_take_turns() -> None:
    async def main() -> list[list[AudioChunk]]:
        results: list[list[AudioChunk]] = []

        async def take() -> None:
            results.append(await chunks_of(voice, "Hello."))

        async with Espeak(concurrency=1) as voice, anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(take)
        return results

    # One library: the same calls one after another.
    assert anyio.run(main) == spoken("Hello.", "Hello.", "Hello.")


def test_who_stops_listening_stops_the_voice(backend: str) -> None:
    async def main() -> list[AudioChunk]:
        async with Espeak(concurrency=1) as voice:
            call = voice.synthesize(Segment(0, LONG_TEXT))
            await anext(call)
            await call.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(call)
            # There is one place, and it comes free only when the call before has stopped.
            return await chunks_of(voice, "Hello.")

    assert data_of(anyio.run(main, backend=backend))


def test_a_call_that_nobody_takes_from_waits_and_is_stopped_with_the_block(backend: str) -> None:
    async def main() -> None:
        async with Espeak() as voice:
            call = voice.synthesize(Segment(0, LONG_TEXT))
            await anext(call)
        with pytest.raises(RuntimeError, match="the block of the voice was left while it spoke"):
            while True:
                await anext(call)

    anyio.run(main, backend=backend)


def test_a_cancelled_consumer_leaves_nothing_behind(backend: str) -> None:
    async def main() -> None:
        async with Espeak() as voice:
            call = voice.synthesize(Segment(0, LONG_TEXT))
            with anyio.move_on_after(0.05):
                async for _ in call:
                    pass
            await call.aclose()

    anyio.run(main, backend=backend)


def test_the_error_of_the_block_comes_out_bare(backend: str) -> None:
    async def main() -> None:
        async with Espeak() as voice:
            await anext(voice.synthesize(Segment(0, LONG_TEXT)))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        anyio.run(main, backend=backend)


def test_an_unknown_voice_is_told_by_the_iterator(backend: str) -> None:
    async def main() -> None:
        async with Espeak("klingon-b") as voice:
            await chunks_of(voice, "nuqneH")

    with pytest.raises(EspeakError, match=r"^voice must be one of espeak-ng's, got 'klingon-b'$"):
        anyio.run(main, backend=backend)


def test_a_voice_that_is_not_open_says_so() -> None:
    async def main() -> None:
        await chunks_of(Espeak(), "Hello.")

    with pytest.raises(RuntimeError, match="the voice was used outside its 'async with' block"):
        anyio.run(main)


def test_concurrency_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^concurrency must be at least 1, got 0$"):
        Espeak(concurrency=0)


def test_no_file_of_a_copy_remains_while_it_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    async def main() -> None:
        async with Espeak() as voice:
            call = voice.synthesize(Segment(0, LONG_TEXT))
            await anext(call)
            assert os.listdir(tmp_path) == []  # noqa: PTH208  # no path methods in async code
            await call.aclose()

    anyio.run(main)


def test_a_temporary_folder_that_takes_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))

    with pytest.raises(EspeakError, match=r"^espeak-ng could not be loaded \(.*nowhere.*; let TMPDIR name"):
        spoken("Hello.")


def test_a_path_that_the_library_would_cut_off_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("espeakng_loader.get_data_path", lambda: "/" + "d" * 159)

    with pytest.raises(
        EspeakError, match=r"^the path of espeak-ng's data must have at most 159 bytes, got '/ddd"
    ):
        spoken("Hello.")


def test_copies_are_freed() -> None:
    """Loaded and not freed, each would keep its pages."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return

    spoken("Hello.")

    assert "espeak-ng-" not in maps.read_text()


def test_without_its_package_the_adapter_says_what_to_install() -> None:
    code = "import sys; sys.modules['espeakng_loader'] = None; import ordered_pipeline.adapters.espeak"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert result.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: the package of the espeak voice is not installed; "
        "pip install 'ordered-pipeline[espeak]'"
    )
