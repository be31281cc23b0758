"""The same reply by voice frameworks, in real time: when it starts, how often it is silent, what it costs.

How it measures:

1. Each contender has an environment of its own, made when it is not there, with the versions below. A
   child process for each scenario and round speaks one short reply to warm up.
2. The services are the same for all (`_services.py`). The voice is asked by one request a sentence; whoever
   takes the audio takes it at once. A contender's settings are its defaults.
3. Times count from the end of the caller's turn; speech-to-text takes 7 ms of them. Sound is counted sample
   by sample: silence is what the caller hears of it, whoever made it.
4. A cell shows the median of the rounds. A hundred calls are in one process, and begin at random instants
   within 1.5 s. Late is how much later a sentence begins than in a call that is alone. CPU time is that of
   the process, the services' own included.

Run it: ``python benchmarks/frameworks.py``, on a quiet machine, twenty minutes. It needs a package
index, a gigabyte of disk for the environments, and nothing installed but Python. Not all at once:
``python benchmarks/frameworks.py --only ours,pipecat --rounds 1``.
"""

import argparse
import asyncio
import importlib
import json
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from _crowd import alone, crowd, starts_s
from _services import Call, Script, silences_s

ROOT: Final = Path(__file__).resolve().parents[1]
CALLS: Final = 100


@dataclass(frozen=True, slots=True)
class Contender:
    """Who speaks: the module beside this one that has `speak`, and what it needs.

    Attributes:
        module: The module.
        package: Whose version is shown; None if there is none.
        requirements: What pip installs.
    """

    module: str
    package: str | None = None
    requirements: tuple[str, ...] = ()


# Newest in November 2026.
CONTENDERS: Final = {
    "gather": Contender("_gather"),
    "bare": Contender("_bare", None, ("--editable", str(ROOT))),
    "openai-agents": Contender("_openai_agents", "openai-agents", ("openai-agents[voice]==0.24.0",)),
    "pipecat": Contender("_pipecat", "pipecat-ai", ("pipecat-ai==1.14.0",)),
    "livekit": Contender("_livekit", "livekit-agents", ("livekit-agents==1.8.9",)),
    "ours": Contender("_ours", "ordered-pipeline", ("--editable", str(ROOT))),
}

SCENARIOS: Final = {
    "Three sentences": Script(),
    "A voice that takes 2.0 s for 1.5 s of audio, ten sentences": Script(sentences=10, tts_s=2.0),
    "A hundred calls in one process, ten sentences": Script(sentences=10),
}
CROWD: Final = "A hundred calls in one process, ten sentences"
WARM_UP: Final = Script(sentences=1, word_s=0.01, tts_s=0.01, audio_s=0.1)

ONE_COLUMNS: Final = ("first audio", "silence", "in so many places", "over", "requests at a time")
CROWD_COLUMNS: Final = ("CPU time a reply", "late, p95", "at most", "silence a call")


# ---------------------------------------------------------------- in a contender's environment


async def play(contender: Contender, scenario: str) -> dict[str, float]:
    """Return what the columns of *scenario* show."""
    speak = importlib.import_module(contender.module).speak
    script = SCENARIOS[scenario]
    await alone(speak, WARM_UP)
    if scenario == CROWD:
        figures = await crowd(speak, script, CALLS, await alone(speak, script))
        assert figures.is_right, "a caller did not hear all sentences in order"
        shown = figures.cpu_ms, figures.late_ms, figures.latest_ms, figures.silence_ms
        return dict(zip(CROWD_COLUMNS, shown, strict=True))
    call = Call(script)
    await speak(call)
    await call.line.silent()
    heard = call.heard()
    assert list(starts_s(heard)) == list(range(script.sentences)), "not all sentences were heard in order"
    gaps_s = silences_s(heard)
    times_ms = heard[0].start_s * 1e3, sum(gaps_s) * 1e3, len(gaps_s), heard[-1].end_s * 1e3
    return dict(zip(ONE_COLUMNS, (*times_ms, call.voice.most_requests), strict=True))


