"""A schema as a tree of Python objects that can grow, for fast checks of single records.

Asking Arrow's types for their fields costs about ten times as much as parsing a record.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from typing import Any

import attrs
import pyarrow as pa

from kafka2parquet.converters.json.numbers import is_exact, is_float
from kafka2parquet.schema.lattice import any_field, exact_field, is_any, is_exact_field

#: Arrow's name for the elements of lists.
_ELEMENT = pa.list_(pa.null()).value_field.name


class Kind(enum.Enum):
    """The kinds of columns that JSON distinguishes."""

    UNKNOWN = "unknown"
    BOOLEAN = "boolean"
    INT64 = "int64"
    """Integers that a double holds exactly, as far as they were seen."""
    EXACT = "exact int64"
    """Integers, of which at least one is not held exactly by a double."""
    DOUBLE = "double"
    STRING = "string"
    LIST = "list"
    STRUCT = "struct"
    ANY = "any"
    OTHER = "other"
    """A type that only a given schema can have."""


_SIMPLE = {
    Kind.UNKNOWN: pa.null(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.INT64: pa.int64(),
    Kind.DOUBLE: pa.float64(),
    Kind.STRING: pa.string(),
}
_KINDS = {type_: kind for kind, type_ in _SIMPLE.items()}
_INT64 = range(-(2**63), 2**63)


@attrs.define(eq=False)
class Shape:
    """The type of a column, an element or a whole record.

    Attributes:
        kind: the kind of values.
        members: the members of a struct, by name.
        element: the elements of a list.
        type: the Arrow type, for `OTHER` only.
        has_any: whether the shape is, or contains, a column for arbitrary JSON. Not kept up to date while a shape grows.
        folded: the names of a struct's members by the names in lower case; None until they are needed.
        made: the field made from the shape last; None once the shape has grown.
    """

    kind: Kind = Kind.UNKNOWN
    members: dict[str, Shape] = attrs.field(factory=dict)
    element: Shape | None = None
    type: pa.DataType | None = None
    has_any: bool = False
    folded: dict[str, str] | None = None
    made: pa.Field | None = None

    @classmethod
    def of(cls, schema: pa.Schema) -> Shape:
        """Compile the shape of records with these columns."""
        return cls._struct(schema)

    @classmethod
    def _struct(cls, fields: pa.Schema | pa.StructType) -> Shape:
        members = {field.name: cls._field(field) for field in fields}
        return cls(Kind.STRUCT, members, has_any=any(member.has_any for member in members.values()))

    @classmethod
    def _field(cls, field: pa.Field) -> Shape:
        if is_any(field):
            return cls(Kind.ANY, has_any=True)
        if is_exact_field(field):
            return cls(Kind.EXACT)
        if pa.types.is_struct(field.type):
            return cls._struct(field.type)
        if pa.types.is_list(field.type):
            element = cls._field(field.type.value_field)
            return cls(Kind.LIST, element=element, has_any=element.has_any)
        kind = _KINDS.get(field.type, Kind.OTHER)
        return cls(kind, type=field.type if kind is Kind.OTHER else None)

    def spelling(self, name: str) -> str | None:
        """Return the first member of a struct whose name differs at most in upper and lower case; None if there isn't one."""
        if self.folded is None:
            self.folded = {known.lower(): known for known in reversed(self.members)}
        return self.folded.get(name.lower())

    @property
    def schema(self) -> pa.Schema:
        """The columns of records of this shape."""
        return pa.schema([member.field(name) for name, member in self.members.items()])

    def field(self, name: str) -> pa.Field:
        """Return an Arrow field of this shape."""
        if self.made is None or self.made.name != name:
            self.made = self._field_called(name)
        return self.made

    def _field_called(self, name: str) -> pa.Field:
        if self.kind is Kind.ANY:
            return any_field(name)
        if self.kind is Kind.EXACT:
            return exact_field(name)
        if self.kind is Kind.STRUCT:
            return pa.field(name, pa.struct([member.field(inner) for inner, member in self.members.items()]))
        if self.element is not None:
            return pa.field(name, pa.list_(self.element.field(_ELEMENT)))
        return pa.field(name, self.type if self.kind is Kind.OTHER else _SIMPLE[self.kind])


def columns_of(documents: Sequence[dict[str, Any]], shape: Shape) -> list[pa.Field]:
    """Return the fields of a struct that some of the objects have. The other fields needn't be parsed."""
    fields = []
    for name in {name: None for document in documents for name in document}:
        member = shape.members[name]
        inner = []
        if member.kind is Kind.STRUCT:
            inner = columns_of([value for each in documents if (value := each.get(name)) is not None], member)
        fields.append(pa.field(name, pa.struct(inner)) if inner else member.field(name))
    return fields


def fits(value: Any, shape: Shape) -> bool:
    """Whether a value from `load_object` fits a learned type without growing it."""
    if value is None:
        return True
    kind = shape.kind
    if kind is Kind.ANY:
        return True
    if isinstance(value, dict):
        if kind is not Kind.STRUCT:
            return False
        members = shape.members
        return all((member := members.get(name)) is not None and fits(inner, member) for name, inner in value.items())
    if isinstance(value, list):
        element = shape.element
        return element is not None and all(fits(inner, element) for inner in value)
    return scalar_fits(value, kind) and (kind is not Kind.INT64 or is_exact(value))


def scalar_fits(value: bool | int | float | str, kind: Kind) -> bool:
    """Whether a value that is neither a list nor an object fits a kind. Always False for `OTHER`."""
    if isinstance(value, str):
        return kind is Kind.STRING
    if isinstance(value, bool):
        return kind is Kind.BOOLEAN
    if isinstance(value, int):
        return is_float(value) if kind is Kind.DOUBLE else kind in (Kind.INT64, Kind.EXACT) and value in _INT64
    return kind is Kind.DOUBLE and not math.isinf(value)
