"""Shape: a schema compiled to Python objects, against which single records are checked quickly.

Asking Arrow's types for their fields costs some ten times what parsing a record costs.
"""

from __future__ import annotations

import enum
import math
from typing import Any

import attrs
import pyarrow as pa

from kafka2parquet.schema.lattice import is_any


class Kind(enum.Enum):
    """What a column holds, as far as JSON tells it apart."""

    UNKNOWN = "unknown"
    BOOLEAN = "boolean"
    INT64 = "int64"
    DOUBLE = "double"
    STRING = "string"
    LIST = "list"
    STRUCT = "struct"
    ANY = "any"
    OTHER = "other"
    """A type that can only be given."""


_KINDS = {pa.null(): Kind.UNKNOWN, pa.bool_(): Kind.BOOLEAN, pa.int64(): Kind.INT64}
_KINDS |= {pa.float64(): Kind.DOUBLE, pa.string(): Kind.STRING}
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


@attrs.frozen(eq=False)
class Shape:
    """A type.

    Attributes:
        kind: what it holds.
        members: of a struct, by name.
        element: of a list.
        type: the Arrow type, of `OTHER`.
        has_any: whether it is, or has inside of it, a column for whatever JSON there is.
    """

    kind: Kind
    members: dict[str, Shape] = attrs.field(factory=dict)
    element: Shape | None = None
    type: pa.DataType | None = None
    has_any: bool = False

    @classmethod
    def of(cls, schema: pa.Schema) -> Shape:
        """The shape of records with these columns."""
        return cls._struct(schema)

    @classmethod
    def _struct(cls, fields: pa.Schema | pa.StructType) -> Shape:
        members = {field.name: cls._field(field) for field in fields}
        return cls(Kind.STRUCT, members, has_any=any(member.has_any for member in members.values()))

    @classmethod
    def _field(cls, field: pa.Field) -> Shape:
        if is_any(field):
            return cls(Kind.ANY, has_any=True)
        if pa.types.is_struct(field.type):
            return cls._struct(field.type)
        if pa.types.is_list(field.type):
            element = cls._field(field.type.value_field)
            return cls(Kind.LIST, element=element, has_any=element.has_any)
        kind = _KINDS.get(field.type, Kind.OTHER)
        return cls(kind, type=field.type if kind is Kind.OTHER else None)


def fits(value: Any, shape: Shape) -> bool:
    """Whether a value from `load_object` fits a learned type as it is, without letting it grow."""
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
    return scalar_fits(value, kind)


def scalar_fits(value: bool | int | float | str, kind: Kind) -> bool:
    """Whether a value that is no list and no object fits a kind of its own; of `OTHER` nothing is known."""
    if isinstance(value, str):
        return kind is Kind.STRING
    if isinstance(value, bool):
        return kind is Kind.BOOLEAN
    if isinstance(value, int):
        return kind is Kind.DOUBLE or (kind is Kind.INT64 and _LOWEST <= value <= _HIGHEST)
    return kind is Kind.DOUBLE and not math.isinf(value)
