import json
import logging
import math
from collections.abc import Awaitable, Callable

import anyio
import httpx
import pytest

from ordered_pipeline.adapters.telnyx import (
    CallControl,
    CallOverError,
    CommandLostError,
    CommandRefusedError,
    StreamingStart,
)
from ordered_pipeline.testing.telnyx import TelnyxSimulator
from ordered_pipeline.wire._telnyx_calls import CommandAccepted, Hangup, PlaybackStop
from tests.conftest import Run

OK = httpx.Response(200, json={"data": {"result": "ok"}})


class Telnyx(httpx.AsyncBaseTransport):
    """Answers with what it is given, one after another, each a response, an error or seconds to wait."""

    def __init__(self, *answers: httpx.Response | Exception | float) -> None:
        self.answers: list[httpx.Response | Exception | float] = list(answers)
        self.requests: list[tuple[float, httpx.Request]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append((anyio.current_time(), request))
        answer = self.answers.pop(0)
        if isinstance(answer, float):
            await anyio.sleep(answer)
            answer = OK
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def times_s(self) -> list[float]:
        return [round(time_s, 6) for time_s, _ in self.requests]

    def ids(self) -> set[str]:
        return {json.loads(request.content)["command_id"] for _, request in self.requests}


def sending(
    telnyx: Telnyx, *, timeout_s: float = 2.0
) -> Callable[[], Awaitable[tuple[float, CommandAccepted]]]:
    """Return a function that sends a command, and gives how long that took and the answer."""

    async def main() -> tuple[float, CommandAccepted]:
        async with httpx.AsyncClient(transport=telnyx) as client:
            calls = CallControl(client, api_key="KEY-secret", timeout_s=timeout_s)
            answer = await calls.send("v3:call", Hangup())
            return anyio.current_time(), answer

    return main


def refused(status: int, code: str, **headers: str) -> httpx.Response:
    errors = {
        "errors": [{"code": code, "title": "No", "detail": "It is so.", "source": {"pointer": "/stop"}}]
    }
    return httpx.Response(status, json=errors, headers=headers)


def test_a_command_is_posted_with_the_key_and_an_id_of_its_own(run: Run) -> None:
    telnyx = Telnyx(OK)

    _, answer = run(sending(telnyx))

    assert answer.result == "ok"
    _, request = telnyx.requests[0]
    assert request.method == "POST"
    assert str(request.url) == "https://api.telnyx.com/v2/calls/v3:call/actions/hangup"
    assert request.headers["authorization"] == "Bearer KEY-secret"
    assert request.headers["content-type"] == "application/json"
    assert [len(each) for each in telnyx.ids()] == [36]


def test_an_id_that_is_given_is_kept(run: Run) -> None:
    telnyx = Telnyx(OK)

    async def main() -> None:
        async with httpx.AsyncClient(transport=telnyx) as client:
            calls = CallControl(client, api_key="KEY", base_url="http://localhost:8000/v2")
            await calls.send("v3:call", PlaybackStop(command_id="my own"))

    run(main)
    assert telnyx.ids() == {"my own"}
    assert telnyx.requests[0][1].url.host == "localhost"


@pytest.mark.parametrize(
    "passing",
    [
        httpx.Response(503, text="<html>"),
        httpx.Response(500),
        httpx.Response(408),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("gone"),
        httpx.ReadTimeout("slow"),
    ],
)
def test_a_passing_failure_is_tried_again_twice_with_the_same_id(
    run: Run, passing: httpx.Response | Exception
) -> None:
    telnyx = Telnyx(passing, passing, OK)

    over_s, _ = run(sending(telnyx))

    assert over_s - telnyx.times_s()[0] == pytest.approx(0.3)
    assert len(telnyx.ids()) == 1


def test_no_answer_is_waited_for_no_longer_than_the_timeout(run: Run) -> None:
    telnyx = Telnyx(math.inf, math.inf, 0.25)

    over_s, _ = run(sending(telnyx, timeout_s=0.5))

    assert over_s - telnyx.times_s()[0] == pytest.approx(0.5 + 0.1 + 0.5 + 0.2 + 0.25)


def test_three_failures_are_told_with_their_cause(run: Run) -> None:
    telnyx = Telnyx(*[httpx.ConnectError("no route")] * 3)

    with pytest.raises(CommandLostError, match="hangup was not answered: no route") as caught:
        run(sending(telnyx))

    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    assert "KEY-secret" not in repr(caught.value)


def test_three_failing_answers_are_a_refusal_with_the_last_one(run: Run) -> None:
    telnyx = Telnyx(*[httpx.Response(502, text="<html>")] * 3)

    with pytest.raises(CommandRefusedError, match="hangup was refused with status 502: no reason") as caught:
        run(sending(telnyx))

    assert caught.value.reply.status == 502


def test_a_refusal_is_not_tried_again(run: Run) -> None:
    telnyx = Telnyx(refused(422, "90034"))

    with pytest.raises(CommandRefusedError, match=r"status 422: 90034 No It is so\. /stop") as caught:
        run(sending(telnyx))

    assert caught.value.reply.is_not_answered
    assert len(telnyx.requests) == 1


def test_a_call_that_has_ended_is_an_error_of_its_own(run: Run) -> None:
    telnyx = Telnyx(refused(422, "90018"))

    with pytest.raises(CallOverError, match="hangup came too late, for the call has ended"):
        run(sending(telnyx))

    assert len(telnyx.requests) == 1


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"x-ratelimit-reset": "7"}, 7.0),
        ({"x-ratelimit-reset": "0"}, 0.1),
        ({}, 0.5),
        ({"retry-after": "2"}, 2.0),
    ],
)
def test_too_many_requests_wait_as_long_as_telnyx_says(
    run: Run, headers: dict[str, str], wait_s: float
) -> None:
    limited = refused(429, "10011", **headers)
    telnyx = Telnyx(limited, limited, limited, limited, OK)

    over_s, _ = run(sending(telnyx))

    assert over_s - telnyx.times_s()[0] == pytest.approx(4 * wait_s)


