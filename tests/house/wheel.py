"""Checks an installed wheel. ``nox -s build`` runs it where nothing else is installed."""

import sys
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import ordered_pipeline


def main(wheel: str) -> None:
    installed = distribution("ordered-pipeline")
    metadata = installed.metadata
    names = zipfile.ZipFile(wheel).namelist()
    package = Path(ordered_pipeline.__file__).parent

    assert "site-packages" in package.parts, f"imported from {package}"
    assert (package / "py.typed").is_file(), "py.typed is not in the wheel"
    assert {name.partition("/")[0] for name in names} == {
        "ordered_pipeline",
        f"ordered_pipeline-{installed.version}.dist-info",
    }
    assert metadata["License-Expression"] == "MIT"
    assert any(name.endswith("licenses/LICENSE") for name in names), "LICENSE is not in the wheel"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Summary"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    extras = set(metadata.get_all("Provides-Extra") or ())
    adapters = {path.stem for path in (package / "adapters").glob("[!_]*")}
    assert extras == {*adapters, "convert", "talk", "all"}, f"extras {extras}, adapters {adapters}"
    needed = {need for need in installed.requires or () if "extra ==" not in need}
    assert {need.partition(">")[0] for need in needed} == {"anyio", "typing-extensions"}
    assert [point.name for point in installed.entry_points] == ["ordered-pipeline"]
    assert all(hasattr(ordered_pipeline, name) for name in ordered_pipeline.__all__)


if __name__ == "__main__":
    main(sys.argv[1])
