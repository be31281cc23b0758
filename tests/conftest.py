"""What every test may use: each event loop in virtual time, with a check that nothing is left behind."""

import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, get_args

import pytest
import trio
from hypothesis import Phase, settings

from ordered_pipeline.testing import LoopName, run_in_virtual_time

settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
# A mutant is to die, not to be explained: few examples, and none is made smaller.
settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=10,
    phases=(Phase.explicit, Phase.generate),
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if "CI" in os.environ else "default"))

pytest.register_assert_rewrite("tests.core.probes", "tests.core.support")

T = TypeVar("T")

# Eager tasks came with Python 3.12.
LOOPS: tuple[LoopName, ...] = tuple(
    name for name in get_args(LoopName) if name != "asyncio-eager" or sys.version_info >= (3, 12)
)


class Run(Protocol):
    """Runs an async function in virtual time, from 0.0, on one of the event loops."""

    loop: LoopName

    def __call__(self, function: Callable[..., Awaitable[T]], *args: Any) -> T: ...


class _Run:
    def __init__(self, loop: LoopName) -> None:
        self.loop: LoopName = loop

    def __call__(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        async def checked() -> T:
            result = await function(*args)
            gc.collect(0)
            assert _others() == []
            return result

        return run_in_virtual_time(checked, loop=self.loop)


def _others() -> list[object]:
    """Return every task but the caller's and those the loop itself keeps."""
    if sys.modules.get("trio") is not None and trio.lowlevel.in_trio_task():
        this = trio.lowlevel.current_task()
        assert this.parent_nursery is not None
        return [*this.child_nurseries, *(this.parent_nursery.child_tasks - {this})]
    return list(asyncio.all_tasks() - {asyncio.current_task()})


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> _Run:
    return _Run(request.param)


@pytest.fixture(params=[name for name in LOOPS if name != "trio"])
def run_asyncio(request: pytest.FixtureRequest) -> _Run:
    return _Run(request.param)


@pytest.fixture
def run_trio() -> _Run:
    return _Run("trio")
