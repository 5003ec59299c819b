"""Transforms: what becomes of rows between converter and partitioner.

Kafka Connect configurations name those that are built in as `kafka2parquet.transforms:Drop`.
"""

from kafka2parquet.transforms.base import MapTable, TableTransform, Transform, Transformed
from kafka2parquet.transforms.cast import Cast
from kafka2parquet.transforms.chain import TransformChain
from kafka2parquet.transforms.extract_field import ExtractField, HoistField
from kafka2parquet.transforms.filter import Filter, value_in
from kafka2parquet.transforms.flatten import Flatten
from kafka2parquet.transforms.insert_field import InsertField
from kafka2parquet.transforms.mask import Mask
from kafka2parquet.transforms.rename import Rename
from kafka2parquet.transforms.select import Drop, Keep
from kafka2parquet.transforms.to_timestamp import ToTimestamp
from kafka2parquet.transforms.unwrap import Unwrap

__all__ = [
    "Cast",
    "Drop",
    "ExtractField",
    "Filter",
    "Flatten",
    "HoistField",
    "InsertField",
    "Keep",
    "MapTable",
    "Mask",
    "Rename",
    "TableTransform",
    "ToTimestamp",
    "Transform",
    "TransformChain",
    "Transformed",
    "Unwrap",
    "value_in",
]
