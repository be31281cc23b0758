"""The media stream as a player, against a scripted line in virtual time."""

import math
from collections.abc import Callable

import anyio
import pytest

from ordered_pipeline.adapters.telnyx import MediaStream, TelnyxStreamClosedError
from ordered_pipeline.testing import ScriptedTextToSpeech, SpeechScript, check_player
from ordered_pipeline.voice import AudioFormat, HeardText, Playback, PlaybackResult, speak
from ordered_pipeline.wire._telnyx_media import Clear, Mark, Media, Stop
from tests.adapters.telnyx.media_line import PCMU, TOKEN, Line, clip_of, noise, said_by, stream_on
from tests.conftest import Run

FRAME_S = 0.02
TEXT = "It is late by now. Please hold the line for a moment! We are open at nine."
FORMATS = [
    AudioFormat("mulaw", 8000),
    AudioFormat("alaw", 8000),
    *[AudioFormat("s16le", rate) for rate in (8000, 16000, 22050, 24000, 48000)],
]


async def never_ends(function: Callable[[], object]) -> bool:
    with anyio.move_on_after(100.0) as patience:
        await function()  # type: ignore[misc]
    return patience.cancelled_caught


def voice(first_audio_s: float = 0.0, chunk_s: float = math.inf) -> ScriptedTextToSpeech:
    script = SpeechScript(first_audio_s=first_audio_s, chunk_s=chunk_s)
    return ScriptedTextToSpeech(script, audio_format=PCMU)


def outcomes(results: list[PlaybackResult]) -> list[str]:
    return [result.outcome for result in results]


def seconds(results: list[PlaybackResult]) -> list[float]:
    return [result.played_s for result in results]


@pytest.mark.parametrize("audio_format", FORMATS, ids=str)
def test_it_keeps_the_promises_of_a_player(run: Run, audio_format: AudioFormat) -> None:
    line = Line(audio_format=audio_format, latency_s=0.03, jitter_s=0.06)

    async def main() -> None:
        async with stream_on(line) as stream:
            await check_player(stream, audio_format)

    run(main)


def test_clips_sound_in_order_without_a_seam_and_their_frames_are_whole(run: Run) -> None:
    line = Line()
    sounds = [noise(0.3333), noise(0.4111), noise(0.005), noise(0.5)]

    async def main() -> tuple[list[float], list[PlaybackResult]]:
        async with stream_on(line) as stream:
            playbacks = [await stream.play(clip_of(*_pieces(sound, 77))) for sound in sounds]
            starts = [await playback.started() for playback in playbacks]
            return starts, [await playback.finished() for playback in playbacks]

    starts, results = run(main)

    assert len(line.stretches) == 1
    said = b"".join(sounds)
    assert line.heard() == said + b"\xff" * (-len(said) % 160)
    assert {len(command.payload) for _, command in line.sent if isinstance(command, Media)} == {160}
    assert starts == pytest.approx([0.0, 0.33325, 0.744375, 0.749375], abs=1e-9)
    assert outcomes(results) == ["completed"] * 4
    assert seconds(results) == pytest.approx([0.33325, 0.411125, 0.005, 0.5])


def test_a_reply_has_no_gap_and_is_heard_to_the_sample(run: Run) -> None:
    line = Line(latency_s=0.05, jitter_s=0.06)
    tts = voice(first_audio_s=0.4, chunk_s=0.031)

    async def main() -> list[float]:
        async with stream_on(line) as stream, speak(TEXT, tts=tts, player=stream) as reply:
            await reply.finished()
            return [gap.length_s for gap in reply.timeline.gaps]

    gaps = run(main)

    assert len(tts.requests) == 3
    assert gaps == []
    assert len(line.stretches) == 1
    assert line.heard().rstrip(b"\xff") == said_by(tts).rstrip(b"\xff")
    assert line.stretches[0].start_s == pytest.approx(0.4 + 0.05 + 0.06)


