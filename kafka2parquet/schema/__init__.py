"""Schemas of rows: what is learned from records, which columns are allowed, which schemas may share a file."""

from kafka2parquet.schema.column_rules import ColumnRules
from kafka2parquet.schema.compatibility import CompatibilityMode
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.schema.lattice import SchemaConflict
from kafka2parquet.schema.learned import LearnedSchema, TooManyFields

__all__ = [
    "ColumnRules",
    "CompatibilityMode",
    "ConnectField",
    "ConnectSchema",
    "LearnedSchema",
    "SchemaConflict",
    "TooManyFields",
]
