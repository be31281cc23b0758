"""Drawn turns: how a text comes, what the voice does with each segment, the player; and how they go.

Every time is a multiple of 1/16 s and the sample rate is a power of two, so that sums are exact.
"""

import math
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any, TypeVar

import anyio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ordered_pipeline.testing import (
    ClipFault,
    LoopName,
    RecordingPlayer,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedTextToSpeech,
    SpeechScript,
    scripted_audio,
)
from ordered_pipeline.voice import (
    AudioFormat,
    HeardText,
    NoAudioError,
    PlayerCapabilities,
    Prefetch,
    Segment,
    SpeechPolicy,
    TextToSpeech,
    Timeline,
    speak,
)
from tests.conftest import Run

T = TypeVar("T")

FORMAT = AudioFormat("s16le", 1024)
AFTER_STOP_S = 1 / 32
# Never the instant of a delta: on trio, either may come first then.
FLUSH_S = 2 + 1 / 64
SENTENCES = (
    "It is late. ",
    "Please hold the line! ",
    "Why not? ",
    "Yes. ",
    "On Monday, after the long and rainy weekend, we open at nine. ",
)
FILLER = "Sorry."
# Shorter than a hanging request is waited for, longer than any that answers.
PATIENCE_S = 2.0

TURNS = 300 if settings.get_current_profile_name() != "mutation" else 10

laws = settings(max_examples=TURNS, deadline=None, suppress_health_check=list(HealthCheck))


