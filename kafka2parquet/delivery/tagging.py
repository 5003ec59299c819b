"""ObjectTags: tags with a published object's offsets and rows, as Kafka Connect's S3 sink puts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from kafka2parquet.parquet.footer import FlushFooter
from kafka2parquet.util.arguments import Count, checked


@checked
@attrs.frozen
class ObjectTags:
    """Tags objects once they are published, before their flush is committed.

    Attributes:
        extra: further tags of every object.
        attempts: how often it is tried, at least once.
        on_error: `fail` ends the task when an object can't be tagged; it stays published, and its flush isn't repeated.
    """

    extra: Mapping[str, str] = attrs.field(factory=dict)
    attempts: Count = 3
    on_error: Literal["ignore", "fail"] = "ignore"

    def of(self, footer: FlushFooter) -> dict[str, str]:
        """The tags of an object with that footer."""
        return {
            "startOffset": str(footer.first_offset),
            "endOffset": str(footer.last_offset),
            "recordCount": str(footer.file_rows),
            **self.extra,
        }
