"""ELIZA, who has listened since 1966: a language model without account or weights (extra ``eliza``).

Her rules, and what reads them, are those of the package eliza-gpt, without the server that it makes of them.
"""

import re
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self, final

from anyio.lowlevel import checkpoint

from ordered_pipeline.voice import Message

__all__ = ["Eliza"]

# A word with the white space before it.
_WORD: Final = re.compile(r"\s*\S+")
# Of each message, its end. Her rules try every way to take a sentence apart: 500 characters take 6 ms at
# worst, 5,000 more than half a second, in which nothing else would run.
_READ_CHARACTERS: Final = 500
_BEFORE: Final = "Eliza: "
_AFTER: Final = "\nYou: "


def _folder() -> Path:
    spec = find_spec("eliza_gpt")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(
            "the package of ELIZA is not installed; pip install 'ordered-pipeline[eliza]'", name="eliza_gpt"
        )
    return Path(spec.submodule_search_locations[0], "eliza_py")


@contextmanager
def _in_front(folder: Path) -> Generator[None]:
    """Let modules be imported from *folder*, and leave no trace of it.

    Its modules call each other ``utils``, and so may a user's own be called: none is to be taken for another.
    """
    others = {name: sys.modules.pop(name) for name in _utils()}
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in _utils():
            del sys.modules[name]
        sys.modules.update(others)


def _utils() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] == "utils"]


_FOLDER: Final = _folder()
with _in_front(_FOLDER):
    _response = import_module("utils.response")
    _rules = import_module("utils.rules")
    _startup = import_module("utils.startup")


@final
class Eliza:
    """A language model that asks back: a stand-in where what is said does not matter, only how it sounds.

    What she replies depends on the user's messages alone, and is the same each time. She does not need to be
    closed, and is not for several threads.
    """

    def __init__(self) -> None:
        """Read the rules, which takes a millisecond."""
        scripts = _FOLDER / "scripts"
        general, rules, memory_inputs, _ = _startup.setup(
            str(scripts / "general.json"), str(scripts / "doctor.json")
        )
        self._substitutions: dict[str, str] = general["substitutions"]
        self._rules: list[dict[str, object]] = rules
        self._memory_inputs: list[str] = memory_inputs

    def reply(self, messages: Sequence[Message], /) -> "_Reply":
        """Return the reply to *messages*: an iterator of words, which are all there at once."""
        said = tuple(message.content for message in messages if message.role == "user")
        return _Reply(lambda: self._answer(said))

    def _answer(self, said: Sequence[str]) -> str:
        """Return what follows when *said* was said, one after another."""
        # The rules count how often each was used, so that it is not always the same answer. Going through the
        # whole conversation, from nothing, no other can have a part in this one.
        _rules.reset_all_last_used_reassembly_rule(self._rules)
        memory: list[str] = []
        answer = ""
        for text in said or ("",):
            end = text[-_READ_CHARACTERS:]
            if any(character.isalnum() for character in end):
                answer = _response.generate_response(
                    end, self._rules, self._substitutions, memory, self._memory_inputs
                )
            else:  # the rules would fail
                answer = _response.generate_generic_response(self._rules)
        return answer.removeprefix(_BEFORE).removesuffix(_AFTER)


@final
class _Reply:
    """The words of one reply."""

    def __init__(self, answer: Callable[[], str]) -> None:
        self._answer: Final = answer
        self._words: list[str] | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        await checkpoint()
        if self._words is None:
            self._words = _WORD.findall(self._answer())
        if not self._words:
            raise StopAsyncIteration
        return self._words.pop(0)

    async def aclose(self) -> None:
        """Say no more."""
        self._words = []
