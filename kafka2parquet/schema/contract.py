"""The stored form of one version of a topic's contract."""

from __future__ import annotations

import json
from json.encoder import encode_basestring
from typing import Any

import attrs
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.schema_text import is_exact, schema_from_json, type_and_members
from kafka2parquet.util.arguments import Count, Name, checked
from kafka2parquet.util.json_depth import MAX_SCHEMA_LEVELS, parse_json

_FORM = 1


@checked
@attrs.frozen(eq=False)
class SchemaVersion:
    """One version of the columns of a topic.

    Attributes:
        topic: the topic.
        number: the number of the version, from 1 on.
        schema: the columns.
        changes: the differences from the previous version, in words.
        because_of: which records made the schema grow, or who wrote the version.
        created_at: the time of creation in ISO 8601.
        created_by: the library and its version, or a person.
    """

    topic: Name
    number: Count
    schema: pa.Schema
    changes: tuple[str, ...] = ()
    because_of: str = ""
    created_at: str = ""
    created_by: str = ""

    def to_json(self) -> bytes:
        """Write the text to store, with one line per column, so that versions can be compared line by line."""
        head = {
            "kafka2parquet_schema": _FORM,
            "topic": self.topic,
            "version": self.number,
            "created_at": self.created_at,
            "created_by": self.created_by,
            "because_of": self.because_of,
            "changes": list(self.changes),
        }
        lines = [f"  {_text(name)}: {_text(value)}," for name, value in head.items()]
        fields = ",\n".join(_field_lines(field, "    ") for field in self.schema)
        return "\n".join(["{", *lines, '  "fields": [', fields, "  ]", "}\n"]).encode()

    @classmethod
    def from_json(cls, content: bytes, where: str, *, topic: str, number: int) -> SchemaVersion:
        """Read a stored version, which a person may have written.

        The topic and the number come from the object's key, whatever the text says.

        Args:
            content: the text.
            where: the URL of the object, or the path of the file, for messages.
            topic: the topic.
            number: the number of the version.

        Raises:
            ConfigurationError: the text is not a schema version; the error lists all problems.
        """
        document = _document(content, where)
        changes = document.get("changes")
        return cls(
            topic=topic,
            number=number,
            schema=schema_from_json(document.get("fields"), where, learnable=True),
            changes=tuple(map(str, changes)) if isinstance(changes, list) else (),
            because_of=str(document.get("because_of", "")),
            created_at=str(document.get("created_at", "")),
            created_by=str(document.get("created_by", "")),
        )


def _document(content: bytes, where: str) -> dict[str, Any]:
    try:
        document = parse_json(content, max_levels=MAX_SCHEMA_LEVELS)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where} is not JSON: {error}. Correct the object, or remove it.") from None
    if not isinstance(document, dict) or "fields" not in document:
        raise ConfigurationError(f'{where} is not a JSON object with "fields". Correct the object, or remove it.')
    form = document.get("kafka2parquet_schema", _FORM)
    if form != _FORM:
        raise ConfigurationError(f"{where} has the form {form!r}, and this version knows {_FORM}. Use a newer version.")
    return document


def _field_lines(field: pa.Field, indent: str) -> str:
    type_, members = type_and_members(field)
    head = f'{indent}{{"name": {encode_basestring(field.name)}, "type": {encode_basestring(type_)}, "nullable": true'
    if is_exact(field):
        head = f'{head}, "exact": true'
    if members is None:
        return f"{head}}}"
    inner = ",\n".join(_field_lines(member, f"{indent}  ") for member in members)
    return f'{head}, "fields": [\n{inner}\n{indent}]}}'


_text = json.JSONEncoder(ensure_ascii=False).encode
