"""Configuration of the documentation site (Sphinx, MyST, pydata theme)."""

import sys
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
# This checkout, installed or not. The tests define the programs that open our files.
sys.path[:0] = [str(DOCS), str(DOCS.parent), str(DOCS.parent / "tests" / "support")]

import polyframe  # noqa: E402

_about = tomllib.loads((DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

project = _about["name"]
author = _about["authors"][0]["name"]
copyright = f"2026, {author}"
release = version = polyframe.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "generate",
]

# Pages
exclude_patterns = ["_build", "_generated", "_templates"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# The tutorial is stored with its outputs; a test executes it and compares them.
nb_execution_mode = "off"
nb_merge_streams = True

# API reference: docstrings have code in single backticks.
default_role = "code"
autosummary_generate = True
templates_path = ["_templates"]
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# HTML
html_theme = "pydata_sphinx_theme"
html_title = "polyframe"
html_static_path = ["_static"]
html_css_files = ["polyframe.css"]
html_show_sourcelink = False
# These pages are not part of a section.
html_sidebars = {"index": [], "glossary": [], "contributing": [], "changelog": []}
html_theme_options = {
    "header_links_before_dropdown": 8,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
