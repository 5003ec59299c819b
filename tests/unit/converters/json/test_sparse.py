"""Parsing wide and sparse JSON in groups gives the same table and the same refusals as parsing it as a whole."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafka2parquet.converters.json import sparse as json_sparse
from kafka2parquet.converters.json.parse_batch import ValuesRefused, parse_objects

_TYPES = 12
_SCHEMA = pa.schema(
    [
        ("type", pa.string()),
        *(
            (f"t{number}_{name}", type_)
            for number in range(_TYPES)
            for name, type_ in (
                ("text", pa.string()),
                ("number", pa.float64()),
                ("count", pa.int64()),
                ("flag", pa.bool_()),
                ("list", pa.list_(pa.int64())),
                ("inner", pa.struct([("a", pa.int64()), ("b", pa.string())])),
                ("unknown", pa.null()),
            )
        ),
    ]
)
_MEMBERS: dict[str, list[Any]] = {
    "text": ["", "a", 'with "quotes":1', "ünï\n", None],
    "number": [0.5, -1e9, None],
    "count": [1, -(2**63), None],
    "flag": [True, False, None],
    "list": [[], [1, 2], None],
    "inner": [{}, {"a": 1}, {"b": '":'}, None],
    "unknown": [None],
}


def _event(source: random.Random, keep: float = 1.0) -> dict[str, Any]:
    number = source.randrange(_TYPES)
    members = {f"t{number}_{name}": source.choice(values) for name, values in _MEMBERS.items() if source.random() < keep}
    return {**members, "type": f"t{number}"} if source.random() < 0.5 else {"type": f"t{number}", **members}


def _values(documents: list[dict[str, Any]], separators: tuple[str, str] = (",", ":")) -> pa.Array:
    return pa.array([json.dumps(document, separators=separators).encode() for document in documents], pa.binary_view())


def _whole(values: pa.Array, schema: pa.Schema = _SCHEMA) -> pa.Table:
    """Parses all values with one call of the parser."""
    stream = b"\n".join(values.to_pylist())
    return pyarrow.json.read_json(
        pa.BufferReader(stream),
        read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=len(stream) + 1),
        parse_options=pyarrow.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="error"),
    )


def _by_groups(values: pa.Array, schema: pa.Schema = _SCHEMA) -> tuple[pa.Table | None, list[int]]:
    """Parses in groups, and returns the table and the number of columns in each call of the parser."""
    objects = values.to_pylist()
    starts = np.cumsum([0, *(len(each) + 1 for each in objects[:-1])])
    asked: list[int] = []

    def parse(stream: pa.Buffer, part: pa.Schema) -> pa.Table:
        asked.append(len(part))
        return pyarrow.json.read_json(
            pa.BufferReader(stream),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=part, unexpected_field_behavior="error"),
        )

    return json_sparse.parse_sparse(pa.py_buffer(b"\n".join(objects)), starts, schema, parse), asked


def test_each_type_of_event_is_parsed_with_its_own_columns() -> None:
    """Each group is parsed with its own columns, and the rows keep the order of the values."""
    source = random.Random(1)
    values = _values([_event(source) for _ in range(6000)])

    table, asked = _by_groups(values)

    assert table is not None
    table.validate(full=True)
    assert table.equals(_whole(values).combine_chunks())
    assert [8] * _TYPES == asked


def test_few_events_of_a_type_join_others() -> None:
    """Rare types of events join other groups, since another call of the parser costs more than their nulls."""
    source = random.Random(1)
    values = _values([_event(source) for _ in range(1200)])

    table, asked = _by_groups(values)

    assert table is not None
    assert table.equals(_whole(values).combine_chunks())
    assert 1 <= len(asked) < _TYPES


@pytest.mark.parametrize(
    "documents",
    [
        [{"type": "t1"}] * 3000,
        [{}] * 3000,
        [dict.fromkeys(_SCHEMA.names)] * 300,
        [{"type": "t1"}, {"t1_count": 5}, {}] * 1000,
        [{"type": "t1", "t1_inner": {"a": number}} for number in range(1000)],
    ],
)
def test_other_mixtures(documents: list[dict[str, Any]]) -> None:
    """One group, values without members, values with all columns, and short values give the same table."""
    values = _values(documents)

    table, _ = _by_groups(values)

    assert table is None or table.equals(_whole(values).combine_chunks())
    assert parse_objects(values, _SCHEMA).combine_chunks().equals(_whole(values).combine_chunks())


@given(st.integers(0, 2**32), st.integers(256, 900), st.floats(0.5, 1), st.sampled_from([(",", ":"), (", ", ": ")]))
def test_the_same_table_as_without_groups(seed: int, count: int, keep: float, separators: tuple[str, str]) -> None:
    """The table doesn't depend on the groups, whatever members the values have and in whatever order."""
    source = random.Random(seed)
    values = _values([_event(source, keep) for _ in range(count)], separators)

    table = parse_objects(values, _SCHEMA)

    table.validate(full=True)
    assert table.combine_chunks().equals(_whole(values).combine_chunks())


@pytest.mark.parametrize(
    "bad",
    [
        b'{"type":"t1","new":1}',
        b'{"type":"t1","t1_count":1.5}',
        b'{"type":"t1","type":"t1"}',
        b'{"t1_number":NaN}',
        b'{"t1_number":1e999}',
        b'{"type":"t1"}{"type":"t2"}',
        b'{"type":"t1"} {"type":"t2"}',
        b'{"type":"t1",}',
        b'{"type":"t1"',
        b'{"type":"t1"\0}',
        b'{"t1_text":"\xff"}',
        b"[{}]",
    ],
)
@pytest.mark.parametrize("place", [0, 1234, 2999])
def test_one_bad_value_is_refused(bad: bytes, place: int) -> None:
    """One bad value is refused in the same way as without groups."""
    source = random.Random(1)
    objects = _values([_event(source) for _ in range(3000)]).to_pylist()
    objects[place] = bad

    with pytest.raises(ValuesRefused):
        parse_objects(pa.array(objects, pa.binary_view()), _SCHEMA)


def test_two_documents_in_one_value_are_not_made_up_for_by_another_one() -> None:
    """Values are refused if a group has another number of rows than of values."""
    source = random.Random(1)
    objects = _values([_event(source) for _ in range(3000)]).to_pylist()
    objects[5] = b'{"type":"t1"}{"type":"t1"}'
    objects[9] = b'{"type":"t1'
    objects[10] = b'"}'

    with pytest.raises(ValuesRefused):
        parse_objects(pa.array(objects, pa.binary_view()), _SCHEMA)


def test_names_that_end_alike_only_cost_time() -> None:
    """Values that are wrongly grouped because their names end alike are parsed with all columns."""
    schema = pa.schema([(f"{number:02}_same_end", pa.int64()) for number in range(60)])
    values = _values([{f"{number % 60:02}_same_end": number} for number in range(3000)])

    assert parse_objects(values, schema).combine_chunks().equals(_whole(values, schema).combine_chunks())
