"""Adds columns that say where a row comes from: `_kafka_topic`, `_kafka_partition`, `_kafka_offset` and so on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import attrs
import pyarrow as pa

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.record_headers import header_lists
from kafka2parquet.converters.record_keys import key_column
from kafka2parquet.records import Reject, is_kept
from kafka2parquet.rows import Rows, Transformed
from kafka2parquet.util.arguments import OneOf, checked

_HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))


_ALL = ("topic", "partition", "offset", "timestamp", "key", "headers")
ColumnName = Annotated[str, OneOf(_ALL)]


@checked
class MetadataColumns:
    """Adds the chosen columns after all others, in a fixed order."""

    #: The names of all columns, in their order.
    ALL = _ALL

    def __init__(
        self,
        names: Sequence[ColumnName] = ("partition", "offset", "timestamp"),
        *,
        key_converter: RecordConverter | None = None,
    ) -> None:
        """Choose the columns.

        Args:
            names: some of `topic`, `partition`, `offset`, `timestamp`, `key`, `headers`; the columns are named
                `_kafka_<name>`.
            key_converter: makes the column of keys; by default, keys are written as bytes.

        Raises:
            ConfigurationError: a name is unknown.
        """
        self.names = tuple(name for name in self.ALL if name in names)
        self._key_converter = key_converter

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(f"_kafka_{name}" for name in self.names)

    def add(self, rows: Rows) -> Transformed:
        """Add the columns to rows. A row whose key can't be converted is a reject.

        Called on the thread that drives the task.
        """
        if not self.names:
            return Transformed(rows)
        rejects: Sequence[Reject] = ()
        keys = None
        if "key" in self.names:
            keys, rejects = key_column(rows.records, self._key_converter)
            if rejects:
                mask = is_kept(rows.offsets, rejects)
                rows, keys = rows.filter(mask), keys.filter(mask)
        table = rows.table
        for name in self.names:
            column = keys if name == "key" else self._column(name, rows)
            table = table.append_column(f"_kafka_{name}", column)
        return Transformed(attrs.evolve(rows, table=table), rejects)

    def _column(self, name: str, rows: Rows) -> pa.Array:
        if name == "offset":
            return rows.offsets
        if name == "timestamp":
            return rows.timestamps_ms.cast(pa.timestamp("ms", "UTC"))
        if name == "topic":
            return pa.repeat(pa.scalar(rows.batch.topic_partition.topic), len(rows))
        if name == "partition":
            return pa.repeat(pa.scalar(rows.batch.topic_partition.partition, pa.int32()), len(rows))
        return header_lists(rows.records.headers, _HEADERS)
