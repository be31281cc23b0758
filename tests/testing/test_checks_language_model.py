"""The check of a language model: one that keeps its promises passes, and each broken promise is named."""

import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

import anyio
import pytest

from ordered_pipeline.testing import ContractBroken, ReplyScript, ScriptedLanguageModel, check_llm
from ordered_pipeline.voice import LanguageModel, Message
from tests.conftest import Run

HELLO = (Message("user", "Hello?"),)


class Model:
    """A language model whose promises are kept as far as its function keeps them."""

    def __init__(self, reply: Callable[[Sequence[Message]], AsyncIterator[str]]) -> None:
        self.reply = reply


class WithoutClosing:
    """A reply that has no ``aclose``."""

    def __init__(self, _: Sequence[Message]) -> None:
        self._deltas = iter(("one", " two"))

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        for delta in self._deltas:
            return delta
        raise StopAsyncIteration


@pytest.mark.parametrize(
    "llm",
    [
        ScriptedLanguageModel(ReplyScript.word_by_word("One, two.", first_s=0.5, gap_s=0.25)),
        ScriptedLanguageModel("One, two."),
        Model(WithoutClosing),
    ],
)
def test_a_language_model_that_keeps_its_promises_passes(run: Run, llm: LanguageModel) -> None:
    run(check_llm, llm)


def check(run: Run, llm: LanguageModel, message: str) -> None:
    async def main() -> None:
        with pytest.raises(ContractBroken, match=f"^{re.escape(message)}"):
            await check_llm(llm, messages=HELLO, within_s=10.0, close_s=1.0)

    run(main)


def test_a_coroutine_function(run: Run) -> None:
    async def reply(_: Sequence[Message]) -> str:
        return "Hello."

    check(run, Model(reply), "reply must return an async iterator, got coroutine")  # type: ignore[arg-type]  # the breach


def test_deltas_that_are_no_text(run: Run) -> None:
    async def reply(_: Sequence[Message]) -> AsyncGenerator[None, None]:
        yield None

    check(run, Model(reply), "each delta must be str, got None")  # type: ignore[arg-type]  # the breach


def test_no_text(run: Run) -> None:
    check(
        run, ScriptedLanguageModel(" "), "reply must give text for [Message(role='user', content='Hello?')]"
    )


def test_a_reply_that_hangs(run: Run) -> None:
    check(run, ScriptedLanguageModel(ReplyScript(end_s=math.inf)), "reply must end within 10 s, but did not")


def test_messages_that_were_changed(run: Run) -> None:
    async def reply(messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        assert isinstance(messages, list)
        messages.append(Message("assistant", "Hi."))
        yield "Hi."

    check(run, Model(reply), "reply must leave the messages as they are, but made [Message(role='user'")


def test_replies_that_cannot_run_side_by_side(run: Run) -> None:
    running: list[str] = []

    async def reply(_: Sequence[Message]) -> AsyncGenerator[str, None]:
        if running:
            return
        running.append("one")
        await anyio.sleep(0.5)
        running.clear()
        yield "Hi."

    check(run, Model(reply), "reply must give text for [Message(role='user', content='Hello?')], got ''")


def test_a_slow_close(run: Run) -> None:
    script = ReplyScript(deltas=((0.0, "Hi."), (1.0, " You?")), cleanup_s=2.0)

    check(run, ScriptedLanguageModel(script), "aclose of what reply returns must end within 1 s, but did not")


def test_a_slow_cancellation(run: Run) -> None:
    script = ReplyScript(deltas=((0.5, "Hi."),), cleanup_s=2.0)

    async def reply(messages: Sequence[Message]) -> AsyncGenerator[str, None]:
        async for delta in ScriptedLanguageModel(script).reply(messages):
            yield delta

    check(run, Model(reply), "a cancelled wait for what reply returns must end within 1.02 s, but did not")
