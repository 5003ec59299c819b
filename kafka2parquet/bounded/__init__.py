"""Runs that end: ranges of offsets, and `drain`, which writes one range or everything that is there, exactly once."""

from kafka2parquet.bounded.draining import Drain, drain
from kafka2parquet.bounded.lookup import look_up_ranges
from kafka2parquet.bounded.progress import DrainProgress
from kafka2parquet.bounded.ranges import Ranges, TopicRange
from kafka2parquet.bounded.result import DrainResult, PartitionResult

__all__ = [
    "Drain",
    "DrainProgress",
    "DrainResult",
    "PartitionResult",
    "Ranges",
    "TopicRange",
    "drain",
    "look_up_ranges",
]
