"""What comes from the call: caller audio, keys, errors, the end."""

import random

import anyio
import pytest

from ordered_pipeline.adapters.telnyx import MediaStream, StreamEvent
from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.wire._telnyx_media import (
    RATE_LIMIT_REACHED,
    Connected,
    Dtmf,
    Media,
    MediaFormat,
    Start,
    Stop,
    StreamError,
    Unknown,
    encode_media_message,
)
from tests.adapters.telnyx.media_line import TOKEN, Line, stream_on
from tests.conftest import Run


def line_of(media_format: MediaFormat | None) -> Line:
    return Line(opening=[Connected(), Start(call_control_id="v3:a", media_format=media_format)])


@pytest.mark.parametrize(
    ("media_format", "audio_format"),
    [
        (MediaFormat("PCMU", 8000), AudioFormat("mulaw", 8000)),
        (MediaFormat("audio/x-mulaw", 8000), AudioFormat("mulaw", 8000)),
        (MediaFormat("PCMA", 8000), AudioFormat("alaw", 8000)),
        (MediaFormat("L16", 16000), AudioFormat("s16le", 16000)),
        (MediaFormat("OPUS", 16000), None),
        (MediaFormat("PCMU", 0), None),
        (None, AudioFormat("mulaw", 8000)),
    ],
)
def test_the_callers_format_is_what_telnyx_says(
    run: Run, media_format: MediaFormat | None, audio_format: AudioFormat | None
) -> None:
    async def main() -> AudioFormat | None:
        async with stream_on(line_of(media_format)) as stream:
            return stream.caller_audio().format

    assert run(main) == audio_format


def test_caller_audio_comes_in_order_and_of_the_caller_alone(run: Run) -> None:
    line = Line()
    numbers = list(range(1, 41))
    # None is late by more than is waited for.
    for start in range(0, 40, 4):
        random.Random(start).shuffle(part := numbers[start : start + 4])  # noqa: S311  # no secret
        numbers[start : start + 4] = part
    for place, number in enumerate(numbers):
        line.give(Media(bytes([number]), "inbound", chunk=number), place / 50)
        line.give(Media(b"ours", "outbound", chunk=number), place / 50)
    line.give(Stop(), 2.0)

    async def main() -> bytes:
        async with stream_on(line) as stream:
            return b"".join([frame async for frame in stream.caller_audio()])

    assert run(main) == bytes(range(1, 41))


def test_a_lost_frame_holds_up_three_later_ones_and_no_more(run: Run) -> None:
    line = Line()
    for number in (1, 3, 4, 5, 6):
        line.give(Media(bytes([number]), chunk=number), number / 50)

    async def main() -> list[tuple[bytes, float]]:
        async with stream_on(line) as stream:
            frames = stream.caller_audio()
            return [(await anext(frames), anyio.current_time()) for _ in range(3)]

    assert run(main) == [(b"\1", 0.02), (b"\3", pytest.approx(0.12)), (b"\4", pytest.approx(0.12))]


def test_frames_without_a_number_are_taken_as_they_come(run: Run) -> None:
    line = Line()
    for payload in (b"one", b"two"):
        line.give(Media(payload))
    line.drop(1.0)

    async def main() -> list[bytes]:
        async with stream_on(line) as stream:
            return [frame async for frame in stream.caller_audio()]

    assert run(main) == [b"one", b"two"]


@pytest.mark.parametrize(("encoding", "expected"), [("L16", b"\2\1\4\3"), ("PCMU", b"\1\2\3\4\5")])
def test_l16_comes_in_with_the_byte_order_of_the_line(run: Run, encoding: str, expected: bytes) -> None:
    line = line_of(MediaFormat(encoding, 8000))
    line.give(Media(b"\1\2\3\4\5", chunk=1))

    async def main() -> bytes:
        async with MediaStream(line, auth_token=TOKEN, l16_byteorder="big") as stream:
            return await anext(stream.caller_audio())

    assert run(main) == expected


