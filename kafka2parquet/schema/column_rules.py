"""ColumnRules: which columns a schema may have, so that each file can be read and none costs a fortune."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import attrs
import pyarrow as pa

from kafka2parquet.util.arguments import Count, checked

NameCase = Literal["reject", "keep", "unite"]

#: Levels that a Parquet schema may have, its root included: what pyarrow reads. DuckDB, Polars and Spark read more.
MAX_LEVELS = 100
#: Bytes of a field in a stored schema beside its name.
_BYTES_AROUND_NAME = 64
_BYTES_OF_ESCAPE = 5
_LISTS = {pa.list_(pa.null()).id, pa.large_list(pa.null()).id, pa.list_(pa.null(), 1).id}
_STRUCT = pa.struct([]).id


@checked
@attrs.frozen
class ColumnRules:
    """The limits of a learned schema, and which names its columns may have.

    Attributes:
        max_fields: most fields, those inside of structs included.
        max_name_bytes: most bytes of a field's name in UTF-8.
        max_schema_bytes: most bytes of the schema's text.
        name_case: what to do with a member whose name differs from a known field's only in upper and lower case: `reject`
            makes the member a misfit, `unite` takes it for the known field, `keep` makes it another field.
        reserved: names that no column may have, such as those that are added to each row.
    """

    max_fields: Count = 2000
    max_name_bytes: Count = 255
    max_schema_bytes: Count = 1 << 20
    name_case: NameCase = "reject"
    reserved: frozenset[str] = frozenset()

    def folded(self, name: str) -> str:
        """The name as it is compared with others."""
        return name if self.name_case == "keep" else name.lower()


def is_list(type_: pa.DataType) -> bool:
    """Whether it is a list of some kind, and not a map."""
    return type_.id in _LISTS


def count_fields(fields: Iterable[pa.Field]) -> int:
    """The number of fields, those inside of structs included."""
    return measured(fields)[0]


def measured(fields: Iterable[pa.Field], depth: int = 0) -> tuple[int, int]:
    """The number of fields, those inside of structs included, and about as many bytes as their text has in a schema."""
    count, size = 0, 0
    for field in fields:
        type_ = field.type
        while type_.id in _LISTS:
            type_ = type_.value_type
        count += 1
        size += field_bytes(field.name, depth)
        if type_.id == _STRUCT:
            inner = measured(type_, depth + 1)
            count, size = count + inner[0], size + inner[1]
    return count, size


def field_bytes(name: str, depth: int) -> int:
    """About as many bytes as a field has in the text of a schema."""
    escaped = 0 if name.isprintable() else _BYTES_OF_ESCAPE * sum(character < " " for character in name)
    return len(name.encode(errors="replace")) + escaped + _BYTES_AROUND_NAME + 2 * depth
