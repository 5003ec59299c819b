"""FieldPartitioner: folders by the values of fields."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.arrays import one_array
from kafka2parquet.errors import ConfigurationError
from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.per_record import by_folder
from kafka2parquet.records import DATA_EXCEPTION, PARTITION_EXCEPTION, Stage
from kafka2parquet.rows import Partitioned, PartitionedRows, Rows
from kafka2parquet.schema.field_paths import is_path


class FieldPartitioner(Partitioner):
    """Puts rows into `country=FR/user.city=Paris`, by fields that may be nested. A null is written `null`.

    Fields must be whole numbers, text or booleans. Values are not escaped, as in Kafka Connect: `/` makes another folder.
    """

    def __init__(self, fields: Sequence[str], *, directory_delimiter: str = "/") -> None:
        """Choose the fields.

        Args:
            fields: dotted paths, outermost folder first.
            directory_delimiter: between folders.

        Raises:
            ConfigurationError: no field, or a path with an empty part.
        """
        if not fields:
            raise ConfigurationError("Partition field name cannot be null or empty when using FieldPartitioner.")
        for field in fields:
            if not is_path(field):
                raise ConfigurationError(
                    f"Invalid value {field} for configuration partition.field.name: Field name cannot contain an empty or"
                    " whitespace-only path segment"
                )
        self._fields = tuple(fields)
        self._delimiter = directory_delimiter

    @property
    def fingerprint(self) -> str:
        """Names the fields."""
        return f"field-{','.join(self._fields)}-{self._delimiter}"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give each row the folder of its values; all are rejected where a field is missing or can't name a folder."""
        parts = []
        for field in self._fields:
            column = nested_field(rows.table, field)
            text = _as_text(column) if column is not None and _has_fields(rows) else None
            if text is None:
                reason, exception = _why_not(rows, field, column)
                rejects = [
                    rows.batch.reject_offset(offset, Stage.PARTITION, reason, exception) for offset in rows.offsets.to_pylist()
                ]
                nothing = rows.slice(0, 0)
                empty = PartitionedRows(nothing, (), pa.array([], pa.int32()), nothing.timestamps_ms)
                return Partitioned(empty, rejects)
            parts.append(pc.binary_join_element_wise(f"{field}=", text, ""))
        folders = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, self._delimiter)
        return Partitioned(by_folder(rows, folders, rows.timestamps_ms))


def _has_fields(rows: Rows) -> bool:
    """Whether the values are structs or objects, and not single ones in a column of ours."""
    return rows.value_schema is None or rows.value_schema.type == "struct"


def _why_not(rows: Rows, field: str, column: pa.Array | None) -> tuple[str, str]:
    """Why the field names no folder, in Kafka Connect's words, and the class of its exception."""
    if rows.value_schema is not None and not _has_fields(rows):
        what = f"A value of type {rows.value_schema.type} has no field {field}"
    elif column is None:
        return f"Field '{field}' is not present in the schema.", DATA_EXCEPTION
    else:
        what = f"The field {field} is {column.type}, which can't name a folder"
    return f"Error encoding partition. {what}", PARTITION_EXCEPTION


def nested_field(table: pa.Table, path: str) -> pa.Array | None:
    """The column at a dotted path, None where there is none; null wherever a struct on the way is null."""
    first, *rest = path.split(".")
    index = table.schema.get_field_index(first)
    if index < 0:
        return None
    column = one_array(table.column(index))
    for part in rest:
        if not pa.types.is_struct(column.type) or column.type.get_field_index(part) < 0:
            return None
        column = pc.struct_field(column, part)
    return column


def _as_text(column: pa.Array) -> pa.Array | None:
    data_type = column.type
    if pa.types.is_boolean(data_type) or pa.types.is_integer(data_type) or pa.types.is_null(data_type):
        return pc.fill_null(column.cast(pa.string()), "null")
    if pa.types.is_string(data_type) or pa.types.is_large_string(data_type):
        return pc.fill_null(column.cast(pa.string()), "null")
    return None
