import base64
import json
from collections.abc import Mapping

import anyio
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ordered_pipeline.testing.telnyx import TelnyxSimulator, TelnyxTiming, WebhookFault
from tests.conftest import Run
from tests.testing.telnyx_lines import Hooks, bot_on, content, wav


def is_signed(telnyx: TelnyxSimulator, headers: Mapping[str, str], body: bytes) -> bool:
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(telnyx.public_key))
    signed = headers["telnyx-timestamp"].encode() + b"|" + body
    try:
        key.verify(base64.b64decode(headers["telnyx-signature-ed25519"]), signed)
    except InvalidSignature:
        return False
    return True


async def told(telnyx: TelnyxSimulator, hooks: Hooks) -> list[str]:
    """Answer a call, play a clip of a second and hang up; return what was told."""
    async with bot_on(telnyx, is_answered=False) as bot:
        await bot.send("answer")
        await bot.send("playback_start", **content(wav(1.0)))
        await anyio.sleep(1.5)
        await bot.send("hangup")
        await anyio.sleep(30.0)
    return [kind.removeprefix("call.") for kind, _ in hooks.told]


ALL = ["initiated", "answered", "playback.started", "playback.ended", "hangup"]


def run_with(run: Run, *faults: WebhookFault) -> tuple[list[str], Hooks]:
    async def main() -> tuple[list[str], Hooks]:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks) as telnyx:
            for fault in faults:
                telnyx.fault(fault)
            return await told(telnyx, hooks), hooks

    return run(main)


def test_webhooks_are_signed_and_have_their_envelope(run: Run) -> None:
    async def main() -> None:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks, unix_time=1_700_000_000.0) as telnyx:
            assert await told(telnyx, hooks) == ALL
        assert all(is_signed(telnyx, *each) for each in zip(hooks.headers, hooks.bodies, strict=True))
        assert hooks.headers[0]["user-agent"] == "telnyx-webhooks"
        assert hooks.headers[0]["telnyx-timestamp"] == "1700000000"
        first = hooks.messages[0]
        assert first["meta"] == {"attempt": 1, "delivered_to": "http://bot.invalid/webhooks"}
        assert first["data"]["record_type"] == "event"
        assert first["data"]["occurred_at"] == "2023-11-14T22:13:20.000000Z"
        assert first["data"]["payload"]["client_state"] is None
        assert first["data"]["payload"]["calling_party_type"] == "pstn"
        assert len({message["data"]["id"] for message in hooks.messages}) == 5

    run(main)


def test_a_webhook_comes_after_its_latency(run: Run) -> None:
    _, hooks = run_with(run)

    # Of: the call, the answer (240 ms), the start (680), the end (1,680) and the hangup (2,220).
    assert hooks.times_s == pytest.approx([0.06, 0.3, 0.74, 1.74, 2.28])


def test_what_fails_is_sent_again_with_the_same_id_and_then_elsewhere(run: Run) -> None:
    async def main() -> None:
        hooks, failover = Hooks(500, 408, 429, 503), Hooks()
        async with TelnyxSimulator(webhooks=hooks, failover_webhooks=failover) as telnyx:
            telnyx.incoming_call()
            await anyio.sleep(30.0)
            assert [each.status for each in telnyx.webhooks] == [500, 408, 429, 503, 200]
        assert hooks.times_s == pytest.approx([0.06, 1.06, 3.06, 7.06])
        messages = [*hooks.messages, *failover.messages]
        assert [message["meta"]["attempt"] for message in messages] == [1, 2, 3, 4, 5]
        assert len({message["data"]["id"] for message in messages}) == 1

    run(main)


def test_a_command_can_say_when_webhooks_are_sent_again(run: Run) -> None:
    async def main() -> None:
        hooks = Hooks(200, *[500] * 9)
        async with TelnyxSimulator(webhooks=hooks) as telnyx, bot_on(telnyx, is_answered=False) as bot:
            policies = {"call.answered": {"retries_ms": [100, 200]}, "call.hangup": {"retries_ms": []}}
            await bot.send("answer", webhook_retries_policies=policies)
            await anyio.sleep(1.0)
            await bot.send("hangup")
            await anyio.sleep(1.0)
        assert [kind for kind, _ in hooks.told] == ["call.initiated", *["call.answered"] * 3, "call.hangup"]
        assert hooks.times_s == pytest.approx([0.06, 0.3, 0.4, 0.6, 1.54])

    run(main)


@pytest.mark.parametrize("status", [301, 400, 404])
def test_other_refusals_are_taken_as_they_are(run: Run, status: int) -> None:
    async def main() -> None:
        hooks, failover = Hooks(status), Hooks()
        async with TelnyxSimulator(webhooks=hooks, failover_webhooks=failover) as telnyx:
            telnyx.incoming_call()
            await anyio.sleep(30.0)
        assert (len(hooks.bodies), len(failover.bodies)) == (1, 0)

    run(main)


