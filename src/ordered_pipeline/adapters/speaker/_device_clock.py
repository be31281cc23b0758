"""The device's clock: when a device that asks for samples plays them, on the event loop's clock.

Rules kept here:

1. A device asks when it has room, or later if its thread was held up; never sooner. So of its last requests
   the one that came earliest for its place tells how far the device is.
2. The first sample sounds when the device first asks. From then on the device may fall behind or run ahead:
   it has a crystal of its own, and it stands still while it is starved or the machine sleeps.
3. Small changes are noise, and are not followed: two samples keep their distance as long as they can.
4. A device that asks for samples after their time was starved, and stood still until then at least (measured
   with PulseAudio: 20 ms longer).
"""

from collections import deque
from typing import Final

# Two and a half seconds of requests: in that time some come when they should.
_REQUESTS: Final = 16
# The earliest requests of PulseAudio vary by less than a millisecond; other systems' may by more.
_NOISE_S: Final = 0.01


class DeviceClock:
    """When which sample sounds. One thread calls `asked`; any may ask."""

    def __init__(self, sample_rate_hz: int, *, start_s: float) -> None:
        """Start the device.

        Args:
            sample_rate_hz: Its rate.
            start_s: When it was started, on the event loop's clock.
        """
        self._rate_hz: int = sample_rate_hz
        # When sample 0 sounds, by what is known now.
        self._zero_s: float = start_s
        self._requests: deque[float] = deque(maxlen=_REQUESTS)
        # How much later sample 0 sounds than the earliest request would have it; None while it is measured.
        self._latency_s: float | None = None

    def asked(self, position: int, now_s: float) -> bool:
        """Note that at *now_s* the device asked for samples from *position* on.

        Returns:
            Whether it had played all it had before.
        """
        is_late = now_s > self.time_of(position) + _NOISE_S
        if is_late:
            self._zero_s = now_s - position / self._rate_hz
            self._requests.clear()
        self._requests.append(now_s - position / self._rate_hz)
        if len(self._requests) == _REQUESTS:
            self._follow(min(self._requests))
        return is_late and position > 0

    def _follow(self, earliest_s: float) -> None:
        if self._latency_s is None:
            self._latency_s = self._zero_s - earliest_s
        elif abs(earliest_s + self._latency_s - self._zero_s) > _NOISE_S:
            self._zero_s = earliest_s + self._latency_s

    def time_of(self, position: int) -> float:
        """Return when the sample at *position* sounds."""
        return self._zero_s + position / self._rate_hz

    def position_at(self, now_s: float) -> int:
        """Return how many samples have sounded at *now_s*."""
        return max(0, int((now_s - self._zero_s) * self._rate_hz))
