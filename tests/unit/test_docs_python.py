"""The Python in the documentation runs as it is printed there, and the paths that it names exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in ("api.md", "complete-hours.md", "converters.md", "http.md", "metrics.md")
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(block: str) -> None:
    """Each block runs without the other blocks and defines something; its functions are not called."""
    names: dict[str, Any] = {"__name__": "docs"}
    exec(compile(block, "docs", "exec", dont_inherit=True), names)
    assert len(names) > 1


REPOSITORY = DOCS.parent
PACKAGE = REPOSITORY / "kafka2parquet"
CONTRIBUTING = REPOSITORY / "CONTRIBUTING.md"


@pytest.mark.parametrize("page", [CONTRIBUTING, DOCS / "architecture.md"], ids=lambda page: page.name)
def test_paths_exist(page: Path) -> None:
    """Each path that a page names exists in the repository, in the package, or in a top-level folder of the package."""
    paths = re.findall(r"`([\w./]+(?:\.py|\.md|/))`", page.read_text(encoding="utf-8"))
    places = [REPOSITORY, PACKAGE, *PACKAGE.iterdir()]
    assert len(paths) > 50
    assert [] == [path for path in paths if not any((place / path).exists() for place in places)]


def test_map_has_every_room() -> None:
    """CONTRIBUTING describes every folder and every top-level module of the package."""
    text = CONTRIBUTING.read_text(encoding="utf-8")
    rooms = [f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")]
    rooms += [path.name for path in PACKAGE.glob("*.py") if path.name != "__init__.py"]
    assert [] == [room for room in sorted(rooms) if f"`{room}`" not in text]
