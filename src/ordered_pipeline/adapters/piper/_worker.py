"""What a process of the voice runs: it loads the voice once, and speaks one text after another.

Rules kept here:

1. The frames have the real standard output for themselves; what a library prints goes to standard error.
2. A thread reads what comes in, and does nothing else. So a stop is seen while the voice speaks, and when the
   parent is gone, however it went, its end of the pipe is closed and the process ends at once.
3. A stop ends what the voice is at, not the process.
"""

import os
import queue
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from ordered_pipeline.adapters.piper._frames import LONGEST_PAYLOAD_BYTES, Decoder, Frame, Kind, encode

if TYPE_CHECKING:
    from ordered_pipeline.adapters.piper._synthesis import Utterance, Voice

# 100 ms at 22050 Hz, which most voices speak with.
_PIECE_BYTES: Final = 4410
_READ_BYTES: Final = 1 << 16
# The numbers of the standard streams.
_INPUT: Final = 0
_OUTPUT: Final = 1
_ERRORS: Final = 2


def main(model: str, length_scale: str) -> None:
    """Load the voice, tell so, and speak what is asked for until the standard input ends.

    Args:
        model: Path of the voice.
        length_scale: How slowly it speaks, as a number; empty for its own way.
    """
    output = _take_output()
    utterances: queue.SimpleQueue[Utterance] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(utterances,), daemon=True).start()
    try:
        from ordered_pipeline.adapters.piper._synthesis import Voice  # noqa: PLC0415  # may fail, is slow

        voice = Voice(Path(model), float(length_scale) if length_scale else None)
    except Exception as error:  # noqa: BLE001  # whatever it is, the parent tells
        _write(output, _failure(error))
        return
    _write(output, Frame(Kind.READY))
    while True:
        _write(output, _speak(voice, utterances.get(), output))


def _take_output() -> int:
    """Return the standard output, and send whoever else writes there to the standard error."""
    output = os.dup(_OUTPUT)
    os.dup2(_ERRORS, _OUTPUT)
    return output


def _speak(voice: "Voice", utterance: "Utterance", output: int) -> Frame:
    """Write the audio of *utterance*, and return the frame that ends it."""
    try:
        for sentence in voice.speak(utterance):
            for start in range(0, len(sentence), _PIECE_BYTES):
                if utterance.is_stopped:
                    break
                _write(output, Frame(Kind.AUDIO, sentence[start : start + _PIECE_BYTES]))
    except Exception as error:  # noqa: BLE001  # as above; the next text may do better
        return _failure(error)
    return Frame(Kind.DONE)


def _failure(error: Exception) -> Frame:
    reason = f"{type(error).__name__}: {error}".encode(errors="replace")
    return Frame(Kind.FAILED, reason[:LONGEST_PAYLOAD_BYTES])


def _write(output: int, frame: Frame) -> None:
    data = memoryview(encode(frame))
    while data:
        data = data[os.write(output, data) :]


def _read(utterances: "queue.SimpleQueue[Utterance]") -> NoReturn:
    """Take requests from the standard input, and end the process with it."""
    decoder = Decoder()
    last: Utterance | None = None
    while data := os.read(_INPUT, _READ_BYTES):
        for frame in decoder.push(data):
            if frame.kind is Kind.SPEAK:
                from ordered_pipeline.adapters.piper import _synthesis  # noqa: PLC0415  # loaded by now

                last = _synthesis.Utterance(frame.payload.decode())
                utterances.put(last)
            elif last is not None:
                last.stop()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