@pytest.mark.parametrize("lead_s", [0.0, 0.05, 0.2, 1.0])
def test_what_is_sent_is_one_lead_and_two_frames_ahead_at_most(run: Run, lead_s: float) -> None:
    line = Line()

    async def main() -> None:
        async with MediaStream(line, auth_token=TOKEN, lead_s=lead_s) as stream:
            for seconds in (1.5, 0.33):
                await stream.play(clip_of(noise(seconds)))
            last = await stream.play(clip_of(noise(0.7)))
            await last.finished()

    run(main)

    assert len(line.stretches) == 1
    assert max(line.leads) <= lead_s + 2 * FRAME_S + 1e-9
    # All the way: of the last frames one may be held back for what follows.
    assert min(line.leads[math.ceil(lead_s / FRAME_S) : -1]) >= lead_s - 1e-9


def test_audio_that_comes_late_leaves_a_gap_and_the_schedule_starts_again(run: Run) -> None:
    line = Line()

    async def main() -> list[float]:
        async with stream_on(line) as stream:
            first = await stream.play(clip_of(noise(0.3)))
            await first.finished()
            await anyio.sleep(5.0)
            second = await stream.play(clip_of(noise(0.5)))
            await second.finished()
            return [await first.started(), await second.started()]

    starts = run(main)

    assert [(stretch.start_s, len(stretch.data)) for stretch in line.stretches] == [
        (starts[0], 2400),
        (starts[1], 4000),
    ]
    assert starts[1] == pytest.approx(5.3)
    assert max(line.leads) <= 0.24 + 1e-9


def test_what_is_left_of_a_clip_waits_for_the_next_one_while_there_is_time(run: Run) -> None:
    line = Line()

    async def main() -> None:
        async with stream_on(line) as stream:
            await stream.play(clip_of(noise(0.31)))
            # The last 10 ms, which play from 0.3 s on, are held back until 0.2 s.
            await anyio.sleep(0.19)
            await (await stream.play(clip_of(noise(0.25, seed=1)))).finished()

    run(main)

    assert line.heard() == noise(0.31) + noise(0.25, seed=1)


def test_what_is_left_of_a_clip_is_filled_up_with_silence_when_nothing_follows(run: Run) -> None:
    line = Line(audio_format=AudioFormat("alaw", 8000))

    async def main() -> PlaybackResult:
        async with stream_on(line) as stream:
            clip = clip_of(noise(0.31), audio_format=AudioFormat("alaw", 8000))
            return await (await stream.play(clip)).finished()

    result = run(main)

    assert line.heard() == noise(0.31) + b"\xd5" * 80
    assert result == PlaybackResult("completed", 0.31)
    assert line.sent[-2][0] == pytest.approx(0.2)


def test_inside_a_clip_what_does_not_fill_a_frame_waits_for_more(run: Run) -> None:
    line = Line()

    async def main() -> list[tuple[float, float]]:
        clip = clip_of(noise(0.05), is_whole=False)
        async with stream_on(line) as stream:
            playback = await stream.play(clip)
            await anyio.sleep(1.0)
            for chunk in clip_of(noise(0.07, seed=1))._chunks:  # noqa: SLF001  # just made
                await clip.put(chunk)
            clip.end()
            await playback.finished()
            return playback.sound.spans

    spans = run(main)

    assert line.heard() == noise(0.05) + noise(0.07, seed=1)
    assert [instant for span in spans for instant in span] == pytest.approx([0.0, 0.04, 1.0, 1.08])


def test_to_clear_is_silence_after_one_latency_and_later_clips_sound(run: Run) -> None:
    line = Line(latency_s=0.03)
    results: list[PlaybackResult] = []

    async def main() -> None:
        async with stream_on(line) as stream:
            playbacks = [await stream.play(clip_of(noise(seconds))) for seconds in (0.5, 30.0, 1.0)]
            await anyio.sleep_until(2.0)
            await stream.clear()
            assert anyio.current_time() == 2.0
            results.extend([await playback.finished() for playback in playbacks])
            assert await playbacks[1].started() == 0.5
            assert await never_ends(playbacks[2].started)
            assert line.silent_from_s() == pytest.approx(2.03)
            results.append(await (await stream.play(clip_of(noise(0.4)))).finished())

    run(main)

    assert outcomes(results) == ["completed", "cleared", "cleared", "completed"]
    assert seconds(results) == pytest.approx([0.5, 1.5, 0.0, 0.4])
    assert line.heard() == noise(0.5) + noise(30.0)[: 8 * 1500] + noise(0.4)


