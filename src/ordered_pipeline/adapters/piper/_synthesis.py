"""The voice itself, loaded into the process that imports this. Its calls block."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, cast, final

import onnxruntime  # type: ignore[import-untyped]
from piper.config import PiperConfig, SynthesisConfig
from piper.voice import PiperVoice
from typing_extensions import override

# It has no types.
_ONNXRUNTIME: Final[Any] = onnxruntime
# 13 s of speech; few sentences are longer. The memory of a run grows with it: 0.2 GB for 4 s of speech,
# 0.5 GB for 14 s, 1 GB for 41 s. And a text without stops, however long, is one sentence to Piper.
_MOST_PHONEMES: Final = 250
# What a piece of a sentence ends with at best, and else.
_ENDS_OF_PIECES: Final = (",;:", " ")


class Utterance:
    """A text that is spoken. Another thread may stop it."""

    def __init__(self, text: str) -> None:
        self.text: str = text
        self.is_stopped: bool = False
        self.options: Any = _ONNXRUNTIME.RunOptions()

    def stop(self) -> None:
        """End it at the next operator of the model that runs."""
        self.is_stopped = True
        self.options.terminate = True


@final
class Voice:
    """A voice that was loaded."""

    def __init__(self, model: Path, length_scale: float | None) -> None:
        """Load *model*, and the file beside it that describes it."""
        options = _ONNXRUNTIME.SessionOptions()
        # Whoever uses the voice prefetches: two texts at once fill two cores better than two threads with one
        # text, which wait for each other busily and are three times slower when a core is not theirs alone.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        config = json.loads(Path(f"{model}.json").read_text("utf-8"))
        self._session: _Session = _Session(str(model), options, providers=["CPUExecutionProvider"])
        self._voice: _PiecewiseVoice = _PiecewiseVoice(self._session, PiperConfig.from_dict(config))
        self._config: SynthesisConfig = SynthesisConfig(length_scale=length_scale)

    def speak(self, utterance: Utterance) -> Iterator[bytes]:
        """Yield the samples of each sentence."""
        # What makes phonemes takes none.
        text = utterance.text.replace("\0", " ")
        self._session.run_options = utterance.options
        try:
            for sentence in self._voice.synthesize(text, self._config):
                yield sentence.audio_int16_bytes
        except Exception:
            if not utterance.is_stopped:
                raise


class _Session(onnxruntime.InferenceSession):  # type: ignore[misc]
    """A session whose runs can be terminated, which Piper has no way to ask for."""

    run_options: Any = None

    @override
    def run(self, output_names: Any, input_feed: Any, run_options: Any = None) -> Any:
        return cast("Any", super()).run(output_names, input_feed, self.run_options)


class _PiecewiseVoice(PiperVoice):
    """A voice that speaks long sentences piece by piece."""

    @override
    def phonemize(self, text: str) -> list[list[str]]:
        return [piece for sentence in super().phonemize(text) for piece in pieces(sentence)]


def pieces(phonemes: list[str]) -> Iterable[list[str]]:
    """Yield *phonemes*, cut where they are more than a run of the model may have: at pauses, if there are."""
    start = 0
    while len(phonemes) - start > _MOST_PHONEMES:
        end = _end_of_piece(phonemes, start)
        yield phonemes[start:end]
        start = end
    yield phonemes[start:]


def _end_of_piece(phonemes: list[str], start: int) -> int:
    for ends in _ENDS_OF_PIECES:
        for end in range(start + _MOST_PHONEMES, start, -1):
            if phonemes[end - 1] in ends:
                return end
    return start + _MOST_PHONEMES
