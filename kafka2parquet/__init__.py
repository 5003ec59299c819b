"""Drains Kafka topics into time-partitioned Parquet files, every record exactly once."""

__version__ = "0.1.0"