def play_here(name: str, scenario: str) -> None:
    """Play a scenario, and print what it showed as JSON, in the last line."""
    contender = CONTENDERS[name]
    shown = asyncio.run(play(contender, scenario))
    named = f"{name} {version(contender.package)}" if contender.package else name
    print("\n" + json.dumps({"contender": named, "scenario": scenario, "shown": shown}))


# ---------------------------------------------------------------- environments and tables


@dataclass(frozen=True, slots=True)
class Row:
    """What one contender showed in one scenario: the rounds' figures by column."""

    scenario: str
    contender: str
    shown: Mapping[str, Sequence[float]]


def environment(folder: Path, contender: Contender) -> Path:
    """Return the Python of a contender's environment; make it if it is not there."""
    if not contender.requirements:
        return Path(sys.executable)
    place = folder / contender.module.strip("_")
    python = Path(sysconfig.get_path("scripts", "venv", {"base": str(place)})) / "python"
    done = place / "requirements.txt"
    wanted = "\n".join(contender.requirements)
    if not done.exists() or done.read_text("utf-8") != wanted:
        venv.create(place, clear=True, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *contender.requirements]
        subprocess.run(install, check=True)  # noqa: S603  # what is written above
        done.write_text(wanted, "utf-8")
    return python


def play_there(python: Path, name: str, scenario: str) -> dict[str, Any]:
    """Play a scenario in a contender's environment."""
    command = [str(python), "-W", "ignore", __file__, "--play", name, scenario]
    ran = subprocess.run(  # noqa: S603  # this script
        command, check=False, stdout=subprocess.PIPE, text=True, timeout=300
    )
    if ran.returncode:
        sys.exit(f"{name} could not play {scenario!r}")
    result: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return result


def markdown(rows: Sequence[Row]) -> str:
    """Return a table for each scenario: a row a contender."""
    tables: list[str] = []
    for scenario in dict.fromkeys(row.scenario for row in rows):
        columns = CROWD_COLUMNS if scenario == CROWD else ONE_COLUMNS
        lines = [f"**{scenario}**", "", f"| | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
        for row in rows:
            if row.scenario == scenario:
                cells = (cell(column, median(row.shown[column])) for column in columns)
                lines.append(f"| {row.contender} | {' | '.join(cells)} |")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def cell(column: str, figure: float) -> str:
    if column in {"in so many places", "requests at a time"}:
        return f"{figure:.0f}"
    return f"{figure:,.1f} ms" if column in CROWD_COLUMNS else f"{figure:,.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument("--only", default=",".join(CONTENDERS), help="contenders (%(default)s)")
    parser.add_argument("--environments", type=Path, help="the folder for them (one for temporary files)")
    parser.add_argument("--json", action="store_true", help="print every figure as JSON instead of tables")
    parser.add_argument("--play", nargs=2, metavar=("CONTENDER", "SCENARIO"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.play:
        play_here(*arguments.play)
        return
    names = arguments.only.split(",")
    if unknown := set(names) - set(CONTENDERS):
        parser.error(f"--only must name some of {', '.join(CONTENDERS)}, got {', '.join(sorted(unknown))}")

    folder = arguments.environments or Path(tempfile.gettempdir()) / "ordered-pipeline-frameworks"
    pythons = {name: environment(folder, CONTENDERS[name]) for name in names}
    rows: list[Row] = []
    for scenario in SCENARIOS:
        # They take turns, round after round.
        played = [
            [play_there(pythons[name], name, scenario) for name in names] for _ in range(arguments.rounds)
        ]
        for results in zip(*played, strict=True):
            columns = results[0]["shown"]
            shown = {column: tuple(result["shown"][column] for result in results) for column in columns}
            rows.append(Row(scenario, results[0]["contender"], shown))
    print(json.dumps([*map(asdict, rows)]) if arguments.json else markdown(rows))


if __name__ == "__main__":
    main()
