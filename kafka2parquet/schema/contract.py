"""SchemaVersion: one version of a topic's contract, as it lies in storage."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pyarrow as pa

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.json_depth import MAX_SCHEMA_LEVELS, parse_json
from kafka2parquet.schema.schema_text import fields_to_json, schema_from_json

_FORM = 1


@attrs.frozen(eq=False)
class SchemaVersion:
    """The columns of a topic, from this version on until the next.

    Attributes:
        topic: the topic.
        number: counted from 1.
        schema: the columns.
        changes: what is different from the version before, in words.
        because_of: which records made it grow, or who wrote it.
        created_at: when, ISO 8601.
        created_by: the library and its version, or somebody.
    """

    topic: str
    number: int
    schema: pa.Schema
    changes: tuple[str, ...] = ()
    because_of: str = ""
    created_at: str = ""
    created_by: str = ""

    def to_json(self) -> bytes:
        """The text that is stored: one line for each column, so that versions can be compared line by line."""
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
        fields = ",\n".join(_field_lines(field, "    ") for field in fields_to_json(self.schema))
        return "\n".join(["{", *lines, '  "fields": [', fields, "  ]", "}\n"]).encode()

    @classmethod
    def from_json(cls, content: bytes, where: str, *, topic: str, number: int) -> SchemaVersion:
        """Read what is stored, or what somebody wrote.

        Only the columns count: topic and number are those of the key, whatever the text says.

        Args:
            content: the text.
            where: URL of the object, or path of the file, for messages.
            topic: the topic.
            number: of the version.

        Raises:
            ConfigurationError: it is no such text; with all problems.
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
        raise ConfigurationError(f"{where} is no JSON: {error}. Mend it, or remove it.") from None
    if not isinstance(document, dict) or "fields" not in document:
        raise ConfigurationError(f'{where} is no schema: it is no JSON object with "fields". Mend it, or remove it.')
    form = document.get("kafka2parquet_schema", _FORM)
    if form != _FORM:
        raise ConfigurationError(f"{where} has the form {form!r}, and this version knows {_FORM}. Use a newer version.")
    return document


def _field_lines(field: dict[str, Any], indent: str) -> str:
    if "fields" not in field:
        return indent + _text(field)
    head = _text({name: value for name, value in field.items() if name != "fields"}).removesuffix("}")
    inner = ",\n".join(_field_lines(member, f"{indent}  ") for member in field["fields"])
    return f'{indent}{head}, "fields": [\n{inner}\n{indent}]}}'


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
