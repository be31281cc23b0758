import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import anyio
import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ordered_pipeline.adapters.opentelemetry import ReplyTelemetry
from ordered_pipeline.testing import run_in_virtual_time
from ordered_pipeline.voice import SegmentTimes, Timeline
from tests.voice.timelines import gapless, reply, segment

# 2026-01-01, with room for nanoseconds.
ZERO_NS = 1_767_225_600_000_000_000


@dataclass
class Telemetry:
    """OpenTelemetry's SDK, keeping what it is told."""

    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    metrics: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self) -> None:
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters = MeterProvider([self.metrics])

    def told_of(self, timeline: Timeline, *, with_text: bool = False) -> list[ReadableSpan]:
        told = ReplyTelemetry(self.tracers, self.meters, with_text=with_text)
        told.record(timeline, zero_ns=ZERO_NS)
        return list(self.spans.get_finished_spans())

    def points(self) -> dict[str, list[HistogramDataPoint]]:
        data = self.metrics.get_metrics_data()
        found: dict[str, list[HistogramDataPoint]] = {}
        for metric in data.resource_metrics[0].scope_metrics[0].metrics if data else ():
            assert metric.unit == "s"
            found[metric.name] = [
                point for point in metric.data.data_points if isinstance(point, HistogramDataPoint)
            ]
        return found


def one(spans: list[ReadableSpan], name: str) -> ReadableSpan:
    (found,) = (span for span in spans if span.name == name)
    return found


