"""The metrics that are read from the status of a table's follower."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kafka2parquet.metrics.instrument import Instrument, Kind, Sample, Unit
from kafka2parquet.status import TablePartitionStatus, TableStatus

_TABLE = ("table", "topic")


def _of_partitions(name: str, unit: Unit, meaning: str, value: Callable[[TablePartitionStatus], float | None]) -> Instrument:
    """Return a gauge that each topic-partition of a table has, unless its value is None."""

    def read(status: TableStatus) -> Iterable[Sample]:
        for partition in status.partitions:
            found = value(partition)
            if found is not None:
                yield (status.table, status.topic, str(partition.topic_partition.partition)), found

    return Instrument(name, "gauge", unit, meaning, (*_TABLE, "partition"), from_table=read)


def _of_table(
    name: str, unit: Unit, meaning: str, value: Callable[[TableStatus], float | None], kind: Kind = "gauge"
) -> Instrument:
    """Return a metric that each table has once, unless its value is None."""

    def read(status: TableStatus) -> Iterable[Sample]:
        found = value(status)
        if found is not None:
            yield (status.table, status.topic), found

    return Instrument(name, kind, unit, meaning, _TABLE, from_table=read)


TABLE_INSTRUMENTS: tuple[Instrument, ...] = (
    _of_partitions(
        "table_lag_offsets",
        "{offset}",
        "Offsets that were committed when the round began and are not in the table. No series before the first flush.",
        lambda each: each.lag_offsets,
    ),
    _of_partitions(
        "table_position_offset",
        "{offset}",
        "The table's position: all rows below this offset are in the table. No series before the first flush.",
        lambda each: each.position,
    ),
    _of_partitions(
        "table_partition_blocked",
        "1",
        "1 while the topic-partition stands still with a finding, such as a gap or a file that the table can't take; else 0.",
        lambda each: float(bool(each.problem)),
    ),
    _of_table(
        "table_last_round_timestamp_seconds",
        "s",
        "Time at which the last complete round ended. No series before the first one.",
        lambda status: None if status.last_round_at is None else status.last_round_at.timestamp(),
    ),
    _of_table(
        "table_last_transaction_timestamp_seconds",
        "s",
        "Time at which this follower has last added files to the table. No series before its first transaction.",
        lambda status: None if status.last_transaction_at is None else status.last_transaction_at.timestamp(),
    ),
    _of_table(
        "table_interval_seconds",
        "s",
        "Pause between two rounds. No series for a follower whose rounds the application starts.",
        lambda status: status.interval_s,
    ),
    _of_table(
        "table_up",
        "1",
        "1 if Kafka, the store and the catalogue gave the last round all answers that it needed, else 0. No series before the"
        " first answer.",
        lambda status: None if status.up is None else float(status.up),
    ),
    _of_table(
        "table_files_registered_total",
        "{file}",
        "Files that this follower has registered.",
        lambda status: status.files,
        "counter",
    ),
    _of_table(
        "table_rows_registered_total",
        "{row}",
        "Rows in the files that this follower has registered.",
        lambda status: status.rows,
        "counter",
    ),
)
