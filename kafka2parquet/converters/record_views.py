"""Adds the record views: keys and headers that go to separate files, as in Kafka Connect's storage sinks."""

from __future__ import annotations

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.converters.record_headers import header_lists
from kafka2parquet.converters.record_keys import key_column
from kafka2parquet.records import DATA_EXCEPTION, ConsumedBatch, Reject, Stage, View, is_kept
from kafka2parquet.rows import Rows, Transformed
from kafka2parquet.util.arguments import Name, checked

_HEADER = pa.struct([pa.field("key", pa.string(), nullable=False), pa.field("value", pa.string())])
_HEADERS = pa.list_(pa.field("element", _HEADER, nullable=False))
HEADERS_SCHEMA = pa.schema([("headers", _HEADERS)])


@checked
@attrs.frozen(eq=False)
class RecordViews:
    """Writes a file of keys, a file of headers, or both beside each file of values (`store.kafka.keys`, `.headers`).

    These files have a row for each row of the file of values, in the same order. A record without a key (or without headers)
    is then a reject. Records without a value, if they are written at all, have only these files, in a separate folder.

    Attributes:
        keys: whether keys are written.
        headers: whether headers are written, with their values as text.
        key_converter: makes the column of keys; without it, keys stay bytes.
        tombstone_partition: the encoded partition of records without a value.
    """

    keys: bool = False
    headers: bool = False
    key_converter: RecordConverter | None = None
    tombstone_partition: Name = "tombstone"

    @property
    def fingerprint(self) -> str:
        """Identifies the settings."""
        of_keys = self.key_converter.fingerprint if self.key_converter is not None else "bytes"
        return f"views-{self.keys}-{self.headers}-{of_keys}-{self.tombstone_partition}"

    def add(self, rows: Rows) -> Transformed:
        """Add keys and headers to rows as views. Rows without them are rejects. Called on the task's thread."""
        records = rows.records
        rejects: list[Reject] = []
        if self.keys and records.keys.null_count:
            rejects += _missing(records, pc.is_null(records.keys), "Key")
        if self.headers:
            missing = pc.and_(_without_headers(records.headers), is_kept(records.offsets, rejects))
            if pc.any(missing).as_py():
                rejects += _missing(records, missing, "Headers")
        if rejects:
            rows = rows.filter(is_kept(rows.offsets, rejects))
        views: dict[View, pa.Table] = {}
        if self.keys and len(rows):
            keys, not_converted = key_column(rows.records, self.key_converter)
            if not_converted:
                mask = is_kept(rows.offsets, not_converted)
                rows, keys = rows.filter(mask), keys.filter(mask)
                rejects += not_converted
            views["keys"] = pa.table({"key": keys})
        if self.headers and len(rows):
            views["headers"] = pa.table({"headers": header_lists(rows.records.headers, _HEADERS, header_text)})
        return Transformed(attrs.evolve(rows, views=views), sorted(rejects, key=lambda reject: reject.offset))


def _missing(records: ConsumedBatch, mask: pa.Array, what: str) -> list[Reject]:
    topic, partition = attrs.astuple(records.topic_partition)
    return [
        records.reject(
            row,
            Stage.WRITE,
            f"{what} cannot be null for SinkRecord: SinkRecord{{kafkaOffset={records.offsets[row].as_py()}, topic='{topic}',"
            f" kafkaPartition={partition}}} ",
            DATA_EXCEPTION,
        )
        for row in np.flatnonzero(mask.to_numpy(zero_copy_only=False)).tolist()
    ]


def _without_headers(sections: pa.Array) -> pa.Array:
    """Whether each header section is null or empty."""
    return pc.fill_null(pc.equal(sections.cast(pa.binary()), b"\x00"), True)


def header_text(value: object) -> str | None:
    """Convert a header's value to text: numbers, booleans and text as they are read, and bytes as UTF-8.

    Bytes that are not UTF-8 become hexadecimal digits.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.hex()
    return str(value)
