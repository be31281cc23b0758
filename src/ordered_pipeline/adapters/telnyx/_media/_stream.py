"""The media stream of one call: clips out in time (`_outgoing`), caller audio and keys in.

One task receives, three are at work on what goes out. However the stream ends, whoever waits for anything of
it is told.
"""

import math
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias, final

import anyio

from ordered_pipeline.adapters.telnyx._media._inbox import CallerAudio, Inbox
from ordered_pipeline.adapters.telnyx._media._opening import caller_format, open_stream
from ordered_pipeline.adapters.telnyx._media._outgoing import LATE_S, QUEUE_AHEAD, Outgoing
from ordered_pipeline.adapters.telnyx._media._playback import StreamPlayback
from ordered_pipeline.adapters.telnyx._media._socket import MediaSocket
from ordered_pipeline.voice import AudioFormat, Clip, PlayerCapabilities
from ordered_pipeline.wire._telnyx_media import (
    Dtmf,
    Mark,
    Media,
    MediaMessage,
    Start,
    Stop,
    StreamError,
    TelnyxMessageError,
    decode_media_message,
)

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

StreamEvent: TypeAlias = Dtmf | StreamError | Stop
"""What happens on a stream besides audio."""

# The sampling rates that Telnyx offers for L16; G.711 has one.
_RATES_HZ: Final = {
    "mulaw": (8000,),
    "alaw": (8000,),
    "s16le": (8000, 16000, 22050, 24000, 48000),
}
_CLOSE_S: Final = 1.0
# Keys and errors, that nobody asks for.
_MOST_EVENTS: Final = 256