def test_a_silent_caller_is_waited_for_and_who_waits_can_be_cancelled(run: Run) -> None:
    line = Line()
    line.give(Media(b"at last", chunk=1), 3600.0)

    async def main() -> bytes:
        async with stream_on(line) as stream:
            audio = stream.caller_audio()
            with anyio.move_on_after(1800.0) as patience:
                await anext(audio)
            assert patience.cancelled_caught
            return await anext(audio)

    assert run(main) == b"at last"


def test_what_nobody_takes_for_10_s_is_dropped_and_counted(run: Run) -> None:
    line = Line()
    for number in range(1, 601):
        line.give(Media(number.to_bytes(2), chunk=number), number / 50)

    async def main() -> tuple[int, int]:
        async with stream_on(line) as stream:
            await anyio.sleep(20.0)
            return int.from_bytes(await anext(stream.caller_audio())), stream.caller_audio().dropped

    assert run(main) == (101, 100)


def test_keys_errors_and_the_end_come_as_events(run: Run) -> None:
    line = Line()
    error = StreamError(RATE_LIMIT_REACHED, "rate_limit_reached")
    line.give(Dtmf("5"), 1.0)
    line.give(encode_media_message(error), 2.0)
    line.give(encode_media_message(error, legacy_errors=True), 2.0)
    for text in ("noise", "{}", '{"event":"media","media":{"payload":"!"}}', '{"event":"media"}'):
        line.give(text, 2.5)
    line.give(Unknown("news", '{"event":"news"}'), 2.5)
    line.give(Connected(), 2.5)
    line.give(Dtmf("#"), 3.0)
    line.give(Stop("v3:a"), 4.0)

    async def main() -> list[tuple[StreamEvent, float]]:
        async with stream_on(line) as stream:
            return [(event, anyio.current_time()) async for event in stream.events()]

    assert run(main) == [
        (Dtmf("5"), 1.0),
        (error, 2.0),
        (error, 2.0),
        (Dtmf("#"), 3.0),
        (Stop("v3:a"), 4.0),
    ]


def test_what_came_before_the_end_can_be_read_after_it(run: Run) -> None:
    line = Line()
    line.give(Media(b"1", chunk=1))
    # Waits for the second, which never comes.
    line.give(Media(b"3", chunk=3))
    line.give(Dtmf("5"))
    line.drop(1.0)

    async def main() -> tuple[list[bytes], list[StreamEvent]]:
        async with stream_on(line) as stream:
            await anyio.sleep(2.0)
        return [frame async for frame in stream.caller_audio()], [event async for event in stream.events()]

    assert run(main) == ([b"1", b"3"], [Dtmf("5")])


def test_everybody_who_waits_is_told_of_the_end_and_whoever_asks_later(run: Run) -> None:
    line = Line()
    line.give(Media(b"1", chunk=1), 0.5)
    line.drop(1.0)
    ended_s: list[float] = []

    async def main() -> bytes:
        async with stream_on(line) as stream, anyio.create_task_group() as tasks:
            audio = stream.caller_audio()

            async def listen() -> None:
                heard.extend([frame async for frame in audio])
                ended_s.append(anyio.current_time())

            heard: list[bytes] = []
            for _ in range(3):
                tasks.start_soon(listen)
            await anyio.sleep(2.0)
            await listen()
        return b"".join(heard)

    assert run(main) == b"1"
    assert ended_s == [1.0, 1.0, 1.0, 2.0]


def test_a_cancelled_wait_loses_no_frame_that_comes_at_that_instant(run: Run) -> None:
    line = Line()
    for number in (1, 2):
        line.give(Media(bytes([number]), chunk=number), float(number))
    line.drop(3.0)

    async def main() -> list[bytes]:
        heard: list[bytes] = []
        async with stream_on(line) as stream:
            audio = stream.caller_audio()
            for instant_s in (1.0, 2.0):
                with anyio.CancelScope(deadline=instant_s):
                    heard.append(await anext(audio))
            return heard + [frame async for frame in audio]

    assert run(main) == [b"\1", b"\2"]
