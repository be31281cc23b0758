"""The scripted language model: text at stated instants."""

import math

import anyio
import pytest

from ordered_pipeline.testing import ReplyScript, ScriptedLanguageModel
from ordered_pipeline.voice import LanguageModel, Message
from tests.conftest import Run

HELLO = [Message("user", "hello")]


def test_text_comes_word_by_word_at_equal_distances(run: Run) -> None:
    llm = ScriptedLanguageModel(ReplyScript.word_by_word("It  is\nlate. ", first_s=0.5, gap_s=0.25))

    async def main() -> list[tuple[float, str]]:
        return [(anyio.current_time(), delta) async for delta in llm.reply(HELLO)]

    assert run(main) == [(0.5, "It"), (0.75, "  is"), (1.0, "\nlate."), (1.25, " ")]


def test_each_reply_has_its_script_and_the_last_serves_the_rest(run: Run) -> None:
    llm: LanguageModel = ScriptedLanguageModel(
        ReplyScript(deltas=((0.0, "one"),)), ReplyScript(deltas=((1.0, "two"),)), "three"
    )

    async def main() -> list[str]:
        return ["".join([delta async for delta in llm.reply(HELLO)]) for _ in range(4)]

    assert run(main) == ["one", "two", "three", "three"]


def test_what_was_asked_is_recorded(run: Run) -> None:
    llm = ScriptedLanguageModel(ReplyScript(deltas=((0.5, "Hi."), (1.0, " You?")), end_s=2.0))

    async def main() -> None:
        llm.reply([Message("user", "never read")])
        reply = llm.reply(HELLO)
        await anext(reply)
        assert llm.running == 1
        await reply.aclose()
        _ = [delta async for delta in llm.reply([])]

    run(main)
    closed, whole = llm.requests
    assert (closed.messages, closed.outcome, closed.ended_s) == ((*HELLO,), "closed", 0.5)
    assert (whole.messages, whole.outcome, whole.first_s, whole.ended_s) == ((), "completed", 1.0, 2.5)
    assert llm.running == 0
    assert llm.most_running == 1


def test_a_reply_may_fail_or_hang(run: Run) -> None:
    llm = ScriptedLanguageModel(
        ReplyScript.word_by_word("So far", gap_s=0.5, error=ConnectionError("gone")),
        ReplyScript(end_s=math.inf),
    )

    async def main() -> None:
        with pytest.raises(ConnectionError):
            _ = [delta async for delta in llm.reply(HELLO)]
        assert anyio.current_time() == 0.5
        with anyio.move_on_after(100.0):
            _ = [delta async for delta in llm.reply(HELLO)]

    run(main)
    assert [request.outcome for request in llm.requests] == ["failed", "cancelled"]


def test_a_script_out_of_time_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^deltas must be in the order of time, got 0\.5 after 1\.0$"):
        ReplyScript(deltas=((1.0, "a"), (0.5, "b")))
    with pytest.raises(ValueError, match=r"^end_s must not be before the last delta at 1\.0, got 0\.5$"):
        ReplyScript(deltas=((1.0, "a"),), end_s=0.5)
    with pytest.raises(ValueError, match=r"^scripts must be at least one, got none$"):
        ScriptedLanguageModel()
