"""StagedFile: a complete Parquet file that is not yet published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs


@attrs.frozen(eq=False)
class StagedFile:
    """A complete Parquet file on local disk, or in memory if it is small.

    Attributes:
        content: path of the file, or its bytes.
        size_bytes: length of the file.
        rows: number of rows.
        metadata: key-value metadata of the file's footer, which `content` contains too.
    """

    content: Path | bytes = attrs.field(repr=False)
    size_bytes: int
    rows: int
    metadata: Mapping[str, str] = attrs.field(repr=False)

    def discard(self) -> None:
        """Delete the local copy. May be called twice."""
        if isinstance(self.content, Path):
            self.content.unlink(missing_ok=True)
