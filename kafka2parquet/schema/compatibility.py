"""Decides whether a record may join a file of another schema, and projects it to that schema (`schema.compatibility`).

The rules are those of Confluent's storage sinks. There, a record of another schema closes the file, unless the record can be
projected to the file's schema without changing that schema.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from kafka2parquet.errors import Kafka2ParquetError
from kafka2parquet.schema.connect_schema import INTEGERS, ConnectSchema
from kafka2parquet.schema.required_fields import nulls
from kafka2parquet.util.arrays import null_mask, one_array

#: Each type can be widened to the types after it.
_NUMBERS = (*INTEGERS, "float", "double")
_ENUMS = ("io.confluent.connect.avro.Enum", "io.confluent.connect.protobuf.Enum")
#: Parameters that are only documentation.
_NOT_COMPARED = ("connect.record.doc", "connect.record.aliases", "connect.record.namespace")
_NOT_COMPARED_PREFIX = "io.confluent.connect.avro.field.doc."


class SchemaNotProjectable(Kafka2ParquetError):  # noqa: N818  # a finding, not a fault
    """The record can't be projected to the schema of its file."""


class Compatibility(enum.Enum):
    """The outcome of a comparison: compatible, or the first difference found."""

    COMPATIBLE = "COMPATIBLE"
    DIFFERENT_SCHEMA = "DIFFERENT_SCHEMA"
    DIFFERENT_TYPE = "DIFFERENT_TYPE"
    DIFFERENT_NAME = "DIFFERENT_NAME"
    DIFFERENT_PARAMS = "DIFFERENT_PARAMS"
    INCOMPATIBLE_OPTIONALITY = "INCOMPATIBLE_OPTIONALITY"
    MISSING_REQUIRED_FIELD = "MISSING_REQUIRED_FIELD"
    DIFFERENT_VERSION = "DIFFERENT_VERSION"


class CompatibilityMode(enum.Enum):
    """Which records may share a file."""

    NONE = "NONE"
    """Records of equal schemas."""
    BACKWARD = "BACKWARD"
    """Records of the file's version and of older versions, projected."""
    FORWARD = "FORWARD"
    """Records of the file's version and of newer versions, projected."""
    FULL = "FULL"
    """The same as `BACKWARD`."""
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"
    """The transitive modes concern versions in a registry. Between a record and its file, they equal the other modes."""

    @property
    def projects(self) -> bool:
        """Whether records are projected to the schema of their file."""
        return self is not CompatibilityMode.NONE

    def check(self, record: ConnectSchema | None, file: ConnectSchema | None) -> Compatibility:
        """Compare the schema of a record with the schema of the file that it would join.

        Raises:
            SchemaNotProjectable: only one of them has a schema, or a schema has no version although versions decide.
        """
        if record is None or file is None:
            if record is file:
                return Compatibility.COMPATIBLE
            raise SchemaNotProjectable("Switch between schema-based and schema-less data is not supported")
        if record is file or record == file:
            return Compatibility.COMPATIBLE
        if not self.projects:
            return Compatibility.DIFFERENT_SCHEMA
        if record.version is None or file.version is None:
            raise SchemaNotProjectable(f"Schema version required for {self.value} compatibility")
        difference = structural_difference(record, file)
        if difference is not Compatibility.COMPATIBLE:
            return difference
        newer = record.version > file.version
        older = record.version < file.version
        forward = self in (CompatibilityMode.FORWARD, CompatibilityMode.FORWARD_TRANSITIVE)
        if older if forward else newer:
            return Compatibility.DIFFERENT_VERSION
        return Compatibility.COMPATIBLE


def structural_difference(record: ConnectSchema, file: ConnectSchema) -> Compatibility:
    """Return the first difference that prevents projection. Versions, documentation and new fields don't count."""
    if record.type != file.type and not _can_grow(record.type, file.type):
        return Compatibility.DIFFERENT_TYPE
    if record.name != file.name:
        return Compatibility.DIFFERENT_NAME
    if not _parameters_fit(_compared(record), _compared(file)):
        return Compatibility.DIFFERENT_PARAMS
    if record.optional and not file.optional and file.default is None:
        return Compatibility.INCOMPATIBLE_OPTIONALITY
    known = record.field_schemas
    if any(not (f.name in known or f.schema.optional or f.schema.default is not None) for f in file.fields):
        return Compatibility.MISSING_REQUIRED_FIELD
    for of_record, of_file in _parts(record, file):
        difference = structural_difference(of_record, of_file)
        if difference is not Compatibility.COMPATIBLE:
            return difference
    return Compatibility.COMPATIBLE


