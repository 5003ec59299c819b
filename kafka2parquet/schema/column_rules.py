"""The limits for learned schemas, which keep files readable and their columns affordable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import attrs
import pyarrow as pa

from kafka2parquet.util.arguments import Count, checked

NameCase = Literal["reject", "keep", "unite"]

#: Most levels of a Parquet schema, including its root: the limit of pyarrow's reader. DuckDB, Polars and Spark read more.
MAX_LEVELS = 100
#: About how many bytes a field takes in a stored schema, apart from its name.
_BYTES_AROUND_NAME = 64
_BYTES_OF_ESCAPE = 5
_LISTS = {pa.list_(pa.null()).id, pa.large_list(pa.null()).id, pa.list_(pa.null(), 1).id}
_STRUCT = pa.struct([]).id


@checked
@attrs.frozen
class ColumnRules:
    """The limits of a learned schema, and the rules for the names of its columns.

    Attributes:
        max_fields: the most fields, including fields inside structs.
        max_name_bytes: the most bytes of a field's name in UTF-8.
        max_schema_bytes: the most bytes of the schema's text.
        name_case: how to treat a member whose name differs from that of a known field only in upper and lower case: `reject`
            makes the member a misfit, `unite` treats it as the known field, `keep` makes it a separate field.
        reserved: names that no column may have, such as the names of columns that are added to each row.
    """

    max_fields: Count = 2000
    max_name_bytes: Count = 255
    max_schema_bytes: Count = 1 << 20
    name_case: NameCase = "reject"
    reserved: frozenset[str] = frozenset()

    def folded(self, name: str) -> str:
        """Return the form of a name that is compared with other names."""
        return name if self.name_case == "keep" else name.lower()


def is_list(type_: pa.DataType) -> bool:
    """Whether a type is a list of any kind; maps don't count."""
    return type_.id in _LISTS


def count_fields(fields: Iterable[pa.Field]) -> int:
    """Return the number of fields, including fields inside structs."""
    return measured(fields)[0]


def measured(fields: Iterable[pa.Field], depth: int = 0) -> tuple[int, int]:
    """Return the number of fields, including fields inside structs, and about how many bytes they take in a schema's text."""
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
    """Return about how many bytes a field takes in a schema's text."""
    escaped = 0 if name.isprintable() else _BYTES_OF_ESCAPE * sum(character < " " for character in name)
    return len(name.encode(errors="replace")) + escaped + _BYTES_AROUND_NAME + 2 * depth
