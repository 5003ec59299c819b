"""Pages show what the benchmarks have measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.figures import PAGES, with_figures


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tables_of_figures(page: Path) -> None:
    """The tables of figures on a page are those that the results in docs/benchmarks give."""
    text = page.read_text(encoding="utf-8")
    assert "<!-- figures: " in text
    assert with_figures(text) == text