def _parts(record: ConnectSchema, file: ConnectSchema) -> Iterator[tuple[ConnectSchema, ConnectSchema]]:
    of_file = file.field_schemas
    yield from ((field.schema, of_file[field.name]) for field in record.fields if field.name in of_file)
    for left, right in ((record.keys, file.keys), (record.values, file.values)):
        if left is not None and right is not None:
            yield left, right


def _can_grow(record_type: str, file_type: str) -> bool:
    return record_type in _NUMBERS and file_type in _NUMBERS[_NUMBERS.index(record_type) :]


def _compared(schema: ConnectSchema) -> dict[str, str]:
    return {
        name: value
        for name, value in schema.parameters.items()
        if name not in _NOT_COMPARED and not name.startswith(_NOT_COMPARED_PREFIX)
    }


def _parameters_fit(record: Mapping[str, str], file: Mapping[str, str]) -> bool:
    if record == file:
        return True
    is_enum = any(name in record and name in file for name in _ENUMS)
    return is_enum and record.items() <= file.items()


def project(array: pa.Array, schema: ConnectSchema, target: ConnectSchema) -> pa.Array:
    """Convert values to another schema: match fields by name, fill missing fields with the default or null, widen numbers.

    Raises:
        SchemaNotProjectable: the schemas differ in other ways.
    """
    difference = structural_difference(schema, target)
    if difference is not Compatibility.COMPATIBLE:
        raise SchemaNotProjectable(
            f"a value of the schema {schema.name} can't become a value of {target.name}: {difference.value}"
        )
    return _projected(array, target)


def _projected(array: pa.Array, target: ConnectSchema) -> pa.Array:
    type_ = target.arrow_type
    if not array.type.equals(type_, check_metadata=True):
        if target.type == "struct":
            children = [
                _projected(pc.struct_field(array, field.name), field.schema)
                if array.type.get_field_index(field.name) >= 0
                else absent(len(array), field.schema)
                for field in target.fields
            ]
            array = pa.StructArray.from_arrays(children, fields=list(type_), mask=null_mask(array))
        elif target.type == "array" and target.values is not None:
            items = _projected(array.flatten(), target.values)
            array = pa.ListArray.from_arrays(_offsets(array), items, type=type_, mask=null_mask(array))
        elif target.type == "map" and target.keys is not None and target.values is not None:
            first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
            array = pa.MapArray.from_arrays(
                pc.subtract(array.offsets, first),
                _projected(array.keys.slice(first, last - first), target.keys),
                _projected(array.items.slice(first, last - first), target.values),
                type=type_,
                mask=null_mask(array),
            )
        else:
            array = array.cast(type_, safe=False)
    if array.null_count and not target.optional and target.default is not None:
        array = pc.fill_null(array, pa.scalar(target.default, type_))
    return array


def absent(rows: int, schema: ConnectSchema) -> pa.Array:
    """Make the column of a field that the values don't have, filled with its default, or with nulls."""
    if schema.default is None:
        return nulls(rows, schema.arrow_type)
    return pa.repeat(pa.scalar(schema.default, schema.arrow_type), rows)


def _offsets(array: pa.ListArray) -> pa.Array:
    """Return the offsets into `array.flatten()`, where null lists have no items, whatever their own offsets say."""
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    return pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths).cast(pa.int32())])


def project_table(table: pa.Table, schema: ConnectSchema, target: ConnectSchema) -> pa.Table:
    """Convert the columns of rows to another schema. See `project`.

    Raises:
        SchemaNotProjectable: the schemas differ too much.
    """
    if schema is target or schema == target:
        return table
    rows = project(one_array(table.to_struct_array()), schema.row_schema, target.row_schema)
    return pa.Table.from_struct_array(rows).cast(target.arrow_schema)
