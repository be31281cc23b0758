import logging
from collections.abc import Mapping

import anyio
import pytest

from ordered_pipeline.adapters.telnyx import (
    CallEvents,
    WebhookRefusedError,
    Webhooks,
)
from ordered_pipeline.testing.telnyx import WebhookFault
from ordered_pipeline.wire._telnyx_webhooks import (
    CallAnswered,
    CallEvent,
    CallHangup,
    CallInitiated,
    PlaybackEnded,
    PlaybackStarted,
    Webhook,
)
from tests.adapters.telnyx.phone import clip, line
from tests.adapters.telnyx.signing import ANSWERED, NOW_S, OTHER, PUBLIC, body_of, signed
from tests.conftest import Run


def hooks() -> Webhooks:
    return Webhooks(PUBLIC, clock=lambda: NOW_S)


def give(
    app: Webhooks,
    webhook_id: str,
    event: CallEvent = ANSWERED,
    call: str | None = "v3:a",
) -> Webhook | None:
    body = body_of(webhook_id, event, call)
    return app.accept(signed(body), body)


async def all_of(events: CallEvents) -> list[str]:
    return [webhook.id async for webhook in events]


def test_one_that_comes_again_is_passed_over(run: Run) -> None:
    async def main() -> None:
        app = hooks()
        assert give(app, "1") is not None
        assert give(app, "1") is None
        # Signed again, as a retry is.
        body = body_of("1")
        assert app.accept(signed(body, at_s=NOW_S + 9), body) is None
        give(app, "2", CallHangup())

        assert await all_of(app.events("v3:a")) == ["1", "2"]

    run(main)


def test_one_is_known_again_as_long_as_its_signature_holds() -> None:
    now_s = NOW_S
    app = Webhooks(PUBLIC, clock=lambda: now_s)
    body = body_of()
    headers = signed(body, at_s=NOW_S + 300)

    for now_s in (NOW_S, NOW_S + 300, NOW_S + 600):  # noqa: B007  # the clock reads it
        app.accept(headers, body)
        assert app.accept(headers, body) is None
    now_s = NOW_S + 601
    with pytest.raises(WebhookRefusedError, match="must be signed within 300 s"):
        app.accept(headers, body)


def test_a_refused_one_is_not_remembered() -> None:
    app, body = hooks(), body_of()
    with pytest.raises(WebhookRefusedError):
        app.accept(signed(body, key=OTHER), body)

    assert app.accept(signed(body), body) is not None


def test_events_go_to_their_call_in_the_order_in_which_they_come(run: Run) -> None:
    async def main() -> None:
        app = hooks()
        give(app, "1", PlaybackEnded(), "v3:a")
        give(app, "2", CallInitiated(), "v3:b")
        give(app, "3", PlaybackStarted(), "v3:a")
        give(app, "4", CallHangup(), "v3:b")
        give(app, "5", CallHangup(), "v3:a")
        give(app, "6", CallAnswered(), "v3:a")
        give(app, "7", CallAnswered(), None)

        calls = [await app.next_call(), await app.next_call()]
        assert [call.call_control_id for call in calls] == ["v3:a", "v3:b"]
        assert [await all_of(call) for call in calls] == [["1", "3", "5"], ["2", "4"]]
        with anyio.move_on_after(1) as patience:
            await app.next_call()
        assert patience.cancelled_caught

    run(main)


def test_who_waits_is_woken(run: Run) -> None:
    async def main() -> None:
        app = hooks()
        seen: list[str] = []

        async def listen() -> None:
            async with await app.next_call() as events:
                seen.extend(await all_of(events))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            await anyio.sleep(1)
            give(app, "1")
            await anyio.sleep(1)
            give(app, "2", CallHangup())
        assert seen == ["1", "2"]

    run(main)


def test_a_call_that_was_placed_can_be_listened_to_before_anything_comes(run: Run) -> None:
    async def main() -> None:
        app = hooks()
        events = app.events("v3:a")
        assert app.events("v3:a") is events
        give(app, "1")
        give(app, "2", CallHangup())

        assert await all_of(events) == ["1", "2"]
        # It is over: there is nothing to wait for.
        assert await all_of(app.events("v3:a")) == []

    run(main)


def test_a_closed_call_ends_and_takes_no_more(run: Run) -> None:
    async def main() -> None:
        app = hooks()
        async with app.events("v3:a") as events:
            give(app, "1")
        assert await all_of(events) == []
        assert give(app, "2") is not None
        assert await all_of(events) == []
        assert await all_of(app.events("v3:a")) == []

    run(main)


