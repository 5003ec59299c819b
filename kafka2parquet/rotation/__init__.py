"""Rotation policies: when a flush ends, by its rows or by the clock.

A subclass of `PerRecordRotation` looks at one row at a time, a subclass of `RotationPolicy` at whole columns.
"""

from kafka2parquet.rotation.base import Cut, Due, FlushStats, RotationPolicy
from kafka2parquet.rotation.policies import (
    CompressedBytesRotation,
    EncodedPartitionRotation,
    FirstOf,
    MaxOpenFilesRotation,
    PerRecordRotation,
    RecordCountRotation,
    RecordTimeRotation,
    ScheduledRotation,
)

__all__ = [
    "CompressedBytesRotation",
    "Cut",
    "Due",
    "EncodedPartitionRotation",
    "FirstOf",
    "FlushStats",
    "MaxOpenFilesRotation",
    "PerRecordRotation",
    "RecordCountRotation",
    "RecordTimeRotation",
    "RotationPolicy",
    "ScheduledRotation",
]
