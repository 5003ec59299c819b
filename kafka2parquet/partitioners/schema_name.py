"""SchemaNamePartitioner: adds a folder with the name of the record's schema to another partitioner's folders."""

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

    This is Kafka Connect's `s3.schema.partition.affix.type`. Names are escaped as in Hive. Rows without a schema, or with an
    unnamed schema, get `schema_name=__HIVE_DEFAULT_PARTITION__`.
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
            inner: the partitioner for the other folders.
            affix: whether the schema's folder comes before (`prefix`) or after (`suffix`) the other folders.
            directory_delimiter: delimiter between folders.
            escape: whether to escape names. Kafka Connect doesn't, and writes `null` for a missing name.
        """
        self._inner = inner
        self._affix = affix
        self._delimiter = directory_delimiter
        self._names = HiveNames(directory_delimiter) if escape else None
        self.uses_clock = inner.uses_clock
        self.time_based = inner.time_based

    @property
    def fingerprint(self) -> str:
        """Text that identifies the settings of this and of the inner partitioner."""
        escaped = "" if self._names is None else "-escaped"
        return f"schema-{self._affix}-{self._delimiter}{escaped}-{self._inner.fingerprint}"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give each row the inner partitioner's folder and the folder of its schema."""
        name = rows.value_schema.name if rows.value_schema is not None else None
        if self._names is not None and name == NULL_NAME:
            reason = f"Error encoding partition. The schema is called {NULL_NAME}, which stands for a missing name"
            rejects = rows.batch.reject_offsets(rows.offsets.to_numpy(), Stage.PARTITION, [reason] * len(rows))
            return Partitioned(in_one_folder(rows.slice(0, 0), "", rows.timestamps_ms.slice(0, 0)), rejects)
        partitioned = ask(self._inner.partition, rows, opened_at)
        own = f"schema_name={self._names.name(name) if self._names is not None else name if name is not None else 'null'}"
        folders = tuple(
            self._delimiter.join((own, folder) if self._affix == "prefix" else (folder, own))
            for folder in partitioned.rows.encoded_partitions
        )
        return attrs.evolve(partitioned, rows=attrs.evolve(partitioned.rows, encoded_partitions=folders))
