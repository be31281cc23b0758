"""The promises of a language model."""

from collections.abc import Sequence
from typing import Final

from ordered_pipeline import in_order
from ordered_pipeline.testing._checks._broken import (
    ContractBroken,
    closing,
    expect_cancelling,
    expect_closing,
    expect_lazy,
    expect_stream,
    expect_type,
    within,
)
from ordered_pipeline.voice import LanguageModel, Message

_CALL: Final = "reply"
_COUNT: Final = (
    Message("system", "You answer in one short sentence."),
    Message("user", "Count from one to ten."),
)


async def check_llm(
    llm: LanguageModel,
    *,
    messages: Sequence[Message] = _COUNT,
    within_s: float = 30.0,
    close_s: float = 5.0,
) -> None:
    """Check that a language model keeps the promises of `~ordered_pipeline.voice.LanguageModel`.

    It is asked about six times. Replies are text, messages are left as they were, replies side by side
    are both whole, and each can be cancelled, and closed where there is an ``aclose``, after which the
    model writes on.

    Args:
        llm: The language model. Nobody else uses it meanwhile.
        messages: What it is asked; the reply must not be empty.
        within_s: How long it may take for a reply, in seconds.
        close_s: How long it may take to cancel or close a reply, in seconds.

    Raises:
        ContractBroken: It does not keep one of them.
        Exception: What the language model fails with.
    """
    asked = list(messages)
    expect_stream(expect_lazy(_CALL, lambda: llm.reply(asked)), _CALL)
    await _written(llm, asked, within_s)
    if asked != list(messages):
        raise ContractBroken(f"{_CALL} must leave the messages as they are, but made {asked!r} of them")
    await in_order([_written(llm, asked, within_s) for _ in range(2)]).collect()
    async with closing(llm.reply(asked)) as begun:
        with within(within_s, f"{_CALL} must give the first delta"):
            await anext(begun)
        await expect_closing(begun, _CALL, close_s)
    await expect_cancelling(llm.reply(asked), _CALL, close_s)
    await _written(llm, asked, within_s)


async def _written(llm: LanguageModel, messages: Sequence[Message], within_s: float) -> None:
    text = ""
    async with closing(llm.reply(messages)) as deltas:
        with within(within_s, f"{_CALL} must end"):
            async for delta in deltas:
                expect_type(delta, str, "each delta")
                text += delta
    if not text.strip():
        raise ContractBroken(f"{_CALL} must give text for {messages!r}, got {text!r}")
