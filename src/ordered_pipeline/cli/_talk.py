"""The command `talk`: puts the parts together, and tells what happens while it does."""

import sys
from contextlib import AsyncExitStack, ExitStack
from typing import Final

from anyio import current_time, run

from ordered_pipeline.cli._arguments import TalkOptions
from ordered_pipeline.cli._caller import open_caller
from ordered_pipeline.cli._failures import Exit, Failure
from ordered_pipeline.cli._files import OutputFile, WavFile
from ordered_pipeline.cli._outputs import Announcer
from ordered_pipeline.cli._services import (
    needed,
    open_ears,
    open_microphone,
    open_mind,
    open_speaker,
    open_voice,
)
from ordered_pipeline.cli._terminal import Progress
from ordered_pipeline.cli._track import Track
from ordered_pipeline.cli._turns import Log
from ordered_pipeline.voice import Message, Prefetch, converse, convert_audio

_PREFETCH: Final = Prefetch()
# Spoken where there is no answer at all.
_APOLOGY: Final = "I am sorry, I have no answer to that."


def talk(options: TalkOptions) -> Exit:
    """Do what *options* ask for. What goes wrong is told on standard error, and by the status returned."""
    progress = Progress(sys.stderr)
    log = Log(progress)
    try:
        with ExitStack() as files:
            # Before anybody speaks: what cannot be written is told now.
            html = None if options.html is None else files.enter_context(OutputFile(options.html))
            try:
                run(_talk, options, log, progress)
            except KeyboardInterrupt:
                log.interrupt()
            finally:
                # Also after a failure: what was said until then was said.
                if html is not None and log.turns:
                    html.write(log.page().encode())
    except Failure as failure:
        defaults = "; what talk needs by default is in 'ordered-pipeline[talk]'"
        log.complain(f"{failure}{defaults if failure.status is Exit.NO_EXTRA else ''}", failure.status)
        return failure.status
    progress.clear()
    return log.status


async def _talk(options: TalkOptions, log: Log, progress: Progress) -> None:
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        # What is wrong with a file is told before anything is loaded.
        caller = None if options.wav is None else await enter(open_caller(options.wav))
        out = None if options.out is None else stack.enter_context(OutputFile(options.out))
        progress.show("loading")
        llm = await enter(open_mind(options.llm, model=options.model, key_from=options.key_from))
        stt, vad, heard_format = await enter(open_ears())
        tts = await enter(open_voice(options.voice, concurrency=_PREFETCH.segments))
        begin_s = current_time()
        if caller is None:
            audio, audio_format = await enter(open_microphone())
        else:
            audio, audio_format = caller.speak(begin_s), caller.format
        with needed():
            heard = convert_audio(audio, audio_format, to=heard_format)
        player = (
            await enter(open_speaker(tts.format))
            if out is None
            else stack.enter_context(Track(WavFile(out, tts.format), tts.format, begin_s=begin_s))
        )
        conversation = converse(
            heard,
            audio_format=heard_format,
            stt=stt,
            vad=vad,
            llm=llm,
            tts=tts,
            player=Announcer(player, progress),
            history=() if options.system is None else [Message("system", options.system)],
            greeting=options.greeting,
            apology=_APOLOGY,
            barge_in=options.barge_in,
            prefetch=_PREFETCH,
        )
        try:
            async with conversation:
                log.listen()
                async for event in conversation:
                    log.add(event)
        finally:
            log.history = conversation.history
        if caller is not None and caller.missing_s:
            log.complain(
                f"{options.wav!r} is cut: {caller.missing_s:.1f} s of its sound are not there", Exit.DONE
            )
        if caller is not None and not log.has_words and not log.status:
            raise Failure(Exit.NOTHING, f"nobody spoke: no words were heard in {options.wav!r}")
