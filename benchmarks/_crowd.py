"""Many calls in one process, each with its reply: what that costs, and how late their sound is."""

import asyncio
import gc
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean, quantiles
from typing import Final, TypeAlias

from _services import Call, Script, Sound, silences_s

Speak: TypeAlias = Callable[[Call], Awaitable[None]]

# Calls begin at random instants within so many seconds, the same in each run.
SPREAD_S: Final = 1.5
SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Figures:
    """What a crowd showed.

    Attributes:
        cpu_ms: CPU time of the process, a reply.
        late_ms: How much later than in a call that is alone a sentence began: 95 of 100 were no later.
        latest_ms: How much later the latest one began.
        silence_ms: How much silence a call had between sentences, on average, and would not have had alone.
        memory_kib: How much the process grew at most, a reply.
        is_right: Whether each caller heard all sentences in order.
    """

    cpu_ms: float
    late_ms: float
    latest_ms: float
    silence_ms: float
    memory_kib: float
    is_right: bool


async def alone(speak: Speak, script: Script) -> list[Sound]:
    """Return what the caller hears of one reply."""
    call = Call(script)
    await speak(call)
    await call.line.silent()
    return call.heard()


async def crowd(speak: Speak, script: Script, calls: int, expected: Sequence[Sound]) -> Figures:
    """Let many replies be spoken at the same time, in real time.

    Args:
        speak: Who speaks.
        script: What each call's services do.
        calls: How many calls.
        expected: What a call hears that is `alone`.
    """
    instants = Random(SEED)  # noqa: S311  # no secret

    async def one(begins_after_s: float) -> list[Sound]:
        await asyncio.sleep(begins_after_s)
        return await alone(speak, script)

    # The collector stays on, as a server would have it.
    gc.collect()
    peak_kib, cpu_s = peak_memory_kib(), time.process_time()
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one(instants.uniform(0, SPREAD_S))) for _ in range(calls)]
    cpu_s = time.process_time() - cpu_s
    heard = [task.result() for task in running]

    due_s = starts_s(expected)
    late_ms = [
        (start_s - due_s[sentence]) * 1e3
        for call in heard
        for sentence, start_s in starts_s(call).items()
        if sentence in due_s
    ]
    return Figures(
        cpu_ms=cpu_s / calls * 1e3,
        late_ms=quantiles(late_ms, n=20, method="inclusive")[-1],
        latest_ms=max(late_ms),
        silence_ms=fmean(sum(silences_s(call)) - sum(silences_s(expected)) for call in heard) * 1e3,
        memory_kib=(peak_memory_kib() - peak_kib) / calls,
        is_right=all(list(starts_s(call)) == list(range(script.sentences)) for call in heard),
    )


def starts_s(heard: Sequence[Sound]) -> dict[int, float]:
    """Return when each sentence began, in the order in which they did."""
    starts: dict[int, float] = {}
    for sound in heard:
        starts.setdefault(sound.sentence, sound.start_s)
    return starts


def peak_memory_kib() -> float:
    """Return how much memory the process had at most so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "darwin" else peak
