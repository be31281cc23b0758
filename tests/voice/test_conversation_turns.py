"""The machine of turn-taking alone: whatever it is told, it keeps its rules."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordered_pipeline.voice import Message
from ordered_pipeline.voice._conversation._turns import (
    Begin,
    Confirm,
    Floor,
    Noticed,
    Said,
    Step,
    Stop,
    hang_up,
    hear,
    joined,
    notice,
    over,
    same_words,
)


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("Where is it", "where is it?", True),
        ("Hello , there", "Hello there", True),
        ("«¿Qué?»", "qué", True),
        ("", "...", True),
        ("Where is", "Where is it", False),
        ("it's", "its", False),
    ],
)
def test_the_same_words_are_the_same_whatever_their_punctuation_is(
    one: str, other: str, *, are_same: bool
) -> None:
    assert same_words(one, other) is are_same


def test_messages_of_one_party_in_a_row_are_joined() -> None:
    history = joined(joined((), "user", " I want "), "user", "a taxi. ")

    assert history == (Message("user", "I want a taxi."),)
    assert joined(history, "assistant", " \n") == history
    assert joined(history, "assistant", "Yes.") == (*history, Message("assistant", "Yes."))


WORDS = st.sampled_from(["", "yes", "Yes.", "no", "where is it"])
SAID = st.builds(
    Said,
    kind=st.sampled_from(["speech_started", "partial", "eager_final", "resumed", "final"]),
    text=WORDS,
    at_s=st.just(1.0),
    end_s=st.sampled_from([None, 0.5]),
)
NOTICED = st.builds(Noticed, kind=st.sampled_from(["started", "stopped"]), at_s=st.sampled_from([0.25, 0.75]))
# A reply that is over by itself, of which so much was heard.
OVER = st.sampled_from(["", "I see."])
EVENTS = st.lists(st.one_of(SAID, NOTICED, OVER), max_size=40)


@dataclass
class Replies:
    """Does what the machine says, and checks that it can be done."""

    floor: Floor = field(default_factory=Floor)
    is_speaking: bool = False
    is_confirmed: bool = False
    questions: list[str] = field(default_factory=list)

    def follow(self, step: Step) -> None:
        while True:
            self.floor, action = step
            match action:
                case None:
                    return
                case Begin(question, is_speculative):
                    assert not self.is_speaking
                    self.is_speaking, self.is_confirmed = True, not is_speculative
                    assert question.messages[-1] == Message("user", question.said)
                    assert question.said
                    assert (question.stt_final_s is None) is is_speculative
                    if not is_speculative:
                        self.questions.append(question.said)
                    return
                case Confirm(said):
                    assert self.is_speaking
                    assert not self.is_confirmed
                    self.is_confirmed = True
                    self.questions.append(said)
                    return
                case Stop():
                    assert self.is_speaking
                    step = self.end("Well" if self.is_confirmed else "")

    def end(self, heard: str) -> Step:
        self.is_speaking = False
        return over(self.floor, heard)


@given(events=EVENTS, may_stop=st.booleans())
def test_there_is_one_reply_at_a_time_and_the_history_is_in_turns(
    events: list[Said | Noticed | str], *, may_stop: bool
) -> None:
    it = Replies()

    for event in events:
        match event:
            case Said():
                it.follow(hear(it.floor, event, may_stop=may_stop))
            case Noticed():
                it.follow(notice(it.floor, event, may_stop=may_stop))
            case _ if it.is_speaking and it.is_confirmed:
                it.follow(it.end(event))
            case _:
                pass
        assert (it.floor.reply == "none") is not it.is_speaking
        assert (it.floor.reply == "under way") is (it.is_speaking and it.is_confirmed)
        roles = [message.role for message in it.floor.history]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"] * (len(roles) % 2)
    it.follow(hang_up(it.floor))
    assert not it.is_speaking or it.is_confirmed


@given(events=st.lists(SAID, max_size=40))
def test_every_word_of_a_final_gets_into_the_history_once(events: list[Said]) -> None:
    it = Replies()
    words: list[str] = []

    for event in events:
        it.follow(hear(it.floor, event, may_stop=True))
        if event.kind == "final":
            words += event.text.split()
    said = " ".join(message.content for message in it.floor.history if message.role == "user")
    assert said.split() == words


@given(events=st.lists(SAID, max_size=40))
def test_a_reply_that_may_not_be_stopped_is_not(events: list[Said]) -> None:
    floor = Floor((Message("user", "Hello."),), reply="under way")

    for event in events:
        floor, action = hear(floor, event, may_stop=False)
        assert action is None
        assert floor.history == (Message("user", "Hello."),)
