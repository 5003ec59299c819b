"""The paths that pages name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, ROOT

PACKAGE = ROOT / "kafka2parquet"
CONTRIBUTING = ROOT / "CONTRIBUTING.md"


@pytest.mark.parametrize("page", [CONTRIBUTING, DOCS / "architecture.md"], ids=lambda page: page.name)
def test_paths_exist(page: Path) -> None:
    """Each path that a page names exists in the repository, in the package, or in a top-level folder of the package."""
    paths = re.findall(r"`([\w./]+(?:\.py|\.md|/))`", page.read_text(encoding="utf-8"))
    places = [ROOT, PACKAGE, *PACKAGE.iterdir()]
    assert len(paths) > 50
    assert [] == [path for path in paths if not any((place / path).exists() for place in places)]


def test_map_has_every_room() -> None:
    """CONTRIBUTING describes every folder and every top-level module of the package."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    rooms = [f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")]
    rooms += [path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]
    assert [] == [room for room in sorted(rooms) if f"`{room}`" not in text]
