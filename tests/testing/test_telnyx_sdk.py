"""The simulator as Telnyx's own client sees it, in real time, for that client uses threads.

Without the package ``telnyx[webhooks]`` nothing here is collected.
"""

from importlib.util import find_spec

import anyio
import pytest

from ordered_pipeline.testing.telnyx import RestFault, TelnyxSimulator, TelnyxTiming
from tests.testing.telnyx_lines import Hooks, Server, content, until, wav

__test__ = find_spec("telnyx") is not None

QUICK = TelnyxTiming(
    api_latency_s=0.01,
    start_latency_s=0.01,
    webhook_latency_s=0.01,
    connect_s=0.01,
    speak_s_per_character=0.01,
)


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_telnyx_own_client_finds_nothing_amiss(loop: str) -> None:
    import telnyx as sdk  # noqa: PLC0415  # takes more than a second

    async def main() -> None:
        hooks, server = Hooks(), Server()
        async with (
            TelnyxSimulator(webhooks=hooks, media=server, timing=QUICK) as telnyx,
            telnyx.serve() as url,
            sdk.AsyncTelnyx(api_key=telnyx.api_key, base_url=url) as client,
        ):
            call = telnyx.incoming_call()
            actions, call_id = client.calls.actions, call.call_control_id
            with pytest.raises(sdk.UnprocessableEntityError, match="90034"):
                await actions.speak(call_id, payload="Hello.", voice="female")
            answered = await actions.answer(call_id, client_state="QQ==")
            assert answered.data is not None
            assert answered.data.result == "ok"
            file = content(wav(0.2))["playback_content"]
            assert isinstance(file, str)
            # The second reply is lost, and the third time a gateway fails: the client tries again by itself.
            telnyx.fault(RestFault(action="playback_start", nth=2, is_reset=True, is_applied=True))
            telnyx.fault(RestFault(action="playback_start", nth=3, status=503))
            for name in ("a", "b"):
                await actions.start_playback(
                    call_id, playback_content=file, audio_type="wav", command_id=name
                )
            await actions.speak(call_id, payload="0123456789", voice="female", command_id="c")
            await actions.start_playback(
                call_id, playback_content=file, audio_type="wav", loop="infinity", command_id="d"
            )
            await anyio.sleep(0.5)
            await actions.stop_playback(call_id, stop="all")
            await actions.start_streaming(
                call_id,
                stream_url="wss://bot.test/",
                stream_bidirectional_mode="rtp",
                stream_bidirectional_codec="PCMU",
                custom_parameters=[{"name": "a", "value": "b"}],
            )
            await server.open.wait()
            await actions.stop_streaming(call_id)
            await actions.hangup(call_id)
            with pytest.raises(sdk.UnprocessableEntityError, match="90018"):
                await actions.hangup(call_id)
            await anyio.sleep(0.1)
            assert call.timeline.order() == ["a", "b", "c", "d"]
            assert [request.has_effect for request in telnyx.requests].count(True) == 9

            for headers, body in zip(hooks.headers, hooks.bodies, strict=True):
                # It wants the body as text.
                event = client.webhooks.unwrap(body.decode(), headers=dict(headers), key=telnyx.public_key)
                assert event is not None

    async def bounded() -> None:
        with anyio.fail_after(30.0):
            await main()

    anyio.run(bounded, backend=loop)


def test_a_bot_made_of_telnyx_own_client_has_the_gaps_of_one_that_waits_for_each_end() -> None:
    import telnyx as sdk  # noqa: PLC0415  # as above

    async def main() -> None:
        hooks = Hooks()
        async with (
            TelnyxSimulator(webhooks=hooks) as telnyx,
            telnyx.serve() as url,
            sdk.AsyncTelnyx(api_key=telnyx.api_key, base_url=url) as client,
        ):
            call = telnyx.incoming_call(is_answered=True)
            file = content(wav(0.2))["playback_content"]
            assert isinstance(file, str)
            for number in range(1, 4):
                await client.calls.actions.start_playback(
                    call.call_control_id, playback_content=file, audio_type="wav"
                )
                await until(lambda: hooks.told.count(("call.playback.ended", "completed")) == number)  # noqa: B023  # at once
            gaps = [gap.duration_s for gap in call.timeline.gaps()]
        assert len(gaps) == 2
        assert min(gaps) >= 0.44

    async def bounded() -> None:
        with anyio.fail_after(30.0):
            await main()

    anyio.run(bounded)
