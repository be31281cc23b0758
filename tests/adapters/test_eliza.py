"""Against the real package, in virtual time: she needs none."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.adapters.eliza import Eliza
from ordered_pipeline.testing import check_llm, run_in_virtual_time
from ordered_pipeline.voice import Message
from tests.conftest import Run


async def reply_to(eliza: Eliza, *said: str) -> list[str]:
    return [word async for word in eliza.reply([Message("user", text) for text in said])]


def test_she_keeps_the_promises_of_a_language_model(run: Run) -> None:
    run(check_llm, Eliza())


def test_she_asks_back_word_by_word(run: Run) -> None:
    words = run(reply_to, Eliza(), "My mother hates me.")

    assert words == ["Who", " else", " in", " your", " family", " hates", " you?"]


def test_she_remembers_what_was_said_before(run: Run) -> None:
    async def main() -> tuple[str, str]:
        eliza = Eliza()
        return "".join(await reply_to(eliza, "My boat leaks.", "Hm.")), "".join(await reply_to(eliza, "Hm."))

    later, alone = run(main)

    assert later == "Does that have anything to do with the fact that your boat leaks?"
    assert alone == "Please go on."


def test_she_does_not_say_the_same_again_and_again(run: Run) -> None:
    said = ["Hm."] * 3

    replies = {"".join(run(reply_to, Eliza(), *said[:count])) for count in (1, 2, 3)}

    assert len(replies) == 3


def test_no_conversation_has_a_part_in_another(run: Run) -> None:
    async def main() -> None:
        eliza = Eliza()
        alone = await reply_to(eliza, "I am sad.", "Hm.")
        first, second = eliza.reply([Message("user", "My dog barks.")]), eliza.reply([Message("user", "Hm.")])
        await anext(first)
        await anext(second)
        assert (
            await reply_to(eliza, "I am sad.", "Hm.") == alone == await reply_to(Eliza(), "I am sad.", "Hm.")
        )

    run(main)


def test_only_what_the_user_says_counts(run: Run) -> None:
    messages = [
        Message("system", "I am sad."),
        Message("assistant", "My boat leaks."),
        Message("user", "Hm."),
    ]

    async def main() -> str:
        return "".join([word async for word in Eliza().reply(messages)])

    assert run(main) == "Please go on."


@pytest.mark.parametrize("text", ["", " ", "...", "?!", "$", "-", "🙂"])
def test_to_what_has_no_words_she_finds_some(run: Run, text: str) -> None:
    assert "".join(run(reply_to, Eliza(), text)) == "Please go on."


def test_to_nothing_at_all_she_finds_words_too(run: Run) -> None:
    assert "".join(run(reply_to, Eliza())) == "Please go on."


def test_of_an_endless_message_she_hears_the_end(run: Run) -> None:
    words = run(reply_to, Eliza(), "la " * 100_000 + ". My mother hates me.")

    assert "".join(words) == "Who else in your family hates you?"


WORDS = st.sampled_from(
    ["I", "you", "your", "my", "am", "are", "was", "want", "mother", "because", "computer"]
)
TEXTS = st.text(max_size=40) | st.lists(WORDS | st.text(max_size=4), max_size=12).map(" ".join)


@given(said=st.lists(TEXTS, max_size=4))
def test_she_is_never_at_a_loss(said: list[str]) -> None:
    reply = "".join(run_in_virtual_time(reply_to, Eliza(), *said))

    assert reply.strip()
    assert not reply.startswith("Eliza:")
    assert not reply.endswith("You: ")


def test_a_users_own_modules_of_the_same_name_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "__init__.py").write_text("")
    (tmp_path / "utils" / "response.py").write_text("generate_response = 'mine'\n")
    script = """
import sys
import anyio
import utils.response as before
from ordered_pipeline.voice import Message
path = list(sys.path)
from ordered_pipeline.adapters.eliza import Eliza
import utils.response as after
import utils
assert before is after is utils.response
assert after.generate_response == 'mine'
assert sys.path == path
assert not {"microdot", "eliza_gpt", "utils.rules"} & sys.modules.keys()

async def main():
    print("".join([word async for word in Eliza().reply([Message("user", "I am sad.")])]))

anyio.run(main)
"""

    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert (ran.stdout, ran.stderr) == ("I am sorry to hear that you are sad.\n", "")


def test_without_the_package_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['eliza_gpt'] = None; import ordered_pipeline.adapters.eliza"

    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )

    assert ran.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: the package of ELIZA is not installed; pip install 'ordered-pipeline[eliza]'"
    )
