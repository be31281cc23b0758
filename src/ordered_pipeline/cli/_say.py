"""The command `say`: puts the parts together, and turns what goes wrong into one line and a status."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import aclosing, nullcontext
from typing import Final

import anyio

from ordered_pipeline.cli._arguments import Options
from ordered_pipeline.cli._columns import terminal_width
from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._ledger import Ledger, Report
from ordered_pipeline.cli._outputs import WavFile
from ordered_pipeline.cli._progress import Progress
from ordered_pipeline.cli._report import as_data, in_encoding, summary, waterfall
from ordered_pipeline.cli._services import open_listener, open_speaker, open_voice
from ordered_pipeline.cli._speech import Run, replay, speak_gathered, speak_in_order
from ordered_pipeline.cli._text import open_text

# How much of a long text is repeated after Ctrl-C: three lines or so.
_EXCERPT: Final = 240


def say(options: Options) -> Exit:
    """Do what *options* ask for. What goes wrong is told on standard error, and by the status returned."""
    ledgers: list[Ledger] = []
    progress = Progress(sys.stderr)
    is_interrupted = False
    try:
        anyio.run(_say, options, ledgers, progress)
    except Failure as failure:
        progress.clear()
        _tell(str(failure))
        return failure.status
    except KeyboardInterrupt:
        is_interrupted = True
    progress.clear()
    reports = [ledger.report() for ledger in ledgers]
    status = Exit.DONE
    if is_interrupted:
        _tell_interruption(reports)
    if reports and options.json:
        status = _print(_json(options, reports, is_interrupted=is_interrupted))
    elif reports and not is_interrupted:
        status = _print(_text(options, reports))
    return Exit.INTERRUPTED if is_interrupted else status


async def _say(options: Options, ledgers: list[Ledger], progress: Progress) -> None:
    """Speak, and leave a ledger of it; with `compare` a second one."""
    begin_s = anyio.current_time()
    progress.show("waiting for text")
    open_output = open_speaker if options.play or options.out is None else open_listener
    async with (
        aclosing(await open_text(options.text, options.file)) as deltas,
        open_voice(concurrency=options.prefetch) as voice,
    ):
        async with open_output(voice.format) as output:
            with nullcontext() if options.out is None else WavFile(options.out, voice.format) as wav:
                ledger = Ledger(voice.format, begin_s)
                ledgers.append(ledger)
                await speak_in_order(
                    deltas, Run(voice, output, wav, ledger, progress), prefetch=options.prefetch
                )
        if options.compare:
            progress.show("the gather way: waits for all of the text, and for all of its audio")
            async with open_output(voice.format) as output:
                gathered = Ledger(voice.format, anyio.current_time())
                ledgers.append(gathered)
                again = replay(ledger.deltas, ledger.text_end_s)
                await speak_gathered(again, Run(voice, output, None, gathered, progress))


def _text(options: Options, reports: Sequence[Report]) -> str:
    width = terminal_width(sys.stdout)
    end_s = max(report.end_s for report in reports) or 1.0
    titles = ("in order", "gather") if options.compare else ("",)
    parts = [
        f"{waterfall(report, title=title, width=width, end_s=end_s)}\n{summary(report)}"
        for title, report in zip(titles, reports, strict=True)
    ]
    first = [report.first_audio_s for report in reports if report.first_audio_s is not None]
    if len(first) > 1:
        parts.append(f"gather began to sound {first[1] - first[0]:.3f} s later")
    if options.out is not None and not options.play:
        parts.append(
            f"written to {options.out}; the times are those of a listener who plays it while it grows"
        )
    return "\n\n".join(parts)


def _json(options: Options, reports: Sequence[Report], *, is_interrupted: bool) -> str:
    data = {
        "interrupted": is_interrupted,
        "prefetch": options.prefetch,
        "out": options.out,
        "played": options.play or options.out is None,
        **as_data(reports[0]),
    }
    if options.compare:
        data["gather"] = as_data(reports[1]) if len(reports) > 1 else None
    return json.dumps(data, indent=2, ensure_ascii=False)


def _tell(message: str) -> None:
    _to_stderr(f"ordered-pipeline: {message}")


def _tell_interruption(reports: Sequence[Report]) -> None:
    if not reports or reports[-1].first_audio_s is None:
        _tell("interrupted before anything was spoken")
        return
    spoken = " ".join(reports[-1].spoken.split())
    unspoken = " ".join(reports[-1].unspoken.split())
    _tell(f"interrupted after {reports[-1].speech_s:.3f} s of speech")
    _to_stderr(f"spoken:     {spoken if len(spoken) <= _EXCERPT else '…' + spoken[-_EXCERPT:]}")
    _to_stderr(f"not spoken: {unspoken if len(unspoken) <= _EXCERPT else unspoken[:_EXCERPT] + '…'}")


def _to_stderr(line: str) -> None:
    # None: the process was started with it closed.
    if sys.stderr is not None:
        print(in_encoding(line, sys.stderr.encoding), file=sys.stderr)  # noqa: T201  # a command prints


def _print(report: str) -> Exit:
    if sys.stdout is None:  # as above
        return Exit.DONE
    try:
        print(in_encoding(report, sys.stdout.encoding), flush=True)  # noqa: T201  # a command prints
    except OSError as error:
        # What could not be written is still in the buffer, and would fail again when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return Exit.BROKEN_PIPE
        _tell(f"the report cannot be written: {error.strerror}")
        return Exit.UNWRITABLE
    return Exit.DONE
