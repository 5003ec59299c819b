"""ExtractField, as Apache Kafka defines it: one field as the whole value."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.problems import Problem
from kafka2parquet.rows import Rows
from kafka2parquet.schema.field_paths import Parts
from kafka2parquet.transforms.base import Transformed
from kafka2parquet.transforms.columns.extract_field import ExtractField
from kafka2parquet.transforms.columns.paths import column_at
from kafka2parquet.transforms.columns.refusals import Refusals
from kafka2parquet.transforms.kafka_connect.base import (
    has_fields,
    refuse_all,
    why_without_fields,
    with_defaults,
)
from kafka2parquet.transforms.kafka_connect.properties import JavaProperties

_SYNTAXES = ("V1", "V2")


class JavaExtractField(ExtractField):
    """Replaces a row with a field, or with a tombstone if the field is null. Rejects records whose schema lacks the field."""

    def __init__(self, parts: Parts, *, nulls_are_defaults: bool = True) -> None:
        """Choose the field.

        Args:
            parts: names along the path to the field.
            nulls_are_defaults: whether a null counts as the default of its field, if it has one (`replace.null.with.default`).
        """
        super().__init__("field", on_null="tombstone")  # a placeholder, because a name in Kafka may not be a valid path
        self._field = ".".join(parts)
        self._parts = parts
        self._nulls_are_defaults = nulls_are_defaults

    @classmethod
    def from_config(cls, properties: Mapping[str, str]) -> JavaExtractField:
        """Read the properties `field`, `field.syntax.version`, `replace.null.with.default`."""
        given = JavaProperties(properties, "ExtractField")
        field = given.required("field")
        version = (given.text("field.syntax.version") or "V1").upper()
        if version not in _SYNTAXES:
            raise ConfigurationError(
                Problem("field.syntax.version", f"field.syntax.version: {version!r} is neither {' nor '.join(_SYNTAXES)}.")
            )
        if not field:
            raise ConfigurationError(Problem("field", "field: it is empty."))
        parts = path_parts(field) if version == "V2" else (field,)
        return cls(parts, nulls_are_defaults=given.nulls_are_defaults)

    @property
    def fingerprint(self) -> str:
        """Text that identifies the settings."""
        return f"java-{super().fingerprint}-{self._parts}-{self._nulls_are_defaults}"

    def apply(self, rows: Rows) -> Transformed:
        """Replace the rows with their field."""
        schema = rows.value_schema
        parts = self.find(rows.table.schema)
        why = None
        if not has_fields(rows):
            why = why_without_fields("ExtractField", rows)
        elif schema is not None and parts is None:
            why = f"ExtractField: the field {self._field} does not exist."
        if why is not None:
            refusals = Refusals(len(rows))
            refuse_all(refusals, rows, why)
            return refusals.divide(rows, rows)
        extracted = super().apply(with_defaults(rows) if self._nulls_are_defaults else rows)
        if schema is not None or parts is None or pa.types.is_struct(column_at(rows.table, parts)[0].type):
            return extracted
        return attrs.evolve(extracted, rows=attrs.evolve(extracted.rows, without_fields=True))

    def find(self, schema: pa.Schema) -> Parts | None:
        """Return the names along the path to the field; None if the schema lacks the field."""
        fields: pa.Schema | pa.StructType = schema
        for place, part in enumerate(self._parts):
            index = fields.get_field_index(part)
            if index < 0:
                return None
            fields = fields.field(index).type
            if place + 1 < len(self._parts) and not pa.types.is_struct(fields):
                return None
        return self._parts


def path_parts(path: str) -> Parts:
    """Split a path in Kafka's second syntax into names: separated by dots, with backticks around names that contain dots.

    Raises:
        ConfigurationError: a closing backtick is missing.
    """
    parts: list[str] = []
    place = 0
    while place <= len(path):
        if path.startswith("`", place):
            part, place = _quoted(path, place + 1)
        else:
            end = path.find(".", place)
            end = len(path) if end < 0 else end
            part, place = path[place:end], end
        parts.append(part)
        place += 1
    return tuple(parts)


def _quoted(path: str, start: int) -> tuple[str, int]:
    """Return the name in backticks that begins at `start`, and the position after it.

    Only a backtick before a dot or the end closes the name.
    """
    part, place = "", start
    while True:
        end = path.find("`", place)
        if end < 0:
            raise ConfigurationError(Problem("field", f"field: the backtick at {start - 1} in {path!r} isn't closed."))
        ends = end + 1 == len(path) or path[end + 1] == "."
        if ends and path[end - 1] != "\\":
            return part + path[place:end], end + 1
        part += f"{path[place : end - 1]}`" if ends else path[place : end + 1]
        place = end + 1
