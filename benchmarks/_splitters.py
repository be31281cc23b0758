"""The contenders: the splitters that voice frameworks use, each as its framework calls it, and ours.

Rules, the same for all:

1. Each is reached by its own public interface and told to give plain sentences: least lengths are switched
   off.
2. Those that take a language are told it, where they know it.
3. One that only splits whole texts is asked anew after each delta, as one does who streams with it: all
   its sentences but the last go out.

Each factory takes a language and returns a function from deltas to sentences, each given out as soon as the
contender does. It raises `ImportError` where the library is not installed.
"""

import asyncio
import importlib
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator
from types import ModuleType
from typing import Any, Final, TypeAlias

from ordered_pipeline.voice import SentenceSplitter

Split: TypeAlias = Callable[[Iterable[str]], Iterator[str]]
Factory: TypeAlias = Callable[[str], Split]


def ours(language: str | None) -> Split:
    def split(deltas: Iterable[str]) -> Iterator[str]:
        splitter = sentences_alone(language)
        for delta in deltas:
            yield from splitter.push(delta)
        yield from splitter.flush()

    return split


def sentences_alone(language: str | None) -> SentenceSplitter:
    return SentenceSplitter(language=language, first_clause_characters=math.inf, shortest=1, longest=100_000)


def ours_untold(_: str) -> Split:
    return ours(None)


def pipecat(language: str) -> Split:
    """Pipecat's aggregator, over sentencex."""
    module = importlib.import_module("pipecat.utils.text.simple_text_aggregator")

    def split(deltas: Iterable[str]) -> Iterator[str]:
        aggregator = module.SimpleTextAggregator(language=language)
        for delta in deltas:
            found = aggregator.aggregate(delta)
            while (sentence := now(anext(found, None))) is not None:
                yield sentence.text
        if rest := now(aggregator.flush()):
            yield rest.text

    return split


def livekit_blingfire(_: str) -> Split:
    """Give what LiveKit Agents uses unless told otherwise."""
    return _livekit(importlib.import_module("livekit.agents.tokenize").blingfire)


def livekit_basic(_: str) -> Split:
    return _livekit(importlib.import_module("livekit.agents.tokenize").basic)


def _livekit(tokenize: ModuleType) -> Split:
    tokenizer = tokenize.SentenceTokenizer(min_sentence_len=1, stream_context_len=1)

    def split(deltas: Iterable[str]) -> Iterator[str]:
        # Its streams want a loop to be there; nothing of them runs on it.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            stream = tokenizer.stream()
            for delta in deltas:
                stream.push_text(delta)
                while (found := now(anext(stream, None))) is not None:
                    yield found.token
            stream.end_input()
            while (found := now(anext(stream, None))) is not None:
                yield found.token
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    return split


def openai_agents(_: str) -> Split:
    splitter = importlib.import_module("agents.voice").get_sentence_based_splitter(min_sentence_length=1)

    def split(deltas: Iterable[str]) -> Iterator[str]:
        text = ""
        for delta in deltas:
            sentences, text = splitter(text + delta)
            if sentences:
                yield sentences
        yield text

    return split


def stream2sentence(language: str) -> Split:
    generate = importlib.import_module("stream2sentence").generate_sentences

    def split(deltas: Iterable[str]) -> Iterator[str]:
        yield from generate(
            deltas, minimum_sentence_length=1, minimum_first_fragment_length=1, language=language
        )

    return split


def sentence_stream(_: str) -> Split:
    module = importlib.import_module("sentence_stream")
    return module.stream_to_sentences  # type: ignore[no-any-return]


def pysbd(language: str) -> Split:
    module = importlib.import_module("pysbd")
    known = importlib.import_module("pysbd.languages").LANGUAGE_CODES
    segmenter = module.Segmenter(language=language if language in known else "en", clean=False)

    def split(deltas: Iterable[str]) -> Iterator[str]:
        text = ""
        for delta in deltas:
            text += delta
            *sentences, rest = segmenter.segment(text) or [""]
            if sentences:
                yield from sentences
                text = rest
        yield from segmenter.segment(text)

    return split


def now(awaitable: Awaitable[Any]) -> Any:  # noqa: ANN401  # whatever the libraries give
    """Return what *awaitable* gives without waiting; ``None`` if it would wait."""
    steps = awaitable.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    steps.close()
    return None


CONTENDERS: Final[dict[str, Factory]] = {
    "ours": ours,
    "ours, language not told": ours_untold,
    "Pipecat (sentencex)": pipecat,
    "LiveKit (blingfire)": livekit_blingfire,
    "LiveKit (basic)": livekit_basic,
    "openai-agents": openai_agents,
    "stream2sentence": stream2sentence,
    "sentence-stream": sentence_stream,
    "pysbd": pysbd,
}
