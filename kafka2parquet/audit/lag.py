"""Measures the durable lag of a sink from outside: from the log and the group's committed offsets."""

from __future__ import annotations

import datetime
from collections.abc import Collection

import attrs

from kafka2parquet.consumers.kafka_python.log_reader import FirstRecord, LogReader
from kafka2parquet.records import TopicPartition


@attrs.frozen
class PartitionLag:
    """The durable lag of one topic-partition, with the names of `PartitionStatus`.

    Attributes:
        topic_partition: the topic-partition.
        log_start: first offset of the log.
        log_end: the offset after the last record that readers can see.
        committed: the group's committed offset; None if the group has not committed one.
        durable_lag_records: records that are not in a published and committed file. An upper bound where the log has offsets
            without records, such as markers of transactions.
        durable_lag_s: age of the first of them, in seconds; 0 if there is none, None if the record has no timestamp.
        retention_s: how long the topic keeps records, in seconds; None if for ever or unknown.
        retention_margin_s: seconds until Kafka may delete the first record that is not durable. None if there is no such
            record, or if its timestamp or the retention is unknown.
        lost_records: offsets between the committed offset and the start of the log: Kafka has deleted them before they were
            written.
    """

    topic_partition: TopicPartition
    log_start: int
    log_end: int
    committed: int | None
    durable_lag_records: int
    durable_lag_s: float | None
    retention_s: float | None
    retention_margin_s: float | None
    lost_records: int


def read_lags(
    log: LogReader, topics: Collection[str], now: datetime.datetime, *, from_latest: bool = False
) -> tuple[PartitionLag, ...]:
    """Measure the lag of all topic-partitions of some topics, sorted by name. Topics that don't exist are left out.

    Blocks. Reads one record of each topic-partition that has a lag, and changes nothing.

    Args:
        log: a connection with the group's id.
        topics: names of the topics.
        now: the time from which ages are counted.
        from_latest: whether a partition without a committed offset is read from its end, and not from its start.

    Raises:
        Kafka2ParquetError: Kafka can't be read.
    """
    committed = log.committed(topics)
    bounds = {name: found for topic in topics for name, found in log.bounds(topic).items()}
    ranges = {
        name: (max(start, committed.get(name, end if from_latest else start)), end) for name, (start, end) in bounds.items()
    }
    firsts = log.first_records(ranges)
    retentions_ms = log.retentions_ms(topics)
    return tuple(
        _lag(name, bounds[name], committed.get(name), firsts.get(name), retentions_ms.get(name.topic), now)
        for name in sorted(bounds)
    )


def _lag(
    name: TopicPartition,
    bounds: tuple[int, int],
    committed: int | None,
    first: FirstRecord | None,
    retention_ms: int | None,
    now: datetime.datetime,
) -> PartitionLag:
    log_start, log_end = bounds
    retention_s = None if retention_ms is None else retention_ms / 1000
    lag_s: float | None = 0.0
    margin_s: float | None = None
    if first is not None:
        lag_s = None if first.timestamp_ms is None else max(0.0, now.timestamp() - first.timestamp_ms / 1000)
        margin_s = None if lag_s is None or retention_s is None else retention_s - lag_s
    return PartitionLag(
        name,
        log_start,
        log_end,
        committed,
        durable_lag_records=0 if first is None else log_end - first.offset,
        durable_lag_s=lag_s,
        retention_s=retention_s,
        retention_margin_s=margin_s,
        lost_records=0 if committed is None else max(0, log_start - committed),
    )
