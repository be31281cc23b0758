"""The clock that parking tells is the event loop's."""

import anyio
import pytest

from ordered_pipeline._parking import now
from tests.conftest import Run


def test_now_is_the_time_of_the_loop_that_runs(run: Run) -> None:
    async def main() -> None:
        began_s = now()
        assert began_s == anyio.current_time()
        await anyio.sleep(1.5)
        assert now() == began_s + 1.5

    run(main)


def test_without_a_loop_there_is_no_time() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        now()
