"""Schemas are written as text and read back, also from the text that people write."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from kafka2parquet.errors import ConfigurationError
from kafka2parquet.schema.contract import SchemaVersion
from kafka2parquet.schema.lattice import any_field, known_fields, merge_schemas
from kafka2parquet.schema.schema_text import changes, fields_to_json, schema_from_json, shrinkage
from tests.unit.schema.test_lattice import SCHEMAS

STORED = """\
{
  "kafka2parquet_schema": 1,
  "topic": "orders",
  "version": 2,
  "created_at": "2026-05-17T10:00:00+00:00",
  "created_by": "kafka2parquet 0.1.0",
  "because_of": "orders-3, offset 120",
  "changes": ["new: items (list<struct>)"],
  "fields": [
    {"name": "id", "type": "int64", "nullable": true},
    {"name": "items", "type": "list<struct>", "nullable": true, "fields": [
      {"name": "größe", "type": "double", "nullable": true},
      {"name": "tags", "type": "list<list<string>>", "nullable": true}
    ]},
    {"name": "payload", "type": "any", "nullable": true}
  ]
}
"""
SCHEMA = pa.schema(
    [
        pa.field("id", pa.int64()),
        pa.field("items", pa.list_(pa.struct([("größe", pa.float64()), ("tags", pa.list_(pa.list_(pa.string())))]))),
        any_field("payload"),
    ]
)


def problems(fields: Any, *, learnable: bool = False) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as raised:
        schema_from_json(fields, "FILE", learnable=learnable)
    return raised.value.problems


def test_a_version_is_written_for_people() -> None:
    """A version has one line per column, so that versions can be compared."""
    version = SchemaVersion(
        "orders",
        2,
        SCHEMA,
        ("new: items (list<struct>)",),
        "orders-3, offset 120",
        "2026-05-17T10:00:00+00:00",
        "kafka2parquet 0.1.0",
    )

    assert STORED == version.to_json().decode()


def test_a_version_is_read_again() -> None:
    """All of a written version is read back."""
    version = SchemaVersion.from_json(STORED.encode(), "FILE", topic="orders", number=2)

    assert version.schema.equals(SCHEMA, check_metadata=True)
    assert (STORED, "orders-3, offset 120") == (version.to_json().decode(), version.because_of)


def test_a_text_may_have_only_the_columns() -> None:
    """A text with only the columns is valid, because the key has the topic and the number."""
    version = SchemaVersion.from_json(b'{"fields": [{"name": "a", "type": "int64"}]}', "FILE", topic="t", number=7)

    assert ("t", 7, [("a", pa.int64())]) == (version.topic, version.number, [(f.name, f.type) for f in version.schema])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "FILE is not JSON"),
        (b"\xff", "FILE is not JSON"),
        (b"[]", "FILE is not a JSON object with"),
        (b"{}", "FILE is not a JSON object with"),
        (b'{"kafka2parquet_schema": 2, "fields": []}', "Use a newer version"),
        (b'{"fields": []}', "Name at least one column"),
        (b'{"fields": {}}', '"fields" is not a list'),
    ],
)
def test_text_that_is_not_a_version_is_refused(content: bytes, said: str) -> None:
    """The error names the object and says what to do."""
    with pytest.raises(ConfigurationError, match=said):
        SchemaVersion.from_json(content, "FILE", topic="t", number=1)


@given(SCHEMAS)
def test_columns_survive_being_written(schema: pa.Schema) -> None:
    """Every column that can be learned survives being written and read."""
    known = pa.schema(known_fields(schema))
    if len(known):
        again = schema_from_json(json.loads(json.dumps(fields_to_json(known))), "FILE", learnable=True)
        assert again.equals(known, check_metadata=True)


def test_columns_that_are_given_have_further_types() -> None:
    """Given columns may have types that JSON doesn't distinguish."""
    schema = pa.schema(
        [
            ("at", pa.timestamp("us", "UTC")),
            ("local", pa.timestamp("ms")),
            ("day", pa.date32()),
            ("price", pa.decimal128(10, 2)),
            ("small", pa.int16()),
            ("real", pa.float32()),
        ]
    )
    written = fields_to_json(schema)

    assert ["timestamp[us, UTC]", "timestamp[ms]", "date", "decimal(10, 2)", "int16", "float"] == [
        field["type"] for field in written
    ]
    assert schema == schema_from_json(written, "FILE")
    assert ["at", "local", "day", "price", "small", "real"] == [
        problem.split(": ")[1] for problem in problems(written, learnable=True)
    ]


def test_all_problems_are_reported_at_once() -> None:
    """All problems are reported together, each with the path of the column."""
    fields = [
        {"name": "a"},
        {"name": "a", "type": "int64", "nullable": False},
        {"type": "int64"},
        {"name": "b", "type": "list<number>"},
        {"name": "c", "type": "struct", "fields": [{"name": "d", "type": "int64", "typ": 1}]},
        {"name": "e", "type": "struct", "fields": []},
        {"name": "f", "type": "struct"},
        {"name": "g", "type": "int64", "fields": []},
        {"name": "h", "type": "decimal(50, 2)"},
        {"name": "i", "type": "list<" * 100 + "int64" + ">" * 100},
    ]

    expected = (
        'a: it has no "type"',
        'a: "nullable" must be true',
        'field 3 has no "name"',
        "b: the type 'number' is unknown",
        'c.d: "typ" is unknown',
        "e: a struct without fields",
        'f: "fields" is not a list',
        'g: "fields" belong to a struct',
        "h: the type 'decimal(50, 2)' is unknown",
        "i: nested more than 64 levels deep",
    )
    found = problems(fields)
    assert expected == tuple(problem[len("FILE: ") :][: len(text)] for text, problem in zip(expected, found, strict=True))


def test_says_what_has_changed() -> None:
    """Changes are described in words, with the path of the member."""
    old = pa.schema([("a", pa.int64()), ("b", pa.struct([("x", pa.int64())])), ("c", pa.list_(pa.int64())), ("d", pa.bool_())])
    new = pa.schema(
        [pa.field("a", pa.float64()), ("b", pa.struct([("x", pa.int64()), ("y", pa.bool_())])), ("c", pa.list_(any_field("i")))]
    )

    assert ["a: int64 became double", "new: b.y (boolean)", "c[]: int64 became any", "gone: d"] == list(
        changes(list(old), list(new))
    )


@given(SCHEMAS, SCHEMAS)
def test_whatever_is_joined_has_grown(old: pa.Schema, other: pa.Schema) -> None:
    """A schema that the lattice has joined is always accepted as the next version."""
    before = pa.schema(known_fields(old))
    after = merge_schemas(before, pa.schema(known_fields(other)), conflicts_become_any=True)

    assert [] == list(shrinkage(list(before), list(after)))


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ([("b", pa.int64())], "a is missing; columns that files have can't be removed"),
        ([("a", pa.string())], "a: struct can't become string"),
        ([("a", pa.struct([("x", pa.int64())]))], "a.x: double can't become int64"),
        ([("a", pa.struct([("y", pa.int64())]))], "a.x is missing"),
    ],
)
def test_what_has_not_grown_is_reported(new: list[tuple[str, pa.DataType]], said: str) -> None:
    """A column that disappears, or accepts fewer values than before, is reported."""
    old = pa.schema([("a", pa.struct([("x", pa.float64())]))])

    assert [True] == [problem.startswith(said) for problem in shrinkage(list(old), list(pa.schema(new)))]
