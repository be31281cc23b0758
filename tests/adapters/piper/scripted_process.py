"""A process that speaks the frames of a voice's processes without a voice: it does what its texts say.

Run with `ready`, or with how it is to fail to get ready: `hang`, `fail`, `exit`, `garbage`, `out of turn`; or
with a path and `while`, for which that has to be there for it to get ready, or `once`: the second one hangs.
"""

import os
import select
import signal
import sys
import time
from pathlib import Path


def write(kind: bytes, payload: bytes = b"") -> None:
    os.write(1, kind + len(payload).to_bytes(4, "big") + payload)


def read(count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = os.read(0, count - len(data))
        if not more:
            sys.exit()
        data += more
    return data


def request() -> tuple[bytes, bytes]:
    head = read(5)
    return head[:1], read(int.from_bytes(head[1:], "big"))


def ready(how: str, path: str = "") -> None:
    if how == "ready" or (how == "while" and Path(path).exists()):
        write(b"R")
    elif how == "once" and not Path(path).exists():
        Path(path).touch()
        write(b"R")
    elif how in {"hang", "once"}:
        time.sleep(1000)
    elif how == "exit":
        sys.exit(3)
    elif how == "garbage":
        os.write(1, b"Hello, I am the voice.")
    elif how == "out of turn":
        write(b"D")
    else:
        write(b"F", b"no such voice")
        sys.exit()


def speak(text: str) -> None:  # noqa: C901, PLR0912  # a list of what may happen
    if text == "endless":
        while not select.select([0], [], [], 0)[0]:
            write(b"A", bytes(4410))
        assert request() == (b"X", b"")
    elif text == "pid":
        write(b"A", b"%8d" % os.getpid())
    elif text == "hang":
        time.sleep(1000)
    elif text == "hang after audio":
        write(b"A", b"ab")
        time.sleep(1000)
    elif text == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    elif text == "crash after audio":
        write(b"A", b"ab")
        os.kill(os.getpid(), signal.SIGSEGV)
    elif text == "exit":
        sys.exit(3)
    elif text == "close":
        os.close(1)
        time.sleep(1000)
    elif text == "garbage":
        os.write(1, b"Hello, I am the voice.")
        return
    elif text == "cut":
        os.write(1, b"A\0\0")
        sys.exit()
    elif text == "out of turn":
        write(b"R")
    elif text == "fail":
        write(b"F", b"too hard")
        return
    else:
        for start in range(0, len(text), 2):
            write(b"A", text[start : start + 2].ljust(2).encode())
    write(b"D")


ready(*sys.argv[1:])
while True:
    kind, payload = request()
    # What stops nothing any more is for nobody.
    if kind == b"S":
        speak(payload.decode())
