"""Writes the public API down: every public module's names with their signatures, as they stand in the source.

It reads the source and imports nothing, so that the text is the same on every Python and with any extras.

After an intended change, ``python tests/house/public_api.py`` writes `public_api.txt` anew.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

SOURCE = Path(__file__).parents[2] / "src"
TEXT = Path(__file__).with_name("public_api.txt")

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.AnnAssign | ast.Assign
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Public:
    """A public name: the module that offers it, and what defines it (an overloaded function has several)."""

    module: str
    name: str
    definitions: tuple[Definition, ...]


def public_modules() -> Iterator[str]:
    """Yield the name of each module whose path has no private part."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        module = parts[:-1] if parts[-1] == "__init__" else parts
        if not any(part.startswith("_") for part in module):
            yield ".".join(module)


def public_names() -> Iterator[Public]:
    """Yield the names in each public module's ``__all__``."""
    for module in public_modules():
        for name in exported(module):
            yield Public(module, name, _find(module, name))


def exported(module: str) -> list[str]:
    """Return a module's ``__all__``; without it, none."""
    found = _find(module, "__all__")
    names: list[str] = ast.literal_eval(_value(found[0])) if found else []
    return names


def defined(module: str) -> list[str]:
    """Return the public names that a module itself defines."""
    return sorted(
        {
            name
            for node in _tree(module).body
            if isinstance(node, Definition) and not (name := _name(node)).startswith("_")
        }
    )


def render() -> str:
    """Return the public API as text."""
    lines: list[str] = []
    heading = ""
    for public in public_names():
        if public.module != heading:
            heading = public.module
            lines += ["", f"# {heading}"]
        lines.append("")
        lines += _signatures(public.definitions)
    return "\n".join([*lines[1:], ""])


def _find(module: str, name: str) -> tuple[Definition, ...]:
    """Return what defines *name* in *module*, or where *module* imports it from."""
    tree = _tree(module)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _find(node.module, alias.name)
    return tuple(node for node in tree.body if isinstance(node, Definition) and _name(node) == name)


def _tree(module: str) -> ast.Module:
    path = SOURCE.joinpath(*module.split("."))
    return ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text("utf-8"))


def _name(node: Definition) -> str:
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0])
    return ast.unparse(node.target) if isinstance(node, ast.AnnAssign) else node.name


def _value(node: Definition) -> ast.expr:
    assert isinstance(node, ast.Assign | ast.AnnAssign)
    assert node.value is not None
    return node.value


def _signatures(definitions: tuple[Definition, ...]) -> Iterator[str]:
    """Yield the lines of definitions of one name: the overloads where there are any, else the one."""
    overloads = [node for node in definitions if isinstance(node, FUNCTION) and _is_overload(node)]
    for node in overloads or definitions:
        yield from _head(node).splitlines()
        if isinstance(node, ast.ClassDef):
            for member in public_members(node):
                yield from (f"    {line}" for line in _head(member).splitlines())


def public_members(node: ast.ClassDef) -> Iterator[Definition]:
    """Yield the class's public attributes and methods, special methods included."""
    for member in node.body:
        if isinstance(member, Definition):
            name = _name(member)
            if not name.startswith("_") or (name.endswith("__") and name != "__slots__"):
                yield member


def _is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return "overload" in map(ast.unparse, node.decorator_list)


def _head(node: Definition) -> str:
    """Return the source of a definition without its body."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return ast.unparse(node)
    copy = ast.parse(ast.unparse(node)).body[0]
    assert isinstance(copy, (*FUNCTION, ast.ClassDef))
    copy.body = [ast.Pass()]
    return ast.unparse(copy).removesuffix(":\n    pass")


if __name__ == "__main__":
    TEXT.write_text(render(), encoding="utf-8")
