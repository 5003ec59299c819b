"""Avro schemas that describe the bytes of another one, but leave less to the decoder that gets them.

Types of a union are wrapped into records, which have no bytes of their own: so a value says which type it is of. Logical types
are the numbers and bytes beneath. A record with the one field `value` is around everything. What scalars are is up to the
decoder: `avro_columns` (pyruhvro) and `avro_values` (fastavro).
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
        scalar: the type of a node without children; the text is a name that no other type has.
        own_names: whether records have the names of the node's fields, and the ones around the types of a union the names of
            these; else names are made up.
        union_end: types that stand behind those of each union.
    """

    scalar: Callable[[AvroNode, str], Any]
    own_names: bool = False
    union_end: Sequence[Any] = ()
    _numbers: itertools.count[int] = attrs.Factory(itertools.count)

    def schema_of(self, node: AvroNode) -> dict[str, Any]:
        """The schema, as parsed JSON; `value` is what the node says."""
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
    """A record of fields of these names and types."""
    fields = [{"name": field, "type": type_} for field, type_ in zip(names, types, strict=True)]
    return {"type": "record", "name": name, "fields": fields}


def day_limit(arrow_type: pa.DataType) -> int | None:
    """What times of a day stay below; None for other types."""
    return _PER_DAY[arrow_type.unit] if pa.types.is_time(arrow_type) else None
