"""Runs that end: ranges of offsets, and `drain`, which writes one range or everything that is there, exactly once."""

from kafka2parquet.bounded.draining import Drain, drain
from kafka2parquet.bounded.positions import parse_position
from kafka2parquet.bounded.progress import DrainProgress
from kafka2parquet.bounded.ranges import Ranges, TopicRange
from kafka2parquet.bounded.resolving import check_ranges, resolve, resolve_end
from kafka2parquet.bounded.result import DrainResult, PartitionResult

__all__ = [
    "Drain",
    "DrainProgress",
    "DrainResult",
    "PartitionResult",
    "Ranges",
    "TopicRange",
    "check_ranges",
    "drain",
    "parse_position",
    "resolve",
    "resolve_end",
]
