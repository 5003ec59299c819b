"""Sphinx's configuration, and what it adds to pages: descriptions for search engines, and marks for how lines may break."""

from __future__ import annotations

import html
import re
import textwrap
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

import kafka2parquet

project = "kafka2parquet"
author = "the kafka2parquet authors"
copyright = author  # noqa: A001  # Sphinx's name
release = kafka2parquet.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_llms_txt",
]
html_theme = "furo"
html_title = "kafka2parquet"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_js_files = ["pages.js"]
html_logo = html_favicon = "_static/logo.svg"
exclude_patterns = ["_build", "dashboards"]
myst_enable_extensions = ["attrs_block", "deflist"]
myst_heading_anchors = 3
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
smartquotes_action = "q"  # -- and ... stay: they are options and code
copybutton_prompt_text = "$ "
llms_txt_code_files = ["+:../examples/*.py"]
llms_txt_summary = (
    "kafka2parquet drains Kafka topics into Parquet files on S3, Google Cloud Storage or any fsspec store, every record exactly"
    " once, inside a Python service or from the command line. It reads configurations of Kafka Connect's S3 and GCS sinks."
)
_DESCRIPTION_CHARACTERS = 200
#: Characters of the longest name that stays on one line.
_SHORT = 24
#: Languages whose lines a page may break.
_WRAPPING = ("sh", "sql", "json", "properties")
#: A line of a table or a tree.
_TABLE_LINE = re.compile(r".*(\S {2,}\S|[│├└─])")
#: Characters of a line of code on a wide screen.
_WIDE = 107


def setup(app: Sphinx) -> None:
    """Add what this file does to pages."""
    app.connect("doctree-resolved", _mark_short_names)
    app.connect("doctree-resolved", _mark_wrapping_blocks)
    app.connect("html-page-context", _describe)


def _mark_short_names(_app: Sphinx, tree: nodes.document, _page: str) -> None:
    """Mark short names in the text. Browsers break a line within `--to`, but pages.css keeps marked names whole."""
    for literal in tree.findall(nodes.literal):
        if max(map(len, literal.astext().split()), default=0) <= _SHORT:
            literal["classes"].append("short")


def _mark_wrapping_blocks(_app: Sphinx, tree: nodes.document, _page: str) -> None:
    """Mark blocks of code whose long lines break instead of scrolling. Tables break where they would not be readable."""
    for block in tree.findall(nodes.literal_block):
        language = block.get("language", "default")
        table = [line for line in block.astext().splitlines() if _TABLE_LINE.match(line)]
        if language in _WRAPPING or (language in ("text", "default") and not table):
            block["classes"].append("wrap")
        elif language in ("text", "default") and max(map(len, table)) <= _WIDE:
            block["classes"].append("wrap-wide")


def _describe(_app: Sphinx, page: str, _template: str, context: dict[str, Any], tree: nodes.document | None) -> None:
    """Describe a page to search engines by its first paragraph, and the first page by what the library does."""
    if tree is None:
        return
    first = next((each for each in tree.findall(nodes.paragraph) if isinstance(each.parent, nodes.section)), None)
    text = llms_txt_summary if page == "index" or first is None else " ".join(first.astext().split())
    short = textwrap.shorten(text, _DESCRIPTION_CHARACTERS, placeholder=" …")
    context["metatags"] = context.get("metatags", "") + f'<meta name="description" content="{html.escape(short)}">'
