"""A process of the voice, from its start to its end.

Rules kept here:

1. However a process ends, or fails to begin, it is waited for: none is left behind, not even as a zombie.
2. Whoever does not answer in time is killed. Only the wait for the end of what was killed has no bound.
3. A process is idle or at work. From the first thing that goes wrong with it, it never is idle again.
"""

import signal
import subprocess
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, final

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

from ordered_pipeline.adapters.piper._frames import Decoder, Frame, FrameError, Kind, encode

# To load takes 1 s, the first audio of a text less: this is for small boards under load.
PATIENCE_S: Final = 30.0
# A stop takes 10 ms. What it does not reach within this hangs, or is kept busy outside of the model.
_STOP_S: Final = 1.0
# Between the end of its output and the end of a process; what goes on without output is killed.
_EXIT_S: Final = 1.0


class PiperError(Exception):
    """The voice could not be loaded or could not speak, or its process came to grief."""


class ProcessEndedError(PiperError):
    """The process of the voice has ended, or closed its output."""


async def start_child(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, patience_s: float = PATIENCE_S
) -> "Child":
    """Start a process and wait until it has loaded the voice.

    Cancelled or failing it leaves no process behind.

    Args:
        command: What to run.
        env: Its environment; None for that of this process.
        patience_s: How long it may say nothing while it is waited for, in seconds.

    Raises:
        PiperError: It did not start, or could not load the voice.
    """
    child: Child | None = None
    try:
        # Cancelled, it could leave a process that nobody knows; it takes milliseconds.
        with anyio.CancelScope(shield=True):
            # A session of its own keeps the signals away that a terminal sends to all, as for Ctrl-C.
            process = await anyio.open_process(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None,
                env=env,
                start_new_session=True,
            )
            child = Child(process, patience_s=patience_s)
    except OSError as error:
        raise PiperError(f"the process of the voice could not be started ({error})") from error
    assert child is not None  # noqa: S101  # the scope hides nothing
    try:
        await child.load()
    except BaseException:
        await child.aclose()
        raise
    return child


@final
class Child:
    """A process that speaks one text after another. One task uses it."""

    def __init__(self, process: Process, *, patience_s: float) -> None:
        assert process.stdin is not None  # noqa: S101  # asked for
        assert process.stdout is not None  # noqa: S101  # as above
        self._process: Process = process
        self._requests: ByteSendStream = process.stdin
        self._answers: ByteReceiveStream = process.stdout
        self._patience_s: float = patience_s
        self._decoder: Decoder = Decoder()
        self._frames: deque[Frame] = deque()
        self._is_idle: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked to speak, unless it has ended since it spoke last."""
        return self._is_idle

    async def load(self) -> None:
        """Wait until it has loaded the voice.

        Raises:
            PiperError: It could not.
        """
        frame = await self._receive()
        if frame.kind is Kind.FAILED:
            raise PiperError(f"Piper could not load the voice ({frame.payload.decode(errors='replace')})")
        if frame.kind is not Kind.READY:
            raise _out_of_turn(frame)
        self._is_idle = True

    async def speak(self, text: str) -> None:
        """Ask for *text*, whose audio is to be taken to its end or stopped.

        Raises:
            PiperError: It does not take it.
        """
        self._is_idle = False
        try:
            await self._send(Frame(Kind.SPEAK, text.encode(errors="replace")))
        except FrameError as error:
            self._is_idle = True
            raise PiperError(f"Piper could not speak a text of {len(text)} characters ({error})") from error

    async def audio(self) -> bytes | None:
        """Return the next samples, or None after the last ones.

        Raises:
            PiperError: It could not make them.
        """
        frame = await self._receive()
        if frame.kind is Kind.AUDIO:
            return frame.payload
        if frame.kind not in {Kind.DONE, Kind.FAILED}:
            raise _out_of_turn(frame)
        self._is_idle = True
        if frame.kind is Kind.FAILED:
            raise PiperError(f"Piper could not speak the text ({frame.payload.decode(errors='replace')})")
        return None

    async def stop(self) -> None:
        """Make it end what it is at, if it is. If it does not, it is not ready any more."""
        if self._is_idle:
            return
        with suppress(PiperError), anyio.move_on_after(_STOP_S):
            await self._send(Frame(Kind.STOP))
            while await self.audio() is not None:
                pass

    async def aclose(self) -> None:
        """Kill it, whatever it is at, and wait for its end, even if cancelled."""
        with suppress(ProcessLookupError):
            self._process.kill()
        with anyio.CancelScope(shield=True):
            # With anyio 4.8 on asyncio, a process whose output waits to be read never is seen to end.
            with suppress(anyio.EndOfStream, anyio.BrokenResourceError), anyio.move_on_after(_EXIT_S):
                while True:
                    await self._answers.receive()
            await self._process.aclose()

    async def _send(self, frame: Frame) -> None:
        data = encode(frame)
        try:
            with anyio.fail_after(self._patience_s):
                await self._requests.send(data)
        except TimeoutError:
            raise self._silence() from None
        except (OSError, anyio.BrokenResourceError) as error:
            raise await self._end() from error

    async def _receive(self) -> Frame:
        try:
            while not self._frames:
                with anyio.fail_after(self._patience_s):
                    data = await self._answers.receive()
                self._frames += self._decoder.push(data)
        except TimeoutError:
            raise self._silence() from None
        except FrameError as error:
            raise PiperError(f"the process of the voice wrote what it should not ({error})") from error
        except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise await self._end() from error
        return self._frames.popleft()

    def _silence(self) -> PiperError:
        return PiperError(f"the process of the voice did not answer within {self._patience_s:g} s")

    async def _end(self) -> ProcessEndedError:
        """Return the error that tells how it ended."""
        with anyio.move_on_after(_EXIT_S):
            await self._process.wait()
        status = self._process.returncode
        if status is None:
            return ProcessEndedError("the process of the voice closed its output")
        if status < 0:
            return ProcessEndedError(
                f"the process of the voice was ended by signal {-status} ({signal.strsignal(-status)})"
            )
        return ProcessEndedError(f"the process of the voice ended with status {status}")


def _out_of_turn(frame: Frame) -> PiperError:
    return PiperError(f"the process of the voice answered {frame.kind.name} out of turn")
