"""A Telnyx that runs on this machine: test a bot on it, with everything that can go wrong.

It needs the extra ``telnyx``: ``pip install "ordered-pipeline[telnyx]"``.
"""

from ordered_pipeline.testing._telnyx._api import HttpReply, RequestRecord
from ordered_pipeline.testing._telnyx._call import CallIds, SimulatedCall
from ordered_pipeline.testing._telnyx._faults import MarkFault, RestFault, WebhookFault
from ordered_pipeline.testing._telnyx._options import TelnyxReadings, TelnyxTiming
from ordered_pipeline.testing._telnyx._simulator import MediaServer, TelnyxSimulator
from ordered_pipeline.testing._telnyx._sockets import MemorySocket
from ordered_pipeline.testing._telnyx._stream import SimulatedStream
from ordered_pipeline.testing._telnyx._timeline import CallTimeline, HeardGap, PlayedAudio
from ordered_pipeline.testing._telnyx._webhooks import Endpoint, WebhookRecord

__all__ = [
    "CallIds",
    "CallTimeline",
    "Endpoint",
    "HeardGap",
    "HttpReply",
    "MarkFault",
    "MediaServer",
    "MemorySocket",
    "PlayedAudio",
    "RequestRecord",
    "RestFault",
    "SimulatedCall",
    "SimulatedStream",
    "TelnyxReadings",
    "TelnyxSimulator",
    "TelnyxTiming",
    "WebhookFault",
    "WebhookRecord",
]
