"""Against real servers that others wrote: llama.cpp's with a model, and ELIZA's."""

import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from ordered_pipeline.adapters.openai import ChatCompletions, ChatRefusedError
from ordered_pipeline.testing import check_llm
from ordered_pipeline.voice import Message

pytestmark = pytest.mark.parts

LLAMA = (sys.executable, str(Path(__file__).with_name("llama_server.py")))
COUNT = (Message("user", "Count from one to a hundred, in words."),)


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def running(command: tuple[str, ...]) -> Iterator[subprocess.Popen[str]]:
    """Start a server, and see to it that it ends with the block."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """Give the address of llama.cpp's server."""
    with running(LLAMA) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            _, told = process.communicate()
            pytest.fail(f"llama.cpp's server did not start: {told}")
        yield address


@pytest.fixture(scope="module")
def eliza() -> Iterator[str]:
    """Give the address of ELIZA's server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = (
        str(Path(sys.executable).with_name("eliza-gpt")),
        "--port",
        str(port),
        "--avg-response-time",
        "0",
    )
    with running(command) as process:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    pytest.fail(f"ELIZA's server did not start: {process.communicate()[1]}")
                time.sleep(0.05)
            else:
                break
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def opened(address: str, **options: object) -> AsyncGenerator[ChatCompletions]:
    async with httpx.AsyncClient(trust_env=False) as client:
        yield ChatCompletions(client, base_url=f"{address}/v1", model="any", options=options)


def test_llama_keeps_the_promises_of_a_language_model(llama: str, backend: str) -> None:
    async def main() -> None:
        async with opened(llama, max_tokens=24, temperature=0) as llm:
            await check_llm(llm)

    anyio.run(main, backend=backend)


def test_eliza_keeps_the_promises_of_a_language_model(eliza: str, backend: str) -> None:
    async def main() -> None:
        async with opened(eliza) as llm:
            await check_llm(llm)

    anyio.run(main, backend=backend)


def test_what_llama_writes_comes_while_it_writes(llama: str, backend: str) -> None:
    async def main() -> list[float]:
        async with opened(llama, max_tokens=32, temperature=0) as llm:
            return [anyio.current_time() async for _ in llm.reply(COUNT)]

    times = anyio.run(main, backend=backend)

    assert len(times) >= 16
    # At 57 tokens a second: not all at once at the end.
    assert times[-1] - times[0] > 0.1


def test_closing_a_reply_lets_go_of_its_place_in_the_server(llama: str, backend: str) -> None:
    """The server has two: with a third reply, one of the closed ones would have to be over."""

    async def main() -> int:
        async with opened(llama, max_tokens=2000, temperature=0, ignore_eos=True) as llm:
            for _ in range(2):
                reply = llm.reply(COUNT)
                await anext(reply)
                await reply.aclose()
            with anyio.fail_after(10):
                while busy := await busy_slots(llama):
                    pass
            return busy

    assert anyio.run(main, backend=backend) == 0


async def busy_slots(address: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        slots = (await client.get(f"{address}/slots")).json()
    return sum(slot["is_processing"] for slot in slots)


def test_a_refusal_of_llama_is_told_in_its_words(llama: str, backend: str) -> None:
    async def main() -> None:
        async with opened(llama, response_format={"type": "nonsense"}) as llm:
            with pytest.raises(ChatRefusedError, match=r"response_format|type") as refused:
                await anext(llm.reply(COUNT))
            assert refused.value.status == 400

    anyio.run(main, backend=backend)
