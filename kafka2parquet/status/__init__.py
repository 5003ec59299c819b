"""The status of a running sink: positions, lags, open rows, last file, and what each topic-partition waits for.

A follower that registers files in a table has a status, too. Both are frozen values, safe from any thread. Every view
(terminal, HTTP, metrics) shows these values and nothing else.
"""

from kafka2parquet.status.model import (
    KafkaStatus,
    LastCommit,
    LastFile,
    PartitionStatus,
    RunnerStatus,
    StorageStatus,
    TaskStatus,
    Totals,
    Waiting,
)
from kafka2parquet.status.table import TablePartitionStatus, TableStatus

__all__ = [
    "KafkaStatus",
    "LastCommit",
    "LastFile",
    "PartitionStatus",
    "RunnerStatus",
    "StorageStatus",
    "TablePartitionStatus",
    "TableStatus",
    "TaskStatus",
    "Totals",
    "Waiting",
]
