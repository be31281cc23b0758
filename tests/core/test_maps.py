"""The ways to make a stage: what they take for granted, and the two that iterate by themselves."""

import inspect

from ordered_pipeline import in_order, ordered_flat_map, ordered_map
from tests.conftest import Run


async def echo(item: object) -> object:
    return item


def test_for_each_tells_how_many_results_there_were(run: Run) -> None:
    async def main() -> None:
        seen: list[object] = []

        async def consume(result: object) -> None:
            seen.append(result)

        assert await ordered_map(echo, "abc").for_each(consume) == 3
        assert seen == ["a", "b", "c"]

    run(main)


def test_the_defaults_are_those_of_the_contract() -> None:
    def defaults(function: object) -> dict[str, object]:
        assert callable(function)
        parameters = inspect.signature(function).parameters.values()
        return {each.name: each.default for each in parameters if each.default is not each.empty}

    common = {
        "prefetch": 2,
        "concurrency": None,
        "on_error": "raise",
        "timeout_s": None,
        "grace_s": 5.0,
        "observer": None,
    }
    assert defaults(ordered_map) == common
    assert defaults(ordered_flat_map) == {**common, "buffer": 64}
    assert defaults(in_order) == {"on_error": "raise", "grace_s": 5.0}
