"""What converters and partitioners return, checked: no record may get lost, or come twice, by a mistake in one of them."""

from __future__ import annotations

import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.errors import UsageError
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted, Partitioned, Rows
from kafka2parquet.user_parts import ask


def converted(converter: RecordConverter, batch: ConsumedBatch) -> Converted:
    """What a converter makes of a batch.

    Raises:
        BrokenPartError: the converter is broken.
        UsageError: not every record is a row, a reject or a tombstone, once.
    """
    where = f"{type(converter).__name__}.convert at {_where(batch, batch.offsets)}"
    result = ask(converter.convert, batch)
    if not isinstance(result, Converted):
        raise UsageError(f"{where} returned {type(result).__name__}; it has to return Converted.")
    for rows in result.groups:
        if rows.table.num_rows != len(rows):
            raise UsageError(f"{where} returned {rows.table.num_rows} rows with {len(rows)} offsets.")
        _check_offsets(where, rows.offsets, batch.offsets)
    tombstones = 0 if result.tombstones is None else len(result.tombstones)
    _check_count(where, "records", len(batch), sum(map(len, result.groups)), len(result.rejects), tombstones)
    return result


def partitioned(partitioner: Partitioner, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
    """What a partitioner makes of rows.

    Raises:
        BrokenPartError: the partitioner is broken.
        UsageError: not every row has a folder or is a reject, once.
    """
    where = f"{type(partitioner).__name__}.partition at {_where(rows.batch, rows.offsets)}"
    result = ask(partitioner.partition, rows, opened_at)
    if not isinstance(result, Partitioned):
        raise UsageError(f"{where} returned {type(result).__name__}; it has to return Partitioned.")
    made = result.rows
    if not len(made) == len(made.codes) == len(made.timestamps_ms):
        raise UsageError(f"{where} returned {len(made)} rows with {len(made.codes)} codes and {len(made.timestamps_ms)} times.")
    if len(made) and not 0 <= pc.min(made.codes).as_py() <= pc.max(made.codes).as_py() < len(made.encoded_partitions):
        raise UsageError(f"{where} returned codes beyond its {len(made.encoded_partitions)} encoded partitions.")
    if not all(isinstance(folder, str) for folder in made.encoded_partitions):
        raise UsageError(f"{where} returned an encoded partition that isn't a str.")
    _check_offsets(where, made.rows.offsets, rows.offsets)
    _check_count(where, "rows", len(rows), len(made), len(result.rejects))
    return result


def _where(batch: ConsumedBatch, offsets: pa.Array) -> str:
    return f"{batch.topic_partition}, offsets {offsets[0]} to {offsets[-1]},"


def _check_offsets(where: str, offsets: pa.Array, given: pa.Array) -> None:
    """Refuse offsets that were not given, or that stand in another order."""
    if offsets is given or not len(offsets) or offsets.equals(given):
        return
    places = pc.index_in(offsets, given)
    if places.null_count or not np.all(np.diff(places.to_numpy()) > 0):
        raise UsageError(f"{where} returned offsets that it was not given, or in another order.")


def _check_count(where: str, what: str, given: int, rows: int, rejects: int, tombstones: int = 0) -> None:
    if given != rows + rejects + tombstones:
        raise UsageError(
            f"{where} made {rows} rows, {rejects} rejects and {tombstones} tombstones of {given} {what}. Each has to become one"
            " of these, once."
        )
