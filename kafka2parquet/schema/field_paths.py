"""Paths of fields, as messages and settings have them: `user.age`, `items[].price`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pyarrow as pa

from kafka2parquet.util.arguments import NotEmpty

#: The names on the way to a field.
Parts = tuple[str, ...]


def join_path(path: str, name: str) -> str:
    """The path of the field `name` in the one at `path`, which is "" for the row itself."""
    return f"{path}.{name}" if path else name


def is_path(path: str) -> bool:
    """Whether each part of a dotted path is a name."""
    return all(part.strip() for part in path.split("."))


class _IsPath:
    """The text is a dotted path of names."""

    shows_value = True

    def unmet(self, value: str) -> str | None:
        """What the value has to be; None where it is that."""
        return None if is_path(value) else "a dotted path of names, none of them empty"


FieldPath = Annotated[str, _IsPath()]
"""A dotted path of a field, for `kafka2parquet.util.arguments.checked`."""

FieldPaths = Annotated[Sequence[FieldPath], NotEmpty()]
"""Dotted paths of fields, one or more; a text stands for a sequence of one."""


def resolve(fields: pa.Schema | pa.StructType, path: str) -> Parts | None:
    """The names on the way to the field at `path`, None where there is none. A name that has the dots itself goes first."""
    if fields.get_field_index(path) >= 0:
        return (path,)
    for end in (place for place, letter in enumerate(path) if letter == "."):
        index = fields.get_field_index(path[:end])
        if index >= 0 and pa.types.is_struct(fields.field(index).type):
            rest = resolve(fields.field(index).type, path[end + 1 :])
            if rest is not None:
                return (path[:end], *rest)
    return None
