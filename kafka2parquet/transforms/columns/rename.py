"""Rename: renames columns and fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import pyarrow as pa

from kafka2parquet.schema.field_paths import FieldPath, Parts, resolve
from kafka2parquet.transforms.columns.paths import struct_array
from kafka2parquet.transforms.columns.refusals import ColumnTransform, Mask, Refusals
from kafka2parquet.transforms.columns.union import Column, Union
from kafka2parquet.transforms.properties import TransformProperties
from kafka2parquet.util.arguments import Name, NotEmpty, checked
from kafka2parquet.util.arrays import one_array


@checked
class Rename(ColumnTransform):
    """Renames fields, which keep their positions. Fields that rows lack are ignored.

    If a field with the new name exists, it is merged with the renamed field into one field of the renamed field's type. A row
    is rejected if it has values in both, or a value of another type.
    """

    def __init__(self, names: Annotated[Mapping[FieldPath, Name], NotEmpty()]) -> None:
        """Choose the names.

        Args:
            names: new names by dotted path, such as `{"user.name": "login"}`, which results in `user.login`.

        Raises:
            ConfigurationError: the names are missing, or a name is empty.
        """
        self._names = dict(names)

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Rename:
        """Read the property `renames`, as `old:new` between commas."""
        return cls(TransformProperties(properties, "Rename", "renames").pairs("renames"))

    @property
    def fingerprint(self) -> str:
        """Text that identifies the names."""
        return f"rename-{sorted(self._names.items())}"

    def change(self, table: pa.Table, refusals: Refusals) -> pa.Table:
        """Return the table with the new names."""
        names: dict[Parts, str] = {}
        for path, name in self._names.items():
            parts = resolve(table.schema, path)
            if parts is not None:
                names[parts] = name
        if not names:
            return table
        columns = list(zip(table.schema, table.columns, strict=True))
        renamed = _renamed(columns, names, (), Union("Rename", refusals), None)
        schema = pa.schema([field for field, _ in renamed], metadata=table.schema.metadata)
        return pa.Table.from_arrays([values for _, values in renamed], schema=schema)


def _renamed(
    columns: Sequence[Column], names: Mapping[Parts, str], around: Parts, union: Union, there: Mask | None
) -> list[Column]:
    """Rename the columns, or the fields of the struct at `around`, which exists in the rows `there`."""
    renamed: list[Column] = []
    for field, values in columns:
        parts = (*around, field.name)
        if any(len(path) > len(parts) and path[: len(parts)] == parts for path in names):
            structs = one_array(values) if isinstance(values, pa.ChunkedArray) else values
            valid = structs.is_valid().to_numpy(zero_copy_only=False)
            children = [(child, structs.field(index)) for index, child in enumerate(field.type)]
            inner = _renamed(children, names, parts, union, valid if there is None else valid & there)
            values = struct_array(structs, [child for _, child in inner], [child for child, _ in inner])
            field = field.with_type(values.type)
        renamed.append((field.with_name(names.get(parts, field.name)), values))
    preferred = {index for index, (field, _) in enumerate(columns) if (*around, field.name) in names}
    return union.by_names(renamed, path=".".join(around), there=there, preferred=preferred)
