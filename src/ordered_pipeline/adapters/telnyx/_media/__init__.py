"""The media stream of one call over Telnyx's WebSocket."""

from ordered_pipeline.adapters.telnyx._media._inbox import CallerAudio
from ordered_pipeline.adapters.telnyx._media._playback import StreamPlayback
from ordered_pipeline.adapters.telnyx._media._socket import (
    MediaSocket,
    TelnyxStreamClosedError,
    TelnyxStreamRefusedError,
    from_asgi,
)
from ordered_pipeline.adapters.telnyx._media._stream import MediaStream, StreamEvent

__all__ = [
    "CallerAudio",
    "MediaSocket",
    "MediaStream",
    "StreamEvent",
    "StreamPlayback",
    "TelnyxStreamClosedError",
    "TelnyxStreamRefusedError",
    "from_asgi",
]
