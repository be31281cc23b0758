"""What is wrong in what a reply is given: each has a clear outcome, and nothing is left behind."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import anyio
import pytest

from ordered_pipeline.testing import (
    ClipFault,
    RecordingPlayer,
    ReplyScript,
    ScriptedLanguageModel,
    ScriptedTextToSpeech,
    SpeechScript,
)
from ordered_pipeline.voice import (
    AudioChunk,
    AudioFormat,
    Clip,
    HeardText,
    NoAudioError,
    Playback,
    PlayerCapabilities,
    Prefetch,
    Segment,
    SpeechPolicy,
    TextToSpeech,
    speak,
)
from tests.conftest import Run
from tests.voice.players import HardPlayer
from tests.voice.turns import FORMAT, Bounded, TextFailure, VoiceFailure, audio, hear, voice_of

ONE = "It is late."
THREE = "It is late. Why not now? Good night."
PIECES = ("It is late.", " Why not now?", " Good night.")
FINE = SpeechScript(first_audio_s=0.25, audio_s=1.0)


@pytest.fixture
def run(run: Run) -> Bounded:
    return Bounded(run)


# The text


@pytest.mark.parametrize("text", ["", " ", "\n\t  \n"])
def test_a_text_without_words_is_finished_at_once(run: Run, text: str) -> None:
    voice, player = voice_of(FINE), RecordingPlayer()

    async def main() -> None:
        async with speak(text, tts=voice, player=player) as reply:
            await reply.finished()
            assert anyio.current_time() == 0.0
        assert await reply.interrupt() == HeardText(text, "", "marks", 0.0)
        assert (voice.requests, player.playbacks, reply.timeline.segments) == ([], [], ())

    run(main)


@pytest.mark.parametrize("text", ["", " "])
def test_deltas_without_words_are_finished_when_they_end(run: Run, text: str) -> None:
    model = ScriptedLanguageModel(ReplyScript(deltas=((0.5, text), (1.0, text)), end_s=1.5))

    async def main() -> None:
        async with speak(model.reply([]), tts=voice_of(FINE), player=RecordingPlayer()) as reply:
            await reply.finished()
            assert anyio.current_time() == 1.5

    run(main)


def test_a_text_of_one_endless_word_is_spoken_in_pieces(run: Run) -> None:
    text = "a" * 2000

    told = run(hear, text, ScriptedTextToSpeech(SpeechScript(audio_s=0.5), audio_format=FORMAT))

    assert "".join(segment.text for segment in told.timeline.segments) == text
    assert max(len(segment.text) for segment in told.timeline.segments) <= 300
    assert {segment.outcome for segment in told.timeline.segments} == {"completed"}


def test_an_endless_word_that_dribbles_is_spoken_in_pieces_too(run: Run) -> None:
    model = ScriptedLanguageModel(ReplyScript(deltas=tuple((0.125 * place, "a" * 50) for place in range(20))))

    async def main() -> None:
        async with speak(model.reply([]), tts=voice_of(FINE), player=RecordingPlayer()) as reply:
            await reply.finished()
        assert "".join(segment.text for segment in reply.timeline.segments) == "a" * 1000

    run(main)


def test_what_was_written_before_the_text_failed_is_heard_and_the_error_comes_out_once(run: Run) -> None:
    failure = TextFailure("after three sentences")
    model = ScriptedLanguageModel(ReplyScript.word_by_word(THREE, gap_s=0.125, error=failure))
    player = RecordingPlayer()

    async def main() -> None:
        async with speak(model.reply([]), tts=voice_of(FINE), player=player) as reply:
            with pytest.raises(TextFailure) as raised:
                await reply.finished()
            assert raised.value is failure
            await reply.finished()
        heard = b"".join(audio(index, text, 1.0) for index, text in enumerate(PIECES))
        assert player.heard_bytes(anyio.current_time()) == heard
        assert await reply.interrupt() == HeardText(THREE, "", "marks", 0.0)

    run(main)


def test_an_error_of_the_text_that_nobody_waited_for_comes_out_of_the_block(run: Run) -> None:
    failure = TextFailure("at once")
    model = ScriptedLanguageModel(ReplyScript(error=failure))

    async def main() -> None:
        with pytest.raises(TextFailure) as raised:
            async with speak(model.reply([]), tts=voice_of(FINE), player=RecordingPlayer()):
                await anyio.sleep(1.0)
        assert raised.value is failure

    run(main)


@pytest.mark.parametrize("delta", [b"bytes", 3, None])
def test_a_delta_that_is_no_text_is_an_error_after_what_came_before_it(run: Run, delta: object) -> None:
    player = RecordingPlayer()

    async def write() -> AsyncIterator[str]:
        yield ONE
        yield cast("str", delta)

    async def main() -> None:
        async with speak(write(), tts=voice_of(FINE), player=player) as reply:
            with pytest.raises(TypeError) as raised:
                await reply.finished()
        rule = "what the source of a reply gives must be text"
        assert str(raised.value) == f"{rule}, got {delta!r}; give deltas of text only"
        assert player.heard_bytes() == audio(0, ONE, 1.0)

    run(main)


@pytest.mark.parametrize("source", [3, b"It is late."])
def test_a_source_that_is_none_is_an_error_at_the_call(source: object) -> None:
    with pytest.raises(TypeError, match="source must be text or an iterable of text, got "):
        speak(cast("str", source), tts=voice_of(FINE), player=RecordingPlayer())


# The voice


class Voice:
    """A voice made of a function."""

    def __init__(self, synthesize: Callable[[Segment], Any], audio_format: AudioFormat = FORMAT) -> None:
        self.format = audio_format
        self.synthesize = synthesize


def voice(synthesize: Callable[[Segment], Any], audio_format: AudioFormat = FORMAT) -> TextToSpeech:
    return cast("TextToSpeech", Voice(synthesize, audio_format))


def raises_at_the_call(segment: Segment) -> AsyncIterator[AudioChunk]:
    raise VoiceFailure("at the call")


async def is_a_coroutine(segment: Segment) -> bytes:
    return b"audio"


async def gives_bytes(segment: Segment) -> AsyncIterator[bytes]:
    yield b"audio"


async def gives_none(segment: Segment) -> AsyncIterator[None]:
    yield None


@pytest.mark.parametrize(
    ("synthesize", "error", "message"),
    [
        (raises_at_the_call, VoiceFailure, "at the call"),
        (is_a_coroutine, TypeError, "coroutine"),
        (gives_bytes, TypeError, "what a voice gives must be an AudioChunk, got b'audio'"),
        (gives_none, TypeError, "what a voice gives must be an AudioChunk, got None"),
        (lambda _: None, TypeError, "None"),
    ],
)
def test_a_voice_that_breaks_its_contract_has_failed(
    run: Run, synthesize: Callable[[Segment], Any], error: type[Exception], message: str
) -> None:
    async def main() -> None:
        async with speak(ONE, tts=voice(synthesize), player=RecordingPlayer()) as reply:
            with pytest.raises(error, match=message):
                await reply.finished()

    run(main)


def test_a_voice_that_breaks_its_contract_once_costs_one_segment(run: Run) -> None:
    fine = voice_of(FINE)
    player = RecordingPlayer()

    def synthesize(segment: Segment) -> Any:
        return is_a_coroutine(segment) if segment.index == 1 else fine.synthesize(segment)

    async def main() -> None:
        async with speak(THREE, tts=voice(synthesize), player=player) as reply:
            await reply.finished()
        assert player.heard_bytes() == audio(0, PIECES[0], 1.0) + audio(2, PIECES[2], 1.0)

    run(main)


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1), (3, 5), (1, 7), (7, 1)])
def test_samples_that_are_cut_between_chunks_are_put_together(run: Run, sizes: tuple[int, ...]) -> None:
    whole = bytes(range(1, 1 + sum(sizes)))
    player = RecordingPlayer()

    async def synthesize(segment: Segment) -> AsyncIterator[AudioChunk]:
        begin = 0
        for size in sizes:
            yield AudioChunk(whole[begin : begin + size])
            begin += size

    async def main() -> None:
        async with speak(ONE, tts=voice(synthesize), player=player) as reply:
            await reply.finished()
        assert player.heard_bytes() == whole

    run(main)


@pytest.mark.parametrize("streaming", [True, False])
def test_a_sample_that_was_never_whole_is_dropped_with_a_warning(run: Run, streaming: bool) -> None:
    player = RecordingPlayer(PlayerCapabilities(streaming=streaming))

    async def synthesize(segment: Segment) -> AsyncIterator[AudioChunk]:
        yield AudioChunk(b"abcde")

    async def main() -> None:
        async with speak(ONE, tts=voice(synthesize), player=player) as reply:
            with pytest.warns(RuntimeWarning, match="ended inside a sample, which was dropped"):
                await reply.finished()
        assert player.heard_bytes() == b"abcd"

    run(main)


def test_audio_of_less_than_one_sample_is_no_audio(run: Run) -> None:
    async def synthesize(segment: Segment) -> AsyncIterator[AudioChunk]:
        yield AudioChunk(b"a")

    async def main() -> None:
        async with speak(ONE, tts=voice(synthesize), player=RecordingPlayer()) as reply:
            with pytest.warns(RuntimeWarning, match="inside a sample"), pytest.raises(NoAudioError):
                await reply.finished()

    run(main)


def test_empty_chunks_are_no_audio(run: Run) -> None:
    async def synthesize(segment: Segment) -> AsyncIterator[AudioChunk]:
        yield AudioChunk(b"")
        await anyio.sleep(0.5)
        yield AudioChunk(b"")
        yield AudioChunk(audio(segment.index, segment.text, 1.0))
        yield AudioChunk(b"")

    player = RecordingPlayer()

    async def main() -> None:
        async with speak(ONE, tts=voice(synthesize), player=player) as reply:
            await reply.finished()
        (segment,) = reply.timeline.segments
        assert (segment.first_audio_s, segment.started_s, segment.audio_s) == (0.5, 0.5, 1.0)
        assert player.heard_bytes() == audio(0, ONE, 1.0)

    run(main)


def test_a_format_that_the_player_cannot_be_given_is_told_at_the_call() -> None:
    mp3 = voice(gives_bytes, AudioFormat("mp3", 24000))
    player = RecordingPlayer(PlayerCapabilities(formats=(AudioFormat("mulaw", 8000),)))

    with pytest.raises(ValueError, match="the player must take a format that") as raised:
        speak(ONE, tts=mp3, player=player)
    assert str(raised.value).endswith("ask the voice for s16le or wav")


def test_so_is_one_of_a_fallback() -> None:
    mp3 = voice(gives_bytes, AudioFormat("mp3", 24000))

    with pytest.raises(ValueError, match="target must be a format that"):
        speak(ONE, tts=voice_of(FINE), player=RecordingPlayer(), policy=SpeechPolicy(fallback=(mp3,)))


# The player


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("refused", [0, 1])
def test_a_player_that_refuses_a_clip_ends_the_reply(run: Run, refused: int, streaming: bool) -> None:
    gone = ConnectionError("the line is gone")
    capabilities = PlayerCapabilities(streaming=streaming)
    player = RecordingPlayer(capabilities, faults={refused: ClipFault(refused=gone)})
    voice = voice_of(FINE)

    async def main() -> None:
        async with speak(THREE, tts=voice, player=player) as reply:
            with pytest.raises(ConnectionError) as raised:
                await reply.finished()
            assert raised.value is gone
            await reply.finished()
        assert anyio.current_time() == 0.25 + refused
        assert player.heard_bytes() == (audio(0, PIECES[0], 1.0) if refused else b"")
        assert reply.timeline.segments[refused].outcome == "failed"
        assert len(player.playbacks) == refused + 1
        assert voice.running == 0

    run(main)


def test_a_player_that_gives_no_playback_ends_the_reply(run: Run) -> None:
    class Silent(HardPlayer):
        async def play(self, clip: Clip, /) -> Playback:
            await clip.collect()
            return cast("Playback", None)

    async def main() -> None:
        async with speak(THREE, tts=voice_of(FINE), player=Silent()) as reply:
            with pytest.raises(
                TypeError, match="the player's 'play' must return a Playback, got None; make a"
            ):
                await reply.finished()

    run(main)


def test_a_clip_that_dies_in_the_middle_is_noted_and_the_rest_is_played(run: Run) -> None:
    player = RecordingPlayer(faults={0: ClipFault(dies_after_s=0.5)})

    async def main() -> None:
        async with speak(THREE, tts=voice_of(FINE), player=player) as reply:
            await reply.finished()
        first, second, _ = reply.timeline.segments
        assert (first.outcome, first.played_s) == ("failed", 0.5)
        assert (second.outcome, second.started_s) == ("completed", 0.75)

    run(main)


def test_a_player_whose_waiting_fails_ends_the_reply(run: Run) -> None:
    gone = ConnectionError("the line is gone")
    player = HardPlayer(finished_error=gone)
    voice = voice_of(FINE)

    async def main() -> None:
        async with speak(THREE, tts=voice, player=player, prefetch=Prefetch(1)) as reply:
            with pytest.raises(ConnectionError) as raised:
                await reply.finished()
            assert raised.value is gone
        assert reply.timeline.segments[0].outcome == "failed"
        assert voice.running == 0

    run(main)


@pytest.mark.parametrize("streaming", [True, False])
def test_a_clip_that_is_never_acknowledged_is_presumed_to_be_over(run: Run, streaming: bool) -> None:
    capabilities = PlayerCapabilities(streaming=streaming)
    player = RecordingPlayer(capabilities, faults={0: ClipFault(is_acknowledged=False)})

    async def main() -> None:
        async with speak(ONE, tts=voice_of(FINE), player=player) as reply:
            await reply.finished()
        (segment,) = reply.timeline.segments
        assert (segment.outcome, segment.played_s) == ("presumed", 1.0)
        assert anyio.current_time() == 1.25 + 5.0
        assert await reply.interrupt() == HeardText(ONE, "", "marks", 1.0)

    run(main)


def test_a_clip_that_is_never_acknowledged_holds_back_no_others(run: Run) -> None:
    player = RecordingPlayer(faults={0: ClipFault(is_acknowledged=False)})

    async def main() -> None:
        async with speak(THREE, tts=voice_of(FINE), player=player) as reply:
            await reply.finished()
        assert [segment.outcome for segment in reply.timeline.segments] == [
            "presumed",
            "completed",
            "completed",
        ]
        assert player.gaps() == []

    run(main)


# The calls


def test_text_that_is_said_is_spoken_sentence_by_sentence(run: Run) -> None:
    player = RecordingPlayer()

    async def main() -> None:
        async with speak(tts=voice_of(FINE), player=player) as reply:
            await reply.say("It is late.")
            await anyio.sleep(3.0)
            await reply.say("Why not now?")
            reply.done()
            await reply.finished()
        assert [segment.started_s for segment in reply.timeline.segments] == [0.25, 3.25]
        assert player.heard_bytes() == audio(0, "It is late.", 1.0) + audio(1, "Why not now?", 1.0)

    run(main)


def test_done_may_be_told_twice_and_ends_what_may_be_said(run: Run) -> None:
    async def main() -> None:
        async with speak(tts=voice_of(FINE), player=RecordingPlayer()) as reply:
            await reply.say("It is late.")
            reply.done()
            reply.done()
            with pytest.raises(anyio.ClosedResourceError) as raised:
                await reply.say("More.")
            assert str(raised.value) == "text was said to a reply that takes no more of it"
            await reply.finished()

    run(main)


def test_nothing_said_is_an_empty_reply(run: Run) -> None:
    async def main() -> None:
        async with speak(tts=voice_of(FINE), player=RecordingPlayer()) as reply:
            reply.done()
            await reply.finished()

    run(main)


def test_a_reply_with_a_source_cannot_be_told_more(run: Run) -> None:
    async def main() -> None:
        async with speak(ONE, tts=voice_of(FINE), player=RecordingPlayer()) as reply:
            with pytest.raises(RuntimeError) as raised:
                await reply.say("More.")
        assert (
            str(raised.value)
            == "text was said to a reply that reads a source; make it without one to say its text"
        )

    run(main)


def test_what_is_said_must_be_text(run: Run) -> None:
    async def main() -> None:
        async with speak(tts=voice_of(FINE), player=RecordingPlayer()) as reply:
            with pytest.raises(TypeError, match="text must be a string, got 3"):
                await reply.say(cast("str", 3))
            reply.done()
            await reply.finished()

    run(main)


def test_a_full_window_makes_whoever_talks_wait(run: Run) -> None:
    """One text is read ahead of the one at the voice; the third waits until there is room."""
    said: list[float] = []
    player = RecordingPlayer(PlayerCapabilities(queue_ahead=0))

    async def main() -> None:
        async with speak(tts=voice_of(FINE), player=player, prefetch=Prefetch(1)) as reply:
            for _ in range(5):
                await reply.say("It is very late.")
                said.append(anyio.current_time())
            reply.done()
            await reply.finished()
        assert said == [0.0, 0.0, 0.25, 1.25, 2.25]

    run(main)


def test_a_reply_is_entered_once(run: Run) -> None:
    async def main() -> None:
        async with speak(ONE, tts=voice_of(FINE), player=RecordingPlayer()) as reply:
            with pytest.raises(RuntimeError) as raised:
                await reply.__aenter__()
            await reply.finished()
        with pytest.raises(RuntimeError):
            await reply.__aenter__()
        assert (
            str(raised.value)
            == "the reply was entered twice, but its text can be read once; make another one"
        )

    run(main)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda reply: reply.say("text"), "text was said to a reply that was not entered"),
        (lambda reply: reply.done(), "'done' was called on a reply that was not entered"),
        (lambda reply: reply.finished(), "the end was awaited of a reply that was not entered"),
        (lambda reply: reply.interrupt(), "there was an interruption of a reply that was not entered"),
        (lambda reply: reply.timeline, "the timeline was asked of a reply that was not entered"),
    ],
)
def test_a_reply_is_entered_before_it_is_used(
    run: Run, use: Callable[[object], Awaitable[object] | None], message: str
) -> None:
    async def main() -> None:
        reply = speak(tts=voice_of(FINE), player=RecordingPlayer())
        with pytest.raises(RuntimeError) as raised:
            await cast("Awaitable[object]", use(reply))
        assert str(raised.value) == f"{message}; use 'async with' first"

    run(main)


@pytest.mark.parametrize("name", ["after_stop_s", "flush_s", "grace_s"])
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (0, ValueError, "must be above 0, got 0"),
        (-1.0, ValueError, "must be above 0, got -1.0"),
        (math.nan, ValueError, "must be above 0, got nan"),
        ("1", TypeError, "must be a number, got '1'"),
        (True, TypeError, "must be a number, got True"),
    ],
)
def test_a_time_that_is_none_is_told_at_the_call(
    name: str, value: object, error: type[Exception], message: str
) -> None:
    options = cast("dict[str, Any]", {name: value})

    with pytest.raises(error) as raised:
        speak(ONE, tts=voice_of(FINE), player=RecordingPlayer(), **options)
    assert str(raised.value).startswith(f"{name} {message}")


class Nameless:
    """Speaks and plays, and does not say how."""

    format = capabilities = None
    synthesize = play = staticmethod(voice_of(FINE).synthesize)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefetch": 2}, "prefetch must be a Prefetch, got 2; use Prefetch(segments=2)"),
        ({"policy": "skip"}, "policy must be a SpeechPolicy, got 'skip'"),
        ({"tts": "nova"}, "tts must be a voice, got 'nova'; make one of a function with tts_from"),
        ({"tts": Nameless()}, "the format of tts must be an AudioFormat, got None"),
        ({"player": Nameless()}, "the capabilities of player must be PlayerCapabilities, got None"),
        ({"player": 1}, "player must be a player, got 1; make one of a function with player_from"),
        ({"splitter": "de"}, "splitter must be a SentenceSplitter, got 'de'"),
    ],
)
def test_an_argument_of_another_type_is_told_at_the_call(options: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"tts": voice_of(FINE), "player": RecordingPlayer(), **options}

    with pytest.raises(TypeError) as raised:
        speak(ONE, **arguments)
    assert str(raised.value) == message
