"""The conversation: what the caller says goes in, turns come out.

Who does what:

1. One task reads the caller's audio, and one a service listens (`_caller`). What the services tell goes into
   a bounded stream of events.
2. One task takes the events one by one: a pure machine (`_turns`) says what follows, and the task does it.
   While it interrupts a reply, events wait, and nothing is lost.
3. One task a reply speaks it (`_speaking`), and tells when it is over. A reply that was stopped cleans up
   while the next one begins.
"""

from collections import deque
from collections.abc import AsyncIterable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias, final

import anyio

from ordered_pipeline.voice._audio import AudioFormat
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.voice._conversation._caller import Caller
from ordered_pipeline.voice._conversation._events import Role, ServiceFailure, Turn
from ordered_pipeline.voice._conversation._speaking import Services, Speaking
from ordered_pipeline.voice._conversation._turns import (
    Begin,
    Confirm,
    Floor,
    Noticed,
    Question,
    Said,
    Step,
    Stop,
    hang_up,
    hear,
    notice,
    over,
)
from ordered_pipeline.voice._roles import SpeechToText, VoiceActivityDetector
from ordered_pipeline.voice._talk import Message

if TYPE_CHECKING:
    from anyio.abc import TaskGroup
    from anyio.streams.memory import MemoryObjectSendStream

# What services tell while a reply is interrupted; a full stream makes them wait.
_MOST_WAITING: Final = 64
# Turns and failures that nobody has taken yet: those of more than an hour.
_MOST_UNTAKEN: Final = 1024
# Replies at a time, of which all but one clean up.
_MOST_REPLIES: Final = 4


@dataclass(frozen=True, slots=True)
class _HungUp:
    """The caller says nothing more."""


_Event: TypeAlias = Said | Noticed | Speaking | _HungUp


