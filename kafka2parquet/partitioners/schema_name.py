"""SchemaNamePartitioner: a folder by the name of the record's schema, around another partitioner's folders."""

from __future__ import annotations

import datetime
from typing import Literal

import attrs

from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.rows import Partitioned, Rows


class SchemaNamePartitioner(Partitioner):
    """Puts rows into `schema_name=shop.Order/year=2026` (prefix) or `year=2026/schema_name=shop.Order` (suffix).

    Rows whose records have no schema, or one without a name, get `schema_name=null`
    (Kafka Connect's `s3.schema.partition.affix.type`).
    """

    def __init__(
        self, inner: Partitioner, *, affix: Literal["prefix", "suffix"] = "prefix", directory_delimiter: str = "/"
    ) -> None:
        """Wrap a partitioner.

        Args:
            inner: gives the other folders.
            affix: before or behind these.
            directory_delimiter: between folders.
        """
        self._inner = inner
        self._affix = affix
        self._delimiter = directory_delimiter
        self.uses_clock = inner.uses_clock
        self.time_based = inner.time_based

    @property
    def fingerprint(self) -> str:
        """Names the settings, and those of the other partitioner."""
        return f"schema-{self._affix}-{self._delimiter}-{self._inner.fingerprint}"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give each row the other partitioner's folder, and its own."""
        partitioned = self._inner.partition(rows, opened_at)
        name = rows.value_schema.name if rows.value_schema is not None else None
        own = f"schema_name={name if name is not None else 'null'}"
        folders = tuple(
            self._delimiter.join((own, folder) if self._affix == "prefix" else (folder, own))
            for folder in partitioned.rows.encoded_partitions
        )
        return attrs.evolve(partitioned, rows=attrs.evolve(partitioned.rows, encoded_partitions=folders))
