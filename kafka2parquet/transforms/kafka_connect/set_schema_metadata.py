"""SetSchemaMetadata, as Apache Kafka defines it: changes the name and the version of the values' schema."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import Rows
from kafka2parquet.schema.connect_schema import ConnectSchema
from kafka2parquet.transforms.base import Transformed
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.kafka_connect.base import JavaTransform
from kafka2parquet.transforms.kafka_connect.properties import JavaProperties
from kafka2parquet.util.cache import BoundedCache

_INT32 = range(-(1 << 31), 1 << 31)


class JavaSetSchemaMetadata(JavaTransform):
    """Changes the name of the values' schema. Columns stay unchanged, and so do values without a schema."""

    name = "SetSchemaMetadata"

    def __init__(self, *, schema_name: str | None = None, version: int | None = None, nulls_are_defaults: bool = True) -> None:
        """Choose name and version.

        Args:
            schema_name: None to keep the name.
            version: None to keep the version.
            nulls_are_defaults: see `JavaTransform`.

        Raises:
            ConfigurationError: neither is given.
        """
        super().__init__(nulls_are_defaults=nulls_are_defaults)
        if schema_name is None and version is None:
            raise ConfigurationError("SetSchemaMetadata needs schema.name or schema.version.")
        self._schema_name = schema_name
        self._version = version
        self._named: BoundedCache[int, tuple[ConnectSchema, ConnectSchema]] = BoundedCache()

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> JavaSetSchemaMetadata:
        """Read the properties `schema.name`, `schema.version`, `replace.null.with.default`."""
        given = JavaProperties(properties, cls.name)
        text = given.text("schema.version")
        try:
            version = int(text) if text is not None else None
        except ValueError as error:
            raise ConfigurationError(Problem("schema.version", f"schema.version: {text!r} is not a number.")) from error
        if version is not None and version not in _INT32:
            raise ConfigurationError(Problem("schema.version", f"schema.version: {version} is not a 32-bit integer."))
        return cls(schema_name=given.text("schema.name"), version=version, nulls_are_defaults=given.nulls_are_defaults)

    @property
    def settings(self) -> str:
        """Name and version, as text."""
        return f"{self._schema_name!r}-{self._version}"

    def apply(self, rows: Rows) -> Transformed:
        """Change the schema's name and version."""
        if rows.value_schema is None:
            return Transformed(rows)
        transformed = super().apply(rows)
        before = transformed.rows.value_schema
        if before is None:
            return transformed
        # `before` is kept too, so that its id is not reused
        _, after = self._named.get_or_create(id(before), lambda: (before, self._renamed(before)))
        return attrs.evolve(transformed, rows=attrs.evolve(transformed.rows, value_schema=after))

    def change(self, rows: Rows, refusals: Refusals) -> pa.Table:
        """Return the table unchanged."""
        return rows.table

    def _renamed(self, before: ConnectSchema) -> ConnectSchema:
        name = before.name if self._schema_name is None else self._schema_name
        return attrs.evolve(before, name=name, version=before.version if self._version is None else self._version)
