"""From commands to what is played and streamed, and from that to what webhooks tell."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from ordered_pipeline.testing._telnyx._files import SoundFile
from ordered_pipeline.testing._telnyx._playback import EndStatus, Fetched, Item
from ordered_pipeline.testing._telnyx._playout import PlayoutFormat
from ordered_pipeline.testing._telnyx._stream import StreamEvent, StreamRequest
from ordered_pipeline.wire._telnyx_calls import Answer, Command, PlaybackStart, Speak, StreamingStart
from ordered_pipeline.wire._telnyx_media import Start
from ordered_pipeline.wire._telnyx_webhooks import (
    CallEvent,
    PlaybackEnded,
    PlaybackStarted,
    SpeakEnded,
    SpeakStarted,
    StreamingFailed,
    StreamingStarted,
    StreamingStopped,
    StreamParams,
)

_RATE_HZ: Final = 8000


def state_of(command: Command) -> bytes | None:
    """Return the ``client_state`` that a command gave."""
    # As it was read from a request; only who makes a command writes text.
    return command.client_state if isinstance(command.client_state, bytes) else None


def played_item(
    command: PlaybackStart, name: str, fetch: Callable[[Callable[[Fetched], None]], None]
) -> Item:
    """Return what *command* has played."""
    return Item(
        name=name,
        kind="overlay" if command.overlay else "playback",
        fetch=fetch,
        loop=math.inf if command.loop == "infinity" else command.loop or 1,
        client_state=state_of(command),
        media_url=command.audio_url,
        media_name=command.media_name,
    )


def spoken_item(command: Speak, name: str, s_per_character: float) -> Item:
    """Return what *command* has said."""
    file = SoundFile("wav", len(command.payload) * s_per_character, b"", None)
    return Item(
        name=name,
        kind="speak",
        fetch=lambda done: done(file),
        loop=math.inf if command.loop == "infinity" else command.loop or 1,
        client_state=state_of(command),
    )


def item_event(item: Item, status: EndStatus | None) -> tuple[CallEvent, Mapping[str, object]]:
    """Return what is told of an item's start, or of its end with *status*, and what live webhooks add."""
    if item.kind == "speak":
        # Its documented states have no "cancelled".
        ended = "completed" if status == "cancelled" else status
        spoken = SpeakStarted() if status is None else SpeakEnded(status=ended)
        return spoken, {"speak_id": item.name}
    is_overlay = item.kind == "overlay"
    # What came inside the command has neither, and is told so by empty strings.
    is_nameless = item.media_url is None and item.media_name is None
    url, name = ("", "") if is_nameless else (item.media_url, item.media_name)
    if status is None:
        return PlaybackStarted(media_url=url, media_name=name, overlay=is_overlay), {}
    return PlaybackEnded(media_url=url, media_name=name, overlay=is_overlay, status=status), {}


def stream_request(command: Answer | StreamingStart, url: str, start: Start, stream_id: str) -> StreamRequest:
    """Return the stream that *command* asks for.

    Args:
        command: What asks.
        url: Where the stream goes.
        start: Its first message, but for what the command says.
        stream_id: Its own.
    """
    parameters: tuple[tuple[str, str], ...] = ()
    rate_hz: int = _RATE_HZ
    token: str | None = None
    if isinstance(command, StreamingStart):
        parameters, token = command.custom_parameters, command.stream_auth_token
        rate_hz = command.stream_bidirectional_sampling_rate or _RATE_HZ
    return StreamRequest(
        stream_id=stream_id,
        url=url,
        start=replace(start, custom_parameters=parameters, sequence_number=1, stream_id=stream_id),
        track=command.stream_track or "inbound_track",
        sent=PlayoutFormat(
            mode=command.stream_bidirectional_mode or "mp3",
            codec=command.stream_bidirectional_codec or "PCMU",
            sample_rate_hz=rate_hz,
        ),
        legs=command.stream_bidirectional_target_legs or "opposite",
        auth_token=token,
    )


def stream_event(request: StreamRequest, event: StreamEvent) -> CallEvent:
    """Return what is told of a stream."""
    if event == "started":
        return StreamingStarted(stream_url=request.url, stream_id=request.stream_id)
    if event == "stopped":
        return StreamingStopped(stream_url=request.url, stream_id=request.stream_id)
    return StreamingFailed(
        failure_reason="connection_failed",
        stream_id=request.stream_id,
        stream_type="websocket",
        stream_params=StreamParams(stream_url=request.url, track=request.track),
    )
