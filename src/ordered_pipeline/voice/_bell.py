"""The bell: tasks wait until something has changed, and look again."""

from typing import final

import anyio


@final
class Bell:
    """Wakes every task that waits."""

    def __init__(self) -> None:
        self._event: anyio.Event | None = None

    def ring(self) -> None:
        """Wake every task that waits now."""
        if self._event is not None:
            self._event.set()
            self._event = None

    async def wait(self) -> None:
        """Wait until it rings."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()