@pytest.mark.parametrize("at_s", [0.41, 0.5, 0.777, 1.5, 2.96])
def test_a_barge_in_is_silence_within_40_ms(run: Run, at_s: float) -> None:
    line = Line(latency_s=0.03)

    async def main() -> tuple[HeardText, float]:
        async with (
            stream_on(line) as stream,
            speak(TEXT, tts=voice(first_audio_s=0.4), player=stream) as reply,
        ):
            await anyio.sleep_until(at_s)
            heard = await reply.interrupt()
            return heard, anyio.current_time()

    heard, told_s = run(main)

    assert told_s == at_s
    assert line.silent_from_s() <= at_s + 0.04
    assert heard.text + heard.unheard == TEXT


def test_a_clip_whose_mark_came_back_was_heard_and_the_text_says_so(run: Run) -> None:
    line = Line(latency_s=0.03)

    async def main() -> HeardText:
        async with stream_on(line) as stream, speak(TEXT, tts=voice(), player=stream) as reply:
            # The first sentence is over, and the second has hardly begun.
            await anyio.sleep_until(0.0625 * 19 + 0.07)
            return await reply.interrupt()

    assert run(main).text == "It is late by now."


def test_how_far_positions_may_be_off_is_what_the_last_mark_was_late(run: Run) -> None:
    line = Line(latency_s=0.03, jitter_s=0.06, echo=lambda number: (0.25,) if number == 1 else (0.0,))
    errors_s: list[float] = []

    async def main() -> HeardText:
        stream = stream_on(line)
        errors_s.append(stream.capabilities.position_error_s)
        async with stream:
            errors_s.append(stream.capabilities.position_error_s)
            for length_s in (0.5, 0.3):
                await (await stream.play(clip_of(noise(length_s)))).finished()
                errors_s.append(stream.capabilities.position_error_s)
            playback = await stream.play(clip_of(noise(5.0)))
            await anyio.sleep(1.0)
            # What it brings back is not late but early, and says nothing.
            await stream.clear()
            await playback.finished()
            await anyio.sleep(1.0)
            errors_s.append(stream.capabilities.position_error_s)
            async with speak(TEXT, tts=voice(), player=stream) as reply:
                await reply.finished()
            return await reply.interrupt()

    heard = run(main)

    # Guessed; then both ways and what is held back.
    assert errors_s == pytest.approx([0.1, 0.1, 0.12, 0.37, 0.37])
    assert heard.method == "marks"
    assert heard.error_s == pytest.approx(0.12)


def test_marks_that_come_back_after_a_clear_say_nothing_of_later_clips(run: Run) -> None:
    line = Line(latency_s=0.05)

    async def main() -> tuple[PlaybackResult, float]:
        async with stream_on(line) as stream:
            # So short that their marks are there when they are cleared.
            for _ in range(3):
                await stream.play(clip_of(noise(0.05)))
            await anyio.sleep_until(0.1)
            await stream.clear()
            result = await (await stream.play(clip_of(noise(0.5)))).finished()
            return result, anyio.current_time()

    result, over_s = run(main)

    assert result == PlaybackResult("completed", 0.5)
    assert over_s == pytest.approx(0.1 + 0.05 + 0.5 + 0.05)


def test_a_lost_mark_is_made_up_for_by_the_next(run: Run) -> None:
    line = Line(echo=lambda number: () if number == 0 else (0.0,))

    async def main() -> tuple[list[PlaybackResult], float]:
        async with stream_on(line) as stream:
            playbacks = [await stream.play(clip_of(noise(0.5))) for _ in range(2)]
            return [await playback.finished() for playback in playbacks], anyio.current_time()

    results, over_s = run(main)

    assert results == [PlaybackResult("completed", 0.5)] * 2
    assert over_s == pytest.approx(1.0)


