"""A finished Parquet file that nobody else can see yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs


@attrs.frozen(eq=False)
class StagedFile:
    """A complete Parquet file, on local disk or, when small, in memory.

    Attributes:
        content: path of the file, or its bytes.
        size_bytes: length of the file.
        rows: number of rows.
        metadata: key-value metadata in its footer (also in `content`).
    """

    content: Path | bytes = attrs.field(repr=False)
    size_bytes: int
    rows: int
    metadata: Mapping[str, str] = attrs.field(repr=False)

    def discard(self) -> None:
        """Delete the local copy. May be called twice."""
        if isinstance(self.content, Path):
            self.content.unlink(missing_ok=True)
