"""The status of a running sink: positions, lags, open rows, last file, and what each topic-partition waits for.

Frozen values, safe from any thread. Every view of a sink (terminal, HTTP, metrics) shows these values and nothing else.
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

__all__ = [
    "KafkaStatus",
    "LastCommit",
    "LastFile",
    "PartitionStatus",
    "RunnerStatus",
    "StorageStatus",
    "TaskStatus",
    "Totals",
    "Waiting",
]
