"""Checks the results of converters and partitioners, so that a bug in their code can't lose or repeat a record."""

from __future__ import annotations

import datetime

import pyarrow as pa

from kafka2parquet.converters.base import RecordConverter
from kafka2parquet.errors import UsageError
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted, Partitioned, Rows
from kafka2parquet.util.arrays import is_rising_subset
from kafka2parquet.util.display import counted
from kafka2parquet.util.user_parts import ask

_OTHER_OFFSETS = "returned offsets that it was not given, or in another order."


def converted(converter: RecordConverter, batch: ConsumedBatch) -> Converted:
    """Converts a batch and checks the result.

    Raises:
        BrokenPartError: the converter is broken.
        UsageError: not every record is a row, a reject or a tombstone, once.
    """
    result = ask(converter.convert, batch)
    if why := _why_not_converted(result, batch):
        raise UsageError(f"{type(converter).__name__}.convert at {_where(batch, batch.offsets)} {why}")
    return result


def partitioned(partitioner: Partitioner, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
    """Partitions rows and checks the result.

    Raises:
        BrokenPartError: the partitioner is broken.
        UsageError: not every row has a folder or is a reject, once.
    """
    result = ask(partitioner.partition, rows, opened_at)
    if why := _why_not_partitioned(result, rows):
        raise UsageError(f"{type(partitioner).__name__}.partition at {_where(rows.batch, rows.offsets)} {why}")
    return result


def _why_not_converted(result: object, batch: ConsumedBatch) -> str | None:
    """Explains what is wrong with the result of a converter; None if nothing is."""
    if not isinstance(result, Converted):
        return f"returned {type(result).__name__}; it has to return Converted."
    for rows in result.groups:
        if rows.table.num_rows != len(rows):
            return f"returned {counted(rows.table.num_rows, 'row')} with {counted(len(rows), 'offset')}."
        if not _is_subset(rows.offsets, batch.offsets):
            return _OTHER_OFFSETS
    tombstones = 0 if result.tombstones is None else len(result.tombstones)
    return _why_not_all("records", len(batch), sum(map(len, result.groups)), len(result.rejects), tombstones)


def _why_not_partitioned(result: object, rows: Rows) -> str | None:
    """Explains what is wrong with the result of a partitioner; None if nothing is."""
    if not isinstance(result, Partitioned):
        return f"returned {type(result).__name__}; it has to return Partitioned."
    made = result.rows
    if not len(made) == len(made.codes) == len(made.timestamps_ms):
        codes_and_times = f"{counted(len(made.codes), 'code')} and {counted(len(made.timestamps_ms), 'time')}"
        return f"returned {counted(len(made), 'row')} with {codes_and_times}."
    codes = made.codes.to_numpy(zero_copy_only=False)
    if len(made) and not (made.codes.null_count == 0 <= codes.min() <= codes.max() < len(made.encoded_partitions)):
        return f"returned codes beyond its {counted(len(made.encoded_partitions), 'encoded partition')}."
    if not all(isinstance(folder, str) for folder in made.encoded_partitions):
        return "returned an encoded partition that isn't a str."
    if not _is_subset(made.rows.offsets, rows.offsets):
        return _OTHER_OFFSETS
    return _why_not_all("rows", len(rows), len(made), len(result.rejects))


def _where(batch: ConsumedBatch, offsets: pa.Array) -> str:
    return f"{batch.topic_partition}, offsets {offsets[0]} to {offsets[-1]},"


def _is_subset(offsets: pa.Array, given: pa.Array) -> bool:
    """Whether `offsets` are some of the `given` offsets, in the same order."""
    return offsets is given or not len(offsets) or is_rising_subset(offsets.to_numpy(), given.to_numpy())


def _why_not_all(what: str, given: int, rows: int, rejects: int, tombstones: int = 0) -> str | None:
    if given == rows + rejects + tombstones:
        return None
    return (
        f"made {counted(rows, 'row')}, {counted(rejects, 'reject')} and {counted(tombstones, 'tombstone')} of {given} {what}."
        " Each has to become one of these, once."
    )
