"""FieldPartitioner: one folder per value of one or more fields."""

from __future__ import annotations

import datetime
import logging

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.partitioners.base import Partitioner
from kafka2parquet.partitioners.hive_names import NULL_NAME, HiveNames, is_null_name
from kafka2parquet.partitioners.per_record import by_folder
from kafka2parquet.records import DATA_EXCEPTION, PARTITION_EXCEPTION, Reject, Stage
from kafka2parquet.rows import Partitioned, Rows
from kafka2parquet.schema.field_paths import FieldPaths, resolve
from kafka2parquet.util.arguments import Name, checked
from kafka2parquet.util.arrays import one_array
from kafka2parquet.util.cache import BoundedCache

_LOG = logging.getLogger(__name__)
_FAILED = "Error encoding partition."
#: Doubles of this size and more don't fit into 64 bits.
_LONG_END = float(1 << 63)


@checked
class FieldPartitioner(Partitioner):
    """Puts rows into `country=FR/user.city=Paris`, by fields that may be nested.

    Values have to be whole numbers, texts or booleans. A record with another value is rejected. Values are escaped as in Hive:
    a `/` becomes `%2F`, and a null becomes `__HIVE_DEFAULT_PARTITION__`. Two values never share a folder, and readers of Hive
    layouts restore exactly the value. Spark and Hive can't read the folder of an empty text, `country=`.

    A record whose schema lacks the field is rejected. In records without a schema, such as plain JSON, a missing member counts
    as null, whatever other records contain.
    """

    def __init__(
        self, fields: FieldPaths, *, directory_delimiter: Name = "/", escape: bool = True, labels: bool = True
    ) -> None:
        """Choose the fields.

        Args:
            fields: dotted paths of the fields, outermost folder first. A column with dots in its own name takes precedence over
                a nested field.
            directory_delimiter: delimiter between folders.
            escape: whether to escape values. Kafka Connect doesn't: a `/` creates another folder, a null becomes `null`, and
                different values may share a folder.
            labels: whether folders are labelled, as in `country=FR`. Otherwise they are bare values, such as `FR`, and a record
                with an empty text is rejected.

        Raises:
            ConfigurationError: the fields are missing, or a path has an empty part.
        """
        self._fields = tuple(fields)
        self._delimiter = directory_delimiter
        self._names = HiveNames(directory_delimiter) if escape else None
        self._labels = labels
        self._without_field: BoundedCache[tuple[str, str], None] = BoundedCache()

    @property
    def fingerprint(self) -> str:
        """Text that identifies the settings."""
        options = f"{'' if self._names is None else '-escaped'}{'' if self._labels else '-bare'}"
        return f"field-{','.join(self._fields)}-{self._delimiter}{options}"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give each row the folder of its values. Rejects rows with a value that can't name a folder."""
        parts: list[pa.Array] = []
        rejects: list[Reject] = []
        for field in self._fields:
            texts = self._texts(rows, field)
            while pc.any(texts.refused).as_py():
                refused = texts.refused.to_numpy(zero_copy_only=False)
                offsets = rows.offsets.to_numpy()[refused]
                reasons = [texts.reason] * len(offsets)
                rejects += rows.batch.reject_offsets(offsets, Stage.PARTITION, reasons, texts.exception)
                kept = pa.array(~refused)
                rows, parts = rows.filter(kept), [part.filter(kept) for part in parts]
                texts = self._nameable(texts.values.filter(kept), field)
            parts.append(self._folders(field, texts.values))
        folders = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, self._delimiter)
        return Partitioned(by_folder(rows, folders, rows.timestamps_ms), rejects)

    def _texts(self, rows: Rows, field: str) -> _Texts:
        """Convert the values of a field to texts."""
        schema = rows.value_schema
        if rows.without_fields or (schema is not None and schema.type != "struct"):
            what = "without schema that is not an object" if schema is None else f"of type {schema.type}"
            return _refuse_all(rows, f"{_FAILED} A value {what} has no field {field}", PARTITION_EXCEPTION)
        column = nested_field(rows.table, field)
        if schema is None:
            if column is None:
                self._without_field.get_or_create((rows.batch.topic_partition.topic, field), lambda: _warn_missing(rows, field))
            texts = _texts_without_schema(rows, field, column)
            return texts if pc.any(texts.refused).as_py() else self._nameable(texts.values, field)
        if column is None:
            return _refuse_all(rows, f"Field '{field}' is not present in the schema.", DATA_EXCEPTION)
        if not _names_folders(column.type):
            return _refuse_all(rows, _why_not(field, column), PARTITION_EXCEPTION)
        return self._nameable(column.cast(pa.string()), field)

    def _nameable(self, texts: pa.Array, field: str) -> _Texts:
        """Refuse texts that readers mistake for null, and empty texts where a folder is a bare value."""
        if not self._labels:
            empty = pc.fill_null(pc.equal(texts, ""), False)
            if pc.any(empty).as_py():
                return _Texts(texts, empty, f"{_FAILED} The field {field} is empty, and its value alone names the folder")
        refused = is_null_name(texts) if self._names is not None else pa.array(np.zeros(len(texts), np.bool_))
        return _Texts(texts, refused, f"{_FAILED} The field {field} is {NULL_NAME}, which stands for null")

    def _folders(self, field: str, texts: pa.Array) -> pa.Array:
        if self._names is None:
            label, names = field, pc.fill_null(texts, "null")
        else:
            label, names = self._names.name(field), self._names.names(texts)
        return pc.binary_join_element_wise(f"{label}=", names, "") if self._labels else names


