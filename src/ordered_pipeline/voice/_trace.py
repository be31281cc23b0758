"""The timeline for programs: as JSON values, and as a trace for Perfetto and Chrome.

A trace has a process a reply, and in it a thread each for the caller, the language model, the voices, the
calls of the player, and the sound. Slices of one thread must not overlap, so voices and calls get as many
threads as were at work at a time.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from ordered_pipeline.voice._gaps import Gap, Part

if TYPE_CHECKING:
    from ordered_pipeline.voice._timeline import Timeline

_Event: TypeAlias = dict[str, object]


class _Slice(NamedTuple):
    """Something that took time; a slice that took none is an instant."""

    name: str
    start_s: float
    stop_s: float
    arguments: Mapping[str, object]


def as_dict(timeline: "Timeline") -> dict[str, object]:
    """Return *timeline* and what follows from it, as JSON says it."""
    return {
        **asdict(timeline),
        "first_audio_s": timeline.first_audio_s,
        "first_audio_parts": _parts(timeline.first_audio_parts),
        "gaps": [_gap(gap) for gap in timeline.gaps],
        "voice_silences": [_gap(gap) for gap in timeline.voice_silences],
        "silence_s": timeline.silence_s,
        "characters_wasted": timeline.characters_wasted,
    }


def chrome_trace(timelines: "Mapping[str, Timeline]") -> str:
    """Return a trace of all *timelines* as JSON text, each a process with its name.

    Times are those of the event loop's clock, so turns of one conversation stand one after another.
    """
    events = [
        event
        for process, (name, timeline) in enumerate(timelines.items(), 1)
        for event in _process(process, name, timeline)
    ]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"}, allow_nan=False)


def _parts(parts: Iterable[Part]) -> dict[str, float]:
    return {part.cause: part.length_s for part in parts}


def _gap(gap: Gap) -> dict[str, object]:
    return {
        "start_s": gap.start_s,
        "length_s": gap.length_s,
        "after": gap.after,
        "before": gap.before,
        "cause": gap.cause,
        "parts": _parts(gap.parts),
    }


def _process(process: int, name: str, timeline: "Timeline") -> Iterator[_Event]:
    yield _named("process_name", process, 0, {"name": name})
    threads = [
        ("caller", list(_caller(timeline))),
        ("LLM", list(_language_model(timeline))),
        *(("TTS", lane) for lane in _lanes(_voices(timeline))),
        *(("player: calls", lane) for lane in _lanes(_calls(timeline))),
        ("player: sound", [*_sound(timeline), *_silence(timeline)]),
    ]
    for thread, (kind, slices) in enumerate(threads, 1):
        yield _named("thread_name", process, thread, {"name": kind})
        yield _named("thread_sort_index", process, thread, {"sort_index": thread})
        for one in slices:
            yield _event(process, thread, timeline.origin_s, one)


def _named(what: str, process: int, thread: int, arguments: dict[str, object]) -> _Event:
    return {"ph": "M", "name": what, "pid": process, "tid": thread, "args": arguments}


def _event(process: int, thread: int, origin_s: float, one: _Slice) -> _Event:
    start_us = round((origin_s + one.start_s) * 1e6)
    event: _Event = {"name": one.name, "pid": process, "tid": thread, "ts": start_us, "args": one.arguments}
    if one.stop_s > one.start_s:
        # From both ends, so that a slice ends where the next one begins.
        return event | {"ph": "X", "dur": round((origin_s + one.stop_s) * 1e6) - start_us}
    return event | {"ph": "i", "s": "t"}


def _caller(timeline: "Timeline") -> Iterator[_Slice]:
    end_s, final_s = timeline.caller_end_s, timeline.stt_final_s
    if end_s is not None and final_s is not None:
        yield _Slice("speech-to-text", end_s, final_s, {})
    yield _Slice("reply asked for", timeline.asked_s, timeline.asked_s, {})
    if timeline.interrupted_s is not None:
        yield _Slice("interrupted", timeline.interrupted_s, timeline.interrupted_s, {})


def _language_model(timeline: "Timeline") -> Iterator[_Slice]:
    now_s = timeline.asked_s
    if timeline.first_delta_s is not None:
        stop_s = max(now_s, timeline.first_delta_s)
        yield _Slice("first delta", now_s, stop_s, {})
        now_s = stop_s
    for times in timeline.segments:
        if times.last_delta_s is not None:
            stop_s = max(now_s, times.last_delta_s)
            yield _Slice(f"text {times.index}", now_s, stop_s, {"text": times.text})
            now_s = stop_s


def _voices(timeline: "Timeline") -> Iterator[_Slice]:
    for times in timeline.segments:
        stops = [
            time for time in (times.first_audio_s, times.last_audio_s, times.failed_s) if time is not None
        ]
        if times.tts_asked_s is not None and stops:
            arguments = {
                "text": times.text,
                "first_audio_s": times.first_audio_s,
                "requests": times.requests,
                "voice": times.voice,
                "error": times.error,
            }
            yield _Slice(f"speech {times.index}", times.tts_asked_s, max(stops), arguments)


def _calls(timeline: "Timeline") -> Iterator[_Slice]:
    for times in timeline.segments:
        if times.play_asked_s is not None and times.accepted_s is not None:
            yield _Slice(f"play {times.index}", times.play_asked_s, times.accepted_s, {})


def _sound(timeline: "Timeline") -> Iterator[_Slice]:
    now_s = -math.inf
    for times in timeline.segments:
        if times.started_s is not None and times.ended_s is not None:
            # A player's word for the end of a clip may come after its word for the start of the next.
            start_s = max(times.started_s, now_s)
            now_s = max(times.ended_s, start_s)
            arguments = {"text": times.text, "outcome": times.outcome, "played_s": times.played_s}
            yield _Slice(f"sound {times.index}", start_s, now_s, arguments)


def _silence(timeline: "Timeline") -> Iterator[_Slice]:
    for what, silences in (("gap", timeline.gaps), ("voice silence", timeline.voice_silences)):
        for gap in silences:
            yield _Slice(f"{what} {gap}", gap.start_s, gap.start_s, _gap(gap))


def _lanes(slices: Iterable[_Slice]) -> list[list[_Slice]]:
    """Spread *slices* over as few lanes as have no two at a time."""
    lanes: list[list[_Slice]] = []
    for one in sorted(slices, key=lambda one: one.start_s):
        lane = next((lane for lane in lanes if lane[-1].stop_s <= one.start_s), None)
        if lane is None:
            lanes.append([one])
        else:
            lane.append(one)
    return lanes
