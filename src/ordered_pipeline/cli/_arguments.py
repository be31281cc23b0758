"""The command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from ordered_pipeline.cli._failures import MEANINGS


@dataclass(frozen=True, slots=True)
class Options:
    """What `say` was asked to do."""

    text: str | None
    file: str | None
    out: str | None
    play: bool
    prefetch: int
    json: bool
    compare: bool
    html: str | None
    trace: str | None


def parse(arguments: Sequence[str] | None) -> Options:
    """Return the options in *arguments*, by default those of the process.

    Raises:
        SystemExit: They are wrong (2), or ask for help or the version (0); what there is to say has been
            printed.
    """
    parser = argparse.ArgumentParser(
        prog="ordered-pipeline", description="Transform ahead, concurrently, and hand over in order."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    say = commands.add_parser(
        "say",
        help="speak text while it is still being written",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Speak text sentence by sentence, while the rest comes:\n\n  some-llm | %(prog)s",
        epilog="exit status:\n"
        + "\n".join(f"  {status:<3} {meaning}" for status, meaning in MEANINGS.items()),
    )
    source = say.add_mutually_exclusive_group()
    source.add_argument("text", nargs="?", metavar="TEXT", help="what to say; without it, standard input")
    source.add_argument("--file", metavar="FILE", help="read the text from FILE")
    say.add_argument(
        "--out", metavar="FILE", help="write a WAV file instead of playing; it is valid while it grows"
    )
    say.add_argument("--play", action="store_true", help="with --out: play as well")
    say.add_argument(
        "--prefetch",
        type=_prefetch,
        default=3,
        metavar="N",
        help="segments in flight at most (default: %(default)s)",
    )
    say.add_argument("--compare", action="store_true", help="do it once more the gather way and show both")
    say.add_argument("--json", action="store_true", help="print the report as JSON")
    say.add_argument("--html", metavar="FILE", help="write the report as a page to look at")
    say.add_argument("--trace", metavar="FILE", help="write the report as a trace for Perfetto or Chrome")
    return Options(**vars(parser.parse_args(arguments)))


def _version() -> str:
    try:
        return version("ordered-pipeline")
    except PackageNotFoundError:
        return "(not installed)"


def _prefetch(given: str) -> int:
    try:
        prefetch = int(given)
    except ValueError:
        prefetch = 0
    if prefetch < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 up, got {given!r}")
    return prefetch