@final
class Conversation:
    """A conversation that is going on; made by `converse`, entered once.

    An async context manager, and an async iterator of `Turn` and `ServiceFailure`, each told when it is over
    or happens. It goes on whether or not anybody iterates; of what nobody takes, the newest 1,024 are kept.
    The iteration ends when the caller's audio is over and the last reply was spoken. Leaving the block before
    ends the conversation, and interrupts the reply that is under way. However it is left, no task, no request
    and no open iterator of it remains.
    """

    def __init__(
        self,
        audio: AsyncIterable[bytes],
        audio_format: AudioFormat,
        *,
        stt: SpeechToText,
        vad: VoiceActivityDetector | None,
        services: Services,
        history: tuple[Message, ...],
        barge_in: bool,
    ) -> None:
        """Use `converse` instead."""
        self._audio: AsyncIterable[bytes] = audio
        self._audio_format: AudioFormat = audio_format
        self._stt: SpeechToText = stt
        self._vad: VoiceActivityDetector | None = vad
        self._services: Services = services
        self._barge_in: bool = barge_in
        self._floor: Floor = Floor(history)
        self._speaking: Speaking | None = None
        self._turns: int = 0
        self._untaken: deque[Turn | ServiceFailure] = deque(maxlen=_MOST_UNTAKEN)
        self._changed: Bell = Bell()
        self._error: Exception | None = None
        # Attributes and not one state: each is set once, by somebody else.
        self._is_entered: bool = False
        self._is_hung_up: bool = False
        self._is_over: bool = False
        self._is_left: bool = False

    async def __aenter__(self) -> Self:
        """Start to greet and to listen.

        Raises:
            RuntimeError: The conversation was entered before.
        """
        if self._is_entered:
            raise RuntimeError(
                "the conversation was entered twice, but its audio can be read once; make another one"
            )
        self._is_entered = True
        # An outer cancellation strikes the block, and leaving it ends the conversation in order.
        self._scope: anyio.CancelScope = anyio.CancelScope(shield=True)
        self._rooms: anyio.Semaphore = anyio.Semaphore(_MOST_REPLIES)
        self._tasks: TaskGroup = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the conversation, and wait for all clean-up.

        Raises:
            Exception: What the caller's audio failed with, if the iteration has not told it and the block did
                not fail.
        """
        self._is_left = True
        self._scope.cancel()
        # Not told of the block's own error, which the group would wrap.
        await self._tasks.__aexit__(None, None, None)
        if error is None:
            self._raise_error()

    def __aiter__(self) -> Self:
        """Return the conversation itself."""
        return self

    async def __anext__(self) -> Turn | ServiceFailure:
        """Return what happened next; a cancelled call loses nothing.

        Raises:
            StopAsyncIteration: The conversation is over.
            RuntimeError: The conversation was not entered.
            anyio.ClosedResourceError: The block has ended.
            Exception: Once: what the caller's audio failed with, after all that had been said was answered.
        """
        if not self._is_entered:
            raise RuntimeError("the conversation was iterated before it was entered; use 'async with' first")
        while not self._is_left:
            if self._untaken:
                return self._untaken.popleft()
            if self._is_over:
                self._raise_error()
                raise StopAsyncIteration
            await self._changed.wait()
        raise anyio.ClosedResourceError(
            "the conversation was iterated after its 'async with' block ended; iterate it inside"
        )

    @property
    def history(self) -> tuple[Message, ...]:
        """What was said and heard so far, a message a turn; at any time, also after the block.

        A reply stands in it when it is over, with the text that was heard.
        """
        return self._floor.history

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    # ------------------------------------------------------------------ what runs

    async def _run(self) -> None:
        send, receive = anyio.create_memory_object_stream[_Event](_MOST_WAITING)
        with self._scope, send, receive:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen, send)
                if self._services.greeting:
                    self._floor = Floor(self._floor.history, reply="under way")
                    self._begin(Begin(Question("", (), None, None), is_speculative=False), tasks, send)
                async for event in receive:
                    await self._follow(self._heed(event), tasks, send)
                    if self._is_hung_up and self._speaking is None:
                        break
                tasks.cancel_scope.cancel()
        if self._speaking is not None:
            # The block was left while it was spoken.
            self._floor = self._end(self._speaking).floor
        self._is_over = True
        self._changed.ring()

    async def _listen(self, events: "MemoryObjectSendStream[_Event]") -> None:
        caller = Caller(
            self._audio,
            self._audio_format,
            stt=self._stt,
            vad=self._vad,
            is_muted=lambda: not self._may_stop,
            tell=events.send,
            fail=self._fail,
            grace_s=self._services.grace_s,
        )
        await caller.run()
        self._error = caller.error
        await events.send(_HungUp())

    @property
    def _may_stop(self) -> bool:
        """Whether the caller may stop the reply that is under way."""
        return self._barge_in or self._speaking is None or not self._speaking.is_sounding

    def _heed(self, event: _Event) -> Step:
        """Return what follows from an event."""
        match event:
            case Said():
                return hear(self._floor, event, may_stop=self._may_stop)
            case Noticed():
                return notice(self._floor, event, may_stop=self._may_stop)
            case Speaking():
                # One that was stopped while it told that it is over has ended already.
                return self._end(event) if event is self._speaking else Step(self._floor)
            case _HungUp():
                self._is_hung_up = True
                return hang_up(self._floor)

    async def _follow(self, step: Step, tasks: "TaskGroup", events: "MemoryObjectSendStream[_Event]") -> None:
        """Do what is to be done, until nothing is."""
        while True:
            self._floor, action = step
            match action:
                case Stop() if self._speaking is not None:
                    await self._speaking.stop()
                    step = self._end(self._speaking)
                    continue
                case Confirm() if self._speaking is not None:
                    self._speaking.confirm(action)
                case Begin():
                    self._begin(action, tasks, events)
                case _:
                    pass
            return

    def _begin(self, begin: Begin, tasks: "TaskGroup", events: "MemoryObjectSendStream[_Event]") -> None:
        self._speaking = Speaking(
            begin.question,
            self._turns,
            self._services,
            is_confirmed=not begin.is_speculative,
            fail=self._fail,
        )
        tasks.start_soon(self._speak, self._speaking, events)

    async def _speak(self, speaking: Speaking, events: "MemoryObjectSendStream[_Event]") -> None:
        async with self._rooms:
            if await speaking.run():
                await events.send(speaking)

    def _end(self, speaking: Speaking) -> Step:
        """Keep and tell what was heard of a reply that is over."""
        self._speaking = None
        if speaking.is_confirmed:
            self._turns += 1
            self._tell(
                Turn(
                    index=speaking.index,
                    said=speaking.question.said,
                    heard=speaking.heard,
                    timeline=speaking.timeline,
                    error=speaking.error,
                )
            )
        return over(self._floor, speaking.heard.text)

    def _fail(self, role: Role, error: Exception) -> None:
        self._tell(ServiceFailure(role=role, error=error, at_s=anyio.current_time()))

    def _tell(self, event: Turn | ServiceFailure) -> None:
        self._untaken.append(event)
        self._changed.ring()
