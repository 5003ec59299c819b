"""The picture of the live view on the first page of the documentation."""

from __future__ import annotations

import re
import runpy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.docs.blocks import DOCS

pytest.importorskip("rich")


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The names of the program that draws the picture. Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield runpy.run_path(str(DOCS / "live_view.py"))
    monkeypatch.undo()
    time.tzset()


def test_picture_is_current(program: dict[str, Any]) -> None:
    """`docs/live_view.py` makes exactly the picture beside it, so the picture is what a terminal shows today."""
    assert program["live_view_svg"]() == (DOCS / "live-view.svg").read_text(encoding="utf-8")


def test_picture_loads_nothing(program: dict[str, Any]) -> None:
    """The picture names no address but that of SVG: a page shows a picture without what the picture would load."""
    svg = program["live_view_svg"]()
    assert ["http://www.w3.org/2000/svg"] == re.findall(r"https?://[^\"')]+", svg)
    assert "@import" not in svg
