"""SchemaNamePartitioner: a folder by the name of the record's schema, around another partitioner's folders."""

from __future__ import annotations

import datetime
from typing import Literal

import attrs

from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.default import in_one_folder
from kafka2parquet.partitioners.hive_names import NULL_NAME, HiveNames
from kafka2parquet.records import Stage
from kafka2parquet.rows import Partitioned, Rows
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.user_parts import ask


@checked
class SchemaNamePartitioner(Partitioner):
    """Puts rows into `schema_name=shop.Order/year=2026` (prefix) or `year=2026/schema_name=shop.Order` (suffix).

    It is Kafka Connect's `s3.schema.partition.affix.type`. Names are escaped as Hive does. Rows whose records have no schema,
    or one without a name, get `schema_name=__HIVE_DEFAULT_PARTITION__`.
    """

    def __init__(
        self,
        inner: Partitioner,
        *,
        affix: Literal["prefix", "suffix"] = "prefix",
        directory_delimiter: Name = "/",
        escape: bool = True,
    ) -> None:
        """Wrap a partitioner.

        Args:
            inner: gives the other folders.
            affix: before or behind these.
            directory_delimiter: between folders.
            escape: whether names are escaped. Kafka Connect doesn't, and writes `null` for no name.
        """
        self._inner = inner
        self._affix = affix
        self._delimiter = directory_delimiter
        self._names = HiveNames(directory_delimiter) if escape else None
        self.uses_clock = inner.uses_clock
        self.time_based = inner.time_based

    @property
    def fingerprint(self) -> str:
        """Names the settings, and those of the other partitioner."""
        escaped = "" if self._names is None else "-escaped"
        return f"schema-{self._affix}-{self._delimiter}{escaped}-{self._inner.fingerprint}"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give each row the other partitioner's folder, and its own."""
        name = rows.value_schema.name if rows.value_schema is not None else None
        if self._names is not None and name == NULL_NAME:
            reason = f"Error encoding partition. The schema is called {NULL_NAME}, which stands for no name"
            rejects = rows.batch.reject_offsets(rows.offsets.to_numpy(), Stage.PARTITION, [reason] * len(rows))
            return Partitioned(in_one_folder(rows.slice(0, 0), "", rows.timestamps_ms.slice(0, 0)), rejects)
        partitioned = ask(self._inner.partition, rows, opened_at)
        own = f"schema_name={self._names.name(name) if self._names is not None else name if name is not None else 'null'}"
        folders = tuple(
            self._delimiter.join((own, folder) if self._affix == "prefix" else (folder, own))
            for folder in partitioned.rows.encoded_partitions
        )
        return attrs.evolve(partitioned, rows=attrs.evolve(partitioned.rows, encoded_partitions=folders))
