"""When a caller hears what, by how the bot speaks its reply: in virtual time, exact.

How it reckons:

1. Time is counted from the end of the caller's speech. Speech-to-text (STT) takes 7 ms. The language model
   (LLM) writes a sentence of 40 characters each 800 ms, and the voice (TTS) gives its 1.5 s of audio after
   400 ms, unless the scenario says otherwise.
2. A play call is accepted after 240 ms, and sound begins 200 ms later. A clip that is accepted while another
   one sounds follows it without a gap. A streaming player needs no call, and plays audio as it comes.
3. A batch bot was measured to take 5,945 ms to the first audio. Its stated parts are 5,466: 7 for STT, 4,619
   for the LLM's whole reply, 400 for TTS, 440 for the play call and the start of sound. The other 479 ms are
   taken for the wait for its slowest request: the last sentence takes 879 ms, whoever asks for it.
4. In vain is what the voice was asked for and the caller did not hear, in characters, when she barges in
   after 2.5 s. A sentence that was cut off counts by the share of its audio.

Run it: ``python benchmarks/latency.py``, for one table ``python benchmarks/latency.py --scenario jitter``.
"""

import argparse
import json
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby, pairwise
from typing import Final

import anyio
from _strategies import AUDIO_S, STRATEGIES, Call, Services, Strategy

from ordered_pipeline.testing import SpeechScript, run_in_virtual_time
from ordered_pipeline.voice import SpeechPolicy

BARGE_IN_S: Final = 2.5
# Whatever is not over by then never is.
_GIVEN_UP_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """What the services do, and whether the caller barges in while the reply is spoken."""

    title: str
    services: Services
    barge_in_s: float = math.inf


def _jitter() -> dict[int, SpeechScript]:
    seconds = random.Random(1)  # noqa: S311  # a seed, no secret
    return {
        sentence: SpeechScript(first_audio_s=round(seconds.uniform(0.2, 0.9), 3), audio_s=AUDIO_S)
        for sentence in range(10)
    }


USUAL: Final = SpeechScript(first_audio_s=0.4, audio_s=AUDIO_S)

