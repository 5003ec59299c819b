"""Makes Avro schemas that describe the same bytes as a given schema, but leave fewer decisions to the decoder.

Each type of a union is wrapped in a record, which adds no bytes but shows which type a value has. Logical types are replaced by
the numbers and bytes that they are stored as. The whole schema is wrapped in a record with the single field `value`. The
decoder chooses the types of scalars: `columns.py` for pyruhvro, and `values.py` for fastavro.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pyarrow as pa

from kafka2parquet.converters.avro.node import AvroNode, Kind

_PER_DAY = {"ms": 86_400_000, "us": 86_400_000_000}


@attrs.define
class WireSchemas:
    """Makes schemas for one decoder.

    Attributes:
        scalar: returns the type of a node without children. Its second argument is a name that no other type has.
        own_names: whether the fields of records keep their names, and the records around a union's types have the names of the
            union's fields; otherwise names are made up.
        union_end: types that are appended to each union.
    """

    scalar: Callable[[AvroNode, str], Any]
    own_names: bool = False
    union_end: Sequence[Any] = ()
    _numbers: itertools.count[int] = attrs.Factory(itertools.count)

    def schema_of(self, node: AvroNode) -> dict[str, Any]:
        """Make the schema as parsed JSON. Its field `value` has the values of the node."""
        return self._record(["value"], [self._type(node)])

    def _type(self, node: AvroNode) -> Any:
        names = [field.name for field in node.schema.fields]
        types = [self._type(child) for child in node.children]
        if node.kind is Kind.UNION:
            return self._union([self._record([name], [type_]) for name, type_ in zip(names, types, strict=True)], node)
        if node.kind is Kind.RECORD:
            wire: Any = self._record(names, types)
        elif node.kind is Kind.SINGLE:  # the number of the type is always 0
            wire = self._record(["number", "value"], ["long", *types])
        elif node.kind is Kind.ENTRIES:
            wire = {"type": "array", "items": self._record(["key", "value"], types)}
        elif node.kind is Kind.ARRAY:
            wire = {"type": "array", "items": types[0]}
        elif node.kind is Kind.MAP:
            wire = {"type": "map", "values": types[0]}
        else:
            wire = self.scalar(node, self._name())
        return wire if node.null_branch is None else self._union([wire], node)

    def _union(self, types: list[Any], node: AvroNode) -> list[Any]:
        if node.null_branch is not None:
            types.insert(node.null_branch, "null")
        return [*types, *self.union_end]

    def _record(self, names: list[str], types: list[Any]) -> dict[str, Any]:
        return record(self._name(), names if self.own_names else [f"f{i}" for i in range(len(names))], types)

    def _name(self) -> str:
        return f"N{next(self._numbers)}"


def record(name: str, names: Sequence[str], types: Sequence[Any]) -> dict[str, Any]:
    """Make a record whose fields have these names and types."""
    fields = [{"name": field, "type": type_} for field, type_ in zip(names, types, strict=True)]
    return {"type": "record", "name": name, "fields": fields}


def day_limit(arrow_type: pa.DataType) -> int | None:
    """Return the number that times of this type must be below; None for other types."""
    return _PER_DAY[arrow_type.unit] if pa.types.is_time(arrow_type) else None
