"""Against real processes, in real time; what they say is scripted."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from ordered_pipeline.adapters.piper._child import Child, PiperError, start_child
from tests.adapters.piper.processes import children, scripted


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@asynccontextmanager
async def running(*arguments: str, patience_s: float = 10.0) -> AsyncGenerator[Child]:
    """Give a process, and see to it that nothing is left of it."""
    others = children()
    try:
        child = await start_child(scripted(*arguments), patience_s=patience_s)
        try:
            yield child
        finally:
            await child.aclose()
    finally:
        assert children() == others


async def audio_of(child: Child, text: str) -> bytes:
    await child.speak(text)
    audio = b""
    while (data := await child.audio()) is not None:
        audio += data
    return audio


def test_it_speaks_one_text_after_another(backend: str) -> None:
    async def main() -> None:
        async with running() as child:
            assert await audio_of(child, "hello!") == b"hello!"
            assert await audio_of(child, "") == b""
            assert child.is_ready
            assert await audio_of(child, "bye") == b"bye "

    anyio.run(main, backend=backend)


def test_what_it_is_at_can_be_stopped(backend: str) -> None:
    async def main() -> None:
        async with running() as child:
            await child.speak("endless")
            await child.audio()

            await child.stop()

            assert child.is_ready
            assert await audio_of(child, "hello!") == b"hello!"

    anyio.run(main, backend=backend)


def test_a_stop_that_comes_too_late_means_nothing_to_the_next_text(backend: str) -> None:
    async def main() -> None:
        async with running() as child:
            await child.speak("hello!")  # through before the stop is read

            await child.stop()

            assert await audio_of(child, "bye!") == b"bye!"
            await child.stop()
            assert await audio_of(child, "and bye!") == b"and bye!"

    anyio.run(main, backend=backend)


def test_what_does_not_stop_is_not_ready_any_more(backend: str) -> None:
    async def main() -> None:
        async with running() as child:
            await child.speak("hang")

            await child.stop()

            assert not child.is_ready

    anyio.run(main, backend=backend)


def test_a_text_that_it_cannot_speak_leaves_it_ready(backend: str) -> None:
    async def main() -> None:
        async with running() as child:
            with pytest.raises(PiperError, match=r"^Piper could not speak the text \(too hard\)$"):
                await audio_of(child, "fail")

            assert child.is_ready

    anyio.run(main, backend=backend)


def test_a_text_that_is_too_long_leaves_it_ready(backend: str) -> None:
    async def main() -> None:
        async with running() as child:
            with pytest.raises(
                PiperError, match=r"^Piper could not speak a text of 1048577 characters \(a payl"
            ):
                await child.speak("a" * 1_048_577)

            assert await audio_of(child, "hello!") == b"hello!"

    anyio.run(main, backend=backend)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("crash", r"^the process of the voice was ended by signal 9 \(Killed\)$"),
        ("crash after audio", r"^the process of the voice was ended by signal 11 \(Segmentation fault\)$"),
        ("exit", r"^the process of the voice ended with status 3$"),
        ("cut", r"^the process of the voice ended with status 0$"),
        ("close", r"^the process of the voice closed its output$"),
        (
            "garbage",
            r"^the process of the voice wrote what it should not \(a frame .*b'Hello, I am the voice\.'\)$",
        ),
        ("out of turn", r"^the process of the voice answered READY out of turn$"),
    ],
)
def test_what_goes_wrong_with_it_is_told_and_ends_its_service(text: str, message: str, backend: str) -> None:
    async def main() -> None:
        async with running() as child:
            with pytest.raises(PiperError, match=message):
                await audio_of(child, text)

            assert not child.is_ready

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("text", ["hang", "hang after audio"])
def test_one_that_says_nothing_for_too_long_is_given_up(text: str, backend: str) -> None:
    async def main() -> None:
        async with running(patience_s=0.3) as child:
            with pytest.raises(PiperError, match=r"^the process of the voice did not answer within 0\.3 s$"):
                await audio_of(child, text)

            assert not child.is_ready

    anyio.run(main, backend=backend)


def test_one_that_does_not_take_a_text_is_given_up(backend: str) -> None:
    async def main() -> None:
        async with running(patience_s=0.3) as child:
            await child.speak("hang")
            with pytest.raises(PiperError, match=r"^the process of the voice did not answer within 0\.3 s$"):
                # More than a pipe holds.
                await child.speak("a" * 1_000_000)

    anyio.run(main, backend=backend)


def test_one_that_ended_unnoticed_does_not_take_a_text(backend: str) -> None:
    async def main() -> None:
        async with running() as child:
            await child.speak("exit")
            with pytest.raises(PiperError, match=r"^the process of the voice ended with status 3$"):
                while True:
                    await child.speak("hello!" * 10_000)

    anyio.run(main, backend=backend)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("fail", r"^Piper could not load the voice \(no such voice\)$"),
        ("exit", r"^the process of the voice ended with status 3$"),
        ("garbage", r"^the process of the voice wrote what it should not \(.*Hello, I am the voice\.'\)$"),
        ("out of turn", r"^the process of the voice answered DONE out of turn$"),
    ],
)
def test_one_that_does_not_get_ready_is_told(how: str, message: str, backend: str) -> None:
    async def main() -> None:
        with pytest.raises(PiperError, match=message):
            async with running(how):
                pass

    anyio.run(main, backend=backend)


def test_one_that_hangs_at_its_start_is_given_up(backend: str) -> None:
    async def main() -> None:
        with pytest.raises(PiperError, match=r"^the process of the voice did not answer within 0\.3 s$"):
            async with running("hang", patience_s=0.3):
                pass

    anyio.run(main, backend=backend)


def test_a_program_that_is_not_there_is_told(backend: str) -> None:
    async def main() -> None:
        with pytest.raises(PiperError, match=r"^the process of the voice could not be started \(.*nowhere"):
            await start_child(["/nowhere/python"])

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.005, 0.02, 0.1])
def test_who_is_cancelled_while_one_starts_leaves_none_behind(after_s: float, backend: str) -> None:
    async def main() -> None:
        others = children()
        with anyio.move_on_after(after_s):
            await start_child(scripted("hang"))
        assert children() == others

    anyio.run(main, backend=backend)
