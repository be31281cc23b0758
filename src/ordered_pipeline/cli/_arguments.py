"""The command line."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal, TypeAlias, get_args

from ordered_pipeline.cli._failures import MEANINGS

VoiceName: TypeAlias = Literal["espeak", "piper"]


@dataclass(frozen=True, slots=True)
class SayOptions:
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


@dataclass(frozen=True, slots=True)
class TalkOptions:
    """What `talk` was asked to do."""

    wav: str | None
    out: str | None
    voice: VoiceName
    llm: str | None
    model: str | None
    key_from: str | None
    system: str | None
    greeting: str
    barge_in: bool
    html: str | None


def parse(arguments: Sequence[str] | None) -> SayOptions | TalkOptions:
    """Return the options in *arguments*, by default those of the process.

    Raises:
        SystemExit: They are wrong (2), or ask for help or the version (0); what there is to say has been
            printed.
    """
    parser = argparse.ArgumentParser(
        prog="ordered-pipeline", description="Transform ahead, concurrently, and hand over in order."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    say = commands.add_parser(
        "say",
        help="speak text while it is still being written",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Speak text sentence by sentence, while the rest comes:\n\n  some-llm | %(prog)s",
        epilog=_statuses("say"),
    )
    talk = commands.add_parser(
        "talk",
        help="hear and answer, all on this machine",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Hear and answer: microphone, ears, ELIZA or a language model, voice, speaker.\n"
        "Nothing leaves this machine but by --llm. Ctrl-C ends it.",
        epilog=_statuses("talk"),
    )
    _add_say(say)
    _add_talk(talk)
    options = vars(parser.parse_args(arguments))
    if options.pop("command") == "say":
        return SayOptions(**options)
    if (told := _missing(options)) is not None:
        talk.error(told)
    return TalkOptions(**options)


def _add_say(say: argparse.ArgumentParser) -> None:
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


def _add_talk(talk: argparse.ArgumentParser) -> None:
    talk.add_argument(
        "--wav", metavar="FILE", help="hear a WAV file, at the pace of its sound, instead of the microphone"
    )
    talk.add_argument(
        "--out",
        metavar="FILE",
        help="write the answers to a WAV file, each where it would be heard, instead of playing",
    )
    talk.add_argument(
        "--voice", choices=get_args(VoiceName), default="espeak", help="who speaks (default: %(default)s)"
    )
    talk.add_argument(
        "--llm", metavar="URL", help="ask an OpenAI-compatible server, like http://localhost:8080/v1"
    )
    talk.add_argument("--model", metavar="NAME", help="with --llm: the server's name for the model")
    talk.add_argument(
        "--key-from", metavar="VARIABLE", help="with --llm: the environment variable that holds the API key"
    )
    talk.add_argument("--system", metavar="TEXT", help="with --llm: what the model is told first")
    talk.add_argument("--greeting", metavar="TEXT", default="", help="what is said to the caller first")
    talk.add_argument(
        "--no-barge-in",
        dest="barge_in",
        action="store_false",
        help="hear nothing while an answer sounds: for a loudspeaker that the microphone hears, which would "
        "interrupt itself; with headphones it is not needed",
    )
    talk.add_argument("--html", metavar="FILE", help="write all turns as a page to look at")


def _missing(options: Mapping[str, object]) -> str | None:
    """Return what options of `talk` lack another one, as text; None where none does."""
    if options["llm"] is not None:
        return "--llm needs --model" if options["model"] is None else None
    for name in ("model", "key_from", "system"):
        if options[name] is not None:
            return f"--{name.replace('_', '-')} needs --llm"
    return None


def _statuses(command: str) -> str:
    return "exit status:\n" + "\n".join(
        f"  {status:<3} {meaning}" for status, meaning in MEANINGS[command].items()
    )


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
