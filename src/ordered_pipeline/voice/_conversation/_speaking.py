"""The speaking of one turn: the reply, and an apology if nothing of it could be heard."""

from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass, replace
from typing import final

import anyio

from ordered_pipeline.voice._conversation._events import Role
from ordered_pipeline.voice._conversation._gate import Gate
from ordered_pipeline.voice._conversation._mind import Mind
from ordered_pipeline.voice._conversation._turns import Confirm, Question
from ordered_pipeline.voice._policy import Prefetch, SpeechPolicy
from ordered_pipeline.voice._reply import Reply, speak
from ordered_pipeline.voice._roles import LanguageModel, Player, TextToSpeech
from ordered_pipeline.voice._segments import SentenceSplitter
from ordered_pipeline.voice._talk import HeardText
from ordered_pipeline.voice._timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What all replies of a conversation share; as the arguments of ``converse``."""

    llm: LanguageModel
    tts: TextToSpeech
    player: Player
    greeting: str
    apology: str
    splitter: Callable[[], SentenceSplitter]
    prefetch: Prefetch
    policy: SpeechPolicy
    grace_s: float

    def reply(self, source: str | AsyncIterable[str], player: Player, speaking: "Speaking") -> Reply:
        """Return a reply that speaks *source*, to be entered.

        Raises:
            Exception: Whatever `speak` raises, or the splitter.
        """
        return speak(
            source,
            tts=self.tts,
            player=player,
            prefetch=self.prefetch,
            policy=self.policy,
            splitter=self.splitter(),
            turn=speaking.index,
            caller_end_s=speaking.question.caller_end_s,
            stt_final_s=speaking.question.stt_final_s,
            grace_s=self.grace_s,
        )


@final
class Speaking:
    """One turn of the agent. One task runs it; another one may confirm and stop it.

    Attributes:
        question: What it answers.
        index: Which turn it is.
        is_confirmed: Whether it may be heard.
        heard: What was heard of it, once it is over or stopped.
        timeline: What happened in it, once it is over or stopped.
        error: What it failed with.
    """

    def __init__(
        self,
        question: Question,
        index: int,
        services: Services,
        *,
        is_confirmed: bool,
        fail: Callable[[Role, Exception], None],
    ) -> None:
        """Make one that is not begun.

        Args:
            question: What it answers; one without messages is answered by the greeting.
            index: Which turn it is.
            services: What it is spoken with.
            is_confirmed: Whether it may be heard at once.
            fail: Called with each failure.
        """
        self._services: Services = services
        self._tell: Callable[[Role, Exception], None] = fail
        self._told: list[Exception] = []
        self._has_lost_player: bool = False
        self._gate: Gate = self._new_gate(is_open=is_confirmed)
        self._reply: Reply | None = None
        self._is_stopped: bool = False
        self.question: Question = question
        self.index: int = index
        self.is_confirmed: bool = is_confirmed
        self.heard: HeardText = HeardText("", "", "marks", 0.0)
        self.timeline: Timeline = _nothing_happened(question, index)
        self.error: Exception | None = None

    @property
    def is_sounding(self) -> bool:
        """Whether the player was given anything of it."""
        return self._gate.is_passed

    async def run(self) -> bool:
        """Speak, and clean up; return whether it came to its end and was not stopped."""
        if self._is_stopped:
            return False
        services, messages = self._services, self.question.messages
        await self._speak(
            Mind(services.llm, messages, fail=self._fail_mind, grace_s=services.grace_s)
            if messages
            else services.greeting
        )
        # For what fails before it is confirmed, nobody apologises before that.
        await self._gate.moved()
        if self._owes_an_apology():
            self._gate = self._new_gate(is_open=True)
            await self._speak(services.apology)
        return not self._is_stopped

    def confirm(self, confirmation: Confirm) -> None:
        """Let it be heard."""
        self.question = replace(self.question, said=confirmation.said, stt_final_s=confirmation.stt_final_s)
        self.is_confirmed = True
        self._gate.open()

    async def stop(self) -> None:
        """Be silent now; the clean-up is up to `run`."""
        self._is_stopped = True
        self._gate.shut()
        if self._reply is not None:
            await self._settle(self._reply)

    async def _speak(self, source: str | AsyncIterable[str]) -> None:
        try:
            async with self._services.reply(source, self._gate, self) as reply:
                self._reply = reply
                if not self._is_stopped:
                    await reply.finished()
        except Exception as error:  # noqa: BLE001  # the turn ends, and the conversation goes on
            # What the language model or the player failed with has been told.
            self._fail("tts", error)
        finally:
            # Cancelled or not: what is over tells at once what was heard of it.
            if self._reply is not None and not self._is_stopped:
                await self._settle(self._reply)

    async def _settle(self, reply: Reply) -> None:
        """Keep what was heard of a reply that is over, or that is interrupted now."""
        self.heard = await reply.interrupt()
        self.timeline = reply.timeline
        if self.timeline.stt_final_s is None and self.question.stt_final_s is not None:
            self.timeline = _confirmed(self.timeline, self.question.stt_final_s)

    def _owes_an_apology(self) -> bool:
        return (
            self.error is not None
            and not self._is_stopped
            and not self._has_lost_player
            and not self.heard.text
            and bool(self._services.apology)
        )

    def _new_gate(self, *, is_open: bool) -> Gate:
        return Gate(self._services.player, is_open=is_open, fail=self._fail_player)

    def _fail_mind(self, error: Exception) -> None:
        self._fail("llm", error)

    def _fail_player(self, error: Exception) -> None:
        self._has_lost_player = True
        self._fail("player", error)

    def _fail(self, role: Role, error: Exception) -> None:
        """Tell a failure once. What was cancelled may fail as it likes."""
        is_told = any(error is told for told in self._told)
        if not is_told and (role == "player" or not self._is_stopped):
            self._told.append(error)
            self.error = self.error or error
            self._tell(role, error)


def _nothing_happened(question: Question, index: int) -> Timeline:
    """Return the timeline of a reply that is stopped before it has begun."""
    now_s = anyio.current_time()
    origin_s = now_s if question.caller_end_s is None else question.caller_end_s
    return Timeline(
        origin_s=origin_s,
        turn=index,
        caller_end_s=None if question.caller_end_s is None else 0.0,
        stt_final_s=None if question.stt_final_s is None else question.stt_final_s - origin_s,
        asked_s=now_s - origin_s,
        interrupted_s=now_s - origin_s,
    )


def _confirmed(timeline: Timeline, final_s: float) -> Timeline:
    """Return *timeline* with the word that let it be heard, which came at *final_s* on the clock.

    Before that, no player was asked.
    """
    at_s = final_s - timeline.origin_s
    segments = tuple(
        times if times.play_asked_s is None else replace(times, play_asked_s=max(times.play_asked_s, at_s))
        for times in timeline.segments
    )
    return replace(timeline, stt_final_s=at_s, segments=segments)
