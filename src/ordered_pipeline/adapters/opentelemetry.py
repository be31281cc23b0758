"""Spans and metrics of replies, from their timelines, by OpenTelemetry (extra ``opentelemetry``).

Rules kept here:

1. A reply is told of when it is over: nothing is done while it is spoken.
2. What was said stays out unless it is asked for. Errors may quote it, so only their kind is told.
"""

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, final

import anyio

from ordered_pipeline.voice import SegmentTimes, Timeline

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, Meter, MeterProvider
    from opentelemetry.trace import Span, Tracer, TracerProvider

try:
    from opentelemetry.metrics import get_meter
    from opentelemetry.trace import Status, StatusCode, get_tracer, set_span_in_context
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the package of OpenTelemetry is not installed; pip install 'ordered-pipeline[opentelemetry]'",
        name=_missing.name,
    ) from _missing

__all__ = ["ReplyTelemetry"]

_SCOPE: Final = "ordered_pipeline.voice"
# The defaults are for milliseconds. Callers notice a gap from about 0.2 s on, and hang up before 10 s.
_BUCKETS_S: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)

_Value: TypeAlias = str | bool | int | float


@final
class ReplyTelemetry:
    """Tells OpenTelemetry of replies that are over. One object serves any number of them."""

    def __init__(
        self,
        tracer_provider: "TracerProvider | None" = None,
        meter_provider: "MeterProvider | None" = None,
        *,
        with_text: bool = False,
    ) -> None:
        """Make the instruments.

        Args:
            tracer_provider: Where spans go; None for the global one.
            meter_provider: Where metrics go; None for the global one.
            with_text: Whether spans tell what was said, and what errors say, which may quote it.
        """
        meter: Meter = get_meter(_SCOPE, meter_provider=meter_provider)
        self._tracer: Tracer = get_tracer(_SCOPE, tracer_provider=tracer_provider)
        self._with_text: bool = with_text
        self._first_audio: Histogram = _histogram(
            meter,
            "voice.first_audio.duration",
            "Time from the end of the caller's speech to the first sound.",
        )
        self._gap: Histogram = _histogram(meter, "voice.gap.duration", "Silence between two segments.")
        self._tts: Histogram = _histogram(
            meter, "voice.tts.first_audio.duration", "Time from the request for a segment to its first audio."
        )

    def record(self, timeline: Timeline, *, zero_ns: int | None = None) -> None:
        """Tell of one reply; its span is a child of the current one.

        Args:
            timeline: Of a reply that is over.
            zero_ns: When the zero of *timeline* was, in nanoseconds since the epoch. None to reckon it from
                what the event loop's clock and the system's show now.

        Raises:
            RuntimeError: *zero_ns* is None, and no event loop runs here.
        """
        if zero_ns is None:
            zero_ns = time.time_ns() - round((anyio.current_time() - timeline.origin_s) * 1e9)
        self._measure(timeline)
        _Spans(self._tracer, zero_ns, with_text=self._with_text).reply(timeline)

    def _measure(self, timeline: Timeline) -> None:
        if timeline.first_audio_s is not None:
            self._first_audio.record(timeline.first_audio_s)
        for gap in timeline.gaps:
            self._gap.record(gap.length_s, {"voice.gap.cause": gap.cause})
        for times in timeline.segments:
            if times.tts_asked_s is not None and times.first_audio_s is not None:
                self._tts.record(times.first_audio_s - times.tts_asked_s, {"voice.tts.voice": times.voice})


def _histogram(meter: "Meter", name: str, description: str) -> "Histogram":
    return meter.create_histogram(
        name, unit="s", description=description, explicit_bucket_boundaries_advisory=_BUCKETS_S
    )