def test_nothing_is_sent_again_when_telnyx_may_have_forgotten_its_id(run: Run) -> None:
    telnyx = Telnyx(*[refused(429, "10011", **{"x-ratelimit-reset": "25"})] * 4)

    with pytest.raises(CommandRefusedError, match="status 429"):
        run(sending(telnyx))

    assert [time_s - telnyx.times_s()[0] for time_s in telnyx.times_s()] == pytest.approx([0, 25, 50])


def test_a_cancelled_command_waits_for_its_answer_and_is_not_sent_again(run: Run) -> None:
    async def main(telnyx: Telnyx) -> float:
        with anyio.move_on_after(0.1):
            await sending(telnyx)()
        return anyio.current_time() - telnyx.times_s()[0]

    for answer, over_s in ((0.25, 0.25), (math.inf, 2.0), (refused(429, "10011"), 0.1)):
        telnyx = Telnyx(answer, OK)
        assert run(main, telnyx) == pytest.approx(over_s)
        assert len(telnyx.requests) == 1


def test_a_command_of_a_cancelled_task_is_not_sent_at_all(run: Run) -> None:
    telnyx = Telnyx(OK)

    async def main() -> None:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await sending(telnyx)()

    run(main)
    assert telnyx.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"api_key": "KEY\n"}, "api_key must be visible ASCII characters, got something else"),
        ({"api_key": ""}, "api_key must be visible"),
        ({"api_key": "a b"}, "api_key must be visible"),
        ({"api_key": "KEY", "base_url": "api.telnyx.com"}, "base_url must begin with https:// or http://"),
        ({"api_key": "KEY", "timeout_s": 0.0}, r"timeout_s must be above 0, got 0\.0"),
        ({"api_key": "KEY", "timeout_s": math.nan}, "timeout_s must be above 0, got nan"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, str | float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CallControl(httpx.AsyncClient(), **options)  # type: ignore[arg-type]


def test_the_key_is_never_shown() -> None:
    assert "KEY-secret" not in repr(CallControl(httpx.AsyncClient(), api_key="KEY-secret"))


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_neither_a_key_nor_a_token_is_logged_by_anybody(loop: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.NOTSET)

    async def main() -> None:
        async with TelnyxSimulator() as telnyx, telnyx.serve() as url, httpx.AsyncClient() as client:
            call = telnyx.incoming_call(is_answered=True)
            calls = CallControl(client, api_key=telnyx.api_key, base_url=url)
            stream = StreamingStart(stream_url="ws://127.0.0.1:1/", stream_auth_token="a secret")  # noqa: S106  # of a test
            await calls.send(call.call_control_id, stream)
            call.hang_up()
            with pytest.raises(CallOverError):
                await calls.send(call.call_control_id, Hangup())
            assert telnyx.api_key not in caplog.text
            assert "a secret" not in caplog.text

    anyio.run(main, backend=loop)
    # The client's own package tells of requests.
    assert "streaming_start" in caplog.text