SCENARIOS: Final[dict[str, Scenario]] = {
    "given": Scenario(
        "Three sentences, as given",
        Services(reply_s=4.619, exceptions={2: replace(USUAL, first_audio_s=0.879)}),
    ),
    "T4": Scenario(
        "T4: the LLM writes a sentence each 100 ms, TTS takes 900 ms to its first audio, five sentences",
        Services(
            sentences=5,
            sentence_s=0.1,
            # The rest comes four times as fast as it sounds.
            speech=SpeechScript(first_audio_s=0.9, audio_s=AUDIO_S, chunk_s=0.1, pace=0.25),
        ),
    ),
    "jitter": Scenario(
        "TTS takes between 200 and 900 ms, ten sentences", Services(sentences=10, exceptions=_jitter())
    ),
    "slow": Scenario(
        "TTS takes 2.0 s for 1.5 s of audio, ten sentences",
        Services(sentences=10, speech=replace(USUAL, first_audio_s=2.0)),
    ),
    "failing": Scenario(
        "TTS fails for sentence 3 of 5, after 400 ms",
        Services(
            sentences=5,
            exceptions={2: replace(USUAL, breaks_after_s=0.0, error=ConnectionError("no answer"))},
        ),
    ),
    "hanging": Scenario(
        "TTS never answers for sentence 3 of 5; this library waits 1 s for first audio, and tries twice",
        Services(
            sentences=5,
            exceptions={2: SpeechScript(breaks_after_s=0.0)},
            policy=SpeechPolicy(first_audio_s=1.0, tries=2),
        ),
    ),
    "barge-in": Scenario(
        "The caller barges in after 2.5 s; the LLM writes a sentence each 100 ms, ten sentences",
        Services(sentences=10, sentence_s=0.1),
        barge_in_s=BARGE_IN_S,
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """What the caller hears with one strategy. Times are in milliseconds from the end of her speech.

    Attributes:
        strategy: Its name.
        first_audio_ms: When she hears the first; None if nothing.
        gaps_ms: The silence before each further clip that was heard.
        end_ms: When all is over; None for never.
        heard: How many sentences she hears, or parts of them.
        requests: The most requests to TTS at a time.
        in_vain: How many characters TTS was asked for in vain, when she barges in.
    """

    strategy: str
    first_audio_ms: float | None
    gaps_ms: list[float]
    end_ms: float | None
    heard: int
    requests: int
    in_vain: int


def row(strategy: Strategy, scenario: Scenario) -> Row:
    """Return what the caller hears; the last column may take a second turn, in which she barges in."""
    call, end_s = run_in_virtual_time(take_turn, strategy, scenario.services, scenario.barge_in_s)
    interrupted, _ = run_in_virtual_time(take_turn, strategy, scenario.services, BARGE_IN_S)
    sounds = call.player.sounds
    return Row(
        strategy.name,
        in_ms(sounds[0].start_s) if sounds else None,
        [in_ms(after.start_s - before.end_s) for before, after in pairwise(sounds)],
        None if end_s is None else in_ms(end_s),
        len({sound.segment.index for sound in sounds}),
        call.voice.most_running,
        in_vain(interrupted),
    )


async def take_turn(strategy: Strategy, services: Services, barge_in_s: float) -> tuple[Call, float | None]:
    """Return a call in which the reply was spoken, and when that was over; None for never."""
    call = Call(services, is_streaming=strategy.is_streaming)
    end_s: float | None = None
    with anyio.move_on_after(min(barge_in_s, _GIVEN_UP_S)) as patience:
        await strategy.speak(call)
    if not patience.cancelled_caught or barge_in_s < _GIVEN_UP_S:
        end_s = anyio.current_time()
    await call.player.clear()
    return call, end_s


def in_vain(call: Call) -> int:
    """Return how many characters TTS was asked for that were not heard."""
    heard_s: defaultdict[int, float] = defaultdict(float)
    for sound in call.player.sounds:
        heard_s[sound.segment.index] += sound.end_s - sound.start_s
    asked = {request.segment.index: request.segment.text.strip() for request in call.voice.requests}
    wasted = sum(len(request.segment.text.strip()) for request in call.voice.requests)
    return wasted - sum(round(len(text) * heard_s[index] / AUDIO_S) for index, text in asked.items())


def in_ms(seconds: float) -> float:
    # Times are sums of floats: a gap of nothing may be a little less.
    return round(seconds * 1000, 3) + 0.0


def cells(row: Row) -> list[str]:
    return [
        row.strategy,
        in_words(row.first_audio_ms, "nothing"),
        grouped(row.gaps_ms),
        in_words(row.end_ms, "never"),
        str(row.heard),
        str(row.requests),
        str(row.in_vain),
    ]


def in_words(milliseconds: float | None, otherwise: str) -> str:
    return otherwise if milliseconds is None else f"{milliseconds:,.0f} ms"


def grouped(gaps_ms: Sequence[float]) -> str:
    """Return the gaps in order, equal neighbours together."""
    runs = [(gap_ms, len(list(run))) for gap_ms, run in groupby(gaps_ms)]
    return ", ".join(f"{count} × {gap:,.0f} ms" if count > 1 else f"{gap:,.0f} ms" for gap, count in runs)


def markdown(scenario: Scenario, rows: Sequence[Row]) -> str:
    head = ["", "first audio", "gaps", "end", "heard", "most requests", "in vain"]
    lines = [f"**{scenario.title}**", "", f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(cells(row))} |" for row in rows)])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="one of them; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()

    names = arguments.scenario or SCENARIOS
    tables = {name: [row(strategy, SCENARIOS[name]) for strategy in STRATEGIES] for name in names}
    if arguments.json:
        print(json.dumps({name: [asdict(row) for row in rows] for name, rows in tables.items()}))
    else:
        print("\n\n".join(markdown(SCENARIOS[name], rows) for name, rows in tables.items()))


if __name__ == "__main__":
    main()