def test_a_lost_mark_does_not_wait_for_a_long_clip_that_follows(run: Run) -> None:
    line = Line(echo=lambda number: () if number == 0 else (0.0,))

    async def main() -> tuple[PlaybackResult, float]:
        async with stream_on(line) as stream:
            first = await stream.play(clip_of(noise(0.5)))
            await stream.play(clip_of(noise(30.0)))
            return await first.finished(), anyio.current_time()

    result, over_s = run(main)

    assert result == PlaybackResult("presumed", 0.5)
    # Looked for when frames are sent, two and two.
    assert over_s == pytest.approx(2.52)


def test_with_all_marks_lost_clips_are_presumed_heard(run: Run) -> None:
    line = Line(echo=lambda _: ())

    async def main() -> tuple[list[PlaybackResult], list[float]]:
        results: list[PlaybackResult] = []
        told_s: list[float] = []
        async with stream_on(line) as stream:
            for playback in [await stream.play(clip_of(noise(length_s))) for length_s in (0.5, 1.5, 0.0)]:
                results.append(await playback.finished())
                told_s.append(anyio.current_time())
        return results, told_s

    results, told_s = run(main)

    assert outcomes(results) == ["presumed"] * 3
    assert seconds(results) == [0.5, 1.5, 0.0]
    assert told_s == pytest.approx([2.5, 4.0, 4.0])


def test_marks_that_come_late_or_twice_or_that_nobody_sent_change_nothing(run: Run) -> None:
    line = Line(echo=lambda number: (0.5, 0.7, 9.0) if number == 0 else (0.0,))

    async def main() -> list[PlaybackResult]:
        async with stream_on(line) as stream:
            playbacks: list[Playback] = [await stream.play(clip_of(noise(0.4)))]
            line.give(Mark("0.2"), 0.1)
            line.give(Mark("0.9"), 0.1)
            playbacks.append(await stream.play(clip_of(noise(2.0))))
            results = [await playback.finished() for playback in playbacks]
            assert anyio.current_time() == pytest.approx(2.4)
            await anyio.sleep_until(11.0)
            return results

    assert run(main) == [PlaybackResult("completed", 0.4), PlaybackResult("completed", 2.0)]


def test_an_empty_clip_ends_in_its_turn_without_a_sound(run: Run) -> None:
    line = Line()

    async def main() -> tuple[PlaybackResult, float]:
        async with stream_on(line) as stream:
            await stream.play(clip_of(noise(0.5)))
            empty = await stream.play(clip_of())
            result = await empty.finished()
            assert await never_ends(empty.started)
            return result, line.sent[-1][0]

    result, marked_s = run(main)

    assert result == PlaybackResult("completed", 0.0)
    assert marked_s == pytest.approx(0.28)


def test_more_clips_than_the_stream_queues_wait_in_order(run: Run) -> None:
    line = Line()

    async def main() -> list[float]:
        accepted: list[float] = []
        async with stream_on(line) as stream:
            for seed in range(6):
                last = await stream.play(clip_of(noise(0.5, seed)))
                accepted.append(anyio.current_time())
                if seed == 5:
                    await last.finished()
        return accepted

    accepted = run(main)

    assert accepted == pytest.approx([0.0, 0.0, 0.0, 0.5, 1.0, 1.5])
    assert line.heard() == b"".join(noise(0.5, seed) for seed in range(6))
    assert len(line.stretches) == 1


def test_a_clip_that_waits_for_room_is_cleared_with_the_others(run: Run) -> None:
    line = Line()

    async def main() -> PlaybackResult:
        results: list[PlaybackResult] = []
        async with stream_on(line) as stream, anyio.create_task_group() as tasks:
            for _ in range(3):
                await stream.play(clip_of(noise(5.0)))

            async def play() -> None:
                results.append(await (await stream.play(clip_of(noise(5.0)))).finished())

            tasks.start_soon(play)
            await anyio.sleep(1.0)
            await stream.clear()
        return results[0]

    assert run(main) == PlaybackResult("cleared", 0.0)
    assert line.silent_from_s() == pytest.approx(1.0)


