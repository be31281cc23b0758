"""What the API answers to a command: whatever comes back is one of two values, and nothing is an error here.

A gateway in between may answer with a page instead of JSON, and errors have lacked any field but their code.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from ordered_pipeline.wire._telnyx_fields import (
    JsonObject,
    TelnyxMessageError,
    child,
    dump_object,
    elements,
    load_object,
    present,
    text,
)

# Codes that a bot acts on. Telnyx writes them as strings.
TOO_MANY_REQUESTS: Final[str] = "10011"
CALL_IS_OVER: Final[str] = "90018"
CALL_NOT_ANSWERED: Final[str] = "90034"
MEDIA_STREAMING_USED: Final[str] = "90045"

_LIMIT_HEADER: Final = "x-ratelimit-limit"
_REMAINING_HEADER: Final = "x-ratelimit-remaining"
_RESET_HEADER: Final = "x-ratelimit-reset"
_RETRY_HEADER: Final = "retry-after"
_TOO_MANY: Final = 429
_SHOWN_CHARACTERS: Final = 500


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many more requests are welcome; None is what the reply did not tell.

    Attributes:
        limit: Requests in one period.
        remaining: How many of them are left.
        reset_s: Seconds until there are `limit` again.
        retry_after_s: Seconds to wait, if a gateway says so; Telnyx does not.
    """

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None
    retry_after_s: float | None = None

    @property
    def wait_s(self) -> float | None:
        """How long a refused request should wait, in seconds; ``retry_after_s`` goes before ``reset_s``."""
        return self.reset_s if self.retry_after_s is None else self.retry_after_s


@dataclass(frozen=True, slots=True)
class ApiError:
    """One of the reasons for which a command was refused.

    Attributes:
        code: Such as ``"90018"``: the call is over.
        title: The code's name.
        detail: More about it.
        pointer: The field of the command that is wrong, such as ``"/stop"``.
    """

    code: str | None = None
    title: str | None = None
    detail: str | None = None
    pointer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAccepted:
    """The command is carried out, or was already: its ``command_id`` had come before."""

    result: str | None = None
    recording_id: str | None = None
    rate_limit: RateLimit = RateLimit()


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRefused:
    """The command is not carried out, or with a status of 500 and more perhaps it is.

    Attributes:
        status: Of the HTTP reply.
        errors: What Telnyx says about it; nothing if something else replied.
        text: The start of a body that is not Telnyx's.
    """

    status: int
    errors: tuple[ApiError, ...] = ()
    text: str | None = None
    rate_limit: RateLimit = RateLimit()

    @property
    def code(self) -> str | None:
        """The first error's code."""
        return next((error.code for error in self.errors if error.code is not None), None)

    @property
    def is_call_over(self) -> bool:
        """Whether the call has ended, so that no command can reach it any more."""
        return self._has(CALL_IS_OVER)

    @property
    def is_not_answered(self) -> bool:
        """Whether the call is to be answered first."""
        return self._has(CALL_NOT_ANSWERED)

    @property
    def is_rate_limited(self) -> bool:
        """Whether there were too many requests; *rate_limit* may tell how long to wait."""
        return self.status == _TOO_MANY or self._has(TOO_MANY_REQUESTS)

    @property
    def is_transient(self) -> bool:
        """Whether the same command may succeed in a moment; it may also have been carried out already."""
        return self.is_rate_limited or self.status == 408 or self.status >= 500  # noqa: PLR2004  # of HTTP

    def _has(self, code: str) -> bool:
        return any(error.code == code for error in self.errors)


CommandReply: TypeAlias = CommandAccepted | CommandRefused


def decode_reply(status: int, headers: Mapping[str, str], body: bytes) -> CommandReply:
    """Return what an HTTP reply says of the command. It never fails: see above.

    Args:
        status: Of 200 to 299 is accepted, whatever the body.
        headers: By name, in any case.
        body: As it came.
    """
    rate_limit = _rate_limit(headers)
    try:
        fields = load_object(body)
    except TelnyxMessageError:
        fields = {}
    if 200 <= status < 300:  # noqa: PLR2004  # HTTP's
        data = child(fields, "data")
        return CommandAccepted(
            result=text(data, "result"), recording_id=text(data, "recording_id"), rate_limit=rate_limit
        )
    errors = tuple(
        _error(cast("JsonObject", each)) for each in elements(fields, "errors") if isinstance(each, dict)
    )
    page = None if errors else body.decode(errors="replace")[:_SHOWN_CHARACTERS] or None
    return CommandRefused(status=status, errors=errors, text=page, rate_limit=rate_limit)


def encode_reply(reply: CommandReply) -> bytes:
    """Return the body of *reply*, as Telnyx or what stands before it writes it."""
    if isinstance(reply, CommandAccepted):
        data = present(result=reply.result, recording_id=reply.recording_id)
        return dump_object({"data": data}).encode()
    if not reply.errors:
        return (reply.text or "").encode()
    return dump_object({"errors": [_written(error) for error in reply.errors]}).encode()


def encode_rate_limit(rate_limit: RateLimit) -> dict[str, str]:
    """Return the headers that tell *rate_limit*."""
    values = {
        _LIMIT_HEADER: rate_limit.limit,
        _REMAINING_HEADER: rate_limit.remaining,
        _RESET_HEADER: rate_limit.reset_s,
        _RETRY_HEADER: rate_limit.retry_after_s,
    }
    return {name: str(value) for name, value in values.items() if value is not None}


def _rate_limit(headers: Mapping[str, str]) -> RateLimit:
    values = {name.lower(): value for name, value in headers.items()}
    return RateLimit(
        _count(values.get(_LIMIT_HEADER)),
        _count(values.get(_REMAINING_HEADER)),
        _seconds(values.get(_RESET_HEADER)),
        _seconds(values.get(_RETRY_HEADER)),
    )


def _count(value: str | None) -> int | None:
    try:
        return None if value is None else int(value)
    except ValueError:
        return None


def _seconds(value: str | None) -> float | None:
    """Return a number of seconds; a date, which ``Retry-After`` may be, is none."""
    try:
        seconds = math.nan if value is None else float(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < math.inf else None


def _error(fields: JsonObject) -> ApiError:
    source = child(fields, "source")
    pointer = text(source, "pointer")
    return ApiError(
        text(fields, "code"),
        text(fields, "title"),
        text(fields, "detail"),
        text(source, "parameter") if pointer is None else pointer,
    )


def _written(error: ApiError) -> JsonObject:
    source = None if error.pointer is None else {"pointer": error.pointer}
    return present(code=error.code, title=error.title, detail=error.detail, source=source)