@final
class MediaStream:
    """A call's media stream (``rtp`` mode): a `~ordered_pipeline.voice.Player`, caller audio, and events.

    Telnyx opens the WebSocket when a call is answered or streamed with a ``stream_url``. Clips sound in order
    and without a gap. `clear` is heard as soon as Telnyx gets it. Leaving the block closes the socket at
    once: wait for what is to be heard before.

    Attributes:
        start: What Telnyx told about the call.
    """

    def __init__(
        self,
        socket: MediaSocket,
        *,
        auth_token: str | None,
        audio_format: AudioFormat = AudioFormat("mulaw", 8000),  # noqa: B008  # frozen
        l16_byteorder: Literal["little", "big"] = "little",
        lead_s: float = 0.2,
        open_s: float = 10.0,
    ) -> None:
        """Say what is to be sent; nothing is done before entering.

        Args:
            socket: What Telnyx has opened. The stream owns it, and closes it.
            auth_token: The ``stream_auth_token`` that the call was told; None to let in anybody.
            audio_format: What is sent: what ``stream_bidirectional_codec`` and
                ``stream_bidirectional_sampling_rate`` say. ``"mulaw"`` is PCMU, ``"alaw"`` PCMA, ``"s16le"``
                L16. What comes may have another format: see `CallerAudio.format`.
            l16_byteorder: Which byte of a sample is first on the line, both ways. Telnyx does not say;
                ``"little"`` has been heard by more.
            lead_s: How much audio Telnyx holds, in seconds, at least 0: what the network may be late
                without a gap, and with up to 40 ms more what is wasted when the caller interrupts.
            open_s: How long it may take from entering until Telnyx has started the stream, in seconds.

        Raises:
            ValueError: The token is empty, Telnyx has no such format, or another value is out of range.
        """
        if auth_token is not None and not auth_token:
            raise ValueError("auth_token must not be empty, got ''; use None to let in anybody")
        if audio_format.channels != 1 or audio_format.sample_rate_hz not in _RATES_HZ.get(
            audio_format.encoding, ()
        ):
            raise ValueError(
                f"audio_format must be mulaw or alaw at 8000 Hz, or s16le at one of {_RATES_HZ['s16le']!r}, "
                f"and mono, got {audio_format!r}"
            )
        if l16_byteorder not in {"little", "big"}:
            raise ValueError(f"l16_byteorder must be 'little' or 'big', got {l16_byteorder!r}")
        if not 0 <= lead_s < math.inf:
            raise ValueError(f"lead_s must be a number of seconds of at least 0, got {lead_s!r}")
        if not open_s > 0:
            raise ValueError(f"open_s must be above 0, got {open_s!r}")
        self.start: Start | None = None
        self._socket: MediaSocket = socket
        self._auth_token: str | None = auth_token
        self._format: AudioFormat = audio_format
        self._byteorder: Literal["little", "big"] = l16_byteorder
        self._lead_s: float = lead_s
        self._open_s: float = open_s
        self._events: Inbox[StreamEvent] = Inbox(_MOST_EVENTS)
        self._is_entered: bool = False

    async def __aenter__(self) -> Self:
        """Wait until Telnyx has started the stream.

        Raises:
            TelnyxStreamRefusedError: The token is missing or wrong, or what comes is no media stream in time.
                Nothing after the token was read; the socket is closed.
            TelnyxStreamClosedError: The socket was closed before.
            RuntimeError: It was entered before.
        """
        if self._is_entered:
            raise RuntimeError(
                "a media stream was entered twice, but its socket is used up; make another one"
            )
        self._is_entered = True
        try:
            self.start = await open_stream(self._socket, auth_token=self._auth_token, within_s=self._open_s)
        except BaseException:
            await self._close_socket()
            raise
        audio_format = caller_format(self.start.media_format)
        self._caller: CallerAudio = CallerAudio(audio_format, byteorder=self._byteorder)
        self._outgoing: Outgoing = Outgoing(
            self._socket,
            self._format,
            byteorder=self._byteorder,
            lead_s=self._lead_s,
            lost=self._end,
        )
        # Shielded: an outer cancellation strikes the block, and leaving it ends these tasks.
        self._scope: anyio.CancelScope = anyio.CancelScope(shield=True)
        self._tasks: TaskGroup = await anyio.create_task_group().__aenter__()
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the socket; clips that are not over have failed."""
        self._end("its block was left")
        try:
            # Not told of the block's own error, which the group would wrap.
            await self._tasks.__aexit__(None, None, None)
        finally:
            await self._close_socket()

    @property
    def capabilities(self) -> PlayerCapabilities:
        """It takes one format, streams, and knows by Telnyx's marks what was heard, and how late.

        How far its positions may be from the truth is taken to be 0.1 s until a mark has come back, and then
        to be what the last one was late.
        """
        return PlayerCapabilities(
            formats=(self._format,),
            queue_ahead=QUEUE_AHEAD,
            acknowledges="marks",
            position_error_s=LATE_S if self.start is None else self._outgoing.position_error_s,
        )

    async def play(self, clip: Clip, /) -> StreamPlayback:
        """Take *clip*; returns at once, unless as many clips wait as the stream queues.

        The stream reads the clip. A cancelled call has taken nothing of it.

        Raises:
            RuntimeError: The stream was not entered.
            TelnyxStreamClosedError: The stream is over.
            ValueError: *clip* has another format than the stream.
        """
        self._check_entered("a clip was played on")
        if clip.format != self._format:
            raise ValueError(f"clip must have the stream's format {self._format!r}, got {clip.format!r}")
        return await self._outgoing.play(clip)

    async def clear(self) -> None:
        """Be silent now: drop all clips, here and at Telnyx; returns when that was sent.

        A cancelled call has dropped them here, and Telnyx will be told.

        Raises:
            RuntimeError: The stream was not entered.
        """
        self._check_entered("there was a clear of")
        await self._outgoing.clear()

    def caller_audio(self) -> CallerAudio:
        """Return what the caller says, always the same iterator.

        Raises:
            RuntimeError: The stream was not entered.
        """
        self._check_entered("the caller's audio was asked of")
        return self._caller

    def events(self) -> AsyncIterator[StreamEvent]:
        """Return keys, errors and the stream's end as they come, always by the same iterator.

        It ends with the stream. Of more than 256 that nobody takes, the oldest are dropped.
        """
        return self._events

    async def _close_socket(self) -> None:
        with anyio.move_on_after(_CLOSE_S, shield=True), suppress(Exception):
            await self._socket.aclose()

    def _end(self, why: str, cause: Exception | None = None) -> None:
        """Tell everybody that the stream is over; the first word on why counts."""
        if not self._outgoing.is_over:
            self._outgoing.end(why, cause)
            self._caller.end()
            self._events.end()
            self._scope.cancel()

    def _check_entered(self, what: str) -> None:
        if self.start is None:
            raise RuntimeError(f"{what} a media stream that was not entered; use 'async with' first")

    async def _run(self) -> None:
        with self._scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._receive)
                tasks.start_soon(self._outgoing.read)
                tasks.start_soon(self._outgoing.send)
                await self._outgoing.watch()

    async def _receive(self) -> None:
        while True:
            try:
                text = await self._socket.receive_text()
            except Exception as error:  # noqa: BLE001  # whatever the socket fails with
                self._end("the socket was closed", error)
                return
            try:
                message = decode_media_message(text)
            except TelnyxMessageError:
                # What cannot be read is nothing that a call should end for.
                continue
            self._take(message)

    def _take(self, message: MediaMessage) -> None:
        match message:
            # With both tracks streamed, the other one is what we said.
            case Media(track="inbound" | None):
                self._caller.put(message)
            case Mark():
                self._outgoing.heard(message.name)
            case Dtmf() | StreamError():
                self._events.put(message)
            case Stop():
                self._events.put(message)
                self._end("Telnyx has ended it")
            case _:
                pass