def turns_on(run: Run) -> int:
    """Return how many turns are drawn: a third where it is asyncio once more, with other tasks or timers."""
    return TURNS if run.loop in {"asyncio", "trio"} else max(TURNS // 3, 10)


class VoiceFailure(Exception):
    """What a scripted voice fails with."""


class PlayerFailure(Exception):
    """What a recording player refuses a clip with."""


class TextFailure(Exception):
    """What a scripted language model fails with."""


# What may come out of a reply whose services fail.
EXPECTED = (VoiceFailure, TextFailure, PlayerFailure, TimeoutError, NoAudioError)


# Longer than anything takes here.
_ENDLESS_S = 100_000.0


@dataclass(frozen=True, slots=True)
class Bounded:
    """Runs an async function as `Run` does, and fails if it hangs."""

    run: Run

    @property
    def loop(self) -> LoopName:
        return self.run.loop

    def __call__(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        async def limited() -> T:
            with anyio.fail_after(_ENDLESS_S):
                return await function(*args)

        return self.run(limited)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A player."""

    streaming: bool = True
    queue_ahead: float = math.inf
    call_s: float = 0.0
    start_s: float = 0.0
    lead_s: float = math.inf
    clear_s: float = 0.0
    faults: tuple[ClipFault, ...] = ()
    """What goes wrong with its first clips."""

    def player(self) -> RecordingPlayer:
        """Make it."""
        return RecordingPlayer(
            PlayerCapabilities(streaming=self.streaming, queue_ahead=self.queue_ahead),
            call_s=self.call_s,
            start_s=self.start_s,
            lead_s=self.lead_s,
            clear_s=self.clear_s,
            faults=dict(enumerate(self.faults)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One reply."""

    writing: ReplyScript
    speaking: tuple[tuple[SpeechScript, ...], ...] = ((SpeechScript(),),)
    """For each segment what becomes of each request; the last is repeated, for requests and for segments."""

    prefetch: Prefetch = field(default_factory=Prefetch)
    policy: SpeechPolicy = field(default_factory=SpeechPolicy)
    line: Line = field(default_factory=Line)
    interrupt_s: float | None = None
    """From the beginning of the turn."""

    has_fallback: bool = False
    number: int = 0
    flush_s: float = FLUSH_S
    grace_s: float = 1.0

    def script(self, segment: Segment, attempt: int) -> SpeechScript:
        """Tell what becomes of a request."""
        scripts = self.speaking[min(segment.index, len(self.speaking) - 1)]
        return scripts[min(attempt, len(scripts) - 1)]

    @property
    def text(self) -> str:
        """All that is written."""
        return "".join(text for _, text in self.writing.deltas)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a turn."""

    turn: Turn
    model: ScriptedLanguageModel
    voice: ScriptedTextToSpeech
    fallback: ScriptedTextToSpeech
    player: RecordingPlayer
    timeline: Timeline
    heard: HeardText
    error: Exception | None
    begun_s: float
    heard_s: float
    """When it was told what had been heard, before the block was left."""
    left_s: float


async def play(turn: Turn, player: RecordingPlayer | None = None) -> Played:
    """Speak *turn*, and interrupt it if that is to be."""
    model = ScriptedLanguageModel(turn.writing)
    voice = ScriptedTextToSpeech(turn.script, audio_format=FORMAT)
    fallback = ScriptedTextToSpeech(turn.script, audio_format=FORMAT)
    policy = replace(turn.policy, fallback=(fallback,)) if turn.has_fallback else turn.policy
    player = player or turn.line.player()
    error: Exception | None = None
    begun_s = anyio.current_time()
    heard_s = math.inf
    reply = speak(
        model.reply([]),
        tts=voice,
        player=player,
        prefetch=turn.prefetch,
        policy=policy,
        after_stop_s=AFTER_STOP_S,
        flush_s=turn.flush_s,
        turn=turn.number,
        grace_s=turn.grace_s,
    )
    try:
        async with reply:
            try:
                limit_s = math.inf if turn.interrupt_s is None else turn.interrupt_s
                with anyio.move_on_after(limit_s):
                    await reply.finished()
            except EXPECTED as failure:
                error = failure
                await anyio.sleep(max(0.0, begun_s + (turn.interrupt_s or 0.0) - anyio.current_time()))
            await reply.interrupt()
            heard_s = anyio.current_time()
    except EXPECTED as failure:
        assert error is None, "an error came out twice"
        error = failure
    heard = await reply.interrupt()
    left_s = anyio.current_time()
    return Played(
        turn, model, voice, fallback, player, reply.timeline, heard, error, begun_s, heard_s, left_s
    )


def audio_of(played: Played, script: SpeechScript, index: int, text: str) -> bytes:
    """Return what one request gives for a segment, before it breaks."""
    segment = Segment(index, text, turn=played.turn.number)
    length_s = script.length_s(text)
    if script.breaks_after_s is not None:
        length_s = min(length_s, script.breaks_after_s)
    return scripted_audio(segment, FORMAT, length_s)


def possible_audio(played: Played, index: int, text: str) -> set[bytes]:
    """Return what may sound in the place of a segment, by what its voice does and by the policy.

    A request that breaks off in the middle counts whether or not its audio had been handed over by then.
    """
    turn = played.turn
    possible: set[bytes] = set()
    for attempt in range(turn.policy.tries):
        script = turn.script(Segment(index, text), attempt)
        audio = audio_of(played, script, index, text)
        if script.breaks_after_s is None and audio:
            return possible | {audio}
        if audio:
            possible.add(audio)
    if turn.policy.on_failure == "filler":
        script = turn.script(Segment(index, turn.policy.filler), 0)
        possible.add(audio_of(played, script, index, turn.policy.filler))
    return possible | {b""}


def sounds_in_order(data: bytes, places: Sequence[set[bytes]]) -> bool:
    """Tell whether *data* is one of the possible sounds of each place, one after another."""
    ends = {0}
    for possible in places:
        ends = {end + len(audio) for end in ends for audio in possible if data.startswith(audio, end)}
    return len(data) in ends


# Drawn as wholes, from all there are: many small draws would take longer than the turns.
GAPS = ((0.0,), (0.125,), (1.0,), (0.0, 0.25), (0.0, 0.0, 1.0), (0.125, 0.0))
SIZES = ((1000,), (4,), (12, 1), (40,), (1, 1, 12))
CLEANUPS = st.sampled_from((0.0, 0.0, 0.0, 0.25))
SPEECHES = [
    SpeechScript(
        first_audio_s=first_audio_s, audio_s=audio_s, chunk_s=chunk_s, pace=pace, cleanup_s=cleanup_s
    )
    for first_audio_s in (0.0, 0.25, 0.5, 1.5)
    for audio_s in (0.25, 0.5, 1.5)
    for chunk_s in (math.inf, 0.125, 0.25)
    for pace in (0.0, 0.5, 1.0, 2.0)
    for cleanup_s in (0.0, 0.25)
]
LINES = [
    Line(
        streaming=streaming,
        queue_ahead=queue_ahead,
        call_s=call_s,
        start_s=start_s,
        lead_s=lead_s,
        clear_s=clear_s,
    )
    for streaming in (True, False)
    for queue_ahead in (math.inf, 0, 1)
    for call_s in (0.0, 0.25)
    for start_s in (0.0, 0.125)
    for lead_s in (math.inf, 0.5)
    for clear_s in (0.0, 0.25)
]
PREFETCHES = [
    Prefetch(segments, audio_s, characters)
    for segments in range(1, 5)
    for audio_s in (math.inf, 1.0)
    for characters in (math.inf, 30)
]
POLICIES = [
    SpeechPolicy(first_audio_s=PATIENCE_S, segment_s=8.0, tries=tries, on_failure=on_failure, filler=FILLER)
    for tries in (1, 2)
    for on_failure in ("skip", "filler")
]


@st.composite
def writings(
    draw: st.DrawFn, *, failures: bool = True, hangs: bool = False, sentences: Sequence[str] = SENTENCES
) -> ReplyScript:
    """Draw a text, and how it comes."""
    text = "".join(draw(st.lists(st.sampled_from(sentences), min_size=1, max_size=4)))
    sizes, gaps = cycle(draw(st.sampled_from(SIZES))), cycle(draw(st.sampled_from(GAPS)))
    deltas: list[tuple[float, str]] = []
    now_s = 0.0
    while text:
        size = next(sizes)
        deltas.append((now_s, text[:size]))
        text = text[size:]
        now_s += next(gaps)
    ends = ["ends", "ends", *(["fails"] if failures else []), *(["hangs"] if hangs else [])]
    end = draw(st.sampled_from(ends))
    return ReplyScript(
        deltas=tuple(deltas),
        end_s=math.inf if end == "hangs" else now_s,
        error=TextFailure("text") if end == "fails" else None,
        cleanup_s=draw(CLEANUPS),
    )


FATES: tuple[dict[str, Any], ...] = (
    {},
    {},
    {},
    {"breaks_after_s": 0.0, "error": VoiceFailure("voice")},
    {"breaks_after_s": 0.125, "error": VoiceFailure("voice")},
    {"breaks_after_s": 0.0},
    {"breaks_after_s": 0.125},
    {"audio_s": 0.0},
)


@st.composite
def speeches(draw: st.DrawFn, *, failures: bool = True) -> SpeechScript:
    """Draw what becomes of one request: it speaks, fails, breaks, hangs, stalls or is empty."""
    script = draw(st.sampled_from(SPEECHES))
    return replace(script, **draw(st.sampled_from(FATES))) if failures else script


def instants() -> st.SearchStrategy[float]:
    """Draw an instant of an interruption."""
    return st.integers(0, 160).map(lambda sixteenths: sixteenths / 16)


@st.composite
def turns(
    draw: st.DrawFn,
    *,
    failures: bool = True,
    hangs: bool = False,
    interrupted: bool = False,
    sentences: Sequence[str] = SENTENCES,
    flush_s: float = FLUSH_S,
) -> Turn:
    """Draw a turn."""
    scripts = st.lists(speeches(failures=failures), min_size=1, max_size=2).map(tuple)
    return Turn(
        writing=draw(writings(failures=failures, hangs=hangs, sentences=sentences)),
        speaking=tuple(draw(st.lists(scripts, min_size=1, max_size=4))),
        prefetch=draw(st.sampled_from(PREFETCHES)),
        policy=draw(st.sampled_from(POLICIES)),
        line=draw(st.sampled_from(LINES)),
        interrupt_s=draw(instants()) if interrupted else None,
        flush_s=flush_s,
    )


WILD_POLICIES = [
    replace(policy, hedge_after_s=hedge_after_s, on_failure=on_failure, speaks_rest=speaks_rest)
    for policy in POLICIES[::2]
    for hedge_after_s in (None, 0.25, 1.0)
    for on_failure in ("skip", "filler", "stop")
    for speaks_rest in (False, True)
]


@st.composite
def wild_turns(draw: st.DrawFn) -> Turn:
    """Draw a turn in which anything may go wrong, and which may be interrupted."""
    turn = draw(turns(hangs=True, interrupted=True))
    return replace(turn, policy=draw(st.sampled_from(WILD_POLICIES)), has_fallback=draw(st.booleans()))


FAULTS = (
    ClipFault(),
    ClipFault(),
    ClipFault(),
    ClipFault(refused=PlayerFailure("player")),
    ClipFault(dies_after_s=0.125),
    ClipFault(is_acknowledged=False),
)


@st.composite
def wild_lines(draw: st.DrawFn) -> Line:
    """Draw a player with which anything may go wrong."""
    faults = draw(st.lists(st.sampled_from(FAULTS), max_size=8))
    return replace(draw(st.sampled_from(LINES)), faults=tuple(faults))


# Cases that are written out


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a reply that nobody interrupted."""

    timeline: Timeline
    player: RecordingPlayer
    error: Exception | None
    end_s: float
    """When `finished` returned or raised."""

    @property
    def heard(self) -> bytes:
        """All that sounded."""
        return self.player.heard_bytes()

    @property
    def started(self) -> list[float | None]:
        """When each segment began to sound."""
        return [segment.started_s for segment in self.timeline.segments]


def voice_of(
    *attempts: SpeechScript, others: SpeechScript | None = None, segment: int = 0
) -> ScriptedTextToSpeech:
    """Return a voice that does this with the requests for *segment*, and *others* with those for others."""

    def choose(asked: Segment, attempt: int) -> SpeechScript:
        if asked.index == segment or others is None:
            return attempts[min(attempt, len(attempts) - 1)]
        return others

    return ScriptedTextToSpeech(choose, audio_format=FORMAT)


async def hear(
    source: str | AsyncIterable[str],
    voice: TextToSpeech,
    *,
    player: RecordingPlayer | None = None,
    policy: SpeechPolicy | None = None,
    prefetch: Prefetch | None = None,
    flush_s: float = 2.0,
) -> Outcome:
    """Speak *source* to its end."""
    player = player or RecordingPlayer()
    error: Exception | None = None
    async with speak(
        source,
        tts=voice,
        player=player,
        policy=policy or SpeechPolicy(),
        prefetch=prefetch or Prefetch(),
        after_stop_s=AFTER_STOP_S,
        flush_s=flush_s,
    ) as reply:
        try:
            await reply.finished()
        except EXPECTED as failure:
            error = failure
        end_s = anyio.current_time()
    return Outcome(reply.timeline, player, error, end_s)


def audio(index: int, text: str, audio_s: float, *, turn: int = 0) -> bytes:
    """Return what a scripted voice makes of a segment."""
    return scripted_audio(Segment(index, text, turn=turn), FORMAT, audio_s)
