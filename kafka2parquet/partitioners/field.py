"""FieldPartitioner: folders by the values of fields."""

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
#: Doubles from this on are beyond 64 bits.
_LONG_END = float(1 << 63)


@checked
class FieldPartitioner(Partitioner):
    """Puts rows into `country=FR/user.city=Paris`, by fields that may be nested.

    Values have to be whole numbers, text or booleans; others make the record a reject. Values are escaped as Hive does: a `/`
    is written `%2F`, a null `__HIVE_DEFAULT_PARTITION__`. Two values never share a folder, and readers of Hive layouts find
    exactly the value. Spark and Hive can't read a folder of an empty text, `country=`.

    A field that a record's schema lacks makes the record a reject. In records without a schema, such as plain JSON, a missing
    member is the same as a null, whatever other records have.
    """

    def __init__(
        self, fields: FieldPaths, *, directory_delimiter: Name = "/", escape: bool = True, labels: bool = True
    ) -> None:
        """Choose the fields.

        Args:
            fields: dotted paths, outermost folder first. A column whose own name has dots comes before a nested field.
            directory_delimiter: between folders.
            escape: whether values are escaped. Kafka Connect doesn't: there a `/` makes another folder, a null is written
                `null`, and a value may have the folder of another one.
            labels: whether folders are `country=FR`. Otherwise they are bare values, `FR`, and an empty text makes the record a
                reject.

        Raises:
            ConfigurationError: no field, or a path with an empty part.
        """
        self._fields = tuple(fields)
        self._delimiter = directory_delimiter
        self._names = HiveNames(directory_delimiter) if escape else None
        self._labels = labels
        self._without_field: BoundedCache[tuple[str, str], None] = BoundedCache()

    @property
    def fingerprint(self) -> str:
        """Names the settings."""
        options = f"{'' if self._names is None else '-escaped'}{'' if self._labels else '-bare'}"
        return f"field-{','.join(self._fields)}-{self._delimiter}{options}"

    def partition(self, rows: Rows, opened_at: datetime.datetime) -> Partitioned:
        """Give each row the folder of its values; rows with a value that can't name a folder are rejects."""
        parts: list[pa.Array] = []
        rejects: list[Reject] = []
        for field in self._fields:
            texts = self._texts(rows, field)
            while pc.any(texts.refused).as_py():
                refused = texts.refused.to_numpy(zero_copy_only=False)
                rejects += [
                    rows.batch.reject_offset(offset, Stage.PARTITION, texts.reason, texts.exception)
                    for offset in rows.offsets.to_numpy()[refused].tolist()
                ]
                kept = pa.array(~refused)
                rows, parts = rows.filter(kept), [part.filter(kept) for part in parts]
                texts = self._nameable(texts.values.filter(kept), field)
            parts.append(self._folders(field, texts.values))
        folders = parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, self._delimiter)
        return Partitioned(by_folder(rows, folders, rows.timestamps_ms), rejects)

    def _texts(self, rows: Rows, field: str) -> _Texts:
        """Return the values of a field as texts."""
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
        """Return the texts; refused are texts that readers take for null, or that leave a bare folder without a name."""
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
    """Values as texts, some of them null; and which rows can't have a folder, with the reason."""

    values: pa.Array
    refused: pa.Array
    reason: str = ""
    exception: str = PARTITION_EXCEPTION


def _texts_without_schema(rows: Rows, field: str, column: pa.Array | None) -> _Texts:
    """Return the same for values without a schema, where columns have the types that all records so far need together.

    A row gets the same folder whichever column its value lies in: nulls and missing members the folder of nulls, and whole
    numbers their own folder, also in a column of doubles.
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
        "%s: no record so far has the field %s that names the folder. Records without it go to the folder of nulls.",
        rows.batch.topic_partition.topic,
        field,
    )


def nested_field(table: pa.Table, path: str) -> pa.Array | None:
    """The column of that name, or else at that dotted path, None where there is none; null wherever a struct around is null."""
    parts = resolve(table.schema, path)
    if parts is None:
        return None
    column = one_array(table.column(table.schema.get_field_index(parts[0])))
    for part in parts[1:]:
        column = pc.struct_field(column, [column.type.get_field_index(part)])
    return column


def _outer(table: pa.Table, path: str) -> tuple[str, pa.Array] | None:
    """Return the field on the way to `path` that is not a struct, and so has no fields; None where there is none."""
    *outer, _ = path.split(".")
    for depth in range(1, len(outer) + 1):
        way = ".".join(outer[:depth])
        column = nested_field(table, way)
        if column is not None and not pa.types.is_struct(column.type):
            return way, column
    return None


def _names_folders(data_type: pa.DataType) -> bool:
    """Return whether values of the type can name folders, as in Kafka Connect."""
    return bool(
        pa.types.is_boolean(data_type)
        or pa.types.is_integer(data_type)
        or pa.types.is_null(data_type)
        or pa.types.is_string(data_type)
        or pa.types.is_large_string(data_type)
    )


def _whole(column: pa.Array) -> pa.Array:
    """Return the doubles that are whole numbers of 64 bits, as integers; null for others."""
    numbers = column.cast(pa.float64())
    fits = pc.and_(pc.greater_equal(numbers, -_LONG_END), pc.less(numbers, _LONG_END))
    whole = pc.and_(fits, pc.equal(pc.trunc(numbers), numbers))
    return pc.if_else(pc.fill_null(whole, False), numbers, pa.scalar(None, pa.float64())).cast(pa.int64())
