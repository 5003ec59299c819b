"""docs/file-format.md names each member of what is stored."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

from kafka2parquet.merged.covered import CoveredFile
from kafka2parquet.merged.footer import MergedFooter
from kafka2parquet.parquet.footer import FlushFooter, Sibling
from tests.docs.blocks import DOCS

#: Members that are not fields of the class.
_MORE = {FlushFooter: {"version"}, MergedFooter: {"version", "rows"}}


@pytest.mark.parametrize("stored", [FlushFooter, Sibling, MergedFooter, CoveredFile], ids=lambda stored: stored.__name__)
def test_members(stored: Any) -> None:
    """The table of a stored object has its members, and no others."""
    page = (DOCS / "file-format.md").read_text(encoding="utf-8")
    table = page.split(f"<!-- fields: {stored.__name__} -->\n\n")[1].split("\n\n")[0]
    named = [name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])]
    assert sorted({field.name for field in attrs.fields(stored)} | _MORE.get(stored, set())) == sorted(named)
