"""What docs/conf.py adds to pages: how types read, and which blocks of code wrap."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.docs.blocks import DOCS

nodes = pytest.importorskip("docutils.nodes")
pytest.importorskip("sphinx")


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    """The names of docs/conf.py."""
    return runpy.run_path(str(DOCS / "conf.py"))


@pytest.mark.parametrize(
    ("type_text", "shown"),
    [
        ("int", "int"),
        ("Annotated[int, AtLeast(least=1, excluded=False)]", "int"),
        ("~typing.Annotated[dict[str, int], Check(), AtMost(most=[1])] | None", "dict[str, int] | None"),
        ("Sequence[typing.Annotated[str, <IsPath object at 0x7f>]]", "Sequence[str]"),
    ],
)
def test_types_without_checks(configuration: dict[str, Any], type_text: str, shown: str) -> None:
    """A type is shown without the checks of its values, which may be addresses in memory."""
    assert shown == configuration["_without_annotated"](type_text)


@pytest.mark.parametrize(
    ("language", "text", "classes"),
    [
        ("sh", "kafka2parquet run sink.json", ["wrap"]),
        ("text", "Stopped: 0 rows committed", ["wrap"]),
        ("text", "topic   rows\norders     1", ["wrap-wide"]),
        ("text", "orders  " + 108 * "x", ["wrap-wide", "small"]),
        ("text", "orders  " + 120 * "x", []),
        ("json", '{"a": 1}', ["wrap-wide"]),
        ("python", "a = 1", []),
    ],
)
def test_blocks_that_wrap(configuration: dict[str, Any], language: str, text: str, classes: list[str]) -> None:
    """Commands and sentences wrap everywhere, tables and JSON where a screen is wide enough for them, and Python nowhere."""
    tree = nodes.section()
    tree += nodes.literal_block(text, text, language=language)
    configuration["_mark_wrapping_blocks"](None, tree, "page")
    assert classes == tree[0]["classes"]
