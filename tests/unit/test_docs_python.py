"""The Python in the documentation runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCKS = [
    pytest.param(block, id=f"{page}-{number}")
    for page in ("api.md", "converters.md")
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(block: str) -> None:
    """Each by itself. Functions are defined; nobody calls them."""
    names: dict[str, Any] = {"__name__": "docs"}
    exec(compile(block, "docs", "exec", dont_inherit=True), names)
    assert len(names) > 1
