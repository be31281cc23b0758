"""The public API changes only where the change is seen, and every name of it is documented."""

import ast

import pytest

import ordered_pipeline
from tests.house.public_api import (
    TEXT,
    Public,
    defined,
    exported,
    public_members,
    public_modules,
    public_names,
    render,
)

PUBLIC = list(public_names())


def test_the_public_api_is_the_committed_text() -> None:
    assert render() == TEXT.read_text("utf-8"), "if the change is intended: python tests/house/public_api.py"


@pytest.mark.parametrize("module", list(public_modules()))
def test_a_module_exports_what_it_defines(module: str) -> None:
    assert set(defined(module)) <= set(exported(module))


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: f"{public.module}.{public.name}")
def test_a_public_name_has_a_definition_with_docstrings(public: Public) -> None:
    assert public.definitions

    for node in public.definitions[-1:]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            assert ast.get_docstring(node)
        if isinstance(node, ast.ClassDef):
            methods = [
                m for m in public_members(node) if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            assert [m.name for m in methods if not m.name.startswith("_") and not ast.get_docstring(m)] == []


def test_the_names_of_the_core_say_that_they_are_the_packages_own() -> None:
    modules = {getattr(ordered_pipeline, name).__module__ for name in ordered_pipeline.__all__}

    assert modules == {"ordered_pipeline"}
