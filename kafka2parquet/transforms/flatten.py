"""Flatten: the fields of structs as columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.transforms.base import TableTransform
from kafka2parquet.transforms.paths import refuse_repeated
from kafka2parquet.transforms.properties import TransformProperties


class Flatten(TableTransform):
    """Makes a column of each field of a struct, at any depth; `user` with `name` becomes `user.name`. Lists and maps stay."""

    def __init__(self, delimiter: str = ".") -> None:
        """Choose what stands between the names.

        Args:
            delimiter: such as `_`.

        Raises:
            ConfigurationError: it is empty.
        """
        if not delimiter:
            raise ConfigurationError("Flatten: delimiter is empty.")
        self._delimiter = delimiter

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> Flatten:
        """Property: `delimiter`, by default a dot."""
        return cls(TransformProperties(properties, "Flatten", "delimiter").text("delimiter") or ".")

    @property
    def fingerprint(self) -> str:
        """Names the delimiter."""
        return f"flatten-{self._delimiter}"

    def transform(self, table: pa.Table) -> pa.Table:
        """The table without structs. What is in a struct that is null is null.

        Raises:
            UsageError: two columns would have one name.
        """
        if not any(pa.types.is_struct(field.type) for field in table.schema):
            return table
        flat = [
            column
            for field, values in zip(table.schema, table.columns, strict=True)
            for column in _flattened(field, values, self._delimiter)
        ]
        refuse_repeated([field.name for field, _ in flat], "Flatten")
        if not flat:
            return table.select([])
        schema = pa.schema([field for field, _ in flat], metadata=table.schema.metadata)
        return pa.Table.from_arrays([values for _, values in flat], schema=schema)


def _flattened(field: pa.Field, values: pa.ChunkedArray, delimiter: str) -> Iterator[tuple[pa.Field, pa.ChunkedArray]]:
    if not pa.types.is_struct(field.type):
        yield field, values
        return
    for child, inner in zip(field.type, values.flatten(), strict=True):
        name = f"{field.name}{delimiter}{child.name}"
        yield from _flattened(child.with_name(name).with_nullable(field.nullable or child.nullable), inner, delimiter)