@pytest.mark.parametrize("how", ["drop", "stop", "stall"])
def test_a_stream_that_ends_fails_its_clips_and_the_reply_says_so(run: Run, how: str) -> None:
    line = Line()

    async def main() -> tuple[str | None, str]:
        async with stream_on(line) as stream:
            if how == "drop":
                line.drop(1.5)
            elif how == "stop":
                line.give(Stop(), 1.5)
            reply = speak(TEXT, tts=voice(), player=stream)
            with pytest.raises(TelnyxStreamClosedError) as told:
                async with reply:
                    await anyio.sleep_until(1.5)
                    line.is_stalled = how == "stall"
                    await reply.finished()
            heard = await reply.interrupt()
            assert heard.text + heard.unheard == TEXT
            with pytest.raises(TelnyxStreamClosedError):
                await stream.play(clip_of(noise(0.5)))
            await stream.clear()
        assert anyio.current_time() == pytest.approx(6.5 if how == "stall" else 1.5, abs=FRAME_S)
        return reply.timeline.segments[1].outcome, str(told.value)

    outcome, said = run(main)

    assert outcome == "failed"
    why = {
        "drop": "the socket was closed",
        "stop": "Telnyx has ended it",
        "stall": "Telnyx took nothing for 5 s",
    }[how]
    assert said == f"nothing can be played on the media stream: {why}"


def test_what_a_failed_clip_has_played_stays_as_it_was(run: Run) -> None:
    line = Line()

    async def main() -> tuple[float | None, float]:
        async with stream_on(line) as stream:
            playback = await stream.play(clip_of(noise(5.0)))
            waiting = await stream.play(clip_of(noise(5.0)))
            line.drop(1.0)
            with pytest.raises(TelnyxStreamClosedError):
                await playback.finished()
            with pytest.raises(TelnyxStreamClosedError):
                await waiting.started()
            await anyio.sleep(3.0)
            return playback.position_s(), await playback.started()

    position_s, started_s = run(main)

    assert position_s == pytest.approx(1.0)
    assert started_s == 0.0


def test_a_clear_that_a_stalled_line_does_not_take_ends_with_the_stream(run: Run) -> None:
    line = Line()

    async def main() -> PlaybackResult:
        async with stream_on(line) as stream:
            playback = await stream.play(clip_of(noise(60.0)))
            await anyio.sleep(1.0)
            line.is_stalled = True
            await anyio.sleep(1.0)
            await stream.clear()
            assert anyio.current_time() == pytest.approx(6.0, abs=FRAME_S)
            return await playback.finished()

    assert run(main).outcome == "cleared"
    assert not any(isinstance(command, Clear) for _, command in line.sent)


def test_a_clear_that_was_cancelled_is_sent_before_anything_else(run: Run) -> None:
    line = Line()

    async def main() -> None:
        async with stream_on(line) as stream:
            await stream.play(clip_of(noise(60.0)))
            await anyio.sleep_until(1.0)
            line.is_stalled = True
            with anyio.move_on_after(2.0):
                await stream.clear()
            later = await stream.play(clip_of(noise(0.1)))
            line.go_on()
            await later.finished()

    run(main)

    after = [type(command) for instant_s, command in line.sent if instant_s > 1.0]
    assert after == [Clear, *[Media] * 5, Mark]


def test_leaving_the_block_fails_what_was_not_heard_and_closes_the_socket(run: Run) -> None:
    line = Line()

    async def main() -> None:
        async with stream_on(line) as stream:
            playback = await stream.play(clip_of(noise(5.0)))
            await playback.started()
        with pytest.raises(TelnyxStreamClosedError, match="block was left"):
            await playback.finished()
        with pytest.raises(TelnyxStreamClosedError, match="block was left"):
            await stream.play(clip_of(noise(5.0)))

    run(main)

    assert line.is_closed


