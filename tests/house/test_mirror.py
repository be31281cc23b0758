"""The tests mirror the source: whoever opens a module finds its tests, and the other way round."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ordered_pipeline"
# What these folders test is not one module each.
WITHOUT_MODULES = {"benchmarks", "house", "typing"}


def modules() -> list[tuple[str, str]]:
    """Return the test folder and the test's stem of each module.

    A private package counts as one module, a package's ``__init__``, which only re-exports, as none, and
    ``__main__`` belongs to the command.
    """
    found: set[tuple[str, str]] = set()
    for path in PACKAGE.rglob("*.py"):
        *folder, module = path.relative_to(PACKAGE).with_suffix("").parts
        private = next((part for part in folder if part.startswith("_")), None)
        if private is not None:
            folder, module = folder[: folder.index(private)], private
        if module == "__main__":
            folder = ["cli"]
        if module != "__init__":
            found.add(("/".join(folder) or "core", f"test_{module.strip('_')}"))
    return sorted(found)


def files_with_tests() -> list[tuple[str, str]]:
    """Return the folder and the stem of each file with tests of modules."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    found = [(path.relative_to(ROOT / "tests").parent.as_posix(), path.stem) for path in paths]
    return [(folder, stem) for folder, stem in found if folder not in WITHOUT_MODULES]


def is_for(test: tuple[str, str], module: tuple[str, str]) -> bool:
    return test == module or (test[0] == module[0] and test[1].startswith(f"{module[1]}_"))


def test_every_module_has_its_tests() -> None:
    there = files_with_tests()

    missing = [module for module in modules() if not any(is_for(test, module) for test in there)]
    assert not missing, missing


def test_every_test_has_its_module() -> None:
    there = modules()

    stray = [test for test in files_with_tests() if not any(is_for(test, module) for module in there)]
    assert not stray, stray
