"""A real PulseAudio server of the tests' own.

It has a sink that nobody hears, with a recorder of what it plays, and a microphone into which tests speak.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("pulseaudio", "pulseaudio-utils", "libasound2-plugins")
# The voice's own rate: nothing between the player and the recording resamples.
RATE_HZ = 22050
HALF_A_SECOND_BYTES = RATE_HZ
# What ears want: nothing between `SoundServer.say` and the program under test resamples.
MICROPHONE_RATE_HZ = 16_000
MICROPHONE_FORMAT = f"s16le 1ch {MICROPHONE_RATE_HZ}Hz"

SERVE = (
    *("pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"),
    *("--log-target=stderr", "--high-priority=no", "--realtime=yes"),
)
# Without norewinds the sink's blocks are 2 s long, and a stream begins up to 1.3 s late.
SINK = f"module-null-sink sink_name=nul rate={RATE_HZ} channels=1 format=s16le norewinds=1"
# What is played to the second sink, the microphone hears: the default source, as no other is but monitors.
AIR = f"module-null-sink sink_name=air rate={MICROPHONE_RATE_HZ} channels=1 format=s16le norewinds=1"
MICROPHONE = (
    "module-remap-source source_name=microphone master=air.monitor remix=no "
    f"rate={MICROPHONE_RATE_HZ} channels=1 format=s16le"
)
SAY = (
    *("pacat", "-d", "air", f"--rate={MICROPHONE_RATE_HZ}", "--channels=1"),
    *("--format=s16le", "--latency-msec=200"),
)
RECORD = (
    *("parec", "-d", "nul.monitor", f"--rate={RATE_HZ}", "--channels=1"),
    *("--format=s16le", "--latency-msec=20"),
)


@dataclass(frozen=True, slots=True)
class SoundServer:
    """A running server."""

    process: subprocess.Popen[bytes]
    folder: Path
    environment: dict[str, str]

    @property
    def recorded(self) -> bytes:
        """What has been recorded so far."""
        return (self.folder / "recording").read_bytes()

    def clients(self) -> set[str]:
        """Return who is connected, but for who asks."""
        return {line for line in self._listed("clients") if "pactl" not in line}

    def is_listened_to(self) -> bool:
        """Tell whether any program takes what the microphone hears."""
        # The microphone itself takes what is played to its sink.
        return any(
            "protocol-native" in line and MICROPHONE_FORMAT in line for line in self._listed("source-outputs")
        )

    def _listed(self, what: str) -> list[str]:
        command = ["pactl", "list", "short", what]
        listed = subprocess.run(command, env=self.environment, capture_output=True, check=True, text=True)
        return listed.stdout.splitlines()

    def say(self, sound: bytes) -> subprocess.Popen[bytes]:
        """Begin to say *sound* to the microphone: s16le, mono, at its rate.

        It begins within a few hundredths of a second. ``with server.say(sound):`` waits for its end on
        leaving; to terminate what is returned makes it stop at once.
        """
        path = self.folder / f"said-{time.monotonic_ns()}"
        path.write_bytes(sound)
        process = subprocess.Popen([*SAY, str(path)], stderr=subprocess.DEVNULL, env=self.environment)
        run_ahead(process.pid)
        return process

    @contextmanager
    def recording(self) -> Iterator[Callable[[], bytes]]:
        """Record what is played inside the block; the function given stops that and returns it."""
        with (self.folder / "recording").open("wb") as file:
            recorder = subprocess.Popen(RECORD, stdout=file, stderr=subprocess.DEVNULL, env=self.environment)
        run_ahead(recorder.pid)

        def stop() -> bytes:
            # What was played when this is called has been recorded once half a second more has.
            enough = len(self.recorded) + HALF_A_SECOND_BYTES
            wait_until(lambda: len(self.recorded) > enough)
            recorder.terminate()
            recorder.wait(10)
            return self.recorded

        try:
            wait_until(lambda: self.recorded != b"")
            yield stop
        finally:
            recorder.kill()
            recorder.wait(10)


@contextmanager
def running_sound_server(folder: Path) -> Iterator[SoundServer]:
    """Start a server that keeps all it has in *folder*, and stop it."""
    _install()
    runtime = folder / "pulse"
    runtime.mkdir(mode=0o700)
    socket = runtime / "native"
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "PULSE_RUNTIME_PATH": str(runtime),
        "PULSE_STATE_PATH": str(runtime),
        "PULSE_SERVER": f"unix:{socket}",
    }
    protocol = f"module-native-protocol-unix auth-anonymous=1 socket={socket}"
    modules = [part for module in (protocol, SINK, AIR, MICROPHONE) for part in ("-L", module)]
    process = subprocess.Popen([*SERVE, *modules], env=environment)
    run_ahead(process.pid)

    def is_up() -> bool:
        return (
            subprocess.run(["pactl", "info"], env=environment, capture_output=True, check=False).returncode
            == 0
        )

    try:
        wait_until(is_up)
        yield SoundServer(process, folder, environment)
    finally:
        process.kill()
        process.wait(10)


def without_sound(folder: Path) -> dict[str, str]:
    """Return an environment in which no sound device is to be found."""
    return {
        **os.environ,
        "XDG_RUNTIME_DIR": str(folder),
        "PULSE_SERVER": f"unix:{folder / 'nothing'}",
        "ALSA_CONFIG_PATH": os.devnull,
        "JACK_NO_START_SERVER": "1",
    }


def run_ahead(pid: int) -> None:
    """Let a process run before all others, where that is allowed; 0 is the one that calls.

    What records to the sample loses some when it is held up. To be nice to it does not help: Linux weighs
    niceness within a session only.
    """
    with suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; fail if it does not within a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def common_length(first: bytes, second: bytes) -> int:
    """Return how many bytes are the same at the beginning of both."""
    pairs = zip(first, second, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _install() -> None:
    if shutil.which("pulseaudio") and shutil.which("parec"):
        return
    wanted = f"these tests play to a real sound server; apt-get install {' '.join(PACKAGES)}"
    assert os.geteuid() == 0, wanted
    assert shutil.which("apt-get"), wanted
    subprocess.run(["apt-get", "update"], check=True)
    subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES], check=True)
