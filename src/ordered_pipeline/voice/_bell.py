"""The bell: tasks wait until something has changed, and look again."""

from typing import final

from ordered_pipeline._parking import Spot, spot


@final
class Bell:
    """Wakes every task that waits."""

    def __init__(self) -> None:
        self._waiting: tuple[Spot, ...] = ()

    def ring(self) -> None:
        """Wake every task that waits now."""
        waiting, self._waiting = self._waiting, ()
        for place in waiting:
            place.wake()

    async def wait(self) -> None:
        """Wait until it rings."""
        place = spot()
        self._waiting += (place,)
        try:
            await place.wait()
        except BaseException:  # whatever ends the wait: who is gone is not to be kept until it rings
            self._forget(place)
            raise

    def _forget(self, place: Spot) -> None:
        self._waiting = tuple(other for other in self._waiting if other is not place)
