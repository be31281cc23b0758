"""How a media stream begins: who is let in, which call it is, and how its caller's audio is encoded."""

import hmac
from typing import Final, Literal

import anyio

from ordered_pipeline.adapters.telnyx._media._socket import (
    MediaSocket,
    TelnyxStreamClosedError,
    TelnyxStreamRefusedError,
)
from ordered_pipeline.voice import AudioFormat
from ordered_pipeline.wire._telnyx_media import (
    AUTH_TOKEN_HEADER,
    Connected,
    MediaFormat,
    MediaMessage,
    Start,
    TelnyxMessageError,
    decode_media_message,
)

_ENCODINGS: Final[dict[str, Literal["mulaw", "alaw", "s16le"]]] = {
    "PCMU": "mulaw",
    "PCMA": "alaw",
    "L16": "s16le",
}


async def open_stream(socket: MediaSocket, *, auth_token: str | None, within_s: float) -> Start:
    """Return what Telnyx tells when it starts the stream; nothing after that was read.

    Raises:
        TelnyxStreamRefusedError: The token is missing or wrong, or what comes is no media stream in time.
            Nothing after the token was read.
        TelnyxStreamClosedError: The socket was closed before.
    """
    try:
        with anyio.fail_after(within_s):
            return await _open(socket, auth_token)
    except TimeoutError:
        raise TelnyxStreamRefusedError(
            f"the stream was not started within {within_s:g} s after the socket was opened"
        ) from None


def caller_format(media_format: MediaFormat | None) -> AudioFormat | None:
    """Return how to read the caller's audio: as PCMU, if Telnyx says nothing; None for other codecs."""
    if media_format is None:
        return AudioFormat("mulaw", 8000)
    encoding = _ENCODINGS.get(media_format.codec)
    if encoding is None:
        return None
    try:
        return AudioFormat(encoding, media_format.sample_rate_hz, media_format.channels)
    except ValueError:
        return None


async def _open(socket: MediaSocket, auth_token: str | None) -> Start:
    is_known = auth_token is None or _is_ours(auth_token, socket.headers.get(AUTH_TOKEN_HEADER))
    message = await _next(socket)
    if auth_token is not None and isinstance(message, Connected):
        is_known = _is_ours(auth_token, message.auth_token) or is_known
    if not is_known:
        raise TelnyxStreamRefusedError("a media stream was opened without the auth token")
    while not isinstance(message, Start):
        message = await _next(socket)
    return message


def _is_ours(auth_token: str, token: str | None) -> bool:
    """Return whether there is a token, and it is ours.

    Raises:
        TelnyxStreamRefusedError: It is another one.
    """
    if token is None:
        return False
    # Bytes, because the other side's may hold what is no text.
    if not hmac.compare_digest(auth_token.encode(), token.encode(errors="surrogatepass")):
        raise TelnyxStreamRefusedError("a media stream was opened with another auth token")
    return True


async def _next(socket: MediaSocket) -> MediaMessage:
    try:
        return decode_media_message(await socket.receive_text())
    except TelnyxMessageError:
        # Not told of what came: the token may stand in it.
        raise TelnyxStreamRefusedError("what came was no message of a media stream") from None
    except Exception as error:  # whatever the socket fails with
        raise TelnyxStreamClosedError("the socket was closed before the stream was started") from error