def test_an_error_in_the_block_comes_out_bare(run: Run) -> None:
    line = Line()
    error = LookupError("mine")

    async def main() -> None:
        with pytest.raises(LookupError) as told:
            async with stream_on(line) as stream:
                await stream.play(clip_of(noise(5.0)))
                raise error
        assert told.value is error

    run(main)

    assert line.is_closed


def test_a_cancelled_block_lets_the_reply_in_it_clear_first(run: Run) -> None:
    line = Line()

    async def main() -> None:
        with anyio.move_on_after(1.0):
            async with stream_on(line) as stream, speak(TEXT, tts=voice(), player=stream) as reply:
                await reply.finished()
        assert anyio.current_time() == 1.0

    run(main)

    assert isinstance(line.sent[-1][1], Clear)
    assert line.is_closed


def test_a_chunk_that_ends_inside_a_sample_fails_its_clip_alone(run: Run) -> None:
    audio_format = AudioFormat("s16le", 8000)
    line = Line(audio_format=audio_format)

    async def main() -> PlaybackResult:
        async with stream_on(line) as stream:
            broken = await stream.play(clip_of(b"\1\2\3", audio_format=audio_format))
            whole = await stream.play(clip_of(noise(0.1), audio_format=audio_format))
            with pytest.raises(ValueError, match="nbytes"):
                await broken.finished()
            return await whole.finished()

    assert run(main) == PlaybackResult("completed", 0.05)


def test_l16_goes_out_with_the_byte_order_of_the_line(run: Run) -> None:
    audio_format = AudioFormat("s16le", 16000)
    line = Line(audio_format=audio_format)

    async def main() -> None:
        stream = MediaStream(line, auth_token=TOKEN, audio_format=audio_format, l16_byteorder="big")
        async with stream:
            clip = clip_of(b"\1\2" * 320, audio_format=audio_format)
            await (await stream.play(clip)).finished()

    run(main)

    assert line.heard() == b"\2\1" * 320


def test_a_clip_of_another_format_is_refused(run: Run) -> None:
    async def main() -> None:
        async with stream_on(Line()) as stream:
            with pytest.raises(ValueError, match="clip must have the stream's format"):
                await stream.play(clip_of(b"", audio_format=AudioFormat("alaw", 8000)))

    run(main)


def test_a_stream_that_was_not_entered_says_so(run: Run) -> None:
    async def main() -> None:
        stream = stream_on(Line())
        with pytest.raises(RuntimeError, match="a clip was played on a media stream that was not entered"):
            await stream.play(clip_of(b""))
        with pytest.raises(RuntimeError, match="there was a clear of a media stream"):
            await stream.clear()
        with pytest.raises(RuntimeError, match="the caller's audio was asked of a media stream"):
            stream.caller_audio()
        async with stream:
            with pytest.raises(RuntimeError, match="entered twice"):
                await stream.__aenter__()

    run(main)


@pytest.mark.parametrize(
    "audio_format",
    [
        AudioFormat("mulaw", 16000),
        AudioFormat("s16le", 44100),
        AudioFormat("s16le", 8000, 2),
        AudioFormat("mp3", 8000),
    ],
)
def test_a_format_that_telnyx_does_not_offer_is_refused(audio_format: AudioFormat) -> None:
    with pytest.raises(ValueError, match="audio_format must be"):
        MediaStream(Line(), auth_token=TOKEN, audio_format=audio_format)


def test_values_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="auth_token must not be empty"):
        MediaStream(Line(), auth_token="")
    with pytest.raises(ValueError, match="lead_s must be"):
        MediaStream(Line(), auth_token=None, lead_s=-0.1)
    with pytest.raises(ValueError, match="l16_byteorder must be 'little' or 'big', got 'BE'"):
        MediaStream(Line(), auth_token=None, l16_byteorder="BE")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="open_s must be above 0"):
        MediaStream(Line(), auth_token=None, open_s=0.0)


def _pieces(sound: bytes, size: int) -> list[bytes]:
    return [sound[place : place + size] for place in range(0, len(sound), size)]