def test_a_reader_that_stalls_loses_the_oldest(run: Run) -> None:
    async def main() -> None:
        app = hooks()
        events = app.events("v3:a")
        for number in range(300):
            give(app, str(number))
        give(app, "last", CallHangup())

        assert events.dropped == 45
        assert await all_of(events) == [*map(str, range(45, 300)), "last"]

    run(main)


def test_calls_that_nobody_asks_for_are_bounded(run: Run) -> None:
    async def main() -> None:
        app = hooks()
        for number in range(1030):
            give(app, str(number), call=f"v3:{number}")

        assert (await app.next_call()).call_control_id == "v3:6"

    run(main)


def test_ids_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ordered_pipeline.adapters.telnyx._webhooks._MOST_IDS", 2)
    app = hooks()
    for number in "1234":
        give(app, number, call=None)

    assert give(app, "4", call=None) is None
    assert give(app, "1", call=None) is not None


class Server:
    """Runs an ASGI application on one request."""

    def __init__(self, *pieces: bytes | None, headers: Mapping[str, str], method: str = "POST") -> None:
        """*pieces* are the body's; None is the client's leaving."""
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        self.scope: dict[str, object] = {"type": "http", "method": method, "path": "/", "headers": pairs}
        self.pieces: list[bytes | None] = list(pieces)
        self.sent: list[dict[str, object]] = []

    async def receive(self) -> dict[str, object]:
        piece = self.pieces.pop(0)
        if piece is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}

    async def send(self, message: dict[str, object]) -> None:
        self.sent.append(message)

    async def status(self, app: Webhooks) -> object:
        await app(self.scope, self.receive, self.send)
        if not self.sent:
            return None
        start, body = self.sent
        assert start["headers"] == [(b"content-length", b"0")]
        assert body == {"type": "http.response.body", "body": b""}
        return start["status"]


def test_as_an_application_it_answers_before_anybody_listens(run: Run) -> None:
    body = body_of()

    async def main() -> None:
        app = hooks()
        # Again, and in pieces.
        for pieces in ([body], [body], [body[:9], b"", body[9:]]):
            assert await Server(*pieces, headers=signed(body)).status(app) == 200
        give(app, "2", CallHangup())
        assert await all_of(app.events("v3:a")) == ["1", "2"]

    run(main)


def test_as_an_application_it_answers_all_refusals_alike_and_logs_nothing(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = body_of()
    bad = [(signed(body, key=OTHER), body), (signed(body, at_s=0), body), ({}, body), (signed(b"{}"), b"{}")]

    async def main() -> list[object]:
        return [await Server(each, headers=headers).status(hooks()) for headers, each in bad]

    assert run(main) == [403] * 4
    assert [each for each in caplog.records if each.name != "asyncio"] == []


def test_as_an_application_it_reads_no_more_than_it_takes(run: Run) -> None:
    async def main() -> None:
        server = Server(*[bytes(100_000)] * 50, headers={})
        assert await server.status(hooks()) == 403
        assert len(server.pieces) == 47

    run(main)


def test_as_an_application_it_takes_posts_alone(run: Run) -> None:
    async def main() -> None:
        assert await Server(b"", headers={}, method="GET").status(hooks()) == 405
        assert await Server(b"{", None, headers={}).status(hooks()) is None
        socket = Server(headers={})
        socket.scope["type"] = "websocket"
        with pytest.raises(RuntimeError, match="webhooks come by http, got a scope of type 'websocket'"):
            await socket.status(hooks())

    run(main)


def test_forged_and_repeated_webhooks_of_the_simulator_reach_nobody(run: Run) -> None:
    faults = [
        WebhookFault(event_type="call.playback.started", forged="body"),
        WebhookFault(event_type="call.playback.ended", nth=1, forged="timestamp"),
        WebhookFault(event_type="call.playback.ended", nth=2, forged="signature"),
        WebhookFault(event_type="call.playback.ended", nth=3, copies=4),
    ]

    async def main() -> None:
        async with line(*faults) as phone, phone.player as player:
            playbacks = [await player.play(clip(index, 1.0)) for index in range(3)]
            outcomes = [(await playback.finished()).outcome for playback in playbacks]
            await anyio.sleep(1)

            assert outcomes == ["presumed", "presumed", "completed"]
            assert [each.status for each in phone.telnyx.webhooks].count(403) == 5

    run(main)
