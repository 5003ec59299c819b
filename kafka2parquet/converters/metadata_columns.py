"""Columns that tell where a row comes from: `_kafka_topic`, `_kafka_partition`, `_kafka_offset` and so on."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.records import ConsumedBatch, Converted, Reject, Rows, decode_headers

_HEADERS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))


class MetadataColumns:
    """Adds the columns that are asked for, behind the others and in a fixed order."""

    #: All of them, in their order.
    ALL = ("topic", "partition", "offset", "timestamp", "key", "headers")

    def __init__(
        self, names: Sequence[str] = ("partition", "offset", "timestamp"), *, key_converter: RecordConverter | None = None
    ) -> None:
        """Choose the columns.

        Args:
            names: some of `topic`, `partition`, `offset`, `timestamp`, `key`, `headers`; the columns are called
                `_kafka_<name>`.
            key_converter: makes the column of keys; by default they are written as bytes.

        Raises:
            ConfigurationError: unknown name.
        """
        unknown = [name for name in names if name not in self.ALL]
        if unknown:
            raise ConfigurationError(f"Metadata columns {', '.join(unknown)}: none of {', '.join(self.ALL)}.")
        self.names = tuple(name for name in self.ALL if name in names)
        self._key_converter = key_converter

    def add(self, rows: Rows) -> Converted:
        """The rows with the columns; a row whose key can't be converted is a reject.

        Called on the thread that drives the task.
        """
        if not self.names:
            return Converted(rows)
        rejects: Sequence[Reject] = ()
        keys = None
        if "key" in self.names:
            converted = self._convert_keys(rows)
            keys, rejects = converted.rows.table.column(0), converted.rejects
            if rejects:
                rows = rows.filter(pc.is_in(rows.offsets, converted.rows.offsets))
        table = rows.table
        for name in self.names:
            column = keys if name == "key" else self._column(name, rows)
            table = table.append_column(f"_kafka_{name}", column)
        return Converted(attrs.evolve(rows, table=table), rejects)

    def _column(self, name: str, rows: Rows) -> pa.Array:
        if name == "offset":
            return rows.offsets
        if name == "timestamp":
            return rows.timestamps_ms.cast(pa.timestamp("ms", "UTC")).cast(pa.timestamp("us", "UTC"))
        if name == "topic":
            return pa.repeat(pa.scalar(rows.batch.topic_partition.topic), len(rows))
        if name == "partition":
            return pa.repeat(pa.scalar(rows.batch.topic_partition.partition, pa.int32()), len(rows))
        return _decoded_headers(_records_of(rows).headers)

    def _convert_keys(self, rows: Rows) -> Converted:
        """The keys as a table of one column; null keys stay null."""
        records = _records_of(rows)
        if self._key_converter is None:
            return Converted(attrs.evolve(rows, table=pa.table({"key": records.keys.cast(pa.binary())})))
        keyed = records.filter(pc.is_valid(records.keys)) if records.keys.null_count else records
        if not len(keyed):
            return Converted(attrs.evolve(rows, table=pa.table({"key": pa.nulls(len(rows), pa.string())})))
        converted = self._key_converter.convert(attrs.evolve(keyed, values=keyed.keys))
        rejected = pa.array([reject.offset for reject in converted.rejects], pa.int64())
        kept = rows.filter(pc.invert(pc.is_in(rows.offsets, rejected)))
        places = pc.index_in(kept.offsets, converted.rows.offsets)
        rejects = [records.reject_offset(reject.offset, reject.stage, f"key: {reject.reason}") for reject in converted.rejects]
        return Converted(attrs.evolve(kept, table=converted.rows.table.take(places)), rejects)


def _records_of(rows: Rows) -> ConsumedBatch:
    """The records that the rows were made of."""
    if len(rows) == len(rows.batch):
        return rows.batch
    return rows.batch.filter(pc.is_in(rows.batch.offsets, rows.offsets))


def _decoded_headers(sections: pa.Array) -> pa.Array:
    """The header sections as lists of keys and values; records without headers get an empty list."""
    if sections.null_count == len(sections):
        return pa.ListArray.from_arrays(
            pa.array(np.zeros(len(sections) + 1, np.int32)), pa.array([], _HEADERS.value_type), type=_HEADERS
        )
    return pa.array(
        [[{"key": key, "value": value} for key, value in decode_headers(section)] for section in sections.to_pylist()], _HEADERS
    )