def test_a_handler_that_takes_too_long_is_called_again(run: Run) -> None:
    async def main() -> None:
        times_s: list[float] = []

        async def slow(_headers: Mapping[str, str], _body: bytes) -> int:
            times_s.append(anyio.current_time())
            await anyio.sleep(2.5 if len(times_s) == 1 else 0.0)
            return 200

        async with TelnyxSimulator(webhooks=slow) as telnyx:
            telnyx.incoming_call()
            await anyio.sleep(30.0)
            assert [each.status for each in telnyx.webhooks] == [None, 200]
        assert times_s == pytest.approx([0.06, 3.06])

    run(main)


def test_a_webhook_can_be_dropped_doubled_and_late(run: Run) -> None:
    found, hooks = run_with(
        run,
        WebhookFault(event_type="call.initiated", is_dropped=True),
        WebhookFault(event_type="call.answered", copies=2),
        WebhookFault(event_type="call.playback.started", delay_s=10.0),
    )

    assert found == ["answered", "answered", "answered", "playback.ended", "hangup", "playback.started"]
    assert len({message["data"]["id"] for message in hooks.messages[:3]}) == 1
    assert len(set(hooks.times_s[:3])) == 1


def test_a_start_can_come_behind_its_end(run: Run) -> None:
    fault = WebhookFault(event_type="call.playback.started", behind="call.playback.ended")

    found, _ = run_with(run, fault)

    assert found == ["initiated", "answered", "playback.ended", "playback.started", "hangup"]


def test_webhooks_can_come_all_at_once(run: Run) -> None:
    _, hooks = run_with(run, WebhookFault(batch_s=5.0))

    assert hooks.times_s == pytest.approx([5.0] * 5, abs=1e-5)


@pytest.mark.parametrize("forged", ["signature", "timestamp", "body"])
def test_forgeries_are_just_that(run: Run, forged: str) -> None:
    async def main() -> None:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks, unix_time=1_700_000_000.0) as telnyx:
            for kind in ("signature", "timestamp", "body"):
                if kind == forged:
                    telnyx.fault(WebhookFault(forged=kind))
            telnyx.incoming_call()
            await anyio.sleep(1.0)
        assert is_signed(telnyx, hooks.headers[0], hooks.bodies[0]) is (forged == "timestamp")
        stamp = "1699999699" if forged == "timestamp" else "1700000000"
        assert hooks.headers[0]["telnyx-timestamp"] == stamp
        assert json.loads(hooks.bodies[0])["data"]["event_type"] == "call.initiated"

    run(main)


def test_an_event_that_nobody_knows_can_come(run: Run) -> None:
    found, _ = run_with(run, WebhookFault(event_type="call.hangup", unknown_event=True))

    assert found == [*ALL[:4], "something.new"]


def test_jitter_has_webhooks_overtake_each_other(run: Run) -> None:
    async def order(seed: int) -> list[str]:
        hooks = Hooks()
        timing = TelnyxTiming(webhook_latency_s=1.0, webhook_jitter_s=1.0)
        async with TelnyxSimulator(webhooks=hooks, timing=timing, seed=seed) as telnyx:
            return await told(telnyx, hooks)

    async def main() -> None:
        orders = [await order(seed) for seed in range(20)]
        assert all(sorted(each) == sorted(ALL) for each in orders)
        assert any(each != ALL for each in orders)
        assert await order(7) == orders[7]

    run(main)


def test_a_command_can_say_where_webhooks_go(run: Run) -> None:
    async def main() -> None:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks) as telnyx, bot_on(telnyx, is_answered=False) as bot:
            # Nothing outside of this machine is ever called.
            await bot.send("answer", webhook_url="http://192.0.2.1/elsewhere")
            await anyio.sleep(30.0)
            assert [each.status for each in telnyx.webhooks] == [200, None, None, None, None]
        assert [kind for kind, _ in hooks.told] == ["call.initiated"]

    run(main)


def test_the_caller_can_press_keys_and_hang_up(run: Run) -> None:
    async def main() -> None:
        hooks = Hooks()
        async with TelnyxSimulator(webhooks=hooks) as telnyx, bot_on(telnyx) as bot:
            bot.call.press("#")
            bot.call.hang_up()
            bot.call.hang_up()
            await anyio.sleep(1.0)
        assert [kind for kind, _ in hooks.told] == ["call.dtmf.received", "call.hangup"]
        payloads = [message["data"]["payload"] for message in hooks.messages]
        assert payloads[0]["digit"] == "#"
        assert (payloads[1]["hangup_source"], payloads[1]["hangup_cause"]) == ("caller", "normal_clearing")

    run(main)
