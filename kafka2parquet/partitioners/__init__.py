"""Partitioners: the folder (encoded partition) and the time of each row, computed on whole columns.

A subclass of `PerRecordPartitioner` looks at one row at a time, a subclass of `Partitioner` at whole columns.
"""

from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.composite import CompositePartitioner
from kafka2parquet.partitioners.default import DefaultPartitioner
from kafka2parquet.partitioners.field import FieldPartitioner
from kafka2parquet.partitioners.per_record import PerRecordPartitioner
from kafka2parquet.partitioners.schema_name import SchemaNamePartitioner
from kafka2parquet.partitioners.time import DailyPartitioner, HourlyPartitioner, TimeBasedPartitioner
from kafka2parquet.partitioners.timestamps import (
    RecordFieldTimestamp,
    RecordTimestamp,
    TimestampExtractor,
    Unusable,
    WallclockTimestamp,
)

__all__ = [
    "CompositePartitioner",
    "DailyPartitioner",
    "DefaultPartitioner",
    "FieldPartitioner",
    "HourlyPartitioner",
    "Partitioner",
    "PerRecordPartitioner",
    "RecordFieldTimestamp",
    "RecordTimestamp",
    "SchemaNamePartitioner",
    "TimeBasedPartitioner",
    "TimestampExtractor",
    "Unusable",
    "WallclockTimestamp",
]
