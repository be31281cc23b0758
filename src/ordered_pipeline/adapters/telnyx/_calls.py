"""Call Control over HTTP: a command is given once, however often it has to be sent."""

from dataclasses import dataclass, field, replace
from typing import Final, final
from uuid import uuid4

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ordered_pipeline.wire._telnyx_calls import (
    Command,
    CommandAccepted,
    CommandRefused,
    CommandReply,
    CommandRequest,
    decode_reply,
    encode_command,
)

try:
    import httpx
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the packages for Telnyx are not installed; pip install 'ordered-pipeline[telnyx]'",
        name=_missing.name,
    ) from _missing

# Telnyx advises exponential waits and 3 to 5 tries. A caller waits for what is sent here, so: the least.
_RETRY_AFTER_S: Final = (0.1, 0.2)
# Of a 429 that does not say how long to wait, and the least for one that does.
_RATE_LIMIT_S: Final = 0.5
_LEAST_RATE_LIMIT_S: Final = 0.1
# So long Telnyx knows a `command_id` again ("Receiving webhooks" in its knowledge base). A command that is
# sent again after that is carried out twice.
_KNOWN_S: Final = 60.0


class CallControlError(Exception):
    """A command was not carried out, or it is not known whether it was."""


class CallOverError(CallControlError):
    """The call has ended: nothing reaches it any more."""


class CommandLostError(CallControlError):
    """No answer came, however often the command was sent. It may have been carried out."""


class CommandRefusedError(CallControlError):
    """Telnyx refused a command.

    Attributes:
        reply: With which status, and why. If the status is 500 or more, it may have been carried out.
    """

    def __init__(self, message: str, reply: CommandRefused) -> None:
        super().__init__(message)
        self.reply: CommandRefused = reply


@final
@dataclass(frozen=True, slots=True)
class CallControl:
    """Gives commands to calls.

    Attributes:
        client: Sends the requests; it stays yours to configure and to close.
        api_key: Telnyx's secret for your account.
        base_url: Where the API is.
        timeout_s: How long one answer is waited for, in seconds above 0.

    Raises:
        ValueError: `api_key` cannot stand in a header, `base_url` is no address, or `timeout_s` is not above
            0.
    """

    client: httpx.AsyncClient
    api_key: str = field(repr=False, kw_only=True)
    base_url: str = field(default="https://api.telnyx.com/v2", kw_only=True)
    timeout_s: float = field(default=2.0, kw_only=True)

    def __post_init__(self) -> None:
        key = self.api_key
        if not (key.isascii() and key.isprintable()) or " " in key or not key:
            raise ValueError(
                "api_key must be visible ASCII characters, got something else; look for a line end"
            )
        if not self.base_url.startswith(("https://", "http://")):
            raise ValueError(f"base_url must begin with https:// or http://, got {self.base_url!r}")
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s!r}")

    async def send(self, call_control_id: str, command: Command) -> CommandAccepted:
        """Give *command* to a call; returns when Telnyx has accepted it.

        If no answer comes, or one that tells of a passing failure, it is sent again, twice at most. After too
        many requests it is sent again when Telnyx says so. All of this ends within a minute, and always with
        the same ``command_id``, which is made here if there is none: the command is carried out once at most.

        A cancelled call first waits for the answer to the request under way, up to `timeout_s`: it may be
        carried out, and a command that is to undo it must not overtake it. It sends no further request, and
        returns if the answer is that it was accepted.

        Commands of one call that are sent at the same time are carried out in any order.

        Args:
            call_control_id: Which call; webhooks tell it.
            command: What to do.

        Returns:
            The answer.

        Raises:
            CallOverError: The call has ended.
            CommandLostError: No answer came.
            CommandRefusedError: Telnyx refused the command.
            TypeError: *call_control_id* is no string.
            ValueError: *call_control_id* cannot be one.
        """
        if command.command_id is None:
            command = replace(command, command_id=str(uuid4()))
        request = encode_command(call_control_id, command)
        give_up_s = anyio.current_time() + _KNOWN_S - self.timeout_s
        pauses = list(_RETRY_AFTER_S)
        while True:
            answer = await self._ask(request)
            if isinstance(answer, CommandAccepted):
                return answer
            pause_s = _pause_s(answer, pauses)
            if pause_s is None or anyio.current_time() + pause_s > give_up_s:
                raise _error(command.action, answer) from (answer if isinstance(answer, Exception) else None)
            await anyio.sleep(pause_s)

    async def _ask(self, request: CommandRequest) -> CommandReply | httpx.RequestError:
        """Send *request* once, and return the answer, or why there is none."""
        await checkpoint_if_cancelled()
        # A deadline of our own: httpx bounds the single steps, not their sum, and waits that way only for
        # sockets.
        with anyio.move_on_after(self.timeout_s, shield=True):
            try:
                response = await self.client.post(
                    self.base_url + request.path,
                    content=request.body,
                    headers={"authorization": f"Bearer {self.api_key}", "content-type": "application/json"},
                    timeout=None,
                )
            except httpx.RequestError as error:
                return error
            return decode_reply(response.status_code, response.headers, response.content)
        return httpx.ReadTimeout(f"no answer within {self.timeout_s:g} s")


def _pause_s(answer: CommandRefused | httpx.RequestError, pauses: list[float]) -> float | None:
    """Return after how many seconds to send again, None if it would not help; takes one of *pauses*."""
    if isinstance(answer, CommandRefused):
        if answer.is_rate_limited:
            # It was not carried out, so it costs no try.
            wait_s = answer.rate_limit.wait_s
            return _RATE_LIMIT_S if wait_s is None else max(wait_s, _LEAST_RATE_LIMIT_S)
        if not answer.is_transient:
            return None
    return pauses.pop(0) if pauses else None


def _error(action: str, answer: CommandRefused | httpx.RequestError) -> CallControlError:
    if not isinstance(answer, CommandRefused):
        return CommandLostError(f"{action} was not answered: {answer}")
    if answer.is_call_over:
        return CallOverError(f"{action} came too late, for the call has ended")
    reasons = "; ".join(
        " ".join(filter(None, (error.code, error.title, error.detail, error.pointer)))
        for error in answer.errors
    )
    return CommandRefusedError(
        f"{action} was refused with status {answer.status}: {reasons or 'no reason was given'}", answer
    )
