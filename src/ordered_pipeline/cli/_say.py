"""The command `say`: puts the parts together, and turns what goes wrong into one line and a status."""

import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing
from dataclasses import asdict
from typing import Final

import anyio

from ordered_pipeline.cli._arguments import SayOptions
from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._files import OutputFile, WavFile
from ordered_pipeline.cli._outputs import Announcer, FilePlayer, Recorder
from ordered_pipeline.cli._services import open_speaker, open_voice
from ordered_pipeline.cli._speech import Run, Tape, speak_gathered, speak_in_order
from ordered_pipeline.cli._terminal import Progress, show, tell, terminal_width
from ordered_pipeline.cli._text import open_text
from ordered_pipeline.voice import AudioFormat, Player, chrome_trace, html_page

# How much of a long text is repeated after Ctrl-C: three lines or so.
_EXCERPT: Final = 240
_NAMES: Final = ("in order", "gather")


def say(options: SayOptions) -> Exit:
    """Do what *options* ask for. What goes wrong is told on standard error, and by the status returned."""
    runs: list[Run] = []
    progress = Progress(sys.stderr)
    status = Exit.DONE
    try:
        with ExitStack() as files:
            # Before anything is spoken: what cannot be written is told now.
            html, trace = (
                None if path is None else files.enter_context(OutputFile(path))
                for path in (options.html, options.trace)
            )
            try:
                anyio.run(_say, options, runs, progress)
            except KeyboardInterrupt:
                status = Exit.INTERRUPTED
            progress.clear()
            if status is Exit.INTERRUPTED:
                _tell_interruption(runs)
            if runs:
                status = _report(options, runs, status)
                timelines = {name: run.timeline for name, run in zip(_NAMES, runs, strict=False)}
                if html is not None:
                    html.write(html_page(timelines, title="ordered-pipeline say").encode())
                if trace is not None:
                    trace.write(chrome_trace(timelines).encode())
    except Failure as failure:
        progress.clear()
        tell(f"ordered-pipeline: {failure}")
        return failure.status
    return status


async def _say(options: SayOptions, runs: list[Run], progress: Progress) -> None:
    """Speak, and leave a run of it; with `compare` a second one."""
    progress.show("waiting for text")
    async with aclosing(await open_text(options.text, options.file)) as text, AsyncExitStack() as stack:
        voice = await stack.enter_async_context(open_voice(concurrency=options.prefetch))
        plays = options.play or options.out is None
        speaker = await stack.enter_async_context(open_speaker(voice.format)) if plays else None
        wav = None
        if options.out is not None:
            wav = WavFile(stack.enter_context(OutputFile(options.out)), voice.format)
        tape = Tape()
        await speak_in_order(
            tape.record(text),
            tts=voice,
            player=Announcer(_player(speaker, wav, voice.format), progress),
            prefetch=options.prefetch,
            runs=runs,
        )
        if options.compare:
            progress.show("the gather way: waits for all of the text, and for all of its audio")
            player = Announcer(_player(speaker, None, voice.format), progress)
            await speak_gathered(tape.replay(), tts=voice, player=player, runs=runs)


def _player(speaker: Player | None, wav: WavFile | None, audio_format: AudioFormat) -> Player:
    if speaker is None:
        return FilePlayer(audio_format, wav)
    return speaker if wav is None else Recorder(speaker, wav)


def _report(options: SayOptions, runs: Sequence[Run], status: Exit) -> Exit:
    """Print the report, and return the status that the command has then."""
    if options.json:
        printed = show(_json(options, runs, is_interrupted=status is Exit.INTERRUPTED))
    elif status is Exit.INTERRUPTED:
        return status
    else:
        printed = show(_text(options, runs))
    return status or printed


def _text(options: SayOptions, runs: Sequence[Run]) -> str:
    width = terminal_width(sys.stdout)
    end_s = max(run.timeline.span_s[1] for run in runs)
    titles = _NAMES if options.compare else ("",)
    parts = [
        run.timeline.waterfall(width=width, title=title, end_s=end_s)
        for title, run in zip(titles, runs, strict=True)
    ]
    first = [run.timeline.first_audio_s for run in runs if run.timeline.first_audio_s is not None]
    if len(first) > 1:
        later_s = first[1] - first[0]
        parts.append(f"gather began to sound {abs(later_s):.3f} s {'later' if later_s >= 0 else 'earlier'}")
    if options.out is not None and not options.play:
        parts.append(
            f"written to {options.out}; the times are those of a listener who plays it while it grows"
        )
    return "\n\n".join(parts)


def _json(options: SayOptions, runs: Sequence[Run], *, is_interrupted: bool) -> str:
    data: dict[str, object] = {
        "interrupted": is_interrupted,
        "prefetch": options.prefetch,
        "out": options.out,
        "played": options.play or options.out is None,
        **_as_data(runs[0]),
    }
    if options.compare:
        data["gather"] = _as_data(runs[1]) if len(runs) > 1 else None
    return json.dumps(data, indent=2, ensure_ascii=False)


def _as_data(run: Run) -> dict[str, object]:
    return {"heard": asdict(run.heard), "timeline": run.timeline.as_dict()}


def _tell_interruption(runs: Sequence[Run]) -> None:
    heard_s = sum(times.played_s or 0.0 for times in runs[-1].timeline.segments) if runs else 0.0
    if not heard_s:
        tell("ordered-pipeline: interrupted before anything was spoken")
        return
    spoken = " ".join(runs[-1].heard.text.split())
    unspoken = " ".join(runs[-1].heard.unheard.split())
    tell(f"ordered-pipeline: interrupted after {heard_s:.3f} s of speech")
    tell(f"spoken:     {spoken if len(spoken) <= _EXCERPT else '…' + spoken[-_EXCERPT:]}")
    tell(f"not spoken: {unspoken if len(unspoken) <= _EXCERPT else unspoken[:_EXCERPT] + '…'}")
