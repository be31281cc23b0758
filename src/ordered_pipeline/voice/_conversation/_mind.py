"""The mind: a reply of the language model, which tells whatever it fails with, and does not hang."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Self, final

import anyio

from ordered_pipeline import Stage, ordered_flat_map
from ordered_pipeline.voice._misuse import check_kind
from ordered_pipeline.voice._roles import LanguageModel
from ordered_pipeline.voice._talk import Message

# How long a language model may give nothing while text is wanted. A caller has hung up by then; this is for
# one who had before, and whose conversation has to end.
_PATIENCE_S: Final = 30.0


@final
class Mind:
    """An async iterator of text deltas, to be iterated and closed by one task."""

    def __init__(
        self,
        llm: LanguageModel,
        messages: Sequence[Message],
        *,
        fail: Callable[[Exception], None],
        grace_s: float,
    ) -> None:
        """Say what to ask; nothing is asked before the first delta is.

        Args:
            llm: Whom.
            messages: What.
            fail: Called with whatever it fails with.
            grace_s: Its clean-up time.
        """
        self._fail: Callable[[Exception], None] = fail

        def ask(messages: Sequence[Message]) -> AsyncIterator[str]:
            return llm.reply(messages)

        # A stage, because to cancel its next result does not strike the language model, which may have to
        # clean up in its own way.
        self._deltas: Stage[Sequence[Message], str] = ordered_flat_map(
            ask, [messages], prefetch=1, buffer=1, grace_s=grace_s
        )
        self._is_asked: bool = False

    def __aiter__(self) -> Self:
        """Return the mind itself."""
        return self

    async def __anext__(self) -> str:
        """Return the next delta.

        Raises:
            StopAsyncIteration: There is none.
            TimeoutError: It gave nothing for too long.
            Exception: What it failed with.
        """
        if not self._is_asked:
            self._is_asked = True
            await self._deltas.__aenter__()
        try:
            with anyio.move_on_after(_PATIENCE_S):
                delta = await anext(self._deltas)
                check_kind("what the language model gives", delta, str, "text")
                return delta
            raise TimeoutError(f"the language model gave nothing for {_PATIENCE_S} s")  # noqa: TRY301  # told below
        except StopAsyncIteration:
            raise
        except Exception as error:
            self._fail(error)
            raise

    async def aclose(self) -> None:
        """Cancel the reply."""
        if self._is_asked:
            await self._deltas.__aexit__(None, None, None)
