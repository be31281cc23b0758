"""What all calls of the simulated Telnyx share: time, webhooks, files, and the way to a bot."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import final

from ordered_pipeline.testing._telnyx._agenda import Agenda
from ordered_pipeline.testing._telnyx._call import SimulatedCall
from ordered_pipeline.testing._telnyx._faults import MarkFault, Rules
from ordered_pipeline.testing._telnyx._files import BadFileError, read_file
from ordered_pipeline.testing._telnyx._options import TelnyxReadings, TelnyxTiming
from ordered_pipeline.testing._telnyx._playback import Fetched
from ordered_pipeline.testing._telnyx._sockets import Connect
from ordered_pipeline.testing._telnyx._stream import SimulatedStream, StreamRequest
from ordered_pipeline.testing._telnyx._timeline import CallTimeline
from ordered_pipeline.testing._telnyx._webhooks import Endpoint, Spawn, WebhookSender
from ordered_pipeline.wire._telnyx_calls import PlaybackStart
from ordered_pipeline.wire._telnyx_webhooks import Webhook


@final
@dataclass(slots=True, kw_only=True)
class SharedExchange:
    """What calls need of the simulator."""

    agenda: Agenda
    timing: TelnyxTiming
    readings: TelnyxReadings
    mark_rules: Rules[MarkFault]
    webhooks: WebhookSender
    endpoints: tuple[Endpoint, ...]
    files: dict[str, bytes]
    stream_random: Random
    unix_time: Callable[[], float]
    new_id: Callable[[], str]
    spawn: Spawn
    connect: Connect
    get: Callable[[str], Awaitable[bytes | None]]
    cached: set[str] = field(default_factory=set[str])

    def iso_now(self) -> str:
        return datetime.fromtimestamp(self.unix_time(), UTC).isoformat().replace("+00:00", "Z")

    def tell(self, call: SimulatedCall, webhook: Webhook, extras: Mapping[str, object]) -> None:
        endpoints = self.endpoints
        # An address from a command replaces the primary one.
        if call.webhook_url is not None:
            endpoints = (call.webhook_url, *endpoints[1:])
        self.webhooks.send(webhook, extras, endpoints, call.webhook_retries_s.get(webhook.event.event_type))

    def open_stream(self, request: StreamRequest, call: SimulatedCall) -> SimulatedStream:
        is_heard = request.legs != "opposite" or self.readings.opposite_alone == "heard"
        stream = SimulatedStream(
            self.agenda,
            request,
            timing=self.timing,
            readings=self.readings,
            # What nobody hears takes its time all the same.
            timeline=call.timeline if is_heard else CallTimeline(),
            faults=self.mark_rules,
            random=self.stream_random,
            on_event=call.tell_of_stream,
        )
        self.spawn(stream.run, self.connect)
        return stream

    def fetch(self, command: PlaybackStart, done: Callable[[Fetched], None]) -> None:
        content, name = command.playback_content, command.audio_url or command.media_name or ""
        if content is not None:
            done(_read(content, command.audio_type or "mp3"))
            return
        download_s = 0.0
        if command.audio_url is not None and not (command.cache_audio is not False and name in self.cached):
            download_s = self.timing.downloads_s.get(name, self.timing.download_s)
        self.cached.add(name)
        if name in self.files or command.audio_url is None or not name.startswith("http://127.0.0.1:"):
            data = self.files.get(name)
            self.agenda.after(download_s, lambda: done("file_not_found" if data is None else _read(data)))
        else:
            self.spawn(self._download, name, download_s, done)

    async def _download(self, url: str, download_s: float, done: Callable[[Fetched], None]) -> None:
        try:
            data = await self.get(url)
        except OSError:
            data = None
        self.agenda.catch_up()
        self.agenda.after(download_s, lambda: done("file_not_found" if data is None else _read(data)))


def _read(data: bytes, kind: str | None = None) -> Fetched:
    try:
        file = read_file(data)
    except BadFileError:
        return "failed"
    # A command that says it brings another kind of file is wrong.
    return file if kind in {None, file.kind} else "failed"
