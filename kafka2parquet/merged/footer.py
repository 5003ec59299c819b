"""MergedFooter: what a merged file records about the files whose rows it has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from kafka2parquet.merged.covered import CoveredFile
from kafka2parquet.merged.fields import from_text
from kafka2parquet.parquet.footer_fields import number, text
from kafka2parquet.util.display import counted

#: Key of the metadata entry. It is not the key of the sink's own files, so that no merged file can be mistaken for one.
METADATA_KEY = "kafka2parquet.merged"
VERSION = 1


@attrs.frozen
class MergedFooter:
    """The entry in the Parquet key-value metadata of a merged file.

    Attributes:
        cluster_id: id of the Kafka cluster, "" if unknown.
        topic_id: id of the topic, "" if unknown.
        topic: name of the topic.
        folder: the encoded partition of all covered files.
        number: number of the plan.
        covered: the files whose rows this file has, in the order of the rows.
    """

    cluster_id: str = attrs.field(validator=text)
    topic_id: str = attrs.field(validator=text)
    topic: str = attrs.field(validator=text)
    folder: str = attrs.field(validator=text)
    number: int = attrs.field(validator=number())
    covered: tuple[CoveredFile, ...]

    @property
    def rows(self) -> int:
        """Number of rows of the file."""
        return sum(file.rows for file in self.covered)

    def to_metadata(self) -> dict[str, str]:
        """Return the key-value metadata for a Parquet footer."""
        values: dict[str, Any] = {"version": VERSION, **attrs.asdict(self, recurse=False), "rows": self.rows}
        values["covered"] = [file.to_json() for file in self.covered]
        return {METADATA_KEY: json.dumps(values, separators=(",", ":"))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str] | None) -> MergedFooter | None:
        """Parse the metadata of a footer; None if the file is not a merged file of this library.

        Raises:
            ValueError: this library merged the file, but the text is damaged or inconsistent, or has an unknown version.
        """
        content = (metadata or {}).get(METADATA_KEY)
        if content is None:
            return None

        def parse(values: dict[str, Any]) -> MergedFooter:
            rows, covered = values.pop("rows"), values.pop("covered")
            footer = cls(covered=tuple(map(CoveredFile.from_json, covered)), **values)
            if footer.rows != rows:
                raise ValueError(f"it counts {counted(rows, 'row')}, and its files have {footer.rows}")
            return footer

        footer: MergedFooter = from_text(content, VERSION, parse)
        return footer
