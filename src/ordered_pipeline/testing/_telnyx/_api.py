"""Call Control's REST interface: what a request is answered, and when it takes effect."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Final, cast, final
from urllib.parse import unquote

from ordered_pipeline.testing._telnyx._agenda import Agenda
from ordered_pipeline.testing._telnyx._call import SimulatedCall
from ordered_pipeline.testing._telnyx._checks import (
    ACTIONS,
    TITLES,
    api_error,
    check_body,
    read_command,
    webhook_retries_s,
)
from ordered_pipeline.testing._telnyx._faults import RestFault, Rules
from ordered_pipeline.testing._telnyx._options import TelnyxReadings, TelnyxTiming
from ordered_pipeline.wire._telnyx_calls import (
    CALL_IS_OVER,
    CALL_NOT_ANSWERED,
    TOO_MANY_REQUESTS,
    ApiError,
    CommandAccepted,
    CommandRefused,
    RateLimit,
    encode_rate_limit,
    encode_reply,
)

_DEDUPLICATED_S: Final = 60.0
_WINDOW_S: Final = 60.0
_PAGE: Final = "<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>"
_PATH_PARTS: Final = 6


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A reply.

    Attributes:
        status: Its status.
        headers: By names in lower case.
        body: Its body.
        body_s: How long the body takes to come.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    body_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class RequestRecord:
    """A request to the interface.

    Attributes:
        time_s: When it came, on the event loop's clock.
        action: Such as ``"playback_start"``; what came last in its path if that is no action.
        call_control_id: Whose call; None if its path names none.
        body: As it came.
        status: Of the reply that it got; None as long as it got none.
        has_effect: Whether it did something: it was accepted, and no repetition.
        is_repeated: Whether its ``command_id`` had come before.
    """

    time_s: float
    action: str
    call_control_id: str | None
    body: bytes = field(repr=False)
    status: int | None = None
    has_effect: bool = False
    is_repeated: bool = False

    def json(self) -> dict[str, object]:
        """Return the body's JSON object; an empty one if it is none."""
        try:
            value: object = json.loads(self.body)
        except ValueError:
            return {}
        return cast("dict[str, object]", value) if isinstance(value, dict) else {}


@dataclass(slots=True)
class Pending:
    """A request that is under way.

    Attributes:
        record: The request.
        due_s: When it is answered.
        reply: The answer; there when it is due, unless the connection breaks.
    """

    record: RequestRecord
    due_s: float
    reply: HttpReply | None = None