class _Spans:
    """Makes the spans of one reply."""

    def __init__(self, tracer: "Tracer", zero_ns: int, *, with_text: bool) -> None:
        self._tracer: Tracer = tracer
        self._zero_ns: int = zero_ns
        self._with_text: bool = with_text

    def reply(self, timeline: Timeline) -> None:
        start_s = timeline.asked_s if timeline.caller_end_s is None else timeline.caller_end_s
        attributes: dict[str, _Value | None] = {
            "voice.turn": timeline.turn,
            "voice.segment.count": len(timeline.segments),
            "voice.first_audio.duration": timeline.first_audio_s,
            "voice.gap.count": len(timeline.gaps),
            "voice.gap.total_duration": timeline.silence_s,
            "voice.characters_wasted": timeline.characters_wasted,
            "voice.interrupted": timeline.interrupted_s is not None,
        }
        span = self._span("voice.reply", start_s, attributes, None)
        self._event(span, "voice.stt_final", timeline.stt_final_s)
        self._event(span, "voice.reply_begun", timeline.asked_s)
        self._event(span, "voice.first_delta", timeline.first_delta_s)
        self._event(span, "voice.text_end", timeline.text_end_s)
        for gap in timeline.gaps:
            told = {f"voice.gap.{part.cause}": part.length_s for part in gap.parts}
            told["voice.gap.duration"] = gap.length_s
            place = {"voice.gap.after": gap.after, "voice.gap.before": gap.before}
            self._event(span, "voice.gap", gap.start_s, {"voice.gap.cause": gap.cause, **told, **place})
        self._event(span, "voice.interrupted", timeline.interrupted_s)
        for times in timeline.segments:
            self._segment(span, times)
        span.end(self._ns(timeline.span_s[1]))

    def _segment(self, reply: "Span", times: SegmentTimes) -> None:
        stamps = list(_stamps(times))
        if not stamps:
            return
        attributes: dict[str, _Value | None] = {
            "voice.segment.index": times.index,
            "voice.segment.characters": len(times.text),
            "voice.segment.text": times.text if self._with_text else None,
            "voice.segment.outcome": times.outcome,
        }
        span = self._span("voice.segment", min(time_s for _, time_s in stamps), attributes, reply)
        for name, time_s in stamps:
            self._event(span, f"voice.{name}", time_s)
        self._speech(span, times)
        self._playback(span, times)
        span.end(self._ns(max(time_s for _, time_s in stamps)))

    def _speech(self, segment: "Span", times: SegmentTimes) -> None:
        ends_s = [
            end_s for end_s in (times.first_audio_s, times.last_audio_s, times.failed_s) if end_s is not None
        ]
        if times.tts_asked_s is None or not ends_s:
            return
        attributes: dict[str, _Value | None] = {
            "voice.tts.requests": times.requests,
            "voice.tts.voice": times.voice,
            "voice.tts.audio_duration": times.audio_s,
        }
        span = self._span("voice.tts", times.tts_asked_s, attributes, segment)
        if times.error is not None:
            # "TimeoutError: what it says": the first is a name of code, the rest may quote the reply.
            span.set_attribute("error.type", times.error.partition(":")[0])
            span.set_status(Status(StatusCode.ERROR, times.error if self._with_text else None))
        span.end(self._ns(max(ends_s)))

    def _playback(self, segment: "Span", times: SegmentTimes) -> None:
        ends_s = [end_s for end_s in (times.accepted_s, times.ended_s) if end_s is not None]
        if times.play_asked_s is None or not ends_s:
            return
        attributes: dict[str, _Value | None] = {
            "voice.playback.outcome": times.outcome,
            "voice.playback.played_duration": times.played_s,
        }
        span = self._span("voice.playback", times.play_asked_s, attributes, segment)
        span.end(self._ns(max(ends_s)))

    def _span(
        self, name: str, start_s: float, attributes: Mapping[str, _Value | None], parent: "Span | None"
    ) -> "Span":
        return self._tracer.start_span(
            name,
            context=None if parent is None else set_span_in_context(parent),
            attributes={key: value for key, value in attributes.items() if value is not None},
            start_time=self._ns(start_s),
        )

    def _event(
        self, span: "Span", name: str, time_s: float | None, attributes: Mapping[str, _Value] | None = None
    ) -> None:
        if time_s is not None:
            span.add_event(name, attributes, timestamp=self._ns(time_s))

    def _ns(self, time_s: float) -> int:
        return self._zero_ns + round(time_s * 1e9)


def _stamps(times: SegmentTimes) -> Iterator[tuple[str, float]]:
    """Yield what a segment went through, with the names of its stamps."""
    stamps = {
        "text_ready": times.text_ready_s,
        "tts_asked": times.tts_asked_s,
        "first_audio": times.first_audio_s,
        "last_audio": times.last_audio_s,
        "failed": times.failed_s,
        "play_asked": times.play_asked_s,
        "accepted": times.accepted_s,
        "started": times.started_s,
        "ended": times.ended_s,
    }
    for name, time_s in stamps.items():
        if time_s is not None:
            yield name, time_s
