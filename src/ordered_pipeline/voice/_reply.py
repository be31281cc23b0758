"""The reply: text becomes speech that starts early, is played without gaps, and can be interrupted.

Who does what:

1. The segmenter (`_segmenter`) makes takes of the text, and is the source of a stage whose transform asks the
   voices (`_speech`). That stage gives the order, the bounds and the clean-up.
2. A voice's chunks go straight into a clip (`_recording`), which comes out of the stage with its first chunk.
   A segment is in flight until its clip is handed over and has its last chunk.
3. One task reads the text, one gives clips to the player, and one waits for their ends (`_playing`).
4. A failure is kept until what was said before it has been heard, and comes out of `finished`, once.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, final

import anyio

from ordered_pipeline import Stage, ordered_flat_map, ordered_map
from ordered_pipeline._parking import now
from ordered_pipeline.voice._bell import Bell
from ordered_pipeline.voice._convert import choose_format, converter
from ordered_pipeline.voice._heard import heard_text
from ordered_pipeline.voice._measures import VoiceMeasures, measures_of
from ordered_pipeline.voice._misuse import check_kind, check_positive, check_source, check_voice
from ordered_pipeline.voice._playing import Playing
from ordered_pipeline.voice._policy import Prefetch, SpeechPolicy
from ordered_pipeline.voice._roles import Player, PlayerCapabilities, TextToSpeech
from ordered_pipeline.voice._room import Room
from ordered_pipeline.voice._segmenter import Segmenter
from ordered_pipeline.voice._segments import SentenceSplitter
from ordered_pipeline.voice._speech import Offer, Studio
from ordered_pipeline.voice._take import Take
from ordered_pipeline.voice._talk import HeardText
from ordered_pipeline.voice._timeline import Timeline

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream


def speak(
    source: str | Iterable[str] | AsyncIterable[str] | None = None,
    *,
    tts: TextToSpeech,
    player: Player,
    prefetch: Prefetch = Prefetch(),  # noqa: B008  # frozen
    policy: SpeechPolicy = SpeechPolicy(),  # noqa: B008  # as above
    splitter: SentenceSplitter | None = None,
    after_stop_s: float = 0.025,
    flush_s: float = 2.0,
    turn: int = 0,
    caller_end_s: float | None = None,
    stt_final_s: float | None = None,
    grace_s: float = 1.0,
) -> "Reply":
    """Speak one reply: text in, gapless speech out.

    Segments of the text are synthesised ahead, in order, while earlier ones play; the first is played as soon
    as its first audio is there.

    Args:
        source: The text, or its deltas; the reply owns the iterator and closes it. None for text that comes
            by `Reply.say`.
        tts: The voice. Calls run side by side, as many as *prefetch* has segments.
        player: Where the speech goes. One reply at a time may use it.
        prefetch: How much may be in flight.
        policy: What is tried when a voice fails.
        splitter: Cuts the text, and is used up by this reply; None for one with its defaults.
        after_stop_s: How long a sentence that very likely has ended waits for the character after its stop,
            in seconds above 0. Tokens that come faster than this never split a sentence wrongly.
        flush_s: How long text waits for the end of its sentence, in seconds above 0. Then what is there goes
            out, up to its last whole word.
        turn: Which turn of a conversation this is.
        caller_end_s: When the caller's speech ended, on the event loop's clock: the zero of the timeline.
        stt_final_s: When speech-to-text had the caller's last word, on the same clock.
        grace_s: Clean-up time of whatever is cancelled, in seconds above 0, and how long an interruption
            waits for the player.

    Returns:
        The reply, to be entered.

    Raises:
        TypeError: An argument has the wrong type.
        ValueError: An argument has the wrong value, or the player takes nothing that the voice's audio can be
            converted to.
        ModuleNotFoundError: The audio must be converted, and the package for it is not installed.
    """
    check_positive("after_stop_s", after_stop_s, "the default is 0.025")
    check_positive("flush_s", flush_s, "use math.inf to wait for the end of each sentence")
    check_positive("grace_s", grace_s, "cancelled work needs some time to clean up; the default is 1.0")
    if source is not None:
        check_source(source)
    check_kind("prefetch", prefetch, Prefetch, "a Prefetch", "use Prefetch(segments=2)")
    check_kind("policy", policy, SpeechPolicy, "a SpeechPolicy")
    if splitter is not None:
        check_kind("splitter", splitter, SentenceSplitter, "a SentenceSplitter")
    check_voice("tts", tts)
    if not hasattr(player, "play"):
        raise TypeError(
            f"player must be a player, got {player!r:.200}; make one of a function with player_from"
        )
    capabilities: object = player.capabilities
    check_kind("the capabilities of player", capabilities, PlayerCapabilities, "PlayerCapabilities")
    return Reply(
        source,
        tts=tts,
        player=player,
        prefetch=prefetch,
        policy=policy,
        splitter=splitter or SentenceSplitter(),
        after_stop_s=after_stop_s,
        flush_s=flush_s,
        turn=turn,
        caller_end_s=caller_end_s,
        stt_final_s=stt_final_s,
        grace_s=grace_s,
    )


@final
class Reply:
    """A reply that is being spoken; made by `speak`, entered once.

    Leaving the block before `finished` has returned interrupts the reply. However it is left, no task, no
    request and no open iterator of it remains.
    """

    def __init__(
        self,
        source: str | Iterable[str] | AsyncIterable[str] | None,
        *,
        tts: TextToSpeech,
        player: Player,
        prefetch: Prefetch,
        policy: SpeechPolicy,
        splitter: SentenceSplitter,
        after_stop_s: float,
        flush_s: float,
        turn: int,
        caller_end_s: float | None,
        stt_final_s: float | None,
        grace_s: float,
    ) -> None:
        """Use `speak` instead."""
        self._source: str | Iterable[str] | AsyncIterable[str] | None = source
        self._player: Player = player
        self._measures: VoiceMeasures = measures_of(tts)
        self._room: Room = Room(prefetch, self._measures)
        self._turn: int = turn
        self._caller_end_s: float | None = caller_end_s
        self._stt_final_s: float | None = stt_final_s
        self._grace_s: float = grace_s
        # The text that comes by `say`, if there is no source.
        self._send: MemoryObjectSendStream[str] | None = None
        self._receive: MemoryObjectReceiveStream[str] | None = None
        self._changed: Bell = Bell()
        self._segmenter: Segmenter = Segmenter(
            splitter=splitter,
            room=self._room,
            after_stop_s=after_stop_s,
            flush_s=flush_s,
            grace_s=grace_s,
            turn=turn,
            takes_sentences=source is None,
        )
        audio_format = choose_format(tts.format, player.capabilities.formats)
        voices = (tts, *policy.fallback)
        for voice in voices:
            converter(voice.format, audio_format)
        self._offers: Stage[Take, Offer] = ordered_flat_map(
            Studio(voices, policy, audio_format, player.capabilities.streaming, self._over, grace_s).speak,
            self._segmenter,
            prefetch=prefetch.segments_at_most or prefetch.segments,
            grace_s=grace_s,
        )
        self._playing: Playing = Playing(player, grace_s=grace_s, fail=self._fail)
        # From then on nothing more is handed over.
        self._is_stopped: bool = False
        self._interrupted_s: float | None = None
        self._heard: HeardText | None = None
        self._failure: Exception | None = None
        self._is_over: bool = False
        self._is_entered: bool = False

    async def __aenter__(self) -> Self:
        """Start to read and to speak.

        Raises:
            RuntimeError: The reply was entered before.
        """
        if self._is_entered:
            raise RuntimeError("the reply was entered twice, but its text can be read once; make another one")
        self._is_entered = True
        self._asked_s: float = now()
        source = self._source
        if source is None:
            self._send, self._receive = anyio.create_memory_object_stream[str](0)
            source = self._receive
        # A scope that is cancelled around the reply does not reach a stage's tasks: leaving the reply ends
        # them, in its order. There is room for one more than there are, so that the source goes on.
        self._tasks: Stage[Callable[[], Awaitable[None]], None] = ordered_map(
            self._guarded,
            self._work([source] if isinstance(source, str) else source),
            prefetch=3,
            on_error="skip",
            grace_s=self._grace_s,
        )
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Interrupt what is not finished, and wait for all clean-up.

        Raises:
            Exception: What the reply failed with, if `finished` has not told it and the block did not fail.
        """
        try:
            if not self._is_settled:
                await self.interrupt()
        finally:
            self.done()
            try:
                async for _ in self._tasks:
                    pass
            finally:
                await self._tasks.__aexit__(None, None, None)
            self._refuse_text()
        if error is None:
            self._raise_failure()

    async def say(self, text: str) -> None:
        """Add *text* to a reply that was made without a source; waits while the window is full.

        A text of several words that ends like a sentence is spoken without waiting for more.

        Raises:
            TypeError: *text* is no text.
            RuntimeError: The reply was not entered, or reads its text from a source.
            anyio.ClosedResourceError: The reply was interrupted, or was told that it is done.
            Exception: What the reply has failed with, if `finished` has not told it.
        """
        check_kind("text", text, str, "a string")
        if self._source is not None:
            raise RuntimeError(
                "text was said to a reply that reads a source; make it without one to say its text"
            )
        self._check_entered("text was said to")
        assert self._send is not None  # noqa: S101  # it was entered without a source
        try:
            await self._send.send(text)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._raise_failure()
            raise anyio.ClosedResourceError("text was said to a reply that takes no more of it") from None

    def done(self) -> None:
        """Say that no more text comes by `say`.

        Raises:
            RuntimeError: The reply was not entered.
        """
        self._check_entered("'done' was called on")
        if self._send is not None:
            self._send.close()

    async def finished(self) -> None:
        """Wait until all text has come and all that could be spoken was heard, or the reply was interrupted.

        Raises:
            RuntimeError: The reply was not entered.
            Exception: Once: what the source or the player failed with; or the voice, if the policy says stop,
                or if nothing at all could be spoken. What was said before has been heard by then.
        """
        self._check_entered("the end was awaited of")
        while not self._is_settled:
            await self._changed.wait()
        self._raise_failure()

    async def interrupt(self) -> HeardText:
        """Be silent now, and tell what was heard; any number of times, from any task.

        From this instant nothing more is given to the player, which is cleared; the text's source and all
        requests are cancelled, and their clean-up goes on while this returns. Leaving the block waits for it.
        A player that does not answer is waited for four times ``grace_s`` at most.

        Returns:
            What was heard by the first interruption, or all, if the reply was finished before.

        Raises:
            RuntimeError: The reply was not entered.
        """
        self._check_entered("there was an interruption of")
        if not self._is_over and self._interrupted_s is None:
            self._interrupted_s = now()
            with anyio.CancelScope(shield=True):
                self._stop()
                await self._playing.silence()
            self._heard = self._heard_text()
            self._changed.ring()
        while not self._is_settled and self._heard is None:
            await self._changed.wait()
        return self._heard or self._heard_text()

    @property
    def timeline(self) -> Timeline:
        """What has happened so far.

        Raises:
            RuntimeError: The reply was not entered.
        """
        self._check_entered("the timeline was asked of")
        origin_s = self._asked_s if self._caller_end_s is None else self._caller_end_s

        def since(time_s: float | None) -> float | None:
            return None if time_s is None else time_s - origin_s

        return Timeline(
            origin_s=origin_s,
            turn=self._turn,
            caller_end_s=since(self._caller_end_s),
            stt_final_s=since(self._stt_final_s),
            asked_s=self._asked_s - origin_s,
            first_delta_s=since(self._segmenter.first_delta_s),
            text_end_s=since(self._segmenter.text_end_s),
            interrupted_s=since(self._interrupted_s),
            segments=tuple(take.times(origin_s) for take in self._room.takes),
        )

    @property
    def _is_settled(self) -> bool:
        """Whether nothing is going on any more, an interruption included."""
        return self._is_over and (self._interrupted_s is None or self._heard is not None)

    def _check_entered(self, what: str) -> None:
        if not self._is_entered:
            raise RuntimeError(f"{what} a reply that was not entered; use 'async with' first")

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _heard_text(self) -> HeardText:
        return heard_text(
            self._room.takes,
            self._segmenter.text,
            s_a_character=self._measures.s_a_character,
            position_error_s=self._player.capabilities.position_error_s,
        )

    # ------------------------------------------------------------------ what runs

    async def _work(
        self, source: Iterable[str] | AsyncIterable[str]
    ) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Yield what needs a task of its own, and read the text in the task that iterates this."""
        yield self._playing.watch
        yield self._run
        with suppress(anyio.get_cancelled_exc_class()):
            await self._guarded(partial(self._segmenter.read, source))

    async def _run(self) -> None:
        try:
            await self._hand_over_all()
            self._refuse_text()
            await self._playing.over()
            if not (
                self._failure
                or self._is_stopped
                or any(take.accepted_s is not None for take in self._room.takes)
            ):
                self._failure = next((take.error for take in self._room.takes if take.error), None)
        finally:
            self._is_over = True
            self._changed.ring()

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do *work*; if it is cancelled, that must not pass for the end of the reply.

        As by those who cancel all tasks that there are.
        """
        try:
            await work()
        except BaseException as error:
            failure = RuntimeError("the reply was cancelled, but not by itself")
            failure.__cause__ = error
            self._fail(failure)
            raise

    async def _hand_over_all(self) -> None:
        try:
            async with self._offers as offers:
                with self._playing.calls():
                    async for offer in offers:
                        await self._hand_over(offer)
        except Exception as error:  # noqa: BLE001  # `finished` raises it when what was said has been heard
            self._failure = self._failure or error

    def _refuse_text(self) -> None:
        """Let nobody wait any more for what was said to be taken."""
        if self._receive is not None:
            self._receive.close()

    def _over(self, take: Take) -> None:
        """Note that nothing more of *take* is to come."""
        self._playing.bound(take)
        self._segmenter.make_room()

    async def _hand_over(self, offer: Offer) -> None:
        """Give a clip to the player, once it is ready for it."""
        take, clip = offer.take, offer.clip
        # While this waits, the request may fail and be given up for another one.
        if await self._playing.ready() and clip is take.clip:
            take.is_handed_over = True
            self._segmenter.make_room()
            await self._playing.play(take, clip)

    def _fail(self, error: Exception) -> None:
        """Note that the player is gone."""
        self._failure = self._failure or error
        self._stop()

    def _stop(self) -> None:
        """Hand over nothing more, from this instant."""
        self._is_stopped = True
        self._offers.interrupt()
        # The stage closes its source only when the voices have cleaned up.
        self._segmenter.stop()
        self._playing.drop()