def times(span: ReadableSpan) -> tuple[float, float]:
    """Return when *span* began and ended, in seconds from the zero."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.start_time - ZERO_NS) / 1e9, (span.end_time - ZERO_NS) / 1e9


def events(span: ReadableSpan) -> Mapping[str, float]:
    return {event.name: (event.timestamp - ZERO_NS) / 1e9 for event in span.events}


def failed() -> SegmentTimes:
    return SegmentTimes(
        index=0,
        text="A secret.",
        text_ready_s=1.0,
        tts_asked_s=1.0,
        failed_s=2.5,
        outcome="skipped",
        error="TimeoutError: no audio for 'A secret.'",
        requests=2,
        voice=1,
    )


def test_a_reply_gives_spans_at_their_times_on_the_wall_clock() -> None:
    spans = Telemetry().told_of(reply(replace(segment(0, 1.0, start_s=1.75), last_audio_s=2.5)))

    assert {span.name: times(span) for span in spans} == {
        "voice.reply": (0.0, 3.25),
        "voice.segment": (1.0, 3.25),
        "voice.tts": (1.0, 2.5),
        "voice.playback": (1.5, 3.25),
    }


def test_spans_are_nested_in_the_current_one() -> None:
    telemetry = Telemetry()
    with telemetry.tracers.get_tracer("bot").start_as_current_span("turn"):
        telemetry.told_of(reply(segment(0, 1.0, start_s=1.5)))

    spans = list(telemetry.spans.get_finished_spans())
    parents = {
        span.name: next(
            (other.name for other in spans if span.parent and other.context.span_id == span.parent.span_id),
            None,
        )
        for span in spans
    }
    assert parents == {
        "voice.reply": "turn",
        "voice.segment": "voice.reply",
        "voice.tts": "voice.segment",
        "voice.playback": "voice.segment",
        "turn": None,
    }


def test_the_span_of_a_reply_tells_what_it_was_like() -> None:
    timeline = replace(reply(segment(0, 1.0, start_s=1.5), segment(1, 3.25, start_s=3.75)), interrupted_s=6.0)

    span = one(Telemetry().told_of(timeline), "voice.reply")
    assert span.attributes == {
        "voice.turn": 3,
        "voice.segment.count": 2,
        "voice.first_audio.duration": 1.5,
        "voice.gap.count": 1,
        "voice.gap.total_duration": 0.75,
        "voice.characters_wasted": 0,
        "voice.interrupted": True,
    }
    assert events(span) == {
        "voice.stt_final": 0.125,
        "voice.reply_begun": 0.25,
        "voice.first_delta": 0.5,
        "voice.text_end": 3.25,
        "voice.gap": 3.0,
        "voice.interrupted": 6.0,
    }
    (gap,) = (event for event in span.events if event.name == "voice.gap")
    assert gap.attributes == {
        "voice.gap.duration": 0.75,
        "voice.gap.cause": "tts",
        "voice.gap.language_model": 0.25,
        "voice.gap.tts": 0.5,
        "voice.gap.after": 0,
        "voice.gap.before": 1,
    }


def test_the_spans_of_a_segment_tell_how_it_went() -> None:
    spans = Telemetry().told_of(reply(replace(segment(0, 1.0, start_s=1.75), text="Hello.")))

    assert one(spans, "voice.segment").attributes == {
        "voice.segment.index": 0,
        "voice.segment.characters": 6,
        "voice.segment.outcome": "completed",
    }
    assert events(one(spans, "voice.segment")) == {
        "voice.text_ready": 1.0,
        "voice.tts_asked": 1.0,
        "voice.first_audio": 1.5,
        "voice.last_audio": 1.5,
        "voice.play_asked": 1.5,
        "voice.accepted": 1.5,
        "voice.started": 1.75,
        "voice.ended": 3.25,
    }
    assert one(spans, "voice.tts").attributes == {
        "voice.tts.requests": 1,
        "voice.tts.voice": 0,
        "voice.tts.audio_duration": 1.5,
    }
    assert one(spans, "voice.playback").attributes == {
        "voice.playback.outcome": "completed",
        "voice.playback.played_duration": 1.5,
    }


def test_without_the_end_of_the_callers_speech_a_reply_begins_when_it_was_begun() -> None:
    timeline = replace(gapless(1), caller_end_s=None, stt_final_s=None)

    assert times(one(Telemetry().told_of(timeline), "voice.reply"))[0] == 0.25


def test_a_voice_that_failed_gives_a_failed_span_with_the_kind_of_its_error() -> None:
    spans = Telemetry().told_of(reply(failed()))

    span = one(spans, "voice.tts")
    assert times(span) == (1.0, 2.5)
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.attributes == {"voice.tts.requests": 2, "voice.tts.voice": 1, "error.type": "TimeoutError"}
    assert "voice.playback" not in {span.name for span in spans}


def test_nothing_of_what_was_said_is_told_unless_it_is_asked_for() -> None:
    timeline = reply(failed())

    assert "secret" not in "".join(span.to_json() for span in Telemetry().told_of(timeline))
    spans = Telemetry().told_of(timeline, with_text=True)
    assert (one(spans, "voice.segment").attributes or {})["voice.segment.text"] == "A secret."
    assert one(spans, "voice.tts").status.description == "TimeoutError: no audio for 'A secret.'"


def test_a_segment_of_which_nothing_came_gives_no_span() -> None:
    spans = Telemetry().told_of(reply(SegmentTimes(index=0, text="not yet")))

    assert [span.name for span in spans] == ["voice.reply"]


def test_what_was_under_way_when_a_reply_ended_gives_no_span_of_its_own() -> None:
    asked = SegmentTimes(index=0, text="Hm.", text_ready_s=1.0, tts_asked_s=1.0, play_asked_s=2.0)

    assert {span.name for span in Telemetry().told_of(reply(asked))} == {"voice.reply", "voice.segment"}


def test_histograms_have_the_time_to_the_first_audio_each_gap_with_its_cause_and_the_voice() -> None:
    telemetry = Telemetry()
    telemetry.told_of(
        reply(segment(0, 1.0, start_s=1.5), segment(1, 3.25, start_s=3.75), segment(2, 2.0, start_s=5.75))
    )

    points = telemetry.points()
    assert {
        name: [(dict(point.attributes or {}), point.count, point.sum) for point in found]
        for name, found in points.items()
    } == {
        "voice.first_audio.duration": [({}, 1, 1.5)],
        "voice.gap.duration": [
            ({"voice.gap.cause": "tts"}, 1, 0.75),
            ({"voice.gap.cause": "network"}, 1, 0.5),
        ],
        "voice.tts.first_audio.duration": [({"voice.tts.voice": 0}, 3, 1.5)],
    }
    assert points["voice.gap.duration"][0].explicit_bounds[:3] == (0.02, 0.05, 0.1)


def test_a_reply_without_sound_is_in_no_histogram() -> None:
    telemetry = Telemetry()
    telemetry.told_of(reply(failed()))

    assert telemetry.points() == {}


def test_the_wall_clocks_time_of_a_reply_is_reckoned_from_now() -> None:
    telemetry = Telemetry()
    told = ReplyTelemetry(telemetry.tracers, telemetry.meters)

    async def main() -> tuple[int, int]:
        timeline = replace(gapless(1), origin_s=anyio.current_time())
        await anyio.sleep(10)
        earliest_ns = time.time_ns()
        told.record(timeline)
        return earliest_ns, time.time_ns()

    earliest_ns, latest_ns = run_in_virtual_time(main)
    start_ns = one(list(telemetry.spans.get_finished_spans()), "voice.reply").start_time
    assert start_ns is not None
    assert earliest_ns <= start_ns + 10_000_000_000 <= latest_ns


def test_outside_an_event_loop_the_zero_must_be_told() -> None:
    with pytest.raises(RuntimeError):
        ReplyTelemetry().record(gapless(1))


def test_without_its_package_the_import_tells_what_to_install() -> None:
    missing = "import sys; sys.modules['opentelemetry.metrics'] = None"
    code = f"{missing}; import ordered_pipeline.adapters.opentelemetry"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: the package of OpenTelemetry is not installed; "
        "pip install 'ordered-pipeline[opentelemetry]'"
    )