@attrs.frozen(eq=False)
class _Texts:
    """Values as texts or null, a mask of the rows that can't have a folder, and the reason."""

    values: pa.Array
    refused: pa.Array
    reason: str = ""
    exception: str = PARTITION_EXCEPTION


def _texts_without_schema(rows: Rows, field: str, column: pa.Array | None) -> _Texts:
    """Convert the values of a field in values without a schema, where a column's type depends on all records so far.

    The type doesn't influence a row's folder: nulls and missing members go to the folder of nulls, and a whole number has the
    same folder in a column of integers and of doubles.
    """
    if column is None:
        outer = _outer(rows.table, field)
        if outer is None:
            return _Texts(pa.nulls(len(rows), pa.string()), pa.array(np.zeros(len(rows), np.bool_)))
        path, column = outer
        reason, exception = f"Unable to get field '{field}' from the field {path}, which is {column.type}", DATA_EXCEPTION
        return _Texts(pa.nulls(len(rows), pa.string()), column.is_valid(), reason, exception)
    if pa.types.is_floating(column.type):
        texts, reason = _whole(column), f"{_FAILED} The field {field} is not a whole number of 64 bits"
    else:
        texts, reason = column if _names_folders(column.type) else pa.nulls(len(rows)), _why_not(field, column)
    return _Texts(texts.cast(pa.string()), pc.and_(column.is_valid(), texts.is_null()), reason)


def _refuse_all(rows: Rows, reason: str, exception: str) -> _Texts:
    return _Texts(pa.nulls(len(rows), pa.string()), pa.array(np.ones(len(rows), np.bool_)), reason, exception)


def _why_not(field: str, column: pa.Array) -> str:
    return f"{_FAILED} The field {field} is {column.type}, which can't name a folder"


def _warn_missing(rows: Rows, field: str) -> None:
    _LOG.warning(
        "%s: no record so far has the field %s that names the folder. Records without the field go to the folder of nulls.",
        rows.batch.topic_partition.topic,
        field,
    )


def nested_field(table: pa.Table, path: str) -> pa.Array | None:
    """Return the column with the name `path`, or else at that dotted path; None if there isn't one.

    A value is null if any struct around it is null.
    """
    parts = resolve(table.schema, path)
    if parts is None:
        return None
    column = one_array(table.column(table.schema.get_field_index(parts[0])))
    for part in parts[1:]:
        column = pc.struct_field(column, [column.type.get_field_index(part)])
    return column


def _outer(table: pa.Table, path: str) -> tuple[str, pa.Array] | None:
    """Return the first field along `path` that is not a struct, with its path; None if there isn't one."""
    *outer, _ = path.split(".")
    for depth in range(1, len(outer) + 1):
        way = ".".join(outer[:depth])
        column = nested_field(table, way)
        if column is not None and not pa.types.is_struct(column.type):
            return way, column
    return None


def _names_folders(data_type: pa.DataType) -> bool:
    """Return whether values of a type can name folders, as in Kafka Connect."""
    return bool(
        pa.types.is_boolean(data_type)
        or pa.types.is_integer(data_type)
        or pa.types.is_null(data_type)
        or pa.types.is_string(data_type)
        or pa.types.is_large_string(data_type)
    )


def _whole(column: pa.Array) -> pa.Array:
    """Convert doubles that are whole numbers of 64 bits to integers. Other doubles become null."""
    numbers = column.cast(pa.float64())
    fits = pc.and_(pc.greater_equal(numbers, -_LONG_END), pc.less(numbers, _LONG_END))
    whole = pc.and_(fits, pc.equal(pc.trunc(numbers), numbers))
    return pc.if_else(pc.fill_null(whole, False), numbers, pa.scalar(None, pa.float64())).cast(pa.int64())
