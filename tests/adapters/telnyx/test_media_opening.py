"""How a media stream is opened, and who is let in."""

import anyio
import pytest

from ordered_pipeline.adapters.telnyx import (
    MediaStream,
    TelnyxStreamClosedError,
    TelnyxStreamRefusedError,
)
from ordered_pipeline.wire._telnyx_media import AUTH_TOKEN_HEADER, Connected, Dtmf, MediaMessage, Start
from tests.adapters.telnyx.media_line import TOKEN, Line, clip_of, stream_on
from tests.conftest import Run

START = Start(call_control_id="v3:a", from_="+15550100", stream_id="s")
OTHER = "a Secret"
# JSON can say this, and UTF-8 cannot.
NO_TEXT = "\ud800"
WITH_TOKEN = {AUTH_TOKEN_HEADER: TOKEN}


class Counting(Line):
    """A line that counts what was read of it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.read: int = 0

    async def receive_text(self) -> str:
        text = await super().receive_text()
        self.read += 1
        return text


@pytest.mark.parametrize(
    ("headers", "opening"),
    [
        (WITH_TOKEN, [Connected(), START]),
        ({}, [Connected(auth_token=TOKEN), START]),
        (WITH_TOKEN, [Connected(auth_token=TOKEN), START]),
        (WITH_TOKEN, [START]),
        (WITH_TOKEN, [Connected(), Dtmf("5"), START]),
    ],
)
def test_whoever_has_the_token_is_let_in(
    run: Run, headers: dict[str, str], opening: list[MediaMessage]
) -> None:
    async def main() -> Start | None:
        async with stream_on(Line(headers, opening=opening)) as stream:
            return stream.start

    assert run(main) == START


def test_without_a_token_of_ours_everybody_is_let_in(run: Run) -> None:
    async def main() -> None:
        async with MediaStream(Line({}, opening=[Connected(auth_token=OTHER), START]), auth_token=None):
            pass

    run(main)


@pytest.mark.parametrize(
    ("headers", "opening", "read"),
    [
        ({AUTH_TOKEN_HEADER: OTHER}, [Connected(auth_token=TOKEN), START], 0),
        ({AUTH_TOKEN_HEADER: ""}, [Connected(), START], 0),
        ({AUTH_TOKEN_HEADER: "\udcff"}, [Connected(), START], 0),
        ({}, [Connected(), START], 1),
        ({}, [Connected(auth_token=OTHER), START], 1),
        ({}, [Connected(auth_token=NO_TEXT), START], 1),
        (WITH_TOKEN, [Connected(auth_token=OTHER), START], 1),
        ({}, [START, Connected(auth_token=TOKEN)], 1),
    ],
)
def test_whoever_has_not_is_refused_before_more_is_read(
    run: Run, headers: dict[str, str], opening: list[MediaMessage], read: int
) -> None:
    line = Counting(headers, opening=opening)

    async def main() -> str:
        with pytest.raises(TelnyxStreamRefusedError) as told:
            async with stream_on(line):
                pass
        return repr(told.value) + repr(told.value.__cause__)

    said = run(main)

    assert line.read == read
    assert line.is_closed
    assert "ecret" not in said


@pytest.mark.parametrize("text", ["", "GET / HTTP/1.1", "[]", '{"event":"start","start":{}}'])
def test_what_is_no_media_stream_is_refused(run: Run, text: str) -> None:
    line = Line(opening=[])
    line.give(text)

    async def main() -> None:
        with pytest.raises(TelnyxStreamRefusedError, match="no message of a media stream"):
            async with stream_on(line):
                pass

    run(main)

    assert line.is_closed


def test_a_stream_that_does_not_start_is_refused_in_time(run: Run) -> None:
    line = Line(opening=[Connected()])

    async def main() -> float:
        with pytest.raises(TelnyxStreamRefusedError, match="not started within 3 s"):
            async with MediaStream(line, auth_token=TOKEN, open_s=3.0):
                pass
        return anyio.current_time()

    assert run(main) == 3.0
    assert line.is_closed


def test_a_socket_that_is_closed_before_the_start_says_so(run: Run) -> None:
    line = Line(opening=[Connected()])
    line.drop(1.0)

    async def main() -> None:
        with pytest.raises(TelnyxStreamClosedError, match="closed before the stream was started"):
            async with stream_on(line):
                pass

    run(main)


def test_a_cancelled_opening_closes_the_socket(run: Run) -> None:
    line = Line(opening=[Connected()])

    async def main() -> float:
        with anyio.move_on_after(1.0):
            async with stream_on(line):
                pass
        return anyio.current_time()

    assert run(main) == 1.0
    assert line.is_closed


class Unclosable(Line):
    """A line that does not close."""

    async def aclose(self) -> None:
        await anyio.sleep_forever()


class Broken(Line):
    """A line that fails in its own way."""

    async def send_text(self, text: str) -> None:
        del text
        raise LookupError("gone")

    async def aclose(self) -> None:
        raise LookupError("gone")


def test_a_socket_that_does_not_close_holds_nobody_up_for_long(run: Run) -> None:
    async def main() -> float:
        async with stream_on(Unclosable()):
            pass
        return anyio.current_time()

    assert run(main) == 1.0


def test_whatever_a_socket_fails_with_is_a_closed_stream(run: Run) -> None:
    async def main() -> None:
        async with stream_on(Broken()) as stream:
            await stream.clear()
            with pytest.raises(TelnyxStreamClosedError, match="the socket was closed") as told:
                await stream.play(clip_of(b""))
            assert isinstance(told.value.__cause__, LookupError)

    run(main)
