"""The paths of fields in messages and settings, such as `user.age` and `items[].price`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import pyarrow as pa

from kafka2parquet.util.arguments import NotEmpty

#: The names on the way to a field.
Parts = tuple[str, ...]


def join_path(path: str, name: str) -> str:
    """Return the path of the field `name` inside the field at `path`, which is "" for the row itself."""
    return f"{path}.{name}" if path else name


def is_path(path: str) -> bool:
    """Whether each part of a dotted path is a name."""
    return all(part.strip() for part in path.split("."))


class _IsPath:
    """A check that a text is a dotted path of names."""

    shows_value = True

    def unmet(self, value: str) -> str | None:
        """Return what the value should be; None if it is valid."""
        return None if is_path(value) else "a dotted path of names that are not empty"


FieldPath = Annotated[str, _IsPath()]
"""A dotted path of a field, for `kafka2parquet.util.arguments.checked`."""

FieldPaths = Annotated[Sequence[FieldPath], NotEmpty()]
"""Dotted paths of fields, one or more; a text stands for a sequence of one."""


def resolve(fields: pa.Schema | pa.StructType, path: str) -> Parts | None:
    """Return the names on the way to the field at `path`; None if it doesn't exist. Names that contain the dots come first."""
    if fields.get_field_index(path) >= 0:
        return (path,)
    for end in (place for place, letter in enumerate(path) if letter == "."):
        index = fields.get_field_index(path[:end])
        if index >= 0 and pa.types.is_struct(fields.field(index).type):
            rest = resolve(fields.field(index).type, path[end + 1 :])
            if rest is not None:
                return (path[:end], *rest)
    return None
