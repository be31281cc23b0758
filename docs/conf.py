"""Configuration of the documentation."""

import re
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version as version_of
from inspect import isclass, isfunction
from pkgutil import walk_packages

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.logging import getLogger

import ordered_pipeline

project = "ordered_pipeline"
author = "the ordered_pipeline developers"
copyright = f"2026, {author}"  # noqa: A001  # Sphinx's name for it
version = release = version_of("ordered-pipeline")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.doctest", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_css_files = ["pages.css"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3

# `name` in a docstring links to that name of ours, or is a mistake; other code is ``code``.
default_role = "py:obj"
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
python_use_unqualified_type_names = True
napoleon_custom_sections = ["Source"]
napoleon_numpy_docstring = False

nitpick_ignore_regex = [
    # Inventories of other projects are not fetched: their dotted names stay plain text.
    ("py:.*", r"(?!ordered_pipeline\b)\w+\..*"),
    # Nor are those of packages that are imported for types alone.
    ("py:class", "(Meter|Tracer)Provider"),
    # Type variables have no page.
    ("py:class", r"(ordered_pipeline\..*\.)?([TR]|T_contra|Ts)"),
]


def find_by_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve the name of a private module's class: an annotation may keep the module that defines it."""
    # The simulator's modules are private beside their public one, all others below it.
    public = re.sub(r"\._\w+", "", node["reftarget"].replace(".testing._telnyx.", ".testing.telnyx."))
    if public == node["reftarget"]:
        return None
    python = env.domains.python_domain
    return python.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], public, node, content)


def public_names() -> Iterator[str]:
    """Yield the full name of each class and function that is there to be imported."""
    modules = (module.name for module in walk_packages(ordered_pipeline.__path__, "ordered_pipeline."))
    for name in ("ordered_pipeline", *modules):
        if "._" not in name:
            members = vars(import_module(name))
            # Without __all__, what a module defines itself.
            own = [it for it, value in members.items() if getattr(value, "__module__", None) == name]
            for member in members.get("__all__", own):
                value = members[member]
                if (isclass(value) or isfunction(value)) and not member.startswith("_"):
                    yield f"{name}.{member}"


def check_reference(_: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that no page has."""
    for name in public_names():
        if name not in env.domains.python_domain.objects:
            getLogger(__name__).warning("%s is public, but no page of the reference has it", name)


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.connect("env-check-consistency", check_reference)
    app.connect("missing-reference", find_by_public_name)
