import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ordered_pipeline.testing import run_in_virtual_time

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

FIGURES = {"cpu_ms", "late_ms", "latest_ms", "silence_ms", "memory_kib", "is_right"}


@pytest.fixture
def concurrency(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("concurrency")


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("_services")


@pytest.fixture(scope="module")
def quick() -> dict[str, Any]:
    command = [sys.executable, str(BENCHMARKS / "concurrency.py"), "--quick", "--rounds", "1", "--json"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100).stdout
    tables: dict[str, Any] = json.loads(printed)["tables"]
    return tables


def test_every_contender_lets_every_caller_hear_all_sentences_in_order(quick: dict[str, Any]) -> None:
    assert list(quick) == ["4 calls, a sentence at a time", "4 calls, 20 ms at a time"]
    for shown in quick.values():
        assert list(shown) == ["services", "bare", "ours"]
        for figures in (*shown["bare"], *shown["ours"]):
            assert set(figures) == FIGURES
            assert figures["is_right"]


# In virtual time nothing else takes time: each start is a sum of what the services state. Ours waits for the
# character after the first full stop, 25 ms.
@pytest.mark.parametrize(("contender", "first_s"), [("bare", 1.207), ("ours", 1.232)])
@pytest.mark.parametrize("script", ["WHOLE", "FRAMES"])
def test_a_call_that_is_alone_is_never_silent(
    concurrency: ModuleType, contender: str, first_s: float, script: str
) -> None:
    crowd = importlib.import_module("_crowd")

    heard = run_in_virtual_time(crowd.alone, concurrency.CONTENDERS[contender], getattr(concurrency, script))

    assert [round(sound.start_s, 6) for sound in heard] == [round(first_s + 1.5 * n, 6) for n in range(10)]


def test_a_slow_voice_is_made_up_for_by_three_requests_in_flight(
    concurrency: ModuleType, services: ModuleType
) -> None:
    call = services.Call(services.Script(sentences=10, tts_s=2.0))

    run_in_virtual_time(concurrency.CONTENDERS["ours"], call)

    assert services.silences_s(call.heard()) == []
    assert call.voice.most_requests == 3


def test_the_line_tells_what_the_caller_hears(services: ModuleType) -> None:
    first, second = (b"".join(services.audio_of(services.Script(), n)) for n in range(2))
    line = services.Line()

    async def put() -> None:
        # The first is cut, so that a piece has sound of both.
        for audio in (first[:-480], first[-480:] + bytes(480) + second):
            line.put(audio)

    run_in_virtual_time(put)

    zero_s = line.heard[0].start_s
    assert [(sound.sentence, round(sound.end_s - zero_s, 6)) for sound in line.heard] == [(0, 1.5), (1, 3.01)]
    assert services.silences_s(line.heard) == [pytest.approx(0.01, abs=1e-9)]


def test_a_caller_who_misses_a_sentence_makes_a_row_wrong(concurrency: ModuleType) -> None:
    crowd = importlib.import_module("_crowd")
    right = crowd.Figures(2.0, 1.0, 2.0, 0.0, 100.0, is_right=True)
    wrong = crowd.Figures(1.0, 1.0, 2.0, 0.0, 100.0, is_right=False)

    table = concurrency.markdown("table", {"services": [right], "bare": [right], "ours": [wrong]})

    assert table.splitlines()[-2:] == [
        "| bare | 2.0 ms | 1 | 1.0 ms | 2.0 ms | 0.0 ms | 100 KiB |",
        "| ours | 1.0 ms | 0.50 (0.50-0.50) | WRONG | WRONG | WRONG | 100 KiB |",
    ]