@final
class CallControl:
    """Answers requests.

    Attributes:
        records: All that came, oldest first.
    """

    def __init__(
        self,
        agenda: Agenda,
        calls: Mapping[str, SimulatedCall],
        *,
        timing: TelnyxTiming,
        readings: TelnyxReadings,
        rules: Rules[RestFault],
        random: Random,
        api_key: str,
        limit: int,
        new_id: Callable[[], str],
    ) -> None:
        """Answer for *calls*, which may get more, at most *limit* requests a minute."""
        self.records: list[RequestRecord] = []
        self._agenda: Agenda = agenda
        self._calls: Mapping[str, SimulatedCall] = calls
        self._timing: TelnyxTiming = timing
        self._readings: TelnyxReadings = readings
        self._rules: Rules[RestFault] = rules
        self._random: Random = random
        self._api_key: str = api_key
        self._limit: int = limit
        self._new_id: Callable[[], str] = new_id
        self._window_end_s: float = -math.inf
        self._used: int = 0
        self._commands: dict[tuple[str, str], float] = {}

    def arrive(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Pending:
        """Take a request; its answer is in what is returned when the agenda has come to ``due_s``.

        Args:
            method: Such as ``"POST"``.
            path: Without a query.
            headers: By names in lower case.
            body: All of it.
        """
        parts = path.split("/")
        call_id = unquote(parts[3]) if len(parts) == _PATH_PARTS else None
        record = RequestRecord(
            time_s=self._agenda.now_s, action=parts[-1], call_control_id=call_id, body=body
        )
        self.records.append(record)
        fault = next(iter(self._rules.met_by(record.action)), None)
        jitter_s = self._random.uniform(-1, 1) * self._timing.api_jitter_s
        latency_s = max(self._timing.api_latency_s + jitter_s, 0.0)
        pending = Pending(record, self._agenda.now_s + latency_s + (0.0 if fault is None else fault.hang_s))

        def take_effect() -> None:
            reply = None
            if fault is None or fault.applies:
                reply = self._answer(record, method, parts, headers)
            pending.reply = self._faulty(reply, fault)

        def be_answered() -> None:
            record.status = None if pending.reply is None else pending.reply.status

        self._agenda.after(latency_s * self._timing.effect_at, take_effect)
        self._agenda.at(pending.due_s, be_answered)
        return pending

    def _faulty(self, reply: HttpReply | None, fault: RestFault | None) -> HttpReply | None:
        if fault is None:
            return reply
        if fault.is_reset:
            return None
        if fault.status is not None or fault.code is not None or reply is None:
            reply = self._instead(fault)
        return HttpReply(reply.status, reply.headers, reply.body, fault.body_s)

    def _instead(self, fault: RestFault) -> HttpReply:
        status = fault.status or 422
        is_limited = status == 429  # noqa: PLR2004  # HTTP's
        code = fault.code or (TOO_MANY_REQUESTS if is_limited else None)
        limit = self._rate_limit()
        limit = RateLimit(
            limit.limit,
            0 if is_limited else limit.remaining,
            limit.reset_s if fault.reset_s is None else fault.reset_s,
            fault.retry_after_s,
        )
        if code is None:
            page = _PAGE.format(status=status).encode()
            return HttpReply(status, {"content-type": "text/html"}, page)
        return self._refused(status, api_error(code, TITLES.get(code, "Error")), limit)

    def _answer(
        self, record: RequestRecord, method: str, parts: list[str], headers: Mapping[str, str]
    ) -> HttpReply:
        self._count()
        status, refused = self._carry_out(record, method, parts, headers)
        if refused is not None:
            return self._refused(status, refused, self._rate_limit())
        body = encode_reply(CommandAccepted(result="ok"))
        return HttpReply(200, self._headers(self._rate_limit()), body)

    def _carry_out(  # noqa: PLR0911  # one a check, in the order in which Telnyx makes them
        self, record: RequestRecord, method: str, parts: list[str], headers: Mapping[str, str]
    ) -> tuple[int, ApiError | None]:
        if headers.get("authorization") != f"Bearer {self._api_key}":
            return 401, api_error("10009", "Could not understand the provided API key.")
        match parts:
            case ["", "v2", "calls", _, "actions", action] if method == "POST" and action in ACTIONS:
                pass
            case _:
                return 404, api_error("10005", "The requested resource or URL could not be found.")
        if self._used > self._limit:
            return 429, api_error(
                TOO_MANY_REQUESTS, "You have exceeded the maximum number of allowed requests."
            )
        try:
            body: object = json.loads(record.body)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            return 400, api_error("10023", "The request body is not a valid JSON object.")
        call = self._calls.get(record.call_control_id or "")
        if call is None:
            return 422, api_error("90015", "The call_control_id provided was not valid.", "/call_control_id")
        if call.state == "over":
            detail = "This call is no longer active and can't receive commands."
            return 422, api_error(CALL_IS_OVER, detail)
        if call.state == "ringing" and action not in {"answer", "hangup"}:
            detail = "This call can't receive this command because it has not been answered yet."
            return 422, api_error(CALL_NOT_ANSWERED, detail)
        wrong = check_body(action, cast("dict[str, object]", body))
        if wrong is not None:
            return 422, wrong
        return 422, self._command(record, call, action)

    def _command(self, record: RequestRecord, call: SimulatedCall, action: str) -> ApiError | None:
        command = read_command(action, record.body)
        if isinstance(command, ApiError):
            return command
        key = (call.call_control_id, command.command_id or "")
        now_s = self._agenda.now_s
        if command.command_id is not None and now_s - self._commands.get(key, -math.inf) < _DEDUPLICATED_S:
            record.is_repeated = True
            if self._readings.duplicate_reply == "accepted":
                return None
            return api_error("10015", "This command_id has been used already.", "/command_id")
        if action == "answer":
            call.webhook_retries_s = webhook_retries_s(record.json())
        refused = call.carry_out(command)
        if refused is None:
            record.has_effect = True
            if command.command_id is not None:
                self._commands[key] = now_s
        return refused

    def _count(self) -> None:
        if self._agenda.now_s >= self._window_end_s:
            self._window_end_s = self._agenda.now_s + _WINDOW_S
            self._used = 0
        self._used += 1

    def _rate_limit(self) -> RateLimit:
        left_s = max(self._window_end_s - self._agenda.now_s, 0.0)
        return RateLimit(self._limit, max(self._limit - self._used, 0), math.ceil(left_s))

    def _refused(self, status: int, error: ApiError, limit: RateLimit) -> HttpReply:
        body = encode_reply(CommandRefused(status=status, errors=(error,)))
        return HttpReply(status, self._headers(limit), body)

    def _headers(self, limit: RateLimit) -> dict[str, str]:
        return {
            "content-type": "application/json",
            "x-request-id": self._new_id(),
            **encode_rate_limit(limit),
        }
