"""Tables over the published files: a follower registers the files in Iceberg, Delta or Glue, exactly once.

`follower` explains how. `target` has what a follower needs of a table format; `delta`, `iceberg` and `glue` are the formats.
`partition_catalog` has what compaction needs of a table whose partitions it moves to merged files.
"""

from kafka2parquet.tables.delta import DeltaTarget
from kafka2parquet.tables.follower import CatalogFollower
from kafka2parquet.tables.glue import GlueTarget
from kafka2parquet.tables.iceberg import IcebergTarget
from kafka2parquet.tables.log import CommittedOffsets, KafkaTopicLog, TopicLog
from kafka2parquet.tables.progress import Followed, FollowedPartition
from kafka2parquet.tables.target import DataFile, LogId, RefusedFileError, TableTarget

__all__ = [
    "CatalogFollower",
    "CommittedOffsets",
    "DataFile",
    "DeltaTarget",
    "Followed",
    "FollowedPartition",
    "GlueTarget",
    "IcebergTarget",
    "KafkaTopicLog",
    "LogId",
    "RefusedFileError",
    "TableTarget",
    "TopicLog",
]
