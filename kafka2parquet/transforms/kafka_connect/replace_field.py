"""ReplaceField, as Apache Kafka defines it: removes and renames columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import attrs
import pyarrow as pa

from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectField, ConnectSchema
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.columns.union import Union
from kafka2parquet.transforms.kafka_connect.base import JavaTransform, refuse_all
from kafka2parquet.transforms.kafka_connect.properties import JavaProperties


class JavaReplaceField(JavaTransform):
    """Removes columns and renames others."""

    name = "ReplaceField"

    def __init__(
        self,
        *,
        exclude: Collection[str] = (),
        include: Collection[str] = (),
        renames: Mapping[str, str] | None = None,
        nulls_are_defaults: bool = True,
    ) -> None:
        """Choose the columns.

        Args:
            exclude: names of columns to remove.
            include: names of the columns to keep; empty for all columns.
            renames: new names by old names.
            nulls_are_defaults: see `JavaTransform`.
        """
        super().__init__(nulls_are_defaults=nulls_are_defaults)
        self._exclude = frozenset(exclude)
        self._include = frozenset(include)
        self._renames = dict(renames or {})

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> JavaReplaceField:
        """Read the properties `exclude` (`blacklist`), `include` (`whitelist`), `renames`, `replace.null.with.default`."""
        given = JavaProperties(properties, cls.name)
        return cls(
            exclude=given.items("exclude", "blacklist"),
            include=given.items("include", "whitelist"),
            renames=dict(given.pairs("renames")),
            nulls_are_defaults=given.nulls_are_defaults,
        )

    @property
    def settings(self) -> str:
        """Columns and names, as text."""
        return f"{sorted(self._exclude)}-{sorted(self._include)}-{sorted(self._renames.items())}"

    def change(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the table with the remaining columns under their new names."""
        table = rows.table
        kept = [index for index, field in enumerate(table.schema) if self._keeps(field.name)]
        names = [self._renames.get(table.schema.field(index).name, table.schema.field(index).name) for index in kept]
        if len(kept) == table.num_columns and names == table.column_names:
            return table
        chosen = table.select(kept)
        twice = [name for name, count in Counter(names).items() if count > 1]
        if not twice:
            return chosen.rename_columns(names)
        if rows.value_schema is not None:
            refuse_all(refusals, rows, f"ReplaceField would make two fields called {twice[0]}.")
            return chosen
        columns = [
            (field.with_name(name), values) for name, field, values in zip(names, chosen.schema, chosen.columns, strict=True)
        ]
        renamed = {place for place, name in enumerate(names) if name != chosen.schema.field(place).name}
        united = Union("ReplaceField", refusals).by_names(columns, preferred=renamed)
        return pa.Table.from_arrays([values for _, values in united], schema=pa.schema([field for field, _ in united]))

    def field_schemas(self, before: ConnectSchema) -> ConnectSchema:
        """Return the schemas of the fields by their new names."""
        fields = [
            ConnectField(self._renames.get(field.name, field.name), field.schema)
            for field in before.fields
            if self._keeps(field.name)
        ]
        return attrs.evolve(before, fields=tuple(fields))

    def _keeps(self, name: str) -> bool:
        return name not in self._exclude and (not self._include or name in self._include)
