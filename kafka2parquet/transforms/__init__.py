"""Transforms: change rows between converter and partitioner.

Kafka Connect configurations name the built-in classes as `kafka2parquet.transforms:Drop`.
"""

from kafka2parquet.transforms.base import MapTable, TableTransform, Transform
from kafka2parquet.transforms.chain import TransformChain
from kafka2parquet.transforms.columns.cast import Cast
from kafka2parquet.transforms.columns.extract_field import ExtractField, HoistField
from kafka2parquet.transforms.columns.filter import Filter, value_in
from kafka2parquet.transforms.columns.flatten import Flatten
from kafka2parquet.transforms.columns.insert_field import InsertField
from kafka2parquet.transforms.columns.mask import Mask
from kafka2parquet.transforms.columns.rename import Rename
from kafka2parquet.transforms.columns.select import Drop, Keep
from kafka2parquet.transforms.columns.to_timestamp import ToTimestamp
from kafka2parquet.transforms.columns.unwrap import Unwrap
from kafka2parquet.transforms.predicates import HasHeaderKey, Predicate, RecordIsTombstone, TopicNameMatches
from kafka2parquet.transforms.regex_router import RegexRouter
from kafka2parquet.transforms.timestamp_router import TimestampRouter
from kafka2parquet.transforms.tombstones import TombstoneHandler
from kafka2parquet.transforms.topic_folders import Route, RoutedFolders
from kafka2parquet.transforms.where import LeaveOut, Where

__all__ = [
    "Cast",
    "Drop",
    "ExtractField",
    "Filter",
    "Flatten",
    "HasHeaderKey",
    "HoistField",
    "InsertField",
    "Keep",
    "LeaveOut",
    "MapTable",
    "Mask",
    "Predicate",
    "RecordIsTombstone",
    "RegexRouter",
    "Rename",
    "Route",
    "RoutedFolders",
    "TableTransform",
    "TimestampRouter",
    "ToTimestamp",
    "TombstoneHandler",
    "TopicNameMatches",
    "Transform",
    "TransformChain",
    "Unwrap",
    "Where",
    "value_in",
]
