"""How long things take at the simulated Telnyx, and how it answers what nobody knows of the real one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class TelnyxTiming:
    """How long things take, in seconds.

    Attributes:
        api_latency_s: From the arrival of a command to its reply.
        api_jitter_s: How much shorter or longer that may be.
        effect_at: When in that time a command takes effect, 0 to 1. Commands are queued in this order.
        start_latency_s: From when a file is there to its first sample.
        inter_item_s: Silence between queued items.
        download_s: How long a file takes to come if it is not listed in `downloads_s`; one that was fetched
            before comes at once, unless the command has ``cache_audio`` false.
        downloads_s: The same by address.
        webhook_latency_s: From an event to the arrival of its webhook.
        webhook_jitter_s: How much shorter or longer that may be. Webhooks overtake each other by it.
        webhook_timeout_s: How long a webhook's reply may take.
        webhook_retries_s: How long to wait before each of the further tries.
        speak_s_per_character: How long a character of ``speak`` sounds.
        connect_s: How long a media stream takes to connect.
        media_latency_s: How long a message of a media stream is under way, each way.
        jitter_buffer_s: How long audio of a media stream is held before it sounds, if nothing sounds.
    """

    api_latency_s: float = 0.24
    api_jitter_s: float = 0.0
    effect_at: float = 1.0
    start_latency_s: float = 0.2
    inter_item_s: float = 0.0
    download_s: float = 0.0
    downloads_s: Mapping[str, float] = field(default_factory=dict[str, float])
    webhook_latency_s: float = 0.06
    webhook_jitter_s: float = 0.0
    webhook_timeout_s: float = 2.0
    webhook_retries_s: tuple[float, ...] = (1.0, 2.0, 4.0)
    speak_s_per_character: float = 0.06
    connect_s: float = 0.05
    media_latency_s: float = 0.0
    jitter_buffer_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TelnyxReadings:
    """One answer to each question that Telnyx's documentation leaves open. Try both.

    Attributes:
        prepare: When a queued file is fetched and decoded: ``"on_enqueue"``, as soon as it is queued, or
            ``"on_head"``, when its turn comes, so that ``start_latency_s`` stands between items.
        client_state: Whose ``client_state`` a playback's webhooks have: of the ``"item"``, or the
            ``"latest"`` that the call was given.
        ended_for_never_started: Whether an item that is dropped from the queue is told to have ended.
        duplicate_reply: Whether a ``command_id`` that comes again is answered as ``"accepted"`` (200) or
            ``"refused"`` (422). It has no effect either way.
        stop_on_empty: What ``playback_stop`` is answered when nothing plays.
        overlay_alone: What an overlay is answered when nothing plays that it could lie over; ``"accepted"``
            ones are not heard.
        most_content_bytes: How large the file in ``playback_content`` may be.
        refused_while_streaming: Actions that are answered with 90045 while there is a media stream.
        redirects: Whether a webhook answered with 3xx has ``"failed"``, or the redirect is ``"followed"``, up
            to three times.
        short_chunks: What becomes of media chunks shorter than 20 ms or longer than 30 s.
        error_shape: How errors of a media stream look: as in the ``"current"`` documentation, or the
            ``"legacy"`` one.
        after_error: Whether a media stream is ``"open"`` or ``"closed"`` after an error.
        media_buffer_s: How much audio a media stream holds, in seconds.
        media_overflow: What becomes of audio beyond that: it is ``"dropped"``, or the stream is ``"closed"``.
        lost_socket: What becomes of a call whose media stream's socket is closed or breaks before its time:
            it ``"goes_on"`` without, it ``"ends"``, or Telnyx ``"connects"`` again, a second later.
        opposite_alone: Whether what a bot sends for the ``"opposite"`` leg, as it does if it names none, is
            ``"heard"`` on a call that has one leg, or ``"silent"``.
        l16_byteorder: Which byte of an L16 sample is first, both ways.
        obeys_stream_codec: Whether ``stream_codec`` has caller audio encoded so, or it has the call's codec.
    """

    prepare: Literal["on_enqueue", "on_head"] = "on_enqueue"
    client_state: Literal["item", "latest"] = "item"
    ended_for_never_started: bool = True
    duplicate_reply: Literal["accepted", "refused"] = "accepted"
    stop_on_empty: Literal["accepted", "refused"] = "accepted"
    overlay_alone: Literal["accepted", "refused"] = "refused"
    most_content_bytes: float = math.inf
    refused_while_streaming: frozenset[str] = frozenset()
    redirects: Literal["failed", "followed"] = "failed"
    short_chunks: Literal["tolerated", "refused"] = "tolerated"
    error_shape: Literal["current", "legacy"] = "current"
    after_error: Literal["open", "closed"] = "open"
    media_buffer_s: float = math.inf
    media_overflow: Literal["dropped", "closed"] = "dropped"
    lost_socket: Literal["goes_on", "ends", "connects"] = "goes_on"
    opposite_alone: Literal["heard", "silent"] = "heard"
    l16_byteorder: Literal["little", "big"] = "little"
    obeys_stream_codec: bool = True
